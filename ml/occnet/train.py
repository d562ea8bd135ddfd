"""Training: binary cross-entropy, summed over a shape's points, mean over shapes (paper, eq. 3), on the common loop.

The paper: Adam, learning rate 1e-4, 2048 points, batches of 64, validation IoU chooses the iteration. Short runs here
take a higher rate that falls by half a cosine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from hwsim.ir.errors import HwsimError
from ml.common.train import FitConfig, FitResult, Progress, Trainer
from ml.occnet.batches import Inputs, PointBatches, Sampling
from ml.occnet.fields import Field, uniform_points
from ml.occnet.network import OccupancyNetwork, Queries


class DivergedError(HwsimError):
    """A loss that is not finite."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes:
        epochs, steps: length of training; steps an epoch.
        batch, points: shapes a step, queries a shape.
        lr, final: Adam's rate, and what is left of it at the end (1 = constant, the paper's).
        warmup: epochs of rising rate.
        sampling, stored: where points are drawn, see `ml.occnet.batches`.
        judge_points, judge_every: queries a shape for the validation IoU; epochs between judgements.
    """

    epochs: int
    steps: int = 50
    batch: int = 32
    points: int = 512
    lr: float = 1e-3
    final: float = 0.01
    warmup: float = 0.0
    sampling: Sampling = "uniform"
    stored: int = 0
    judge_points: int = 4096
    judge_every: int = 5


PAPER = Recipe(epochs=6000, steps=500, batch=64, points=2048, lr=1e-4, final=1.0)


def point_loss(model: nn.Module, logits: Tensor, filled: Tensor) -> Tensor:
    """Σ over points of the cross-entropy, mean over shapes (eq. 3).

    Raises:
        DivergedError: it is not finite.
    """
    loss = functional.binary_cross_entropy_with_logits(logits, filled, reduction="sum") / len(logits)
    if not torch.isfinite(loss):
        mend = "Lower the learning rate, and look for NaN in the inputs."
        raise DivergedError.of("the loss", float(loss.detach()), "a finite number", mend)
    return loss


def fit(
    network: OccupancyNetwork,
    fields: Sequence[Field],
    inputs: Inputs,
    recipe: Recipe,
    seed: int,
    *,
    validation: tuple[Sequence[Field], Inputs] | None = None,
    surfaces: Sequence[Any] = (),
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> FitResult:
    """Train; the network ends in the state with the best IoU on `validation` (default: on the training shapes).

    Raises:
        DivergedError: the loss is not finite.   UsageError: sizes that do not fit.
    """
    batches = PointBatches(
        fields, inputs, recipe.batch, recipe.points, seed, recipe.steps, recipe.sampling, surfaces,
        recipe.stored,
    )  # fmt: skip
    judged = validation or (fields, inputs)

    def judge(model: nn.Module) -> float:
        assert isinstance(model, OccupancyNetwork)
        return float(np.mean(point_ious(model, *judged, n_points=recipe.judge_points)))

    config = FitConfig(
        recipe.epochs, recipe.lr, (0.9, 0.999), warmup=recipe.warmup, final=recipe.final, check_every=recipe.judge_every
    )
    trainer = Trainer(network, batches, judge, config, checkpoint=checkpoint, progress=progress, loss=point_loss)
    return trainer.fit()


@torch.no_grad()
def point_ious(
    network: OccupancyNetwork,
    fields: Sequence[Field],
    inputs: Inputs,
    n_points: int = 100_000,
    seed: int = 0,
    threshold: float = 0.5,
    draw: Callable[[int, np.random.Generator], Any] = uniform_points,
) -> list[float]:
    """IoU of every shape at `n_points` points, the same ones for the same seed (the paper: 100 000, section 4)."""
    network.eval()
    rng = np.random.default_rng(seed)
    points = draw(n_points, rng)
    device = next(network.parameters()).device
    block = max(1, (1 << 16) // n_points)
    level = float(np.log(threshold / (1 - threshold)))
    found = []
    for start in range(0, len(fields), block):
        numbers = np.arange(start, min(start + block, len(fields)))
        x = torch.from_numpy(points.astype(np.float32)).expand(len(numbers), -1, -1)
        logits = network(Queries(x, inputs(numbers, rng)).to(device)).cpu().numpy()
        for k, row in zip(numbers.tolist(), logits, strict=True):
            found.append(iou(fields[k](points) > 0, row > level))
    return found


def iou(one: Any, two: Any) -> float:
    """|A ∩ B| / |A ∪ B| of two Boolean arrays of equal length; 0 when both are empty.

    >>> iou(np.array([True, True, False]), np.array([True, False, False]))
    0.5
    """
    union = int(np.logical_or(one, two).sum())
    return int(np.logical_and(one, two).sum()) / union if union else 0.0
