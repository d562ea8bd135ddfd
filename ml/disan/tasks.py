"""Data sets as tasks: training, development and test examples with one vocabulary and its vectors.

A set with a published test part keeps it, and its development part where there is one. The others (SUBJ, CR, MPQA, MR)
are cross-validated: fold f of ten is the test part (paper section 5.3). Where no development part is published, a tenth
of the training part is held out, by a seed; the test part is read once, after training.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hwsim.ir.errors import UsageError
from ml.common.data import Dataset, load, stratified_indices
from ml.common.seed import numpy_generator
from ml.disan.examples import Examples, Ints, examples
from ml.disan.vocabulary import Vectors, Vocabulary, split_contractions, vectors

TASKS = ("trec", "subj", "cr", "mpqa", "mr", "sst2", "sst5", "sick", "snli_small", "word_order")
FOLDS, HELD = 10, 0.1
States = Callable[[list[str]], NDArray[np.float16]]


@dataclass(frozen=True, eq=False)
class Task:
    """A data set ready to train on.

    Attributes:
        train, dev, test: examples.
        vocabulary, vectors: all words of the set, and their start values float32 [words, e].
        known: share of the words that the vectors know.
        always: how many of the first training examples belong to every epoch, whatever part an epoch sees.
    """

    name: str
    dataset: Dataset
    train: Examples
    dev: Examples
    test: Examples
    vocabulary: Vocabulary
    vectors: Vectors
    known: float
    always: int = 0

    @property
    def pairs(self) -> bool:
        """Examples are pairs of sentences."""
        return self.train.starts.ndim == 2

    @property
    def n_states(self) -> int:
        """Further features a token."""
        return 0 if self.train.states is None else self.train.states.shape[1]


def load_task(
    name: str,
    *,
    embedding: str = "glove50",
    fold: int = 0,
    seed: int = 0,
    phrases: bool = False,
    split: bool = True,
    states: States | None = None,
    download: bool = True,
) -> Task:
    """The task called `name`.

    Args:
        name: one of `TASKS`.
        embedding: word vectors, see `ml.disan.vocabulary.vectors`.
        fold: which tenth of a set without test part is the test, 0…9.
        seed: of the held-out development part and of random vectors.
        phrases: train on all phrases of sst5's training trees; whole sentences come first, and in every epoch.
        split: contractions as `split_contractions` has them, not as published; sst5, whose phrases count words, has
            them so already.
        states: makes further features [words, f] of texts, all words in a row.

    Raises:
        UsageError: an unknown task, a fold out of range, or phrases where there are none.
        UnreachableError, DataError: as `ml.common.data.load`.
    """
    if name not in TASKS:
        raise UsageError.of("task", repr(name), f"one of {', '.join(TASKS)}", "Correct the name.")
    if not 0 <= fold < FOLDS:
        raise UsageError.of("fold", fold, f"0…{FOLDS - 1}", "Choose one.")
    if phrases and name != "sst5":
        raise UsageError.of("phrases", f"task {name!r}", "sst5, which has graded phrases", "Leave phrases out.")
    dataset = load(name, download=download)
    x = np.concatenate([dataset.x_train, dataset.extras["x_dev"].reshape(-1, *dataset.x_train.shape[1:]),
                        dataset.x_test.reshape(-1, *dataset.x_train.shape[1:])])  # fmt: skip
    y = np.concatenate([dataset.y_train, np.asarray(dataset.extras["y_dev"], np.int64), dataset.y_test])
    if split and name != "sst5":
        x.reshape(-1)[:] = [split_contractions(text) for text in x.reshape(-1)]
    vocabulary = Vocabulary.of(x.reshape(-1))
    everything = examples(x, y, vocabulary)
    if states is not None:
        everything = replace(everything, states=states(list(x.reshape(-1))))
    train, dev, test = (everything[some] for some in _parts(dataset, fold, seed))
    always = 0
    if phrases:
        train, always = _phrases(train, everything, np.asarray(dataset.extras["phrases"], np.int64))
    table, known = vectors(vocabulary.words, embedding, seed)
    return Task(name, dataset, train, dev, test, vocabulary, table, float(known[2:].mean()), always)


def _parts(dataset: Dataset, fold: int, seed: int) -> tuple[Ints, Ints, Ints]:
    """Indices of training, development and test examples among all."""
    n_train, n_dev = len(dataset.y_train), len(dataset.extras["y_dev"])
    train, rest = np.arange(n_train), np.arange(n_train, n_train + n_dev + len(dataset.y_test))
    dev, test = rest[:n_dev], rest[n_dev:]
    if not len(test):
        place = np.empty(n_train, np.int64)
        for label in range(dataset.n_classes):  # every fold has its share of every class
            own = np.flatnonzero(dataset.y_train == label)
            place[numpy_generator(0, dataset.name, "folds", label).permutation(own)] = np.arange(len(own)) % FOLDS
        train, test = np.flatnonzero(place != fold), np.flatnonzero(place == fold)
    if not len(dev):
        kept, held = stratified_indices(dataset.y_train[train], HELD, seed)
        train, dev = train[kept], train[held]
    return train, dev, test


def _phrases(train: Examples, everything: Examples, phrases: Ints) -> tuple[Examples, int]:
    """(spans of the training sentences, each text and grade once, whole sentences first; how many those are)."""
    sentence, first, last, grade = phrases.T
    starts, lengths = everything.starts[sentence] + first, last - first
    seen: dict[tuple[bytes, int], int] = {}
    for i, (start, length) in enumerate(zip(starts, lengths, strict=True)):
        seen.setdefault((everything.row[start : start + length].tobytes(), int(grade[i])), i)
    some = np.array(sorted(seen.values()))
    whole = lengths[some] == everything.lengths[sentence[some]]
    some = np.concatenate([some[whole], some[~whole]])
    return replace(train, starts=starts[some], lengths=lengths[some], labels=grade[some]), int(whole.sum())
