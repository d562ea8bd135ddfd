"""The 256 cases of marching cubes, derived instead of listed.

Corner c of a cell is at (c & 1, c >> 1 & 1, c >> 2 & 1); edge e joins `EDGES[e]`. On each face, walked around
anticlockwise as seen from outside, every run of filled corners is cut off by one segment, from the crossing where the
run begins to the one where it ends. Two cells that share a face see the same runs, so their segments are the same:
surfaces are closed, ambiguous faces included (filled corners that meet diagonally are kept apart).

Segments chain to loops, since a crossing begins a run on one of its two faces and ends one on the other. A loop is cut
into triangles so that as few diagonals as possible lie in a face, where the neighbour might choose the same one.
"""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

EDGES = [(c, c | 1 << a) for a in range(3) for c in range(8) if not c >> a & 1]
"""Twelve pairs of corners; edge e runs along axis e // 4."""
_EDGE_OF = {frozenset(pair): e for e, pair in enumerate(EDGES)}


def _faces() -> list[list[int]]:
    """Corners of the six faces, anticlockwise seen from outside."""
    found = []
    for axis, up in product(range(3), (0, 1)):
        one, two = 1 << (axis + 1) % 3, 1 << (axis + 2) % 3
        ring = [0, one, one | two, two]
        found.append([c | up << axis for c in (ring if up else ring[::-1])])
    return found


FACES = _faces()
_FACES_OF_EDGE = [{f for f, ring in enumerate(FACES) if set(pair) <= set(ring)} for pair in EDGES]


def _segments(case: int) -> dict[int, int]:
    """Crossing → the next one on its loop."""
    follows = {}
    for ring in FACES:
        filled = [case >> c & 1 for c in ring]
        for i in range(4):
            if filled[i] and not filled[i - 1]:  # a run begins at corner i
                end = next(j for j in range(i, i + 4) if not filled[(j + 1) % 4])
                begin_edge = _EDGE_OF[frozenset((ring[i - 1], ring[i]))]
                end_edge = _EDGE_OF[frozenset((ring[end % 4], ring[(end + 1) % 4]))]
                follows[begin_edge] = end_edge
    return follows


def loops(case: int) -> list[list[int]]:
    """Closed loops of crossings (edge numbers) of the case whose filled corners are the bits of `case`."""
    follows, found = _segments(case), []
    while follows:
        loop = [min(follows)]
        while (after := follows.pop(loop[-1])) != loop[0]:
            loop.append(after)
        found.append(loop)
    return found


def _cut(loop: list[int]) -> list[tuple[int, int, int]]:
    """Triangles of a loop with the fewest diagonals in a face."""

    @cache
    def best(i: int, j: int) -> tuple[int, tuple[tuple[int, int, int], ...]]:
        if j - i < 2:
            return 0, ()
        options = []
        for k in range(i + 1, j):
            left, right = best(i, k), best(k, j)
            price = left[0] + right[0] + _in_face(loop, i, k) + _in_face(loop, k, j)
            options.append((price, (*left[1], (loop[i], loop[k], loop[j]), *right[1])))
        return min(options, key=lambda option: option[0])

    return list(best(0, len(loop) - 1)[1])


def _in_face(loop: list[int], i: int, j: int) -> int:
    """1 when i…j is a diagonal of the loop whose ends lie on one face."""
    neighbours = j - i == 1 or j - i == len(loop) - 1
    return int(not neighbours and bool(_FACES_OF_EDGE[loop[i]] & _FACES_OF_EDGE[loop[j]]))


@cache
def triangles() -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """(edges int8 [256, n, 3], count int8 [256]) of all cases; normals point out of the filled side."""
    cases = [[t for loop in loops(case) for t in _cut(loop)] for case in range(256)]
    most = max(len(c) for c in cases)
    table = np.full((256, most, 3), -1, np.int8)
    for case, found in enumerate(cases):
        table[case, : len(found)] = np.array(found, np.int8).reshape(-1, 3)
    return table, np.array([len(c) for c in cases], np.int8)
