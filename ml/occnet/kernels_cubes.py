"""Numba kernel of marching cubes: slab by slab, vertices shared by index."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def sizes(grid: Any, counts: Any) -> tuple[int, int]:  # pragma: no cover
    """(vertices, triangles) of the surface grid > 0."""
    nx, ny, nz = grid.shape
    vertices, faces = 0, 0
    for i in range(nx):
        for j in range(ny):
            for k in range(nz):
                here = grid[i, j, k] > 0
                vertices += i + 1 < nx and (grid[i + 1, j, k] > 0) != here
                vertices += j + 1 < ny and (grid[i, j + 1, k] > 0) != here
                vertices += k + 1 < nz and (grid[i, j, k + 1] > 0) != here
                if i + 1 < nx and j + 1 < ny and k + 1 < nz:
                    faces += counts[_case(grid, i, j, k)]
    return vertices, faces


@njit(cache=True, inline="always")
def _case(grid: Any, i: int, j: int, k: int) -> int:  # pragma: no cover
    case = 0
    for c in range(8):
        case |= int(grid[i + (c & 1), j + (c >> 1 & 1), k + (c >> 2 & 1)] > 0) << c
    return case


@njit(cache=True, nogil=True)
def extract(grid: Any, table: Any, counts: Any, edges: Any, vertices: Any, faces: Any) -> None:  # pragma: no cover
    """Fill vertices float64 [n, 3] (grid units) and faces int64 [m, 3]; sizes from `sizes`.

    index[axis, side, j, k] is the vertex on the edge along `axis` from point (i + side, j, k).
    """
    nx, ny, nz = grid.shape
    index = np.full((3, 2, ny, nz), -1, np.int64)
    n_vertices, n_faces = 0, 0
    for i in range(nx):
        for j in range(ny):
            for k in range(nz):
                for axis in range(3):
                    a, b, c = i + (axis == 0), j + (axis == 1), k + (axis == 2)
                    if a >= nx or b >= ny or c >= nz or (grid[i, j, k] > 0) == (grid[a, b, c] > 0):
                        continue
                    low, high = np.float64(grid[i, j, k]), np.float64(grid[a, b, c])
                    share = low / (low - high)
                    vertices[n_vertices, 0] = i + share * (axis == 0)
                    vertices[n_vertices, 1] = j + share * (axis == 1)
                    vertices[n_vertices, 2] = k + share * (axis == 2)
                    index[axis, 1, j, k] = n_vertices
                    n_vertices += 1
        if i > 0:  # cells between slices i − 1 and i; their x edges stand at side 0
            for j in range(ny - 1):
                for k in range(nz - 1):
                    case = _case(grid, i - 1, j, k)
                    for t in range(counts[case]):
                        for v in range(3):
                            e = table[case, t, v]
                            corner, axis = edges[e], e // 4
                            faces[n_faces, v] = index[axis, corner & 1, j + (corner >> 1 & 1), k + (corner >> 2 & 1)]
                        n_faces += 1
        for axis in range(3):
            index[axis, 0] = index[axis, 1]
