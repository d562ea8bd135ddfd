"""sst5: the Stanford Sentiment Treebank with five grades, and every phrase of its training trees with a grade."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np

from hwsim.ir.errors import DataError

from .dataset import Array, Dataset, Labels, Progress
from .sentences import texts
from .store import RemoteFile, check_sha256, find

GRADES = ("very negative", "negative", "neutral", "positive", "very positive")
FILES = {
    "train": RemoteFile("train.txt", sha256="3287e6df56acb2ccba2bc3ebb7a696c0daee8d2fa00988348bbf37796bc3739d"),
    "dev": RemoteFile("dev.txt", sha256="0e9336aed6e4730e19f58d00a77b3f0297efdb755f7b5e598c98a05e3f97ea40"),
    "test": RemoteFile("test.txt", sha256="6e54806dee95cf80cd918e7dfb3f6770f6df24bf826f289a4d1f709e1c8f6761"),
}
_PIECE = re.compile(r"\((\d)|\)|[^\s()]+")
_BRACKETS = {"-LRB-": "(", "-RRB-": ")"}
Span = tuple[int, int, int]  # first word, one after the last, grade


def load_sst5(root: str | Path | None = None, progress: Progress | None = None) -> Dataset:
    """8544 + 2210 sentences, texts of tokens with single spaces; extras ``x_dev``, ``y_dev`` (1101) and ``phrases``.

    ``phrases`` is int64 ``[m, 4]``: training sentence, first word, one after the last, grade, for every node of the
    training trees. The file train.txt also holds the development trees; they are taken out.

    Raises:
        UnreachableError: no copy here; it can't be downloaded in this form.
        DataError: a file is damaged.
    """
    names = ", ".join(file.name for file in FILES.values())
    found = find(
        "sst_trees", tuple(FILES.values()), subfolder="text/sst_trees", root=root, progress=progress,
        how_to_get=f"Put {names} into $HWSIM_DATA/text/sst_trees.",
    )  # fmt: skip
    digests = {file.name: check_sha256(found.path(file), str(file.sha256)) for file in FILES.values()}
    lines = {part: found.path(file).read_text("utf-8").splitlines() for part, file in FILES.items()}
    lines["train"] = _without(lines["train"], lines["dev"])
    trees = {part: [tree(line) for line in some if line.strip()] for part, some in lines.items()}
    (x, y), (x_dev, y_dev), (x_test, y_test) = (_sentences(trees[part]) for part in ("train", "dev", "test"))
    phrases = [(i, *span) for i, (_, spans) in enumerate(trees["train"]) for span in spans]
    return Dataset(
        name="sst5",
        variant="sst5",
        source=found.source,
        location=str(found.folder),
        x_train=x,
        y_train=y,
        x_test=x_test,
        y_test=y_test,
        feature_names=(),
        class_names=GRADES,
        licence="research use",
        citation="R. Socher et al., Recursive deep models for semantic compositionality, EMNLP 2013",
        sha256s=digests,
        extras={"x_dev": x_dev, "y_dev": y_dev, "phrases": np.array(phrases, np.int64)},
    )


def _without(lines: list[str], held: list[str]) -> list[str]:
    """`lines` less those of `held`, each as often as it stands there."""
    left = Counter(held)
    kept = []
    for line in lines:
        if left[line]:
            left[line] -= 1
        else:
            kept.append(line)
    return kept


def tree(line: str) -> tuple[list[str], list[Span]]:
    """Words and graded spans of one tree in brackets; the last span is the whole sentence.

    Raises:
        DataError: brackets that do not match.

    Example:
        >>> tree("(3 (2 no) (4 bad))")
        (['no', 'bad'], [(0, 1, 2), (1, 2, 4), (0, 2, 3)])
    """
    words: list[str] = []
    spans: list[Span] = []
    open_nodes: list[tuple[int, int]] = []
    for piece in _PIECE.finditer(line):
        if piece[1]:
            open_nodes.append((len(words), int(piece[1])))
        elif piece[0] == ")" and open_nodes:
            first, grade = open_nodes.pop()
            spans.append((first, len(words), grade))
        elif piece[0] != ")" and open_nodes:
            words.append(_BRACKETS.get(piece[0], piece[0].replace("\\/", "/").replace("\\*", "*")))
        else:
            open_nodes.append((0, 0))
            break
    if open_nodes or not words:
        raise DataError.of("tree", line[:60], "(grade left right) with matching brackets", "Restore the file.")
    return words, spans


def _sentences(trees: list[tuple[list[str], list[Span]]]) -> tuple[Array, Labels]:
    return texts([" ".join(words) for words, _ in trees]), np.array([spans[-1][2] for _, spans in trees], np.int64)
