"""Images as the training wants them: [n, c, h, w] float32, normalised, with augmentation drawn from (seed, epoch)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from hwsim.ir.errors import UsageError
from ml.common.data import Dataset, load
from ml.common.seed import torch_generator

VALIDATION, SPLIT_SEED = 0.05, 0
# (shape, mean and standard deviation of a pixel over its largest value, that value)
_IMAGES: dict[str, tuple[tuple[int, int, int], tuple[float, ...], tuple[float, ...], float]] = {
    "mnist": ((1, 28, 28), (0.1307,), (0.3081,), 255.0),
    "digits": ((1, 8, 8), (0.3053,), (0.3760,), 16.0),
    "cifar10_subset": ((3, 32, 32), (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616), 255.0),
}


@dataclass(frozen=True)
class Task:
    """A data set ready to train on.

    Attributes:
        dataset: as loaded; its test part is read only after training, for the report.
        shape: of an image, [c, h, w].
        x_train, x_val: float32 [n, c, h, w];  y_train, y_val: int64 [n].
    """

    dataset: Dataset
    shape: tuple[int, int, int]
    x_train: Tensor
    y_train: Tensor
    x_val: Tensor
    y_val: Tensor

    def test(self) -> tuple[Tensor, np.ndarray]:
        """Test images float32 [n, c, h, w] and labels int64 [n]."""
        return images(self.dataset, self.dataset.x_test), self.dataset.y_test

    def calibration(self, n: int = 640) -> Tensor:
        """Training images that set the ranges: ten steps of 64 (the paper takes ten batches)."""
        return self.x_train[:n]


@dataclass(frozen=True)
class Batches:
    """Shuffled batches; images are moved by up to `shift` pixels and mirrored when `flip`."""

    x: Tensor
    y: Tensor
    batch: int
    seed: int
    shift: int = 0
    flip: bool = False

    @property
    def steps(self) -> int:
        return max(len(self.x) // self.batch, 1)

    def epoch(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """All full batches in an order of (seed, epoch)."""
        draw = torch_generator(self.seed, "batches", epoch)
        order = torch.randperm(len(self.x), generator=draw)
        for i in range(self.steps):
            index = order[i * self.batch : (i + 1) * self.batch]
            moved = self._moved(self.x[index], draw)
            yield moved.contiguous(memory_format=torch.channels_last), self.y[index]

    def _moved(self, x: Tensor, draw: torch.Generator) -> Tensor:
        n, _, h, w = x.shape
        if self.flip:
            x = torch.where(torch.rand(n, 1, 1, 1, generator=draw) < 0.5, x.flip(3), x)
        if self.shift:
            s = self.shift
            wide = functional.pad(x, (s, s, s, s), mode="replicate")
            at = torch.randint(0, 2 * s + 1, (n, 2), generator=draw).tolist()
            x = torch.stack([one[:, i : i + h, j : j + w] for one, (i, j) in zip(wide, at, strict=True)])
        return x


def images(dataset: Dataset, x: np.ndarray) -> Tensor:
    """Normalised images float32 [n, c, h, w] of a data set's raw samples."""
    shape, mean, std, top = _IMAGES[dataset.name]
    raw = np.asarray(x, np.float32) / np.float32(top)
    raw = raw.transpose(0, 3, 1, 2) if raw.ndim == 4 else raw.reshape(-1, *shape)
    channel = [np.array(v, np.float32).reshape(1, -1, 1, 1) for v in (mean, std)]
    return torch.from_numpy((raw - channel[0]) / channel[1]).contiguous(memory_format=torch.channels_last)


def load_task(name: str, **options: Any) -> Task:
    """The task on data set `name`; `options` go to the loader.

    Raises:
        UsageError: no images by that name.
        UnreachableError, DataError: as `ml.common.data.load`.
    """
    if name not in _IMAGES:
        raise UsageError.of("data set", repr(name), f"one of {', '.join(_IMAGES)}", "Change --data.")
    data = load(name, **options)
    split = data.validation(VALIDATION, SPLIT_SEED)
    x_train, x_val = images(data, split.x_train), images(data, split.x_val)
    y_train, y_val = torch.from_numpy(split.y_train), torch.from_numpy(split.y_val)
    return Task(data, _IMAGES[data.name][0], x_train, y_train, x_val, y_val)


def accuracy(model: torch.nn.Module, x: Tensor, y: Any, block: int = 125) -> float:
    """Share of samples whose first largest score is at the label; the model is not changed."""
    right = 0
    with torch.no_grad():
        for start in range(0, len(x), block):
            scores = model(x[start : start + block]).numpy()
            right += int((scores.argmax(axis=1) == np.asarray(y[start : start + block])).sum())
    return right / len(y)
