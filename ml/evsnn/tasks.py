"""Data sets as training tasks: images or event frames, batches, and a held-out validation part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hwsim.ir.errors import UsageError
from ml.common.data import Dataset, load
from ml.common.datasets.events import event_frames
from ml.evsnn.batches import FrameBatches, ImageBatches

VALIDATION = {"nmnist": 0.1, "moving_bars": 0.1, "cifar10_subset": 0.1}
SHARE = 1 / 12  # 5,000 of MNIST's 60,000
SPLIT_SEED = 0  # one split for all runs, so that their validation accuracies compare

# name: (channels, height, width), largest value
IMAGES = {
    "mnist": ((1, 28, 28), 255.0),
    "fashion_mnist": ((1, 28, 28), 255.0),
    "digits": ((1, 8, 8), 16.0),
    "cifar10_subset": ((3, 32, 32), 255.0),
}
# name: window in µs, pixels merged in each direction
EVENTS = {"nmnist": (300_000, 2), "moving_bars": (64_000, 1)}


@dataclass(frozen=True)
class Task:
    """A data set ready to train on; x uint8 [n, channels, height, width] or [n, steps, 2, height, width].

    Attributes:
        dataset: as loaded; its test part is read only after training, for the report.
        top: value of x that stands for 1.
    """

    dataset: Dataset
    top: float
    x_train: np.ndarray
    y_train: np.ndarray
    x_val: np.ndarray
    y_val: np.ndarray
    x_test: np.ndarray

    def batches(
        self, batch: int, seed: int, shift: int = 0, moved: float = 1.0, mirror: bool = False
    ) -> ImageBatches | FrameBatches:
        """Training batches; a share `moved` of the images is shifted by up to `shift` pixels, half mirrored."""
        if self.x_train.ndim == 5:
            return FrameBatches(self.x_train, self.y_train, batch, seed, shift)
        return ImageBatches(
            self.x_train, self.y_train, batch, seed, top=self.top, shift=shift, moved=moved, mirror=mirror
        )

    def scaled(self, x: np.ndarray) -> Tensor:
        """x as the network takes it: float32 in [0, 1]."""
        return torch.from_numpy(x.astype(np.float32) / np.float32(self.top))


def load_task(name: str, steps: int = 10, **options: Any) -> Task:
    """The task on data set `name`; event data become frames of `steps` steps; `options` go to the loader.

    Raises:
        UsageError, UnreachableError, DataError: as `ml.common.data.load`.
    """
    if name not in IMAGES and name not in EVENTS:
        raise UsageError.of("task", repr(name), f"one of {', '.join((*IMAGES, *EVENTS))}", "Change --data.")
    data = load(name, **options)
    kind = data.name  # a stand-in keeps its own name
    split = data.validation(VALIDATION.get(kind, SHARE), SPLIT_SEED)
    parts = [np.asarray(part) for part in (split.x_train, split.x_val, data.x_test)]
    if kind in EVENTS:
        window, factor = EVENTS[kind]
        x = [event_frames(data, rows, steps, window, factor) for rows in parts]
        top = 1.0
    else:
        dims, top = IMAGES[kind]
        x = [_images(part, dims) for part in parts]
    return Task(data, top, x[0], np.asarray(split.y_train), x[1], np.asarray(split.y_val), x[2])


def _images(x: np.ndarray, dims: tuple[int, int, int]) -> np.ndarray:
    if x.ndim == 4:  # rows, columns, colours
        return np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    return x.reshape(len(x), *dims)


def accuracy(model: torch.nn.Module, task: Task, x: np.ndarray, y: np.ndarray, block: int = 1000) -> float:
    """Share of samples whose first largest score is at the label; the model is not changed."""
    right, device = 0, next(model.parameters()).device
    with torch.no_grad():
        for start in range(0, len(x), block):
            scores = model(task.scaled(x[start : start + block]).to(device)).cpu().numpy()
            right += int((scores.argmax(axis=1) == y[start : start + block]).sum())
    return right / len(y)
