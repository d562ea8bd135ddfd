"""Bit-sliced kernels: 64 products a word, AND, XOR and the processor's popcount.

Activations lie as words [F, T, words] (feature, row, 64 products), weights as [G, blocks, words, columns], so that the
inner loop runs over columns with one activation word held: vectors of popcounts without horizontal sums. The number of
words is even.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

ROWS = 128  # rows of x a block: their sums stay in the second-level cache
COLUMNS = 128  # columns a block: 18 words of them (K = 1152) are 18 KiB a feature
WORDS = 36


_intrinsic: Any = intrinsic  # numba's annotations keep the typing context among the arguments


@_intrinsic
def popcount(typingctx, word):
    """Set bits of a uint64."""

    def codegen(context, builder, signature, args):
        return builder.ctpop(args[0])

    return types.uint64(types.uint64), codegen


@njit(cache=True, nogil=True)
def slice_bits(codes, masks, out):
    """out[f, t, j] bit c = bit f of masks[codes[t, 64·j + c]]; codes [T, K], masks uint64 [patterns, ⌈F / 64⌉]."""
    local = np.zeros(64, np.uint64)
    for group in range(masks.shape[1]):
        top = min(64, out.shape[0] - 64 * group)
        for t in range(codes.shape[0]):
            for j in range(out.shape[2]):
                count = min(64, codes.shape[1] - 64 * j)
                for c in range(64):
                    local[c] = masks[codes[t, 64 * j + c], group] if c < count else np.uint64(0)
                for f in range(top):
                    word = np.uint64(0)
                    for c in range(64):
                        word |= ((local[c] >> np.uint64(f)) & np.uint64(1)) << np.uint64(c)
                    out[64 * group + f, t, j] = word


@njit(cache=True, nogil=True)
def lookup_sums(codes, table, out):
    """out[t] += Σ_k table[codes[t, k]]."""
    for t in range(codes.shape[0]):
        total = np.int64(0)
        for k in range(codes.shape[1]):
            total += table[codes[t, k]]
        out[t] += total


@njit(cache=True, nogil=True)
def add_row(factor, acc, out):
    """out[n] += factor·acc[n]."""
    for n in range(len(out)):
        out[n] += factor * np.int64(acc[n])


@njit(cache=True, nogil=True)
def count_one(x, w, rows, words, factor, acc, out, n0):
    """out[t, n0 + n] += factor·Σ_j popcount(x[t, j] ∧ w[j, n]), two words a pass."""
    for t in range(rows[0], rows[1]):
        acc[:] = 0
        for j in range(words[0], words[1], 2):
            a, b, u, v = x[t, j], x[t, j + 1], w[j], w[j + 1]
            for n in range(len(acc)):
                acc[n] += popcount(a & u[n]) + popcount(b & v[n])
        add_row(factor, acc, out[t, n0 : n0 + len(acc)])


@njit(cache=True, nogil=True)
def count_two(x, y, w, z, rows, words, factor, acc, out, n0):
    """`count_one` of x·w ⊕ y·z."""
    for t in range(rows[0], rows[1]):
        acc[:] = 0
        for j in range(words[0], words[1], 2):
            a, b, u, v = x[t, j], x[t, j + 1], w[j], w[j + 1]
            c, d, p, q = y[t, j], y[t, j + 1], z[j], z[j + 1]
            for n in range(len(acc)):
                acc[n] += popcount((a & u[n]) ^ (c & p[n])) + popcount((b & v[n]) ^ (d & q[n]))
        add_row(factor, acc, out[t, n0 : n0 + len(acc)])


@njit(cache=True, nogil=True)
def count_three(x, y, h, w, z, k, rows, words, factor, acc, out, n0):
    """`count_one` of x·w ⊕ y·z ⊕ h·k."""
    for t in range(rows[0], rows[1]):
        acc[:] = 0
        for j in range(words[0], words[1], 2):
            a, b, u, v = x[t, j], x[t, j + 1], w[j], w[j + 1]
            c, d, p, q = y[t, j], y[t, j + 1], z[j], z[j + 1]
            e, f, r, s = h[t, j], h[t, j + 1], k[j], k[j + 1]
            for n in range(len(acc)):
                one = (a & u[n]) ^ (c & p[n]) ^ (e & r[n])
                acc[n] += popcount(one) + popcount((b & v[n]) ^ (d & q[n]) ^ (f & s[n]))
        add_row(factor, acc, out[t, n0 : n0 + len(acc)])


@njit(cache=True, nogil=True)
def count_many(x, w, block, rows, words, f, g, factor, acc, out, n0):
    """`count_one` of ⊕_r x[f_r]·w[g_r] for any number of terms."""
    parity = np.empty(len(acc), np.uint64)
    for t in range(rows[0], rows[1]):
        acc[:] = 0
        for j in range(words[0], words[1]):
            parity[:] = 0
            for r in range(len(f)):
                a, u = x[f[r], t, j], w[g[r], block, j]
                for n in range(len(acc)):
                    parity[n] ^= a & u[n]
            for n in range(len(acc)):
                acc[n] += popcount(parity[n])
        add_row(factor, acc, out[t, n0 : n0 + len(acc)])


@njit(cache=True, nogil=True)
def add_counts(x, w, features, columns, cores, factors, out):
    """out[t, n] += Σ_u factors[u]·count_u[t, n].

    x uint64 [F, T, words], w uint64 [G, blocks, words, columns]; core u has the terms cores[u, 0] … cores[u, 1] − 1,
    which are (features[i], columns[i]). `out` int64 [T, blocks·columns].
    """
    acc = np.zeros(w.shape[3], np.uint64)
    for block in range(w.shape[1]):
        n0 = block * w.shape[3]
        for first in range(0, w.shape[2], WORDS):
            words = (first, min(first + WORDS, w.shape[2]))
            for t0 in range(0, x.shape[1], ROWS):
                rows = (t0, min(t0 + ROWS, x.shape[1]))
                for u in range(len(cores)):
                    f, g = features[cores[u, 0] : cores[u, 1]], columns[cores[u, 0] : cores[u, 1]]
                    if len(f) == 1:
                        count_one(x[f[0]], w[g[0], block], rows, words, factors[u], acc, out, n0)
                    elif len(f) == 2:
                        count_two(
                            x[f[0]], x[f[1]], w[g[0], block], w[g[1], block], rows, words, factors[u], acc, out, n0
                        )
                    elif len(f) == 3:
                        count_three(
                            x[f[0]], x[f[1]], x[f[2]], w[g[0], block], w[g[1], block], w[g[2], block],
                            rows, words, factors[u], acc, out, n0,
                        )  # fmt: skip
                    else:
                        count_many(x, w, block, rows, words, f, g, factors[u], acc, out, n0)
