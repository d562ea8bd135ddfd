"""From values on a grid to a closed triangle mesh: marching cubes over a border of empty space."""

from __future__ import annotations

from typing import Any

import numpy as np

from hwsim.ir.errors import ShapeError
from ml.occnet.cube_table import EDGES, triangles
from ml.occnet.fields import BOX
from ml.occnet.mesh import Mesh

OUTSIDE = -1e6  # value around the grid, as in the authors' generation.py


def marching_cubes(values: Any, box: float = BOX) -> Mesh:
    """The surface values = 0 of a grid [n, n, n] over [−box/2, box/2]³, filled where values > 0.

    The grid gets a border of empty space, so that a surface that reaches its edge is closed there. A grid without a
    filled point gives a mesh without faces.

    Raises:
        ShapeError: not a cube of at least 2 points an edge, or NaN.

    Example:
        >>> grid = np.full((3, 3, 3), -1.0); grid[1, 1, 1] = 1
        >>> mesh = marching_cubes(grid, box=2.0)
        >>> mesh.vertices.shape, mesh.faces.shape, mesh.is_watertight, round(mesh.volume, 4)
        ((6, 3), (8, 3), True, 0.1667)
    """
    from ml.occnet.kernels_cubes import extract, sizes

    grid = np.asarray(values)
    if grid.ndim != 3 or len(set(grid.shape)) != 1 or grid.shape[0] < 2:
        raise ShapeError.of("values", list(grid.shape), "a cube [n, n, n], n ≥ 2", "Reshape them.")
    if np.isnan(grid).any():
        raise ShapeError.of("values", "NaN", "numbers", "Look for NaN in the field.")
    padded = np.pad(grid.astype(np.float32), 1, constant_values=OUTSIDE)
    table, counts = triangles()
    corners = np.array([pair[0] for pair in EDGES], np.int64)
    n_vertices, n_faces = sizes(padded, counts)
    vertices, faces = np.empty((n_vertices, 3)), np.empty((n_faces, 3), np.int64)
    extract(padded, table, counts, corners, vertices, faces)
    step = box / (len(grid) - 1)
    return Mesh((vertices - 1) * step - box / 2, faces)
