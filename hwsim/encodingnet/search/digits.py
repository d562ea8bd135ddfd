"""Position weights that hardware likes: at most d signed digits each (d = 1: powers of two).

With the centred Gram matrix G of the wide bits, r = cov(bits, product) and weights s, the mean squared error is

    E(s) = E₀ − 2·s·r + s·G·s        (the best constant included)

Sequential rounding fixes, one after the other, the weight whose rounding costs least when all that are still free are
fitted again, (s_k − round(s_k))² / (G⁻¹)_kk, or the heaviest one (the lighter ones make up for it). Coordinate descent
then moves single weights, and pairs of neighbours, among the representable values until none helps; the better of both
orders is taken.
"""

from __future__ import annotations

from functools import cache
from itertools import combinations

import numpy as np

from hwsim.encodingnet.fit import pair_weights, with_bias_fitted
from hwsim.encodingnet.truth import bit_tables
from hwsim.ir.encoding import Encoding
from hwsim.ir.errors import UsageError

TOP_BIT = 20


@cache
def representable(digits: int, low_bit: int = 0) -> np.ndarray:
    """float64, sorted: all sums of at most `digits` terms ±2^i, low_bit ≤ i ≤ 20.

    Example:
        >>> representable(1)[-3:].tolist()
        [262144.0, 524288.0, 1048576.0]
    """
    found = {0.0}
    powers = [2.0**i for i in range(low_bit, TOP_BIT + 1)]
    for _ in range(digits):
        found |= {value + sign * power for value in found for power in powers for sign in (1, -1)}
    return np.array(sorted(found))


def with_few_digits(
    encoding: Encoding,
    digits: int = 2,
    p_x: np.ndarray | None = None,
    p_w: np.ndarray | None = None,
    fraction: int = 0,
    free_w: bool = False,
) -> Encoding:
    """The same gates with position weights of at most `digits` signed digits, near the best ones; bias fitted.

    Args:
        digits: non-zero signed digits a weight, 1…3.
        p_x, p_w: operand distributions [2^a], [2^b]; None for uniform.
        fraction: weights and bias are multiples of 2^(−fraction).
        free_w: the error is counted less its mean for each weight code (constants c(w) follow, `with_stationary_fit`).

    Raises:
        UsageError: digits outside 1…3.
    """
    if not 1 <= digits <= 3:
        raise UsageError.of("signed digits", digits, "1…3", "More digits cost as much as more bits.")
    gram, right = moments(encoding, p_x, p_w, free_w)
    values = representable(digits, -fraction)
    tries = [_descended(gram, right, _rounded(gram, right, values, heavy), values) for heavy in (False, True)]
    s = min(tries, key=lambda t: float(t @ gram @ t - 2 * t @ right))
    weights = np.rint(s * (1 << fraction)).astype(np.int64)
    meta = {**encoding.meta, "digits": str(digits)}
    return with_bias_fitted(encoding.with_weights(weights, 0, fraction, **meta), p_x, p_w, fraction)


def moments(
    encoding: Encoding, p_x: np.ndarray | None, p_w: np.ndarray | None, free_w: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """(G float64 [M, M], r float64 [M]): covariances of the wide bits, and with the exact product."""
    weight = pair_weights(encoding, p_x, p_w).reshape(1 << encoding.x_bits, -1)
    p_of_w = weight.sum(axis=0)
    rows = np.concatenate([bit_tables(encoding).astype(np.float64), encoding.target[None]])
    mean = (rows * weight).sum(axis=1)
    mean = np.divide(mean, p_of_w, out=np.zeros_like(mean), where=p_of_w > 0)
    centred = rows - (mean if free_w else mean @ p_of_w[:, None])[:, None, :]
    flat = centred.reshape(len(rows), -1)
    covariance = (flat * weight.ravel()) @ flat.T
    return covariance[:-1, :-1], covariance[:-1, -1]


def _nearest(values: np.ndarray, wanted: np.ndarray, count: int = 1) -> np.ndarray:
    """The `count` representable values around each wanted one, [len(wanted), count]."""
    at = np.searchsorted(values, wanted)
    window = np.clip(at[:, None] + np.arange(-count, count), 0, len(values) - 1)
    near = values[window]
    order = np.abs(near - wanted[:, None]).argsort(axis=1, kind="stable")[:, :count]
    return np.take_along_axis(near, order, axis=1)


def _rounded(gram: np.ndarray, right: np.ndarray, values: np.ndarray, heavy: bool) -> np.ndarray:
    """Sequential rounding, cheapest first or heaviest first."""
    s, free = np.zeros(len(right)), np.ones(len(right), bool)
    ridge = 1e-12 * np.trace(gram) / max(1, len(gram)) * np.eye(len(gram))
    while free.any():
        inverse = np.linalg.inv((gram + ridge)[np.ix_(free, free)])
        best = inverse @ (right[free] - gram[np.ix_(free, ~free)] @ s[~free])
        rounded = _nearest(values, best)[:, 0]
        loss = (best - rounded) ** 2 / np.diag(inverse)
        k = int((-np.abs(best) if heavy else loss).argmin())
        place = int(np.flatnonzero(free)[k])
        s[place], free[place] = rounded[k], False
    return s


def _descended(gram: np.ndarray, right: np.ndarray, s: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Single moves, then moves of pairs with the second weight re-fitted, until none lowers the error."""
    while True:
        moved = _single(gram, right, s, values)
        if moved is None:
            moved = _pair(gram, right, s, values)
        if moved is None:
            return s
        s = moved


def _single(gram: np.ndarray, right: np.ndarray, s: np.ndarray, values: np.ndarray) -> np.ndarray | None:
    diagonal = np.maximum(np.diag(gram), 1e-12)
    slope = right - gram @ s
    near = _nearest(values, s + slope / diagonal)[:, 0]
    step = near - s
    change = step * step * diagonal - 2 * step * slope
    k = int(change.argmin())
    if change[k] >= -1e-9 * max(1.0, float(right @ s)):
        return None
    moved = s.copy()
    moved[k] = near[k]
    return moved


def _pair(gram: np.ndarray, right: np.ndarray, s: np.ndarray, values: np.ndarray) -> np.ndarray | None:
    diagonal = np.maximum(np.diag(gram), 1e-12)
    slope = right - gram @ s
    near = _nearest(values, s, 5)
    best, found = -1e-9 * max(1.0, float(right @ s)), None
    for i, j in combinations(range(len(s)), 2):
        for value in near[i]:
            step = value - s[i]
            if step:
                rest = slope[j] - gram[i, j] * step
                other = _nearest(values, np.array([s[j] + rest / diagonal[j]]))[0, 0] - s[j]
                change = (
                    step * step * diagonal[i] - 2 * step * slope[i] + other * other * diagonal[j] - 2 * other * rest
                )
                if change < best:
                    best, found = change, (i, j, value, s[j] + other)
    if found is None:
        return None
    moved = s.copy()
    moved[found[0]], moved[found[1]] = found[2], found[3]
    return moved
