"""Numba kernels of surface following on the finest grid.

| array | content |
|---|---|
| value float32, state uint8 [n, n, n] | value at a grid point; 0 unknown, 1 known, 2 asked for |
| seen bool [n − 1, n − 1, n − 1] | cells that were listed |
| cells int64 [m, 3] | lowest corners of cells on the front |
"""

from __future__ import annotations

from typing import Any

from numba import njit


@njit(cache=True, nogil=True)
def unknown_corners(cells: Any, count: int, state: Any, asked: Any) -> int:
    """List the corners of `count` cells that are neither known nor asked for; returns how many."""
    n = 0
    for p in range(count):
        x, y, z = cells[p, 0], cells[p, 1], cells[p, 2]
        for a in range(x, x + 2):
            for b in range(y, y + 2):
                for c in range(z, z + 2):
                    if state[a, b, c] == 0:
                        state[a, b, c] = 2
                        asked[n, 0], asked[n, 1], asked[n, 2] = a, b, c
                        n += 1
    return n


@njit(cache=True, nogil=True)
def across(cells: Any, count: int, value: Any, seen: Any, after: Any) -> int:
    """List the neighbours, not listed before, behind every face that the surface crosses; returns how many."""
    r = seen.shape[0]
    n = 0
    for p in range(count):
        x, y, z = cells[p, 0], cells[p, 1], cells[p, 2]
        for face in range(6):
            axis, side = face >> 1, face & 1
            first, second = (axis + 1) % 3, (axis + 2) % 3
            filled = 0
            for u in range(2):
                for v in range(2):
                    a = x + side * (axis == 0) + u * (first == 0) + v * (second == 0)
                    b = y + side * (axis == 1) + u * (first == 1) + v * (second == 1)
                    c = z + side * (axis == 2) + u * (first == 2) + v * (second == 2)
                    filled += value[a, b, c] > 0
            if filled == 0 or filled == 4:
                continue
            step = 2 * side - 1
            a, b, c = x + step * (axis == 0), y + step * (axis == 1), z + step * (axis == 2)
            if min(a, b, c) >= 0 and max(a, b, c) < r and not seen[a, b, c]:
                seen[a, b, c] = True
                after[n, 0], after[n, 1], after[n, 2] = a, b, c
                n += 1
    return n
