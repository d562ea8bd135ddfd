"""Data sets as training tasks: batches in the layout of the network, and a held-out validation part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ml.common.data import Dataset, load
from ml.neuralut.batches import ArrayBatches, ImageBatches

MNIST_MEAN, MNIST_STD = 0.1307, 0.3081  # of pixel/255 over the training images
VALIDATION = 1 / 12  # 5,000 of MNIST's 60,000
SPLIT_SEED = 0  # one split for all runs, so that their validation accuracies compare


@dataclass(frozen=True)
class Task:
    """A data set ready to train on.

    Attributes:
        dataset: as loaded; its test part is read only after training, for the report.
        features: (gain, offset) from a raw feature to the x of training.
        side: image side length, or 0 for plain features.
    """

    dataset: Dataset
    features: tuple[float, float]
    side: int
    x_train: np.ndarray
    y_train: np.ndarray
    x_val: np.ndarray
    y_val: np.ndarray

    def batches(self, batch: int, seed: int, shift: int = 0, moved: float = 1.0) -> ImageBatches | ArrayBatches:
        """Training batches; a share `moved` of images is shifted by up to `shift` pixels."""
        if self.side:
            images = self.x_train.reshape(-1, self.side, self.side)
            return ImageBatches(images, self.y_train, batch, seed, features=self.features, shift=shift, moved=moved)
        return ArrayBatches(self.x_train, self.y_train, batch, seed)

    def normalised(self, x: np.ndarray) -> Tensor:
        """x of training [n_in, n] from raw features [n, n_in]."""
        gain, offset = self.features
        return torch.from_numpy(np.ascontiguousarray((x * gain + offset).astype(np.float32).T))


def load_task(name: str, **options: Any) -> Task:
    """The task on data set `name` ("mnist", "digits", "jsc_distilled"); `options` go to the loader.

    Raises:
        UsageError, UnreachableError, DataError: as `ml.common.data.load`.
    """
    data = load(name, **options)
    features, side = (1.0, 0.0), 0
    if name == "mnist":
        features, side = (1 / (255 * MNIST_STD), -MNIST_MEAN / MNIST_STD), 28
    elif name == "digits":
        features, side = (1 / 16, -0.5), 8  # 17 grey levels
    split = data.validation(VALIDATION, SPLIT_SEED)
    return Task(data, features, side, *(np.asarray(part) for part in split))


def accuracy(model: torch.nn.Module, x: Tensor, y: np.ndarray, block: int = 5000) -> float:
    """Share of samples [n_in, n] whose first largest score is at the label; the model is not changed."""
    right, device = 0, next(model.parameters()).device
    with torch.no_grad():
        for start in range(0, x.shape[1], block):
            scores = model(x[:, start : start + block].to(device)).cpu().numpy()
            right += int((scores.argmax(axis=1) == y[start : start + block]).sum())
    return right / len(y)
