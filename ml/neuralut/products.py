"""Products of whole chunks, put together from register tiles; and scratch memory for one L-LUT.

`linear_<start>_<end>(s, dst, src, mask, w, wo, so, si, bias, n_out, k)` is `tiles.linear_tile` for any number
of outputs; `outer(s, g, h, dw, wo, n_out, n_in)` is `tiles.outer_tile` for a row-major weight [n_out, n_in].
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from ml.neuralut.tiles import CHUNK, HIGH, TILE, linear_tile, outer_tile

ALIGN = 16  # floats in a cache line


def _product(start: str, end: str) -> Any:
    high, single = linear_tile(HIGH, start, end), linear_tile(1, start, end)

    @njit
    def product(s, dst, src, mask, w, wo, so, si, bias, n_out, k):
        full = n_out - n_out % HIGH
        for o in range(0, full, HIGH):
            for c in range(0, CHUNK, TILE):
                row = o * CHUNK + c
                high(s, dst + row, src + c, mask + row, w, wo + o * so, so, si, bias + o, k)
        for o in range(full, n_out):
            for c in range(0, CHUNK, TILE):
                row = o * CHUNK + c
                single(s, dst + row, src + c, mask + row, w, wo + o * so, so, si, bias + o, k)

    return product


linear_bias_none = _product("bias", "none")
linear_bias_relu = _product("bias", "relu")
linear_add_bias_none = _product("add bias", "none")
linear_add_bias_relu = _product("add bias", "relu")
linear_zero_none = _product("zero", "none")
linear_zero_mask = _product("zero", "mask")
linear_add_none = _product("add", "none")
linear_add_mask = _product("add", "mask")

_square, _column, _pair = outer_tile(4, 4), outer_tile(4, 1), outer_tile(4, 2)
_row, _one = outer_tile(1, 4), outer_tile(1, 1)


@njit
def outer(s, g, h, dw, wo, n_out, n_in):
    """dW[o, i] += Σ_b G[o, b]·H[i, b] over a chunk."""
    high, wide = n_out - n_out % 4, n_in - n_in % 4
    for o in range(0, high, 4):
        i = 0
        while i < wide:
            _square(s, g + o * CHUNK, h + i * CHUNK, dw, wo + o * n_in + i, n_in)
            i += 4
        if i + 2 <= n_in:
            _pair(s, g + o * CHUNK, h + i * CHUNK, dw, wo + o * n_in + i, n_in)
            i += 2
        if i < n_in:
            _column(s, g + o * CHUNK, h + i * CHUNK, dw, wo + o * n_in + i, n_in)
    for o in range(high, n_out):
        for i in range(0, wide, 4):
            _row(s, g + o * CHUNK, h + i * CHUNK, dw, wo + o * n_in + i, n_in)
        for i in range(wide, n_in):
            _one(s, g + o * CHUNK, h + i * CHUNK, dw, wo + o * n_in + i, n_in)


@njit
def scratch(rows):
    """Zeroed scratch of `rows` chunks and the index of its first cache line."""
    s = np.zeros(rows * CHUNK + ALIGN, np.float32)
    return s, (-(s.ctypes.data // 4)) % ALIGN


@njit
def set_row(s, row, values):
    """Copy up to CHUNK `values` into a row of scratch; the rest is zero."""
    count = len(values)
    s[row : row + count] = values
    s[row + count : row + CHUNK] = 0


@njit
def gather(s, p, x, conn, k, start):
    """Copy the inputs of L-LUT `k` for samples start.. into rows p..; returns how many samples there are."""
    count = min(CHUNK, x.shape[1] - start)
    for f in range(conn.shape[1]):
        set_row(s, p + f * CHUNK, x[conn[k, f], start : start + count])
    return count


@njit
def put_rows(s, p, out, start, count):
    """Copy rows p.. of scratch to out [rows, batch] at samples start.."""
    for f in range(out.shape[0]):
        row = p + f * CHUNK
        out[f, start : start + count] = s[row : row + count]
