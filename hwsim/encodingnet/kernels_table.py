"""Gather kernels for any product table.

The plain gather reads one table entry a product. The fast one turns it round: for eight weights rows at a time it lays
out lut[i, c, n] = table[c, w[k + i, n]] for every activation code c, after which a row of x adds eight contiguous
vectors of BLOCK columns: 2^a·K·N scalar loads instead of T·K·N.
"""

from __future__ import annotations

import numpy as np
from numba import njit

BLOCK = 64  # columns: eight 16-bit lookup tables of 256 codes are 256 KiB
DEPTH = 8  # rows of w at a time


@njit(cache=True, nogil=True)
def gather(table, x, w, out):
    """out[t, n] += Σ_k table[x[t, k], w[k, n]], entry by entry; for few rows of x."""
    for t in range(x.shape[0]):
        row = out[t]
        for k in range(x.shape[1]):
            line, codes = table[x[t, k]], w[k]
            for n in range(w.shape[1]):
                row[n] += line[codes[n]]


@njit(cache=True, nogil=True)
def lay_out(table, w, k, n0, lut):
    """lut[i, c, n] = table[c, w[k + i, n0 + n]]."""
    for i in range(DEPTH):
        codes = w[k + i, n0 : n0 + BLOCK]
        for c in range(table.shape[0]):
            line, target = table[c], lut[i, c]
            for n in range(BLOCK):
                target[n] = line[codes[n]]


@njit(cache=True, nogil=True)
def add_narrow(lut, x, k, acc):
    """acc[t, n] += Σ_i lut[i, x[t, k + i], n] in 32 bits."""
    for t in range(x.shape[0]):
        c = x[t, k : k + DEPTH]
        a, b, d, e = lut[0, c[0]], lut[1, c[1]], lut[2, c[2]], lut[3, c[3]]
        p, q, r, s = lut[4, c[4]], lut[5, c[5]], lut[6, c[6]], lut[7, c[7]]
        row = acc[t]
        for n in range(BLOCK):
            left = np.int32(np.int32(a[n]) + np.int32(b[n])) + np.int32(np.int32(d[n]) + np.int32(e[n]))
            right = np.int32(np.int32(p[n]) + np.int32(q[n])) + np.int32(np.int32(r[n]) + np.int32(s[n]))
            row[n] += np.int32(left) + np.int32(right)


@njit(cache=True, nogil=True)
def add_wide(lut, x, k, acc):
    """`add_narrow` in 64 bits."""
    for t in range(x.shape[0]):
        c = x[t, k : k + DEPTH]
        a, b, d, e = lut[0, c[0]], lut[1, c[1]], lut[2, c[2]], lut[3, c[3]]
        p, q, r, s = lut[4, c[4]], lut[5, c[5]], lut[6, c[6]], lut[7, c[7]]
        row = acc[t]
        for n in range(BLOCK):
            left = np.int64(a[n]) + np.int64(b[n]) + np.int64(d[n]) + np.int64(e[n])
            row[n] += left + np.int64(p[n]) + np.int64(q[n]) + np.int64(r[n]) + np.int64(s[n])


@njit(cache=True, nogil=True)
def columns_narrow(table, x, w, flush, lut, acc, out):
    """out[t, n] += Σ_k table[x[t, k], w[k, n]]; sums of `flush` products fit 32 bits.

    x [T, K] and w [K, N] are padded: K to a multiple of DEPTH, N to one of BLOCK. `lut` [DEPTH, 2^a, BLOCK] of the
    table's type and `acc` int32 [T, BLOCK] are scratch.
    """
    for n0 in range(0, w.shape[1], BLOCK):
        for k0 in range(0, w.shape[0], flush):
            acc[:] = 0
            for k in range(k0, min(k0 + flush, w.shape[0]), DEPTH):
                lay_out(table, w, k, n0, lut)
                add_narrow(lut, x, k, acc)
            out[:, n0 : n0 + BLOCK] += acc


@njit(cache=True, nogil=True)
def columns_wide(table, x, w, lut, acc, out):
    """`columns_narrow` with 64-bit sums: `acc` is int64, `table` and `lut` int32 or int64."""
    for n0 in range(0, w.shape[1], BLOCK):
        acc[:] = 0
        for k in range(0, w.shape[0], DEPTH):
            lay_out(table, w, k, n0, lut)
            add_wide(lut, x, k, acc)
        out[:, n0 : n0 + BLOCK] += acc
