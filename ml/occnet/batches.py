"""Training data: points drawn from the box, their occupancy, and what the encoder sees; from (seed, epoch) alone.

| sampling | points (paper, table 4) |
|---|---|
| ``uniform`` | uniform in the box: the paper's choice |
| ``equal`` | as many inside as outside |
| ``surface`` | surface points and Gaussian noise around them |
| ``near`` | half uniform, half those of a larger draw that lie nearest to the surface (ours, for short trainings) |

The authors draw K of 100 000 stored points a shape. Here every batch draws new ones, since the fields are exact, or,
with `stored` > 0, some of so many that every epoch draws anew: cheaper where a shape is met many times an epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwsim.ir.errors import UsageError
from ml.common.seed import numpy_generator
from ml.occnet.fields import BOX, Field, uniform_points
from ml.occnet.network import Queries

Sampling = Literal["uniform", "equal", "surface", "near"]
SIGMA = 0.05  # of the noise around surface points
POOL = 4  # points that one near the surface is chosen from
Inputs = Callable[[NDArray[np.int64], np.random.Generator], Tensor]
"""Shape numbers [batch] → the encoder's inputs [batch, …]."""


def draw(field: Field, n: int, rng: np.random.Generator, sampling: Sampling, surface: Any = None) -> NDArray[Any]:
    """Points [n, 3] of one shape.

    Args:
        surface: points on its surface [m, 3], for ``"surface"``.

    Raises:
        UsageError: an unknown scheme, or no surface for it.
    """
    if sampling == "uniform":
        return uniform_points(n, rng)
    if sampling == "equal":
        return _balanced(field, n, rng)
    if sampling == "near":
        pool = uniform_points(POOL * (n // 2), rng)
        nearest = np.argpartition(np.abs(field(pool)), n // 2)[: n // 2]
        return np.concatenate([uniform_points(n - n // 2, rng), pool[nearest]])
    if sampling != "surface" or surface is None:
        got = repr(sampling) if sampling != "surface" else "'surface' without surface points"
        raise UsageError.of("sampling", got, "uniform, equal, surface or near", "Choose one.")
    near = surface[rng.integers(0, len(surface), n)] + rng.normal(0, SIGMA, (n, 3))
    return np.clip(near, -BOX / 2, BOX / 2)


def _balanced(field: Field, n: int, rng: np.random.Generator) -> NDArray[Any]:
    """Half of the points inside; a shape too small to hit gets what was found, repeated."""
    pool = uniform_points(32 * n, rng)
    inside = field(pool) > 0
    there, away = pool[inside], pool[~inside]
    if len(there) == 0:
        return away[:n]
    picked = there[rng.integers(0, len(there), n // 2)] if len(there) < n // 2 else there[: n // 2]
    return np.concatenate([picked, away[: n - len(picked)]])


@dataclass(frozen=True)
class PointBatches:
    """Batches of shapes with `points` queries each (`ml.common.train.Batches`).

    Attributes:
        fields: one a shape.
        inputs: makes the encoder's input.
        batch: shapes a step; `steps`: steps an epoch.
        surfaces: surface points a shape, for ``sampling="surface"``.
        stored: points a shape that an epoch draws from; 0 for new points at every step.
    """

    fields: Sequence[Field]
    inputs: Inputs
    batch: int
    points: int
    seed: int
    steps: int
    sampling: Sampling = "uniform"
    surfaces: Sequence[NDArray[Any]] = ()
    stored: int = 0

    def __post_init__(self) -> None:
        if not (1 <= self.batch <= len(self.fields) and self.points >= 1 and self.steps >= 1):
            got = f"{self.batch} shapes of {len(self.fields)}, {self.points} points, {self.steps} steps"
            raise UsageError.of("batches", got, "1 … all shapes, 1 or more points and steps", "Change them.")

    def epoch(self, epoch: int) -> Iterator[tuple[Any, Tensor]]:
        """(queries, occupancy float32 [batch, points]) of one epoch."""
        rng = numpy_generator(self.seed, "epoch", epoch)
        order = np.empty(0, np.int64)
        pool = self.drawn(np.arange(len(self.fields)), self.stored, rng) if self.stored else None
        for _ in range(self.steps):
            if len(order) < self.batch:
                order = rng.permutation(len(self.fields))
            numbers, order = order[: self.batch], order[self.batch :]
            if pool is None:
                points, filled = self.drawn(numbers, self.points, rng)
            else:
                chosen = numbers[:, None], rng.integers(0, self.stored, (self.batch, self.points))
                points, filled = pool[0][chosen], pool[1][chosen]
            yield Queries(torch.from_numpy(points), self.inputs(numbers, rng)), torch.from_numpy(filled)

    def drawn(
        self, numbers: NDArray[np.int64], n: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """n new points [batch, n, 3] of the shapes called `numbers`, and their occupancy [batch, n]."""
        points = np.empty((len(numbers), n, 3), np.float32)
        filled = np.empty((len(numbers), n), np.float32)
        for i, k in enumerate(numbers):
            surface = self.surfaces[k] if self.surfaces else None
            points[i] = draw(self.fields[k], n, rng, self.sampling, surface)
            filled[i] = self.fields[k](points[i]) > 0
        return points, filled


def numbers_only(numbers: NDArray[np.int64], rng: np.random.Generator) -> Tensor:
    """The inputs of `ml.occnet.network.ShapeCodes`: the numbers themselves."""
    return torch.from_numpy(np.asarray(numbers, np.int64))
