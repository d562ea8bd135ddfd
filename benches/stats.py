"""Figures with intervals: error rates, means over seeds, medians of timing rounds, ratios.

Every function returns a `Figure`; `ctx.metric(name, figure, unit)` takes one as it is. Intervals are 95 %
unless said.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hwsim.ir.errors import UsageError

ENOUGH_ERRORS = 20  # fewer errors do not tell how they cluster


@dataclass(frozen=True)
class Figure:
    """A value with its interval `low`..`high`, the number of samples `n` and the `method`."""

    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None
    method: str = ""

    def scaled(self, factor: float) -> Figure:
        """The same figure in another unit, for example ``rate.scaled(100)`` in percent."""
        low, high = (None if x is None else x * factor for x in (self.low, self.high))
        if factor < 0:
            low, high = high, low
        return replace(self, value=self.value * factor, low=low, high=high)


def binomial(successes: int, n: int, confidence: float = 0.95) -> Figure:
    """Rate of `successes` in `n` trials with the Wilson score interval (Wilson 1927).

    Example:
        >>> f = binomial(95, 100)
        >>> f.value, round(f.low, 3), round(f.high, 3)
        (0.95, 0.888, 0.978)
    """
    if not 0 <= successes <= n or n < 1:
        raise UsageError.of("a rate needs trials", f"{successes} of {n}", "0 ≤ successes ≤ n, n ≥ 1", "Count again.")
    low, high = _wilson(successes / n, n, confidence)
    # exact ends: rounding must not exclude a rate of 0 or 1
    low = 0.0 if successes == 0 else low
    high = 1.0 if successes == n else high
    return Figure(successes / n, low, high, n, f"Wilson {confidence:.0%}")


def _wilson(p: float, n: float, confidence: float) -> tuple[float, float]:
    from scipy.stats import norm

    z = float(norm.ppf(0.5 + confidence / 2))
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return centre - half, centre + half


def clustered(
    errors: int, squares: int, clusters: int, size: int, burst: float = 0.0, confidence: float = 0.95
) -> Figure:
    """Error rate of bits that err in bursts: Wilson's interval with the effective number of bits.

    Bits of one detected vector err together. With e_c errors in cluster c the design effect is the variance of
    e_c over that of independent bits (Kish 1965, section 5.4), never below 1, and n_eff = bits / design effect.

    Args:
        errors, squares: Σ e_c and Σ e_c² over all clusters.
        clusters, size: number of clusters, bits in each.
        burst: errors an erroneous cluster has, for a run with too few errors to estimate it (the design effect is
            never taken below it then); 0 takes `size`, the worst.

    Raises:
        UsageError: counts that do not fit together.

    Example (four clusters of ten bits, one of which has two errors):
        >>> f = clustered(2, 4, 4, 10)
        >>> f.value, round(f.high, 2)
        (0.05, 0.54)
    """
    if clusters < 1 or size < 1 or not errors <= squares <= errors * size <= clusters * size * size:
        got = f"{errors} errors, {squares} squared, {clusters} clusters of {size}"
        raise UsageError.of("clustered error rate", got, "errors ≤ squares ≤ errors · size", "Count again.")
    bits = clusters * size
    p = errors / bits
    effect = 1.0
    if clusters > 1 and 0 < p < 1:
        effect = max(1.0, (squares - errors**2 / clusters) / (clusters - 1) / (size * p * (1 - p)))
    if errors < ENOUGH_ERRORS:
        effect = max(effect, burst or float(size))
    low, high = _wilson(p, bits / effect, confidence)
    low, high = (0.0 if errors == 0 else max(low, 0.0)), (1.0 if errors == bits else min(high, 1.0))
    return Figure(p, low, high, clusters, f"Wilson {confidence:.0%} on {bits} bits, design effect {effect:.3g}")


def mean(values: Sequence[float], confidence: float = 0.95) -> Figure:
    """Mean over independent repeats (seeds) with Student's t interval; no interval for a single value."""
    x = np.asarray(values, dtype=float)
    if x.size == 0:
        raise UsageError.of("a mean needs values", "none", "at least one", "Run at least one seed.")
    if x.size == 1:
        return Figure(float(x[0]), n=1, method="one run")
    from scipy.stats import t

    deviation = float(x.std(ddof=1))
    half = float(t.ppf(0.5 + confidence / 2, x.size - 1)) * deviation / math.sqrt(x.size)
    centre = float(x.mean())
    return Figure(centre, centre - half, centre + half, x.size, f"mean, std {deviation:.3g}, t {confidence:.0%}")


def median(values: Sequence[float]) -> Figure:
    """Median of rounds with the quartiles as its interval."""
    x = np.asarray(values, dtype=float)
    if x.size == 0:
        raise UsageError.of("a median needs values", "none", "at least one", "Time at least one round.")
    low, centre, high = np.percentile(x, [25, 50, 75])
    return Figure(float(centre), float(low), float(high), x.size, "median and quartiles of rounds")


def ratio(top: Figure, bottom: Figure) -> Figure:
    """`top` / `bottom` of positive figures; the interval pairs the unfavourable ends, so it is wide."""
    if bottom.value == 0:
        raise UsageError.of("a ratio's lower figure", 0, "not zero", "Compare with another figure.")
    value = top.value / bottom.value
    if None in (top.low, top.high, bottom.low, bottom.high) or (bottom.low or 0) <= 0:
        return Figure(value, n=top.n, method="ratio")
    low, high = (top.low or 0.0) / (bottom.high or 1.0), (top.high or 0.0) / (bottom.low or 1.0)
    return Figure(value, low, high, top.n, "ratio, ends paired unfavourably")


def seconds(work: Callable[[], object], rounds: int = 5, warm_up: int = 1) -> Figure:
    """Wall seconds of `work()`: median of `rounds` after `warm_up` calls that do not count."""
    for _ in range(warm_up):
        work()
    taken = []
    for _ in range(max(1, rounds)):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return median(taken)


def rate(work: Callable[[], object], count: float, rounds: int = 5, warm_up: int = 1) -> Figure:
    """`count` things a second when one `work()` does `count` of them; median of `rounds`."""
    t = seconds(work, rounds, warm_up)
    low, high = (None if x is None else count / x for x in (t.high, t.low))
    return Figure(count / t.value, low, high, t.n, t.method)


def cpu_rounds(work: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Best process CPU seconds of each piece of work over `rounds` in turns, after a warm-up, BLAS on one thread."""
    from threadpoolctl import threadpool_limits

    best = dict.fromkeys(work, math.inf)
    with threadpool_limits(1):
        for i in range(rounds + 1):
            for name, call in work.items():
                start = time.process_time()
                call()
                if i:
                    best[name] = min(best[name], time.process_time() - start)
    return best
