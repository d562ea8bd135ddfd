"""Sentences as spans of one long row of word numbers, and batches of them.

An example is a sentence (first word and number of words in the row) or a pair of them; a phrase is a shorter span of
the same row, so that the 318 000 phrases of a treebank cost no further text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwsim.ir.errors import ShapeError, UsageError
from ml.common.seed import numpy_generator
from ml.disan.model import Tokens
from ml.disan.vocabulary import Vocabulary

POOL = 32  # batches that are sorted by length together
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Examples:
    """Labelled spans of a row of words.

    Attributes:
        row: word numbers int64 [words].
        starts, lengths: int64 [m], or [m, 2] for pairs.
        labels: int64 [m].
        states: further features of every word of the row, [words, f], or None.
    """

    row: Ints
    starts: Ints
    lengths: Ints
    labels: Ints
    states: NDArray[np.float16] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, some: Ints) -> Examples:
        return replace(self, starts=self.starts[some], lengths=self.lengths[some], labels=self.labels[some])

    def joined(self, other: Examples) -> Examples:
        """These examples, then those of another part of the same row."""
        parts = {name: [getattr(self, name), getattr(other, name)] for name in ("starts", "lengths", "labels")}
        return replace(self, **{name: np.concatenate(both) for name, both in parts.items()})

    def tokens(self, some: Ints) -> Tokens:
        """The batch of examples `some`; of pairs, first all first sentences."""
        starts, lengths = (part[some].T.reshape(-1) for part in (self.starts, self.lengths))
        place = np.arange(lengths.max())
        there = place < lengths[:, None]
        where = np.where(there, starts[:, None] + place, 0)
        states = None
        if self.states is not None:
            states = torch.from_numpy(self.states[where] * there[..., None].astype(np.float16)).float()
        return Tokens(torch.from_numpy(np.where(there, self.row[where], 0)), torch.from_numpy(lengths), states)

    def longest(self) -> Ints:
        """Words of each example's longer sentence."""
        return self.lengths if self.lengths.ndim == 1 else self.lengths.max(1)


def examples(texts: NDArray, labels: Ints, vocabulary: Vocabulary) -> Examples:
    """Examples of texts [m] or pairs [m, 2] (tokens with spaces between).

    Raises:
        ShapeError: an empty sentence; the message says which.
    """
    rows = []
    for i, text in enumerate(texts.reshape(-1)):
        try:
            rows.append(vocabulary.ids(text))
        except ShapeError as error:
            sides = 1 if texts.ndim == 1 else texts.shape[1]
            raise ShapeError(f"example {i // sides}: {error}") from error
    lengths = np.array([len(row) for row in rows], np.int64)
    starts = np.cumsum(lengths) - lengths
    row = np.concatenate(rows) if rows else np.zeros(0, np.int64)
    return Examples(row, starts.reshape(texts.shape), lengths.reshape(texts.shape), np.asarray(labels, np.int64))


@dataclass(frozen=True, eq=False)
class Batches:
    """Batches of examples of about equal length, in an order drawn from (seed, epoch) alone.

    share: part of the examples that an epoch sees; another part every epoch.
    always: how many of the first examples every epoch sees; `share` is of the others.
    """

    examples: Examples
    batch: int
    seed: int
    share: float = 1.0
    always: int = 0

    def __post_init__(self) -> None:
        if self.batch < 1 or not len(self.examples) or not 0 < self.share <= 1:
            got = f"{self.batch} of {len(self.examples)} examples, share {self.share}"
            raise UsageError.of("batches", got, "a batch of 1 or more, examples, a share in (0, 1]", "Change them.")

    @property
    def steps(self) -> int:
        """Batches an epoch."""
        return -(-(self.always + int((len(self.examples) - self.always) * self.share)) // self.batch)

    def epoch(self, epoch: int) -> Iterator[tuple[Tokens, Tensor]]:
        """(tokens, labels [batch]) of one epoch, the same for the same epoch."""
        rng = numpy_generator(self.seed, "epoch", epoch)
        others = len(self.examples) - self.always
        order = self.always + rng.permutation(others)[: int(others * self.share)]
        if self.always:
            order = rng.permutation(np.concatenate([np.arange(self.always), order]))
        length = self.examples.longest()
        pools = [order[i : i + POOL * self.batch] for i in range(0, len(order), POOL * self.batch)]
        sorted_ = np.concatenate([pool[np.argsort(length[pool], kind="stable")] for pool in pools])
        for i in rng.permutation(-(-len(order) // self.batch)):
            some = sorted_[i * self.batch : (i + 1) * self.batch]
            yield self.examples.tokens(some), torch.from_numpy(self.examples.labels[some])


@torch.no_grad()
def scores(model: torch.nn.Module, held: Examples, batch: int = 256) -> Tensor:
    """Scores float32 [m, classes] of a model in evaluation mode."""
    model.eval()
    device = next(model.parameters()).device
    order = np.argsort(held.longest(), kind="stable")
    parts = [model(held.tokens(order[i : i + batch]).to(device)).cpu() for i in range(0, len(order), batch)]
    out = torch.cat(parts)
    return out[torch.from_numpy(np.argsort(order))]


def accuracy(model: torch.nn.Module, held: Examples) -> float:
    """Share of examples whose largest score is at the label."""
    return float((scores(model, held).argmax(1).numpy() == held.labels).mean())


def lengths_of(some: Sequence[Examples]) -> Ints:
    """Words of all sentences of several sets."""
    return np.concatenate([part.lengths.reshape(-1) for part in some])
