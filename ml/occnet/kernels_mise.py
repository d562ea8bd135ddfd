"""Numba kernels of MISE on a dense grid of the finest resolution.

| array | content |
|---|---|
| value float32, state uint8 [n, n, n] | value at a grid point; 0 unknown, 1 known, 2 asked for |
| level uint8 [r, r, r] | level of the leaf that covers a finest cell |
| seen uint8 [r, r, r] | at a leaf's first cell: 1 a value ≥ 0 touches it, 2 a value ≤ 0 does, 4 it is listed |
"""

from __future__ import annotations

from typing import Any

from numba import njit

POSITIVE, NEGATIVE, LISTED = 1, 2, 4


@njit(cache=True, inline="always")
def _side(v: Any) -> int:  # pragma: no cover
    return (POSITIVE if v >= 0 else 0) | (NEGATIVE if v <= 0 else 0)


@njit(cache=True, nogil=True)
def learn(points: Any, values: Any, value: Any, state: Any, level: Any, seen: Any, depth: int, active: Any) -> int:
    """Store values at points [n, 3]; list leaves that both signs touch and that can be split. Returns how many."""
    r = level.shape[0]
    n = 0
    for p in range(len(points)):
        x, y, z = points[p, 0], points[p, 1], points[p, 2]
        value[x, y, z] = values[p]
        state[x, y, z] = 1
        side = _side(values[p])
        for a in range(max(x - 1, 0), min(x + 1, r)):
            for b in range(max(y - 1, 0), min(y + 1, r)):
                for c in range(max(z - 1, 0), min(z + 1, r)):
                    mask = ~((1 << (depth - level[a, b, c])) - 1)
                    i, j, k = a & mask, b & mask, c & mask
                    seen[i, j, k] |= side
                    if seen[i, j, k] == POSITIVE | NEGATIVE and level[i, j, k] < depth:
                        seen[i, j, k] |= LISTED
                        active[n, 0], active[n, 1], active[n, 2] = i, j, k
                        n += 1
    return n


@njit(cache=True, nogil=True)
def split(
    active: Any, count: int, value: Any, state: Any, level: Any, seen: Any, depth: int, asked: Any, after: Any
) -> tuple[int, int]:
    """Split `count` leaves in eight. Returns (new points in `asked`, children that known points already activate)."""
    n, m = 0, 0
    for p in range(count):
        i, j, k = active[p, 0], active[p, 1], active[p, 2]
        up = level[i, j, k] + 1
        half = 1 << (depth - up)
        level[i : i + 2 * half, j : j + 2 * half, k : k + 2 * half] = up
        for a in range(i, i + 2 * half + 1, half):
            for b in range(j, j + 2 * half + 1, half):
                for c in range(k, k + 2 * half + 1, half):
                    if state[a, b, c] == 0:
                        state[a, b, c] = 2
                        asked[n, 0], asked[n, 1], asked[n, 2] = a, b, c
                        n += 1
        for corner in range(8):
            a, b, c = i + half * (corner & 1), j + half * (corner >> 1 & 1), k + half * (corner >> 2 & 1)
            seen[a, b, c] = _touching(value, state, a, b, c, half)
            if seen[a, b, c] == POSITIVE | NEGATIVE and up < depth:
                seen[a, b, c] |= LISTED
                after[m, 0], after[m, 1], after[m, 2] = a, b, c
                m += 1
    return n, m


@njit(cache=True)
def _touching(value: Any, state: Any, i: int, j: int, k: int, size: int) -> int:  # pragma: no cover
    """Signs of the known points on a closed cell."""
    side = 0
    for a in range(i, i + size + 1):
        for b in range(j, j + size + 1):
            for c in range(k, k + size + 1):
                if state[a, b, c] == 1:
                    side |= _side(value[a, b, c])
    return side


@njit(cache=True, nogil=True)
def carry(value: Any, state: Any) -> None:  # pragma: no cover
    """Fill unknown points with the last known value along x, then y, then z (libmise's to_dense)."""
    n = value.shape[0]
    for axis in range(3):
        for i in range(n):
            for j in range(n):
                for k in range(n):
                    a, b, c = i - (axis == 0), j - (axis == 1), k - (axis == 2)
                    if min(a, b, c) >= 0 and not state[i, j, k] and state[a, b, c]:
                        value[i, j, k] = value[a, b, c]
                        state[i, j, k] = 3
