"""MISE in plain Python, one object a grid point and a cell, as the authors' libmise: the twin of `ml.occnet.mise`.

Slow on purpose, and written from the description alone: no array of the final resolution, no flags, no kernels.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ml.occnet.fields import BOX, Field

Place = tuple[int, int, int]
Leaf = tuple[int, int, int, int]  # first corner and size


def mise_plain(field: Field, resolution: int, depth: int, box: float = BOX) -> tuple[dict[Place, float], list[int]]:
    """Values at all evaluated grid points, and points of each round; arguments as `ml.occnet.mise.mise`."""
    side, size = resolution << depth, 1 << depth
    leaves: dict[Place, Leaf] = {}  # finest cell → the leaf that covers it
    for x in range(0, side, size):
        for y in range(0, side, size):
            for z in range(0, side, size):
                _cover(leaves, (x, y, z, size))
    known: dict[Place, float] = {}
    unknown = {corner for leaf in set(leaves.values()) for corner in _lattice(leaf, leaf[3])}
    rounds = []
    while unknown:
        points = sorted(unknown)
        values = field((np.array(points) / side - 0.5) * box)
        known.update(zip(points, (float(v) for v in values), strict=True))
        rounds.append(len(points))
        unknown = set()
        while not unknown and (active := _active(known, leaves)):
            for leaf in active:
                unknown |= _split(leaf, leaves) - known.keys()
    return known, rounds


def _lattice(leaf: Leaf, step: int) -> Iterator[Place]:
    """Points of the closed leaf, `step` apart."""
    x, y, z, size = leaf
    for a in range(x, x + size + 1, step):
        for b in range(y, y + size + 1, step):
            for c in range(z, z + size + 1, step):
                yield a, b, c


def _cover(leaves: dict[Place, Leaf], leaf: Leaf) -> None:
    x, y, z, size = leaf
    for a in range(x, x + size):
        for b in range(y, y + size):
            for c in range(z, z + size):
                leaves[a, b, c] = leaf


def _active(known: dict[Place, float], leaves: dict[Place, Leaf]) -> list[Leaf]:
    """Leaves that can be split and that both signs touch."""
    high, low = set(), set()
    for (x, y, z), value in known.items():
        for a in (x - 1, x):
            for b in (y - 1, y):
                for c in (z - 1, z):
                    leaf = leaves.get((a, b, c))
                    if leaf is not None and leaf[3] > 1:
                        if value >= 0:
                            high.add(leaf)
                        if value <= 0:
                            low.add(leaf)
    return sorted(high & low)


def _split(leaf: Leaf, leaves: dict[Place, Leaf]) -> set[Place]:
    """Replace a leaf by its eight parts; their corners."""
    x, y, z, size = leaf
    half = size // 2
    for a in (x, x + half):
        for b in (y, y + half):
            for c in (z, z + half):
                _cover(leaves, (a, b, c, half))
    return set(_lattice(leaf, half))


def filled(known: dict[Place, float], side: int) -> Any:
    """Values float64 [side + 1]³, unknown ones carried along x, then y, then z."""
    grid = np.full((side + 1,) * 3, np.nan)
    for place, value in known.items():
        grid[place] = value
    for axis in range(3):
        rows = np.moveaxis(grid, axis, 0)
        for i in range(1, side + 1):
            rows[i] = np.where(np.isnan(rows[i]), rows[i - 1], rows[i])
    return grid
