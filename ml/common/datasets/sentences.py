"""Sentences and sentence pairs with labels: TREC, SUBJ, CR, MPQA, MR, SST, SICK, a part of SNLI, and a generated set.

x is an array of texts ``[n]`` (dtype object), or of pairs ``[n, 2]``; a text is its tokens with single spaces between,
case as published. Sets without a test part of their own (SUBJ, CR, MPQA, MR) have all in x_train: they are judged by
cross-validation. `extras` hold ``x_dev``, ``y_dev`` where a development part is published.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hwsim.ir.errors import DataError

from .dataset import Array, Dataset, Labels, Progress
from .store import Found, RemoteFile, check_sha256, find

_URL = "https://raw.githubusercontent.com/harvardnlp/sent-conv-torch/master/data/"
_SHA = {
    "TREC.test.all": "92a6a3cede5678b447ef5f1d7ec474134fcda211e6590e6fa627b4a2c68e4566",
    "TREC.train.all": "c8183fd8c2a5cc4a9a1c56548d7c6410a8b71ed7843df9ef1f0a05cd7cf2fb3e",
    "custrev.all": "a3839a79bd3285177a07158c6104b49038a7a06ab2abe897734cde5d22e5e325",
    "mpqa.all": "661de8a069da4b9845fc8b9ae59cc97ffe554f3018fa6bf0e640e3d626a4eaf7",
    "rt-polarity.all": "b8846c3bbd59241f901efdc58f7c515e4b280ab3561fd1858caa5aa48da95a8a",
    "subj.all": "f3ffbe2aa8e4f3ba3e63e46dce51613854edbca122fb3aa758b9bce047ded23c",
    "stsa.binary.dev": "02fedc82855dbdcabe82c65ed1af6c6570788eaac51073cdb35ee8c7784426d1",
    "stsa.binary.test": "6a80dc9b9a0db2d3b37f2f809304febad31c90ab67a5b4157b7d9f881c53ef5b",
    "stsa.binary.train": "71c04bcc41291fa47454dd670df701b14ee9249156babeaac404cfe2c8d74338",
    "SICK_train.txt": "266cf8047149bd1d68138dd30439f3122bff30069740ac6705bb6197d9f1b48e",
    "SICK_trial.txt": "5a88cfb62f8c6bd2a3cce0f2421ba2cb8c2be5ab4a800f6f01e2c64aafb7db56",
    "SICK_test_annotated.txt": "2b8aa806658d6fc23c6824c83776c2d4fee7556000817b5ec0f982861413b7d0",
    "validation.tsv": "dc3cdacf1cef526dccd5ca58fb195b66f249c9b15dff0d46ff0d4d138e1e1e4d",
    "test.tsv": "c56822451475e7dccf12cd2e68676fa1ccb0ac8c8d9b751c01915003712bb202",
}
_TOKEN = re.compile(r"\w+(?=n't\b)|n't\b|'(?:s|re|ve|ll|d|m)\b|\w+(?:[-./,]\w+)*|[^\w\s]", re.IGNORECASE)


class _Known(NamedTuple):
    """Where a set lies and what it is."""

    folder: str
    train: str
    dev: str
    test: str
    classes: tuple[str, ...]
    citation: str


_TREC_CLASSES = ("description", "entity", "abbreviation", "human", "location", "number")
_SETS = {
    "trec": _Known(
        "sentconv", "TREC.train.all", "", "TREC.test.all", _TREC_CLASSES,
        "X. Li, D. Roth, Learning question classifiers, COLING 2002",
    ),
    "subj": _Known(
        "sentconv", "subj.all", "", "", ("objective", "subjective"),
        "B. Pang, L. Lee, A sentimental education, ACL 2004",
    ),
    "cr": _Known(
        "sentconv", "custrev.all", "", "", ("negative", "positive"),
        "M. Hu, B. Liu, Mining and summarizing customer reviews, KDD 2004",
    ),
    "mpqa": _Known(
        "sentconv", "mpqa.all", "", "", ("negative", "positive"),
        "J. Wiebe, T. Wilson, C. Cardie, Annotating expressions of opinions, LRE 2005",
    ),
    "mr": _Known(
        "sentconv", "rt-polarity.all", "", "", ("negative", "positive"), "B. Pang, L. Lee, Seeing stars, ACL 2005"
    ),
    "sst2": _Known(
        "sentconv", "stsa.binary.train", "stsa.binary.dev", "stsa.binary.test", ("negative", "positive"),
        "R. Socher et al., Recursive deep models for semantic compositionality, EMNLP 2013",
    ),
    "sick": _Known(
        "sick", "SICK_train.txt", "SICK_trial.txt", "SICK_test_annotated.txt",
        ("ENTAILMENT", "NEUTRAL", "CONTRADICTION"),
        "M. Marelli et al., A SICK cure for the evaluation of compositional distributional models, LREC 2014",
    ),
    "snli_small": _Known(
        "snli_small", "validation.tsv", "", "test.tsv", ("entailment", "neutral", "contradiction"),
        "S. Bowman et al., A large annotated corpus for learning natural language inference, EMNLP 2015",
    ),
}  # fmt: skip
SENTENCES = tuple(_SETS)
_LICENCES = {"sentconv": "research use", "sick": "CC BY-NC-SA 3.0", "snli_small": "CC BY-SA 4.0"}


def tokenise(text: str) -> list[str]:
    """Tokens of raw text, case kept: words, punctuation marks, and ``n't``, ``'s`` … on their own.

    Example:
        >>> tokenise("He isn't Ann's 6-year-old, is he?")
        ['He', 'is', "n't", 'Ann', "'s", '6-year-old', ',', 'is', 'he', '?']
    """
    return _TOKEN.findall(text)


def load_sentences(name: str, root: str | Path | None = None, progress: Progress | None = None) -> Dataset:
    """One of the published sets; classes, files and citation as in `_SETS`.

    Raises:
        UnreachableError: not on this machine and can't be downloaded.
        DataError: a file is damaged or incomplete.
    """
    known = _SETS[name]
    parts = [part for part in (known.train, known.dev, known.test) if part]
    urls = {part: (f"{_URL}{part}",) if known.folder == "sentconv" else () for part in parts}
    files = tuple(RemoteFile(part, urls[part], _SHA[part]) for part in parts)
    mend = f"Put {', '.join(parts)} into $HWSIM_DATA/text/{known.folder}."
    found = find(name, files, subfolder=f"text/{known.folder}", root=root, progress=progress, how_to_get=mend)
    digests = {part: check_sha256(found.folder / part, _SHA[part]) for part in parts}
    texts = {part: _read(found, part, known) for part in parts}
    empty = (texts[known.train][0][:0], np.zeros(0, np.int64))
    test = texts[known.test] if known.test else empty
    dev = texts[known.dev] if known.dev else empty
    return Dataset(
        name=name,
        variant=f"{name}, the development part stands in for training" if name == "snli_small" else name,
        source=found.source,
        location=str(found.folder),
        x_train=texts[known.train][0],
        y_train=texts[known.train][1],
        x_test=test[0],
        y_test=test[1],
        feature_names=(),
        class_names=known.classes,
        licence=_LICENCES[known.folder],
        citation=known.citation,
        sha256s=digests,
        extras={"x_dev": dev[0], "y_dev": dev[1]},
    )


def _read(found: Found, part: str, known: _Known) -> tuple[Array, Labels]:
    raw = (found.folder / part).read_bytes()
    try:
        text = raw.decode()
    except UnicodeDecodeError:  # three of the files are in ISO 8859-1
        text = raw.decode("latin-1")
    lines = [line for line in text.split("\n") if line.strip()]
    try:
        pairs = _labelled(lines, known)
    except (ValueError, IndexError) as error:
        mend = "Put the published file there."
        raise DataError.of(str(found.folder / part), str(error), "one labelled sentence a line", mend) from error
    return texts([p[0] for p in pairs]), np.array([p[1] for p in pairs], np.int64)


def _labelled(lines: Sequence[str], known: _Known) -> list[tuple[str | tuple[str, str], int]]:
    """(text or pair, class) of every line."""
    if known.folder == "sentconv":
        split = [line.split(" ", 1) for line in lines]
        return [(" ".join(text.split()), int(label)) for label, text in split if text.strip()]
    rows = [line.rstrip("\r").split("\t") for line in lines[1:]]
    if known.folder == "sick":
        found = [(row[1], row[2], known.classes.index(row[4])) for row in rows]
    else:
        found = [(row[0], row[1], int(row[2])) for row in rows]
    return [((" ".join(tokenise(a)), " ".join(tokenise(b))), label) for a, b, label in found]


def texts(values: Sequence[str | tuple[str, str]]) -> Array:
    """Texts as an object array [n], pairs as [n, 2]."""
    paired = len(values) > 0 and not isinstance(values[0], str)
    made = np.empty((len(values), 2) if paired else len(values), dtype=object)
    for i, value in enumerate(values):
        made[i] = value
    return made
