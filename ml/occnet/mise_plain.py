"""MISE and surface following in plain Python, one object a grid point and a cell: the twins of `mise` and `follow`.

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


def follow_plain(field: Field, resolution: int, depth: int, box: float = BOX) -> tuple[dict[Place, float], list[int]]:
    """As `mise_plain`, for `ml.occnet.follow.follow`."""
    side, size = resolution << depth, 1 << depth
    known: dict[Place, float] = {}
    rounds: list[int] = []

    def ask(places: set[Place]) -> None:
        points = sorted(places - known.keys())
        if points:
            known.update(zip(points, map(float, field((np.array(points) / side - 0.5) * box)), strict=True))
            rounds.append(len(points))

    def differ(places: list[Place]) -> bool:
        return len({known[place] > 0 for place in places}) == 2

    ask(set(_lattice((0, 0, 0, side), size)))
    edges = [(place, _moved(place, axis, size)) for place in sorted(known) for axis in range(3)]
    edges = [edge for edge in edges if edge[1] in known and differ(list(edge))]
    for _ in range(depth):
        middle = [_halfway(*edge) for edge in edges]
        ask(set(middle))
        edges = [(a, m) if differ([a, m]) else (m, b) for (a, b), m in zip(edges, middle, strict=True)]
    front = {cell for edge in edges for cell in _around(edge, side)}
    listed = set(front)
    while front:
        ask({corner for cell in front for corner in _lattice((*cell, 1), 1)})
        reached = set()
        for cell in front:
            for axis in range(3):
                for step in (-1, 1):
                    face = [p for p in _lattice((*cell, 1), 1) if p[axis] == cell[axis] + (step > 0)]
                    reached |= {_moved(cell, axis, step)} if differ(face) else set()
        front = {cell for cell in reached - listed if min(cell) >= 0 and max(cell) < side}
        listed |= front
    return known, rounds


def _moved(place: Place, axis: int, step: int) -> Place:
    x, y, z = (v + step * (i == axis) for i, v in enumerate(place))
    return x, y, z


def _halfway(a: Place, b: Place) -> Place:
    x, y, z = ((u + v) // 2 for u, v in zip(a, b, strict=True))
    return x, y, z


def _around(edge: tuple[Place, Place], side: int) -> set[Place]:
    """Finest cells that hold both ends."""
    x, y, z = edge[0]
    near = {(x - a, y - b, z - c) for a in (0, 1) for b in (0, 1) for c in (0, 1)}
    return {c for c in near if min(c) >= 0 and max(c) < side and {*edge} <= {*_lattice((*c, 1), 1)}}
