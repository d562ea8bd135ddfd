"""The statistics unit and the sums over neighbours as compiled loops; formulas in `hwsim.ir.graph_norm`."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def normalise(a, sizes, alpha, kappa, gain, offset, table, formats, y):
    """y [nodes, channels] of `GraphNormUnit`; formats = (F, T, P, shift, lo, hi)."""
    fraction, table_bits, keep, shift, lo, hi = formats
    half, first = (np.int64(1) << shift) >> 1, np.int64(1) << (table_bits - 2)
    channels = a.shape[1]
    at = 0
    for g in range(len(sizes)):
        n = sizes[g]
        for c in range(channels):
            s1, s2 = np.int64(0), np.int64(0)
            for i in range(at, at + n):
                s1 += a[i, c]
                s2 += a[i, c] * a[i, c]
            w = ((n * s2) << (2 * fraction)) - kappa[c] * (s1 * s1)
            e, rest = np.int64(0), w >> 2
            while rest:
                e, rest = e + 1, rest >> 2
            r = np.int64(0)
            if w > 0:
                drop = 2 * e + 2 - table_bits
                r = table[(w >> drop if drop >= 0 else w << -drop) - first]
            factor, p = r * gain[c], alpha[c] * s1
            up, down = max(keep - e, 0), max(e - keep, 0)
            for i in range(at, at + n):
                d = ((n * a[i, c]) << fraction) - p
                total = ((d << up) >> down) * factor + offset[c] + half
                y[i, c] = min(max(total >> shift, lo), hi)
        at += n


@njit(cache=True)
def neighbour_sums(x, start, neighbour, total):
    """total[i] = Σ_{j ∈ N(i)} x[j]."""
    for i in range(len(start) - 1):
        for c in range(x.shape[1]):
            total[i, c] = 0
        for place in range(start[i], start[i + 1]):
            j = neighbour[place]
            for c in range(x.shape[1]):
                total[i, c] += x[j, c]
