"""Dot products of 16-bit factors with 32-bit sums: integer instructions that multiply 32 pairs at a time."""

from __future__ import annotations

import numpy as np
from numba import njit

from hwsim.encodingnet.intrinsics import STEP, TILE, dot_tile

ROWS = 64  # rows of x a block: their factors (1152 products) are 144 KiB


@njit(cache=True, nogil=True)
def look_up(codes, factor, first, out):
    """out[t, k] = factor[codes[first + t, k]] for codes [T, K], factor int16 [patterns]."""
    for t in range(min(out.shape[0], codes.shape[0] - first)):
        row, target = codes[first + t], out[t]
        for k in range(codes.shape[1]):
            target[k] = factor[row[k]]


@njit(cache=True, nogil=True)
def dot_block(x, w, rows, first, length, scale, tile, out, t0):
    """out[t0 + t, n] += scale·Σ_k x[t, k]·w[n, k] over `length` products from `first` on, t < rows.

    x and w are contiguous int16 with rows in multiples of TILE; `tile` int32 [16] is scratch.
    """
    x_at, w_at, to = x.ctypes.data, w.ctypes.data, tile.ctypes.data
    for n in range(0, w.shape[0], TILE):
        w_row = w_at + np.uint64(2 * (n * w.shape[1] + first))
        for t in range(0, rows, TILE):
            x_row = x_at + np.uint64(2 * (t * x.shape[1] + first))
            dot_tile(x_row, x.shape[1], w_row, w.shape[1], length, to)
            for i in range(TILE):
                for j in range(TILE):
                    out[t0 + t + i, n + j] += scale * tile[TILE * i + j]


@njit(cache=True, nogil=True)
def add_terms(codes, factors, index, w, scales, chunks, out):
    """out[t, n] += Σ_r scales[r]·Σ_k factors[index[r], codes[t, k]]·w[r, n, k].

    codes [T, K]; factors int16 [distinct, patterns]; w int16 [R, N, K padded with zeros to STEP]; chunks[r]: most
    products whose sum fits 32 bits, a multiple of STEP. T and N are multiples of TILE in `out` int64 [T, N].
    """
    block, tile = np.zeros((ROWS, w.shape[2]), np.int16), np.zeros(TILE * TILE, np.int32)
    for t0 in range(0, out.shape[0], ROWS):
        rows = min(ROWS, out.shape[0] - t0)
        for r in range(len(scales)):
            if r == 0 or index[r] != index[r - 1]:
                look_up(codes, factors[index[r]], t0, block[:rows])
            for first in range(0, w.shape[2], chunks[r]):
                length = min(chunks[r], w.shape[2] - first) // STEP * STEP
                dot_block(block, w[r], rows, first, length, scales[r], tile, out, t0)
