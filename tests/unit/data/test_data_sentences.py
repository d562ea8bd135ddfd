"""Sentence sets: tokens, trees, the generated task, the published counts, damaged and missing files."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from hwsim.ir.errors import DataError
from ml.common.data import UnreachableError, load
from ml.common.datasets import sentences
from ml.common.datasets.treebank import tree
from ml.common.datasets.word_order import LONGEST, MARKED, SHORTEST

COUNTS = {"trec": (5452, 500, 0), "subj": (10000, 0, 0), "cr": (3771, 0, 0), "mpqa": (10603, 0, 0), "mr": (10662, 0, 0),
          "sst2": (6920, 1821, 872), "sst5": (8544, 2210, 1101), "sick": (4500, 4927, 500),
          "snli_small": (9842, 9824, 0)}  # fmt: skip


@pytest.mark.parametrize("name", COUNTS)
def test_published_counts(name: str, shared: Path) -> None:
    data = load(name, root=shared)
    assert (len(data.y_train), len(data.y_test), len(data.extras["y_dev"])) == COUNTS[name]
    assert set(data.y_train.tolist()) == set(range(data.n_classes))
    assert data.x_train.ndim == (2 if name in ("sick", "snli_small") else 1)
    assert all(text.split() for text in data.x_train.reshape(-1))


def test_phrases_are_spans_of_their_sentences(shared: Path) -> None:
    data = load("sst5", root=shared)
    phrases = data.extras["phrases"]
    whole = [
        (i, 0, len(text.split()), label) for i, (text, label) in enumerate(zip(data.x_train, data.y_train, strict=True))
    ]
    assert set(whole) <= set(map(tuple, phrases.tolist()))
    words = sum(len(text.split()) for text in data.x_train)
    assert 2 * words - len(data.x_train) - len(phrases) == 6  # binary trees; six leaves are two words ("8 1/2")


def test_trees() -> None:
    assert tree("(1 (2 -LRB-) (0 (2 a\\/b) (4 c)))") == (
        ["(", "a/b", "c"], [(0, 1, 2), (1, 2, 2), (2, 3, 4), (1, 3, 0), (0, 3, 1)]
    )  # fmt: skip
    for broken in ("(1 (2 a)", "a b", ""):
        with pytest.raises(DataError, match=r"tree: got .* expected \(grade left right\)"):
            tree(broken)


def test_word_order_is_decided_by_order_alone() -> None:
    data = load("word_order")
    assert (len(data.y_train), len(data.y_test)) == (2400, 600)
    for text, label in zip(data.x_train, data.y_train, strict=True):
        words = text.split()
        assert SHORTEST <= len(words) <= LONGEST
        places = [words.index(word) for word in data.class_names[label].split()]
        assert all(a < b for a, b in pairwise(places))
        assert sorted(w for w in words if w in MARKED) == sorted(MARKED)
    assert np.ptp(np.bincount(data.y_train)) < 60
    assert load("word_order").sha256s == data.sha256s


def test_a_damaged_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "text" / "sentconv"
    folder.mkdir(parents=True)
    (folder / "mpqa.all").write_bytes(b"0 bad\n")
    with pytest.raises(DataError, match=r"checksum of .*mpqa\.all: got sha256 .*, expected sha256 661de8"):
        load("mpqa", root=tmp_path)
    monkeypatch.setattr(sentences, "check_sha256", lambda path, expected: expected)
    assert load("mpqa", root=tmp_path).x_train.tolist() == ["bad"]
    (folder / "mpqa.all").write_bytes(b"no label here\n")
    with pytest.raises(DataError, match=r"mpqa\.all: got invalid literal.*expected one labelled sentence a line"):
        load("mpqa", root=tmp_path)


def test_without_the_files_the_generated_task_stands_in_on_request(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match=r"data set sick: .*Put SICK_train\.txt"):
        load("sick", root=tmp_path, download=False)
    stand_in = load("sick", root=tmp_path, download=False, fallback=True)
    assert stand_in.variant == "word_order (embedded default for sick)"
