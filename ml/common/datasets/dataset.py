"""What a loaded data set looks like, and how its training part is split."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hwsim.ir.errors import ShapeError, UsageError

Array = NDArray[np.generic]
Labels = NDArray[np.int64]
Progress = Callable[[int, int, str], None]
"""Called as ``progress(done, total, note)``; `total` is 0 while it is unknown."""

Source = Literal["$HWSIM_DATA", "cache", "system", "download", "embedded"]
"""`system`: a package of the operating system put it where it keeps data sets."""


class Split(NamedTuple):
    """A training part and what was held out of it; x ``[n, ...]``, y int64 ``[n]``."""

    x_train: Array
    y_train: Labels
    x_val: Array
    y_val: Labels


@dataclass(frozen=True, eq=False)
class Dataset:
    """One data set, in memory, with where it came from.

    Attributes:
        name: what the data is (a data set that stands in for another keeps its own name).
        variant: which form of it, for reports; says so when it stands in for another one.
        source: where it was found.
        location: folder, URL or generator it was read from.
        x_train, x_test: samples ``[n, ...]``; dtype and range as the loader's docstring says.
        y_train, y_test: class indices int64 ``[n]`` in ``[0, len(class_names))``.
        feature_names: one name a column of a two-dimensional x.
        class_names: one name a class, in the order of the class indices.
        licence, citation: of the data, not of this code.
        sha256s: file name → SHA-256 of the content that was checked (see `docs/data.md`).
        extras: further arrays that a loader documents by name.
    """

    name: str
    variant: str
    source: Source
    location: str
    x_train: Array
    y_train: Labels
    x_test: Array
    y_test: Labels
    feature_names: tuple[str, ...]
    class_names: tuple[str, ...]
    licence: str
    citation: str
    sha256s: Mapping[str, str] = field(default_factory=dict)
    extras: Mapping[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for part in ("train", "test"):
            _check_part(part, getattr(self, f"x_{part}"), getattr(self, f"y_{part}"), len(self.class_names))

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    def validation(self, fraction: float, seed: int) -> Split:
        """Hold a stratified share of the training part out, for choosing models; the test part is not touched.

        Args:
            fraction: share held out of each class, in (0, 1).
            seed: non-negative; the same seed gives the same split on every machine.

        Raises:
            UsageError: `fraction` outside (0, 1), or so small or large that one side is empty.

        Example:
            >>> from ml.common.data import load
            >>> split = load("digits").validation(0.1, seed=0)
            >>> len(split.y_train), len(split.y_val)
            (1294, 144)
        """
        kept, held = stratified_indices(self.y_train, fraction, seed)
        return Split(self.x_train[kept], self.y_train[kept], self.x_train[held], self.y_train[held])

    def provenance(self) -> dict[str, object]:
        """What a result file records about its data: plain strings, numbers and dicts, ready for JSON."""
        return {
            "name": self.name,
            "variant": self.variant,
            "source": self.source,
            "n_train": len(self.y_train),
            "n_test": len(self.y_test),
            "licence": self.licence,
            "citation": self.citation,
            "sha256s": dict(self.sha256s),
        }


def stratified_indices(y: Labels, fraction: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of the kept and of the held-out samples, both ascending.

    round(fraction · n) samples are held out; each class gives its share, rounded down, and the classes with the
    largest remainders one more.

    Raises:
        UsageError: `fraction` outside (0, 1), or one side would be empty.
    """
    if not 0.0 < fraction < 1.0:
        raise UsageError.of("fraction of a split", fraction, "a number in (0, 1)", "Pass for example 0.1.")
    rng = np.random.default_rng(seed)
    labels, counts = np.unique(y, return_counts=True)
    shares = fraction * counts
    quotas = np.floor(shares).astype(int)
    by_remainder = np.argsort(quotas - shares, kind="stable")
    quotas[by_remainder[: round(fraction * len(y)) - int(quotas.sum())]] += 1
    is_held = np.zeros(len(y), dtype=bool)
    for label, quota in zip(labels, quotas, strict=True):
        is_held[rng.permutation(np.flatnonzero(y == label))[:quota]] = True
    kept, held = np.flatnonzero(~is_held), np.flatnonzero(is_held)
    if len(kept) == 0 or len(held) == 0:
        raise UsageError.of(
            f"a split of {len(y)} samples by {fraction}",
            f"{len(kept)} kept and {len(held)} held out",
            "samples on both sides",
            "Choose a fraction nearer to one half, or a data set with a training part.",
        )
    return kept.astype(np.int64), held.astype(np.int64)


def _check_part(part: str, x: Array, y: Labels, n_classes: int) -> None:
    if len(x) != len(y):
        raise ShapeError.of(
            f"the {part} part of a data set",
            f"{len(x)} samples and {len(y)} labels",
            "equal numbers",
            "Mend the loader.",
        )
    if y.dtype != np.int64 or (y.size and not 0 <= int(y.min()) <= int(y.max()) < n_classes):
        raise ShapeError.of(
            f"labels of the {part} part",
            f"{y.dtype} in [{y.min(initial=0)}, {y.max(initial=0)}]",
            f"int64 in [0, {n_classes})",
            "Mend the loader.",
        )
