"""Which points a watertight mesh contains: parity of crossings of a ray along z, triangles found by a 2-D hash.

As the authors' libmesh, which counts along one axis in both directions and distrusts points where the two disagree;
with a closed mesh both have one parity, so here one direction is counted, and a ray is tilted by a hair's breadth
(fixed irrational shift of the mesh in x and y) so that it meets no edge.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ml.occnet.fields import checked_points
from ml.occnet.mesh import Mesh

BINS = 256
_SHIFT = np.array([2**0.5, 3**0.5]) * 1e-9  # of the longest edge


@njit(cache=True, nogil=True)
def _hashed(low: Any, high: Any, bins: int, starts: Any, items: Any) -> None:  # pragma: no cover
    """Counting sort of triangles into the bins that their boxes touch; `items` empty only counts."""
    for t in range(len(low)):
        for a in range(low[t, 0], high[t, 0] + 1):
            for b in range(low[t, 1], high[t, 1] + 1):
                place = a * bins + b
                if len(items):
                    items[starts[place]] = t
                starts[place] += 1


@njit(cache=True, nogil=True)
def _crossings(points: Any, corners: Any, origin: Any, step: float, starts: Any, items: Any, odd: Any) -> None:
    """odd[i] = parity of triangles above point i."""
    bins = int(np.sqrt(len(starts) - 1))
    for i in range(len(points)):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        a, b = int(np.floor((x - origin[0]) / step)), int(np.floor((y - origin[1]) / step))
        if min(a, b) < 0 or max(a, b) >= bins:
            continue
        for at in range(starts[a * bins + b], starts[a * bins + b + 1]):
            t = corners[items[at]]
            d0 = (t[1, 0] - t[0, 0]) * (y - t[0, 1]) - (t[1, 1] - t[0, 1]) * (x - t[0, 0])
            d1 = (t[2, 0] - t[1, 0]) * (y - t[1, 1]) - (t[2, 1] - t[1, 1]) * (x - t[1, 0])
            d2 = (t[0, 0] - t[2, 0]) * (y - t[2, 1]) - (t[0, 1] - t[2, 1]) * (x - t[2, 0])
            if (d0 > 0) == (d1 > 0) == (d2 > 0) and (d0 > 0) == (d2 > 0):
                total = d0 + d1 + d2
                if total != 0 and (d1 * t[0, 2] + d2 * t[1, 2] + d0 * t[2, 2]) / total > z:
                    odd[i] = not odd[i]


@dataclass(frozen=True, eq=False)
class MeshField:
    """A closed mesh as a field of ±1: positive inside. A step: MISE works on it, interpolation does not.

    Raises:
        NotWatertightError: the mesh is not closed.
    """

    mesh: Mesh

    def __post_init__(self) -> None:
        self.mesh.watertight()

    @cached_property
    def _table(self) -> tuple[NDArray[np.float64], NDArray[np.float64], float, NDArray[np.int64], NDArray[np.int64]]:
        """Corners (shifted), origin, bin size, first item of every bin, triangles by bin."""
        corners = self.mesh.corners.copy()
        low, high = self.mesh.vertices.min(0), self.mesh.vertices.max(0)
        corners[..., :2] += _SHIFT * (high - low).max()
        origin = low[:2] - 1e-6
        step = float(((high - low)[:2].max() + 3e-6) / BINS)
        first, last = (np.floor((f(corners, axis=1)[:, :2] - origin) / step).astype(np.int64) for f in (np.min, np.max))
        counts = np.zeros(BINS * BINS + 1, np.int64)
        _hashed(first, last, BINS, counts, np.empty(0, np.int64))
        starts = np.concatenate([[0], np.cumsum(counts[:-1])])
        items = np.empty(starts[-1], np.int64)
        _hashed(first, last, BINS, starts.copy(), items)
        return corners, origin, step, starts, items

    def __call__(self, points: Any) -> NDArray[np.float32]:
        points = checked_points(points)
        odd = np.zeros(len(points), np.bool_)
        _crossings(points, *self._table, odd)
        return np.where(odd, np.float32(1), np.float32(-1))
