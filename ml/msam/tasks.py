"""Data sets as training tasks: tensors in memory, batches drawn from (seed, epoch) alone.

Digits: a seed draws its own 400 training images, stratified; the other 1397 are the test part (few samples, so that
generalisation is what differs). CIFAR-10 subset: 10 000 + 2000 images, per-channel standardised, with flips and
random crops of the image padded by 4 (paper appendix A.13).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hwsim.ir.errors import UsageError
from ml.common.data import Dataset, load, stratified_indices
from ml.common.seed import numpy_generator, torch_generator

DIGITS_TRAIN = 400
PAD = 4  # pixels


@dataclass(frozen=True)
class Task:
    """x float32 [n, …] and labels int64 [n] of both parts, and where they come from."""

    x_train: Tensor
    y_train: Tensor
    x_test: Tensor
    y_test: Tensor
    dataset: Dataset

    def held_out(self, fraction: float, seed: int) -> Task:
        """The training part alone, `fraction` of it as test part: for choosing hyper-parameters.

        Raises:
            UsageError: a fraction outside (0, 1).
        """
        kept, held = stratified_indices(self.y_train.numpy(), fraction, seed)
        return Task(self.x_train[kept], self.y_train[kept], self.x_train[held], self.y_train[held], self.dataset)


@dataclass(frozen=True)
class Samples:
    """Batches of x and y in an order drawn from (seed, epoch); the incomplete last one is left out.

    augment: mirror images and shift them by up to `PAD` pixels.
    """

    x: Tensor
    y: Tensor
    batch: int
    seed: int
    augment: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.batch <= len(self.y):
            raise UsageError.of("batch size", self.batch, f"1..{len(self.y)} samples", "Change the batch size.")

    @property
    def steps(self) -> int:
        """Batches an epoch."""
        return len(self.y) // self.batch

    def epoch(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """(x [batch, …], y [batch]) of one epoch, the same for the same epoch."""
        generator = torch_generator(self.seed, "epoch", epoch)
        order = torch.randperm(len(self.y), generator=generator)
        for i in range(self.steps):
            rows = order[i * self.batch : (i + 1) * self.batch]
            x = self.x[rows]
            yield (_moved(x, generator) if self.augment else x), self.y[rows]


def digits_task(seed: int = 0, n_train: int = DIGITS_TRAIN) -> Task:
    """scikit-learn's digits, pixels 0..16 as −½..½; `n_train` images of a split drawn by `seed` for training.

    Raises:
        UsageError: n_train that leaves no test part.
    """
    data = load("digits")
    x = np.concatenate([data.x_train, data.x_test]).astype(np.float32) / 16 - 0.5
    y = np.concatenate([data.y_train, data.y_test])
    draw = int(numpy_generator(seed, "digits split").integers(2**31))
    test, train = stratified_indices(y, n_train / len(y), draw)
    x_train, y_train, x_test, y_test = (torch.from_numpy(part) for part in (x[train], y[train], x[test], y[test]))
    return Task(x_train, y_train, x_test, y_test, data)


def images(task: Task, side: int = 8) -> Task:
    """The task with rows of pixels as images [n, 1, side, side]."""
    x_train, x_test = (x.reshape(-1, 1, side, side) for x in (task.x_train, task.x_test))
    return Task(x_train, task.y_train, x_test, task.y_test, task.dataset)


def cifar_task(limit: int | None = None) -> Task:
    """CIFAR-10's balanced subset [n, 3, 32, 32], standardised a channel; the first `limit` training images.

    Raises:
        UnreachableError, DataError: as `ml.common.data.load`.
    """
    data = load("cifar10_subset")
    train, test = (np.asarray(x, np.float32).transpose(0, 3, 1, 2) / 255 for x in (data.x_train, data.x_test))
    mean, std = (f(axis=(0, 2, 3), keepdims=True) for f in (train.mean, train.std))
    parts = ((train - mean) / std, data.y_train, (test - mean) / std, data.y_test)
    x_train, y_train, x_test, y_test = (torch.from_numpy(np.ascontiguousarray(part)) for part in parts)
    return Task(x_train[:limit], y_train[:limit], x_test, y_test, data)


def _moved(x: Tensor, generator: torch.Generator) -> Tensor:
    """Images [n, c, h, w], half of them mirrored, each shifted by −PAD..PAD pixels; zeros come in."""
    n, _, h, w = x.shape
    mirrored = torch.rand(n, generator=generator) < 0.5
    x = torch.where(mirrored[:, None, None, None], x.flip(3), x)
    padded = torch.nn.functional.pad(x, (PAD,) * 4)
    dy, dx = torch.randint(0, 2 * PAD + 1, (2, n, 1), generator=generator)
    rows, columns = dy + torch.arange(h), dx + torch.arange(w)
    index = torch.arange(n)[:, None, None]
    return padded.permute(0, 2, 3, 1)[index, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


@torch.no_grad()
def accuracy(model: torch.nn.Module, x: Tensor, y: Tensor, block: int = 1000) -> float:
    """Share of samples [n, …] whose largest score is at the label; the model is left in evaluation mode."""
    model.eval()
    device = next(model.parameters()).device
    right = 0
    for start in range(0, len(y), block):
        scores = model(x[start : start + block].to(device))
        right += int((scores.argmax(1).cpu() == y[start : start + block]).sum())
    return right / len(y)
