"""Bit-packed evaluation of genomes: 64 operand pairs a word."""

from __future__ import annotations

import numpy as np
from numba import njit

from hwsim.encodingnet.kernels_popcount import popcount

ONES = np.uint64(0xFFFFFFFFFFFFFFFF)


@njit(cache=True, nogil=True)
def run_nodes(functions, sources, n_inputs, signals):
    """Rows n_inputs… of `signals` uint64 [n_inputs + n_nodes, words]: NAND NOR AND OR XOR XNOR NOT wire."""
    for i in range(len(functions)):
        a, b, out = signals[sources[i, 0]], signals[sources[i, 1]], signals[n_inputs + i]
        f = functions[i]
        for k in range(len(out)):
            x, y = a[k], b[k]
            if f < 2:
                value = (x & y) if f == 0 else (x | y)
                out[k] = value ^ ONES
            elif f < 4:
                out[k] = (x & y) if f == 2 else (x | y)
            elif f < 6:
                out[k] = x ^ y if f == 4 else x ^ y ^ ONES
            else:
                out[k] = x ^ ONES if f == 6 else x


@njit(cache=True, nogil=True)
def counts_of_pairs(rows):
    """int64 [n, n]: popcount(row_i ∧ row_j)."""
    n = len(rows)
    out = np.zeros((n, n), np.int64)
    for i in range(n):
        for j in range(i, n):
            total = np.uint64(0)
            a, b = rows[i], rows[j]
            for k in range(len(a)):
                total += popcount(a[k] & b[k])
            out[i, j] = out[j, i] = total
    return out


@njit(cache=True, nogil=True)
def inner_products(rows, target):
    """float64 [n]: Σ of target [64·words] over the set bits of each row."""
    out = np.zeros(len(rows))
    for i in range(len(rows)):
        for k in range(rows.shape[1]):
            word = rows[i, k]
            for c in range(64):
                if (word >> np.uint64(c)) & np.uint64(1):
                    out[i] += target[64 * k + c]
    return out


@njit(cache=True, nogil=True)
def largest_error(rows, weights, bias, target):
    """max |bias + Σ_i weights[i]·row_i − target| over all pairs."""
    worst = 0.0
    value = np.zeros(64)
    for k in range(rows.shape[1]):
        value[:] = bias
        for i in range(len(rows)):
            word = rows[i, k]
            for c in range(64):
                value[c] += weights[i] * np.float64((word >> np.uint64(c)) & np.uint64(1))
        for c in range(64):
            worst = max(worst, abs(value[c] - target[64 * k + c]))
    return worst
