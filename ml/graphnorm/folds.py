"""Repeated stratified cross-validation, and paired tests that respect its overlap.

Paper, section 6 (as "How powerful are graph neural networks?" does it): ten folds, the validation curves averaged, the
best epoch of the mean curve reported. No test set is left, so that figure is optimistic; the last epoch's is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwsim.ir.errors import ShapeError, UsageError

SEED = 9  # the authors' code


@dataclass(frozen=True)
class Paired:
    """A paired comparison over folds: mean difference, its standard deviation, t and two-sided p, pairs."""

    difference: float
    deviation: float
    t: float
    p: float
    n: int


def folds(
    labels: NDArray[np.int64], count: int = 10, repeat: int = 0
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """(training, test) indices of each fold; repeat 0 uses the authors' seed, r the one r higher.

    Raises:
        UsageError: more folds than the smallest class has members, or fewer than 2.
    """
    from sklearn.model_selection import StratifiedKFold

    smallest = int(np.bincount(labels).min(initial=len(labels)))
    if not 2 <= count <= smallest:
        raise UsageError.of("folds", count, f"2…{smallest}, the members of the smallest class", "Change folds.")
    split = StratifiedKFold(count, shuffle=True, random_state=SEED + repeat)
    for train, test in split.split(np.zeros(len(labels)), labels):
        yield train.astype(np.int64), test.astype(np.int64)


def best_epoch(curves: NDArray[np.float64]) -> tuple[int, NDArray[np.float64]]:
    """(epoch, values of all folds there) where the mean over folds of `curves` [folds, epochs] is highest, first one.

    Raises:
        ShapeError: no curve.
    """
    curves = np.asarray(curves, np.float64)
    if curves.ndim != 2 or not curves.size:
        raise ShapeError.of("curves", list(curves.shape), "[folds, epochs], not empty", "Stack the folds' curves.")
    epoch = int(curves.mean(axis=0).argmax())
    return epoch, curves[:, epoch]


def paired_test(a: Sequence[float], b: Sequence[float], test_share: float) -> Paired:
    """Corrected resampled t-test of a − b (Nadeau & Bengio 2003): training parts of folds overlap.

        t = mean(d) / √((1/J + n_test/n_train)·var(d)),  J − 1 degrees of freedom

    Args:
        a, b: accuracies of the same folds in the same order.
        test_share: n_test / n_train; 1/9 for ten folds.

    Raises:
        ShapeError: different lengths, or fewer than two folds.

    Example:
        >>> round(paired_test([0.9, 0.8, 0.9], [0.8, 0.8, 0.7], 0.5).t, 3)
        1.095
    """
    from scipy.stats import t as student

    d = np.asarray(a, np.float64) - np.asarray(b, np.float64) if len(a) == len(b) else np.empty(0)
    if len(d) < 2:
        raise ShapeError.of("folds", f"{len(a)} and {len(b)}", "equally many, two or more", "Pair the same folds.")
    spread, mean = float(d.var(ddof=1)), float(d.mean())
    scale = np.sqrt((1 / len(d) + test_share) * spread)
    t = mean / scale if scale else (0.0 if mean == 0 else float(np.copysign(np.inf, mean)))
    return Paired(mean, float(np.sqrt(spread)), float(t), float(2 * student.sf(abs(t), len(d) - 1)), len(d))
