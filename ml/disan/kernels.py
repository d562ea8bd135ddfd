"""Multi-dimensional masked attention, one (query, feature) row at a time: nothing of size n²·d is ever stored.

    x_ijk = a_ik + q_jk          t = tanh(x / c)         E = exp(c·t)                (DiSAN section 4.1, c = 5)
    s_jk  = Σ_{i ∈ J(j)} E_ijk · h_ik / Σ_{i ∈ J(j)} E_ijk                           (eqs. 12–15)

J(j) is j's share of the sentence: i < j forward, i > j backward, i ≠ j without direction; an empty one gives 0. The
logits are bounded by ±c, so that no maximum has to be subtracted, and

    tanh(x / c) = (z − 1) / (z + 1),   z = exp(2x / c) = exp(2a / c) · exp(2q / c)

needs exponentials of n·d numbers only. The backward pass computes E again. With g = ∂L/∂s and P = E / Σ E:

    ∂L/∂h_i += Σ_j g_j P_ij      ∂L/∂x_ij = g_j P_ij (h_i − s_j)(1 − t²), summed over j for a_i and over i for q_j
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import overload

FORWARD, BACKWARD, NO_DIRECTION = 1, -1, 0
_TAYLOR = [1.0]
for _i in range(1, 13):
    _TAYLOR.append(_TAYLOR[-1] * float(np.log(2.0)) / _i)  # 2^f = Σ (f ln 2)^i / i!
S0, S1, S2, S3, S4, S5, S6, S7 = (np.float32(v) for v in _TAYLOR[:8])
D0, D1, D2, D3, D4, D5, D6, D7, D8, D9, D10, D11, D12 = _TAYLOR
S_HALF, D_HALF, S_BIAS, D_BIAS = np.float32(0.5), 0.5, np.int32(127), np.int64(1023)


def exp2(y: Any) -> Any:
    """2^y for |y| < 120 as a polynomial and a shift, so that a loop of it becomes vector instructions."""
    return np.exp2(y)


@overload(exp2, inline="always")
def _exp2(y: Any) -> Any:
    """To 1e-7 of the result for float32, 1e-15 for float64."""

    def single(y: Any) -> Any:
        k = np.floor(y + S_HALF)
        f = y - k
        p = S0 + f * (S1 + f * (S2 + f * (S3 + f * (S4 + f * (S5 + f * (S6 + f * S7))))))
        return p * np.int32((np.int32(k) + S_BIAS) << np.int32(23)).view(np.float32)

    def double(y: Any) -> Any:
        k = np.floor(y + D_HALF)
        f = y - k
        p = D6 + f * (D7 + f * (D8 + f * (D9 + f * (D10 + f * (D11 + f * D12)))))
        p = D0 + f * (D1 + f * (D2 + f * (D3 + f * (D4 + f * (D5 + f * p)))))
        return p * np.int64((np.int64(k) + D_BIAS) << 52).view(np.float64)

    return single if y is types.float32 else double


@njit(cache=True, inline="always")
def _share(j: int, n: int, kind: int) -> tuple[int, int]:
    """First attended token of query j and the one after the last; without direction j itself is left out."""
    return (0 if kind >= 0 else j + 1), (j if kind > 0 else n)


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz", "nnan", "ninf"})
def forward(ea, eq, h, lengths, kind, scale, s, total):
    """s and Σ E into `s`, `total` [batch, n, d] (zeros before), from ea = exp(2a/c), eq = exp(2q/c), h [batch, n, d].

    scale: c·log2(e) in the arrays' own type.
    """
    one = ea.dtype.type(1)
    d = ea.shape[2]
    for b in range(len(ea)):
        n = lengths[b]
        for j in range(n):
            first, last = _share(j, n, kind)
            q, num, den = eq[b, j], s[b, j], total[b, j]
            for i in range(first, last):
                if i == j:
                    continue
                a, value = ea[b, i], h[b, i]
                for k in range(d):
                    z = a[k] * q[k]
                    e = exp2(scale * ((z - one) / (z + one)))
                    num[k] += e * value[k]
                    den[k] += e
            if last - first > (kind == 0):
                for k in range(d):
                    num[k] /= den[k]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz", "nnan", "ninf"})
def backward(ea, eq, h, lengths, kind, scale, s, total, g, da, dq, dh):
    """Gradients into `da`, `dq`, `dh` [batch, n, d] (zeros before) for g = ∂L/∂s."""
    one = ea.dtype.type(1)
    d = ea.shape[2]
    weight = np.empty(d, ea.dtype)
    for b in range(len(ea)):
        n = lengths[b]
        for j in range(n):
            first, last = _share(j, n, kind)
            if last - first <= (kind == 0):
                continue
            q, mean, dqj = eq[b, j], s[b, j], dq[b, j]
            for k in range(d):
                weight[k] = g[b, j, k] / total[b, j, k]
            for i in range(first, last):
                if i == j:
                    continue
                a, value, dai, dhi = ea[b, i], h[b, i], da[b, i], dh[b, i]
                for k in range(d):
                    z = a[k] * q[k]
                    t = (z - one) / (z + one)
                    p = exp2(scale * t) * weight[k]
                    dx = p * (value[k] - mean[k]) * (one - t * t)
                    dhi[k] += p
                    dai[k] += dx
                    dqj[k] += dx
