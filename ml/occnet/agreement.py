"""Does MISE find what dense evaluation finds? Compared cell by cell, over connected parts of the surface.

A surface cell has corners on both sides of the threshold. Two of them belong to one part when they share a face that
the surface crosses. MISE has to know every corner of every cell of a part, with equal values, once it has found one
cell of it; and it has to find a cell in every coarse cell whose own corners lie on both sides ("seen"). Parts that it
never meets are listed: thinner than the coarse grid, they pass between its points.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.ir.errors import ShapeError
from ml.occnet.mise import Extraction


@dataclass(frozen=True)
class Agreement:
    """Counts.

    Attributes:
        cells: surface cells of the dense grid, in parts that MISE met.
        equal: those whose corners are all evaluated, with equal values.
        blind: coarse cells with corners on both sides in which MISE knows no whole surface cell.
        parts, missed_parts, missed_cells: parts of the surface; those that MISE never met, and their cells.
    """

    cells: int
    equal: int
    blind: int
    parts: int
    missed_parts: int
    missed_cells: int

    @property
    def share(self) -> float:
        """Equal cells / cells, 0 when a coarse cell is blind."""
        return self.equal / self.cells if self.cells and not self.blind else float(not (self.cells or self.blind))


def _corners(array: NDArray[Any]) -> NDArray[Any]:
    """The eight corners of every cell [8, r, r, r]."""
    n = len(array)
    places = [(c & 1, c >> 1 & 1, c >> 2 & 1) for c in range(8)]
    return np.stack([array[a : n - 1 + a, b : n - 1 + b, c : n - 1 + c] for a, b, c in places])


def surface_cells(filled: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Cells [r, r, r] with corners on both sides."""
    corners = _corners(filled)
    return np.asarray(corners.any(0) & ~corners.all(0))


def surface_parts(filled: NDArray[np.bool_]) -> tuple[NDArray[np.int64], int]:
    """(part of every cell [r, r, r], −1 where there is no surface; number of parts)."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    mixed = surface_cells(filled)
    number = np.full(mixed.shape, -1, np.int64)
    number[mixed] = np.arange(mixed.sum())
    pairs = []
    for axis in range(3):
        inner = np.moveaxis(filled, axis, 0)[1:-1]  # planes between two layers of cells
        square = np.stack([inner[:, a : a - 1 or None, b : b - 1 or None] for a in (0, 1) for b in (0, 1)])
        crossed = square.any(0) & ~square.all(0)
        rows = np.moveaxis(number, axis, 0)
        pairs.append(np.stack([rows[:-1][crossed], rows[1:][crossed]]))
    one, two = np.concatenate(pairs, axis=1)
    count = int(mixed.sum())
    n, labels = connected_components(coo_matrix((np.ones(len(one), bool), (one, two)), (count, count)), directed=False)
    number[mixed] = labels
    return number, int(n)


def compare(found: Extraction, full: Extraction, resolution: int) -> Agreement:
    """MISE's grid against the dense one; `resolution` cells an edge was the coarse grid.

    Raises:
        ShapeError: grids of different size.
    """
    if found.values.shape != full.values.shape:
        got = f"{found.values.shape} and {full.values.shape}"
        raise ShapeError.of("grids to compare", got, "one size", "Use the same final resolution.")
    filled = full.values > 0
    parts, n = surface_parts(filled)
    mixed = parts >= 0
    known = _corners(found.known).all(0) & mixed
    same = known & (_corners(found.values) == _corners(full.values)).all(0)
    met = np.zeros(n, bool)
    met[parts[known]] = True
    of_met = mixed & met[np.where(mixed, parts, 0)] if n else mixed
    step = (len(filled) - 1) // resolution
    seen = surface_cells(filled[::step, ::step, ::step])
    hit = known.reshape(resolution, step, resolution, step, resolution, step).any((1, 3, 5))
    return Agreement(
        int(of_met.sum()), int((same & of_met).sum()), int((seen & ~hit).sum()), n, int((~met).sum()),
        int((mixed & ~of_met).sum()),
    )  # fmt: skip
