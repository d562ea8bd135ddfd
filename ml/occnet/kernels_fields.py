"""Numba kernels of the truth fields: positive inside a shape, zero on its surface, negative outside."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

BOX, ELLIPSOID = 1, 5


@njit(cache=True, nogil=True)
def trilinear(grid: Any, points: Any, origin: float, step: float, level: float, out: Any) -> None:  # pragma: no cover
    """out[i] = trilinear(grid at (point − origin) / step) − level; points beyond the grid take its edge's value."""
    n = grid.shape[0]
    for i in range(len(points)):
        total = np.float32(0.0)
        place = np.empty(3, np.int64)
        share = np.empty(3, np.float32)
        for a in range(3):
            u = min(max((points[i, a] - origin) / step, 0.0), n - 1.000001)
            place[a] = int(u)
            share[a] = u - place[a]
        for corner in range(8):
            weight = np.float32(1.0)
            at = np.empty(3, np.int64)
            for a in range(3):
                up = corner >> a & 1
                at[a] = place[a] + up
                weight *= share[a] if up else np.float32(1.0) - share[a]
            total += weight * grid[at[0], at[1], at[2]]
        out[i] = total - level


@njit(cache=True, nogil=True)
def _primitive(kind: int, d: Any, half: Any) -> float:  # pragma: no cover
    """A signed distance (box, cylinder with a round section) or a bound on one; negative inside."""
    if kind == ELLIPSOID:
        k = math.sqrt((d[0] / half[0]) ** 2 + (d[1] / half[1]) ** 2 + (d[2] / half[2]) ** 2)
        return (k - 1.0) * min(half[0], half[1], half[2])
    q = np.empty(3)
    for a in range(3):
        q[a] = abs(d[a]) - half[a]
    if kind != BOX:  # two axes become a radius
        along = kind - 2
        one, two = (along + 1) % 3, (along + 2) % 3
        r = math.sqrt((d[one] / half[one]) ** 2 + (d[two] / half[two]) ** 2)
        q[one] = (r - 1.0) * min(half[one], half[two])
        q[two] = -1e9
    outside = math.sqrt(max(q[0], 0.0) ** 2 + max(q[1], 0.0) ** 2 + max(q[2], 0.0) ** 2)
    return outside + min(max(q[0], q[1], q[2]), 0.0)


@njit(cache=True, nogil=True)
def union(table: Any, points: Any, out: Any) -> None:  # pragma: no cover
    """out[i] = −min over the primitives of `table` [rows, 7] (see `ml.common.datasets.solids`)."""
    d = np.empty(3)
    for i in range(len(points)):
        least = 1e9
        for row in table:
            if row[0] > 0:
                for a in range(3):
                    d[a] = points[i, a] - row[1 + a]
                least = min(least, _primitive(int(row[0]), d, row[4:7]))
        out[i] = -least
