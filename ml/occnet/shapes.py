"""Sets of shapes with everything that encoders and judges need: fields, meshes, clouds, voxels, pictures.

    solids   generated furniture, embedded (`ml.common.datasets.solids`)
    modelnet10_chair, modelnet10_monitor   real voxels where $HWSIM_DATA has them

A cloud is drawn from the mesh of the field on a grid of 64 cells; a picture shows that mesh from one of several sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwsim.ir.errors import UsageError
from ml.common.data import Dataset
from ml.common.seed import numpy_generator
from ml.occnet.batches import Inputs
from ml.occnet.fields import Field, VoxelField, field_of, grid_points
from ml.occnet.mesh import Mesh
from ml.occnet.mise import mise
from ml.occnet.render import render

POOL = 1024  # surface points kept a shape
CLOUD, NOISE = 300, 0.005  # the paper's point-cloud task
VOXELS = 32
PICTURE, VIEWS = 64, 8
AZIMUTHS = np.arange(VIEWS) * (360 / VIEWS) + 20.0


@dataclass(frozen=True, eq=False)
class ShapeSet:
    """Some shapes of one data set.

    Attributes:
        samples: voxels or tables of primitives, one a shape.
        seed: of clouds.
    """

    samples: Sequence[NDArray[Any]]
    seed: int = 0

    def __len__(self) -> int:
        return len(self.samples)

    @cached_property
    def fields(self) -> list[Field]:
        """The truth, one field a shape."""
        return [field_of(sample) for sample in self.samples]

    @cached_property
    def meshes(self) -> list[Mesh]:
        """Surfaces on a grid of 64 cells."""
        return [mise(field, 32, 1).mesh() for field in self.fields]

    @cached_property
    def surfaces(self) -> list[NDArray[np.float64]]:
        """`POOL` points on every surface."""
        rng = numpy_generator(self.seed, "surfaces")
        return [mesh.sample(POOL, rng)[0] for mesh in self.meshes]

    @cached_property
    def voxels(self) -> NDArray[np.float32]:
        """Occupancy [n, 32, 32, 32] at the centres of 32 cells an edge: the input of the voxel encoder."""
        step = 1 / VOXELS
        centres = grid_points(VOXELS - 1, 1.0 - step)
        found = [
            f.voxels if isinstance(f, VoxelField) and len(f.voxels) == VOXELS else (f(centres) > 0) for f in self.fields
        ]
        return np.stack([np.reshape(v, (VOXELS,) * 3) for v in found]).astype(np.float32)

    @cached_property
    def pictures(self) -> NDArray[np.float32]:
        """Grey pictures [n, views, 64, 64]."""
        return np.stack([[render(mesh, PICTURE, float(a)) for a in AZIMUTHS] for mesh in self.meshes])

    def clouds(self) -> Inputs:
        """Inputs of the point encoder: 300 surface points with noise of 0.005, new ones every time."""
        pool = np.stack(self.surfaces).astype(np.float32)

        def inputs(numbers: NDArray[np.int64], rng: np.random.Generator) -> Tensor:
            chosen = rng.integers(0, POOL, (len(numbers), CLOUD))
            cloud = pool[numbers[:, None], chosen]
            return torch.from_numpy(cloud + rng.normal(0, NOISE, cloud.shape).astype(np.float32))

        return inputs

    def grids(self) -> Inputs:
        """Inputs of the voxel encoder."""
        return lambda numbers, rng: torch.from_numpy(self.voxels[numbers])

    def images(self, fixed: bool = False) -> Inputs:
        """Inputs of the image encoder: one picture a shape, from a random side or always from the first."""

        def inputs(numbers: NDArray[np.int64], rng: np.random.Generator) -> Tensor:
            side = np.zeros(len(numbers), np.int64) if fixed else rng.integers(0, VIEWS, len(numbers))
            grey = torch.from_numpy(self.pictures[numbers, side])
            return grey[:, None].expand(-1, 3, -1, -1)

        return inputs


def shape_sets(data: Dataset, n_train: int | None = None, n_test: int | None = None) -> tuple[ShapeSet, ShapeSet]:
    """The first `n_train` and `n_test` shapes of a data set (default: all).

    Raises:
        UsageError: a number below 1, or more than there are.
    """
    made: list[ShapeSet] = []
    for part, x, n in (("training", data.x_train, n_train), ("test", data.x_test, n_test)):
        count = len(x) if n is None else n
        if not 1 <= count <= len(x):
            raise UsageError.of(f"{part} shapes of {data.name}", count, f"1…{len(x)}", "Ask for fewer.")
        made.append(ShapeSet([np.asarray(one) for one in x[:count]], len(made)))
    return made[0], made[1]
