"""Surface following: the cells of the surface that MISE finds, with fewer queries.

1. Evaluate the coarse grid, as MISE does.
2. Halve every coarse edge whose ends differ until it is an edge of the finest grid.
3. Evaluate the cells around those edges, and go from cell to cell through the faces that the surface crosses.

MISE asks for all 19 points inside every cell that it splits; most of them lie beside the surface. Here only corners of
surface cells are asked for. A part of the surface that crosses no coarse edge is not found, nor by MISE for certain.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ml.occnet.fields import BOX, Field
from ml.occnet.mise import BATCH, DEPTH, RESOLUTION, Extraction, Points, check, coarse_grid, evaluated

Bools = NDArray[np.bool_]


def follow(
    field: Field,
    resolution: int = RESOLUTION,
    depth: int = DEPTH,
    box: float = BOX,
    batch: int = BATCH,
    observe: Callable[[int, Points, NDArray[np.float32]], None] | None = None,
) -> Extraction:
    """Evaluate `field` on its surface; arguments, result and errors as `ml.occnet.mise.mise`.

    Example:
        >>> from ml.occnet.mise import mise
        >>> ball = lambda p: 0.4 - np.sqrt((p**2).sum(1))
        >>> one, other = follow(ball), mise(ball)
        >>> len(one.mesh().faces) == len(other.mesh().faces), one.queries < 0.75 * other.queries
        (True, True)
    """
    check(resolution, depth, box, batch)
    from ml.occnet.kernels_follow import across, unknown_corners
    from ml.occnet.kernels_mise import carry

    side = resolution << depth
    value = np.zeros((side + 1,) * 3, np.float32)
    state = np.zeros(value.shape, np.uint8)
    rounds: list[int] = []

    def ask(points: Points) -> None:
        if len(points):
            values = evaluated(field, (points / side - 0.5) * box, batch)
            if observe:
                observe(len(rounds), points, values)
            rounds.append(len(points))
            value[tuple(points.T)], state[tuple(points.T)] = values, 1

    ask(coarse_grid(resolution, depth))
    seen = np.zeros((side,) * 3, bool)
    cells = _first_cells(value > 0, 1 << depth, seen, ask, lambda points: value[tuple(points.T)] > 0)
    while len(cells):
        asked, after = np.empty((8 * len(cells), 3), np.int64), np.empty((6 * len(cells), 3), np.int64)
        ask(asked[: unknown_corners(cells, len(cells), state, asked)])
        cells = after[: across(cells, len(cells), value, seen, after)]
    known = state == 1
    carry(value, state)
    return Extraction(value, known, tuple(rounds), box)


def _first_cells(
    filled: Bools, step: int, seen: Bools, ask: Callable[[Points], None], inside: Callable[[Points], Bools]
) -> Points:
    """Finest cells around the crossing of every coarse edge; marks them in `seen`."""
    low, axis = _crossed(filled, step)
    along = np.eye(3, dtype=np.int64)[axis]
    start = inside(low)
    while step > 1:
        step //= 2
        middle = low + step * along
        ask(middle)
        low = np.where((inside(middle) == start)[:, None], middle, low)
    around = np.array([(0, 0), (0, -1), (-1, 0), (-1, -1)])
    cells = np.concatenate([
        low + np.stack([np.where(axis == a, 0, np.where((axis + 1) % 3 == a, u, v)) for a in range(3)], 1)
        for u, v in around
    ])  # fmt: skip
    cells = cells[((cells >= 0) & (cells < len(seen))).all(1)]
    seen[tuple(cells.T)] = True
    return np.unique(cells, axis=0)


def _crossed(filled: Bools, step: int) -> tuple[Points, NDArray[np.int64]]:
    """Lower ends and axes of the coarse edges whose ends differ."""
    coarse = filled[::step, ::step, ::step]
    found = [np.argwhere(np.diff(coarse, axis=a)) for a in range(3)]
    return np.concatenate(found) * step, np.repeat(np.arange(3), [len(some) for some in found])
