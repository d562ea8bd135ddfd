"""Multiresolution isosurface extraction (paper, section 3.3, figure 2; the authors' libmise).

1. Evaluate the (R + 1)³ corner points of a coarse grid.
2. A leaf cell is active when a known value ≥ 0 and one ≤ 0 touch it, those of finer neighbours on its faces included.
3. Split every active leaf in eight, evaluate the new corners, and go back to 2 until nothing changes.
4. Unknown points take the last known value along x, then y, then z; marching cubes does the rest.

A surface that the coarse grid crosses is followed over its whole length, since its cells touch one another; a part that
lies between the coarse points is never seen. Values are relative to the threshold: positive inside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwsim.ir.errors import ShapeError, UsageError
from ml.occnet.fields import BOX, Field, grid_points
from ml.occnet.mesh import Mesh
from ml.occnet.surface import marching_cubes

RESOLUTION, DEPTH = 32, 2  # the authors' 32 → 128
BATCH = 100_000  # points of one call
MAX_SIDE = 512
Points = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Extraction:
    """What MISE found.

    Attributes:
        values: float32 [n, n, n], n = resolution · 2^depth + 1; unknown points filled.
        known: Boolean, points that were evaluated.
        rounds: points of each round of evaluation; the first is the coarse grid.
        box: edge of the box.
    """

    values: NDArray[np.float32]
    known: NDArray[np.bool_]
    rounds: tuple[int, ...]
    box: float = BOX

    @property
    def queries(self) -> int:
        """Points evaluated."""
        return sum(self.rounds)

    @property
    def saving(self) -> float:
        """Points of the dense grid / points evaluated."""
        return self.values.size / self.queries

    def mesh(self) -> Mesh:
        """The surface."""
        return marching_cubes(self.values, self.box)


class _Octree:
    """State of one extraction; arrays as in `ml.occnet.kernels_mise`."""

    def __init__(self, resolution: int, depth: int) -> None:
        side = resolution << depth
        self.resolution, self.depth = resolution, depth
        self.value = np.zeros((side + 1,) * 3, np.float32)
        self.state = np.zeros((side + 1,) * 3, np.uint8)
        self.level = np.zeros((side,) * 3, np.uint8)
        self.seen = np.zeros((side,) * 3, np.uint8)
        self.waiting: Points = np.empty((0, 3), np.int64)

    def next(self, points: Points, values: NDArray[np.float32]) -> Points:
        """Take values in, split what is active, and give the points to evaluate next; none at the end."""
        from ml.occnet.kernels_mise import learn, split

        tree = (self.value, self.state, self.level, self.seen, self.depth)
        active = np.empty((8 * len(points) + len(self.waiting), 3), np.int64)
        count = learn(points, values, *tree, active)
        active[count : count + len(self.waiting)] = self.waiting
        count += len(self.waiting)
        asked: Points = np.empty((0, 3), np.int64)
        while count and not len(asked):  # a split without new points is followed by the next one at once
            buffer, after = np.empty((19 * count, 3), np.int64), np.empty((8 * count, 3), np.int64)
            n, m = split(active, count, *tree, buffer, after)
            asked, self.waiting = buffer[:n], after[:m]
            active, count = self.waiting, m
        return asked


def mise(
    field: Field,
    resolution: int = RESOLUTION,
    depth: int = DEPTH,
    box: float = BOX,
    batch: int = BATCH,
    observe: Callable[[int, Points, NDArray[np.float32]], None] | None = None,
) -> Extraction:
    """Evaluate `field` where its surface is.

    Args:
        field: points [n, 3] → values, positive inside.
        resolution: cells an edge of the coarse grid; the final grid has resolution · 2^depth.
        depth: how often a cell may be split.
        batch: points of one call of `field`.
        observe: told each round's number, grid indices [n, 3] and values.

    Raises:
        UsageError: sizes out of range.   ShapeError: the field gives NaN or another number of values.

    Example:
        >>> ball = lambda p: 0.4 - np.sqrt((p**2).sum(1))
        >>> found = mise(ball, 8, 2)
        >>> found.values.shape, found.rounds[0], found.mesh().is_watertight
        ((33, 33, 33), 729, True)
    """
    check(resolution, depth, box, batch)
    from ml.occnet.kernels_mise import carry

    tree = _Octree(resolution, depth)
    points = coarse_grid(resolution, depth)
    rounds: list[int] = []
    while len(points):
        values = evaluated(field, (points / (resolution << depth) - 0.5) * box, batch)
        if observe:
            observe(len(rounds), points, values)
        rounds.append(len(points))
        points = tree.next(points, values)
    known = tree.state == 1
    carry(tree.value, tree.state)
    return Extraction(tree.value, known, tuple(rounds), box)


def dense(field: Field, resolution: int = RESOLUTION << DEPTH, box: float = BOX, batch: int = BATCH) -> Extraction:
    """The same with every point of the final grid evaluated."""
    values = evaluated(field, grid_points(resolution, box), batch).reshape((resolution + 1,) * 3)
    return Extraction(values, np.ones(values.shape, bool), (values.size,), box)


def check(resolution: int, depth: int, box: float, batch: int) -> None:
    """Arguments of an extraction.

    Raises:
        UsageError: sizes out of range.
    """
    if resolution < 1 or depth < 0 or batch < 1 or resolution << depth > MAX_SIDE or not box > 0:
        got = f"resolution {resolution}, depth {depth}, batch {batch}, box {box}"
        want = f"resolution · 2^depth in 1…{MAX_SIDE}, batch ≥ 1, box > 0"
        raise UsageError.of("extraction", got, want, "Change them.")


def coarse_grid(resolution: int, depth: int) -> Points:
    """Corner points of the coarse grid as indices of the finest one."""
    axis = np.arange(resolution + 1, dtype=np.int64) << depth
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)


def evaluated(field: Field, points: NDArray[np.float64], batch: int) -> NDArray[np.float32]:
    """Values of `field` at `points` [n, 3], so many a call.

    Raises:
        ShapeError: NaN, or another number of values.
    """
    parts = [np.asarray(field(points[i : i + batch]), np.float32) for i in range(0, len(points), batch)]
    values = np.concatenate(parts)
    if values.shape != (len(points),) or np.isnan(values).any():
        got = "NaN" if values.shape == (len(points),) else f"shape {list(values.shape)}"
        raise ShapeError.of("values of the field", got, f"{len(points)} numbers", "Mend the field.")
    return values
