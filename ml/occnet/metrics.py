"""How near a mesh is to the true one (paper, section 4; the authors' eval.py).

| metric | definition |
|---|---|
| accuracy, completeness | mean distance of points of the mesh to the true surface, and the other way round |
| Chamfer-L1 | their mean; distances are Euclidean, not squared |
| normal consistency | mean of \\|n · n'\\| over nearest pairs, both directions |
| IoU | of occupancies at points of the box (`ml.occnet.train.iou`) |

The paper prints Chamfer-L1 × 10, that is in tenths of the longest bounding edge: its 0.215 is 0.0215 here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hwsim.ir.errors import check_shape
from ml.occnet.mesh import Mesh

SAMPLES = 100_000  # points a surface
PAPER_FACTOR = 10  # of the printed Chamfer-L1
EMPTY_DISTANCE, EMPTY_NORMALS = float(np.sqrt(3)), -1.0  # the authors' figures for a mesh without faces


@dataclass(frozen=True)
class SurfaceScore:
    """Distances in units of the longest bounding edge; `normals` in −1…1."""

    accuracy: float
    completeness: float
    normals: float

    @property
    def chamfer_l1(self) -> float:
        """Mean of accuracy and completeness; × 10 is what the paper prints."""
        return (self.accuracy + self.completeness) / 2


def surface_score(mesh: Mesh, truth: Mesh, n: int = SAMPLES, seed: int = 0) -> SurfaceScore:
    """Score a mesh against the true one, with n points on each; a mesh without faces gets the authors' figures.

    Example:
        >>> from ml.occnet.surface import marching_cubes
        >>> from ml.occnet.fields import grid_points
        >>> ball = lambda r: marching_cubes(r - np.linalg.norm(grid_points(32), axis=1).reshape(33, 33, 33))
        >>> score = surface_score(ball(0.4), ball(0.3), 2000)
        >>> round(score.chamfer_l1, 2), round(score.normals, 2)
        (0.1, 1.0)
    """
    if len(mesh.faces) == 0:
        return SurfaceScore(EMPTY_DISTANCE, EMPTY_DISTANCE, EMPTY_NORMALS)
    rng = np.random.default_rng(seed)
    return cloud_score(*mesh.sample(n, rng), *truth.sample(n, rng))


def cloud_score(points: Any, normals: Any, true_points: Any, true_normals: Any) -> SurfaceScore:
    """The same for points [n, 3] with unit normals [n, 3] of both surfaces.

    Raises:
        ShapeError: other shapes.
    """
    from scipy.spatial import cKDTree

    for name, array in (("points", points), ("true_points", true_points)):
        check_shape(name, np.shape(array), "[n, 3]", (None, 3))
    there, to_true = cKDTree(true_points).query(points)
    back, to_mesh = cKDTree(points).query(true_points)
    along = np.abs((normals * true_normals[to_true]).sum(1)).mean()
    against = np.abs((true_normals * normals[to_mesh]).sum(1)).mean()
    return SurfaceScore(float(there.mean()), float(back.mean()), float(along + against) / 2)
