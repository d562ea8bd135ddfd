"""Cost of one method over another at equal accuracy, from each method's accuracy–cost curve.

A curve is a list of networks with their accuracy and cost. Between neighbours on the efficient front, log cost
is linear in accuracy. The ratio is the geometric mean over the accuracies that both fronts reach. Its interval
is a percentile bootstrap over the accuracies (seed spread and test-set sampling together).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benches.stats import Figure
from hwsim.ir.errors import UsageError


@dataclass(frozen=True)
class CurvePoint:
    """One network size of a method.

    Attributes:
        accuracies: test accuracies in percent, one a seed.
        cost: LUT6 count, or LUT levels; > 0.
        n_test: size of the test set, for the sampling error of each accuracy.
    """

    accuracies: tuple[float, ...]
    cost: float
    n_test: int

    @property
    def mean(self) -> float:
        return float(np.mean(self.accuracies))

    @property
    def standard_error(self) -> float:
        """Standard error of `mean` in points: test-set sampling and, with two seeds or more, their spread."""
        p = min(max(self.mean / 100, 1e-6), 1 - 1e-6)
        sampling = 1e4 * p * (1 - p) / self.n_test
        seeds = np.var(self.accuracies, ddof=1) / len(self.accuracies) if len(self.accuracies) > 1 else 0.0
        return float(np.sqrt(sampling + seeds))


def front(accuracy: np.ndarray, cost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The efficient points, by rising accuracy and cost: no other point has more accuracy for less cost."""
    order = np.lexsort((-accuracy, cost))
    best, kept = -np.inf, []
    for i in order:
        if accuracy[i] > best:
            best = accuracy[i]
            kept.append(i)
    return accuracy[kept], cost[kept]


Curve = tuple[np.ndarray, np.ndarray]


def _shared(ours: Curve, theirs: Curve) -> tuple[float, float]:
    """Lowest and highest accuracy that both fronts reach; low > high where there is none."""
    (a, _), (b, _) = front(*ours), front(*theirs)
    return max(a[0], b[0]), min(a[-1], b[-1])


def _ratio(ours: Curve, theirs: Curve, steps: int = 41) -> float | None:
    low, high = _shared(ours, theirs)
    if low > high:
        return None
    (a, c), (b, d) = front(*ours), front(*theirs)
    grid = np.linspace(low, high, steps)
    return float(np.exp(np.mean(np.interp(grid, a, np.log(c)) - np.interp(grid, b, np.log(d)))))


def equal_accuracy_ratio(
    ours: Sequence[CurvePoint], theirs: Sequence[CurvePoint], rng: np.random.Generator, draws: int = 2000
) -> Figure:
    """Cost of `ours` ÷ cost of `theirs` at equal accuracy, with its 95 % bootstrap interval.

    Raises:
        UsageError: the two fronts share no accuracy.
    """
    curves = (list(ours), list(theirs))
    means = [np.array([p.mean for p in curve]) for curve in curves]
    costs = [np.array([p.cost for p in curve]) for curve in curves]
    errors = [np.array([p.standard_error for p in curve]) for curve in curves]
    centre = _ratio((means[0], costs[0]), (means[1], costs[1]))
    if centre is None:
        spans = " and ".join(f"{m.min():.2f}..{m.max():.2f} %" for m in means)
        raise UsageError.of("equal-accuracy ratio", spans, "curves that overlap", "Train more sizes of each method.")
    found = []
    for _ in range(draws):
        drawn = [m + e * rng.standard_normal(len(m)) for m, e in zip(means, errors, strict=True)]
        if (value := _ratio((drawn[0], costs[0]), (drawn[1], costs[1]))) is not None:
            found.append(value)
    low, high = np.percentile([*found, centre], [2.5, 97.5])
    n = sum(len(p.accuracies) for curve in curves for p in curve)
    span = "{:.2f}..{:.2f} %".format(*_shared((means[0], costs[0]), (means[1], costs[1])))
    method = f"geometric mean over {span} that both reach, bootstrap 95 %, {len(found)} of {draws} draws overlap"
    return Figure(centre, min(float(low), centre), max(float(high), centre), n, method)
