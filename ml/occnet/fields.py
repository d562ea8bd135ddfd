"""Shapes as truth fields: a function of a point that is positive inside, so that occupancy is exact everywhere.

| field | from | surface |
|---|---|---|
| `VoxelField` | voxels [n, n, n] | trilinear(Gaussian(voxels)) = level: closed, as smooth as the voxels allow |
| `SolidField` | a table of primitives (`ml.common.datasets.solids`) | of their union |
| `ml.occnet.inside.MeshField` | a watertight mesh | the mesh |

Points live in the box [−0.55, 0.55]³: the shape's longest edge is 1, with a padding of 0.1 (paper, section 3.2; the
authors' sample_mesh.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.ir.errors import ShapeError, check_shape

BOX = 1.1  # edge of the box that queries come from
BLUR = 0.6  # voxels
LEVEL = 0.4  # a rod of one voxel has 0.44 on its axis, a plate 0.66: both stay

Field = Callable[[NDArray[Any]], NDArray[np.float32]]
"""points [n, 3] → float32 [n], positive inside."""


def checked_points(points: Any) -> NDArray[np.float64]:
    """Points as float64 [n, 3].

    Raises:
        ShapeError: another shape, or NaN.
    """
    array = np.ascontiguousarray(points, np.float64)
    check_shape("points", array.shape, "[n, 3]", (None, 3))
    if not np.isfinite(array).all():
        raise ShapeError.of("points", "NaN or infinity", "finite coordinates", "Clean them.")
    return array


@dataclass(frozen=True, eq=False)
class VoxelField:
    """The level set of blurred voxels.

    Args:
        voxels: [n, n, n], filled where > 0; the grid spans [−½, ½]³.
        blur: standard deviation of the Gaussian, in voxels.
        level: value on the surface.

    Raises:
        ShapeError: not a cube, or empty.

    Example:
        >>> voxels = np.zeros((8, 8, 8)); voxels[2:6, 2:6, 2:6] = 1
        >>> (VoxelField(voxels)([[0, 0, 0], [0.5, 0, 0]]) > 0).tolist()
        [True, False]
    """

    voxels: NDArray[Any]
    blur: float = BLUR
    level: float = LEVEL

    def __post_init__(self) -> None:
        shape = self.voxels.shape
        if len(shape) != 3 or len(set(shape)) != 1:
            raise ShapeError.of("voxels", list(shape), "a cube [n, n, n]", "Crop or pad the grid.")
        if not (self.voxels > 0).any():
            raise ShapeError.of("voxels", "no filled voxel", "a shape", "Leave empty shapes out.")

    @cached_property
    def grid(self) -> NDArray[np.float32]:
        """Blurred voxels with four empty ones around."""
        from scipy.ndimage import gaussian_filter

        return gaussian_filter(np.pad((self.voxels > 0).astype(np.float32), 4), self.blur)

    def __call__(self, points: Any) -> NDArray[np.float32]:
        from ml.occnet.kernels_fields import trilinear

        points = checked_points(points)
        out = np.empty(len(points), np.float32)
        step = 1 / len(self.voxels)
        trilinear(self.grid, points, -0.5 - 3.5 * step, step, self.level, out)
        return out


@dataclass(frozen=True, eq=False)
class SolidField:
    """The union of a table of primitives, float32 [rows, 7].

    Raises:
        ShapeError: not such a table, or no primitive in it.

    Example:
        >>> SolidField(np.array([[1, 0, 0, 0, 0.5, 0.2, 0.1]]))([[0, 0, 0], [0.6, 0, 0]]).round(2).tolist()
        [0.10000000149011612, -0.10000000149011612]
    """

    table: NDArray[Any]

    def __post_init__(self) -> None:
        check_shape("table", self.table.shape, "[rows, 7]", (None, 7))
        if not (self.table[:, 0] > 0).any():
            raise ShapeError.of("table", "no primitive", "at least one row of kind > 0", "Leave empty shapes out.")

    def __call__(self, points: Any) -> NDArray[np.float32]:
        from ml.occnet.kernels_fields import union

        points = checked_points(points)
        out = np.empty(len(points), np.float32)
        union(np.ascontiguousarray(self.table, np.float64), points, out)
        return out


def field_of(sample: NDArray[Any]) -> Field:
    """The field of one sample of a data set of shapes: voxels [n, n, n] or a table of primitives [rows, 7].

    Raises:
        ShapeError: neither.
    """
    return SolidField(sample) if sample.ndim == 2 else VoxelField(sample)


def grid_points(resolution: int, box: float = BOX) -> NDArray[np.float64]:
    """Corner points [(r + 1)³, 3] of a grid of `resolution` cells over [−box/2, box/2]³, z fastest."""
    axis = (np.arange(resolution + 1) / resolution - 0.5) * box
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)


def uniform_points(n: int, rng: np.random.Generator, box: float = BOX) -> NDArray[np.float64]:
    """Points [n, 3] drawn uniformly from the box."""
    return (rng.random((n, 3)) - 0.5) * box
