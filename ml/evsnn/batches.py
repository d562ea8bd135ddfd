"""Mini-batches in sample-major layout from images or event frames held in memory.

Order and augmentation of an epoch are drawn from (seed, epoch) alone. Images [n, channels, height, width] are
uint8; a share `moved` is shifted by up to `shift` pixels in either direction, and half are mirrored with `mirror`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from hwsim.ir.errors import check_shape
from ml.common.seed import numpy_generator


class ImageBatches:
    """Batches of uint8 images as value/top in [0, 1], float32 [batch, channels, height, width].

    Pixels that a shift brings in from outside are 0.
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        batch: int,
        seed: int,
        *,
        top: float = 255.0,
        shift: int = 0,
        moved: float = 1.0,
        mirror: bool = False,
    ) -> None:
        check_shape("images", images.shape, "[n, channels, height, width]", (len(labels), None, None, None))
        edge = ((0, 0), (0, 0), (shift, shift), (shift, shift))
        self.images = np.ascontiguousarray(np.pad(images, edge).transpose(0, 2, 3, 1))
        self.side = images.shape[2:]
        self.labels = torch.from_numpy(labels.astype(np.int64))
        self.batch, self.seed, self.top, self.shift, self.moved, self.mirror = batch, seed, top, shift, moved, mirror

    @property
    def steps(self) -> int:
        return max(len(self.labels) // self.batch, 1)

    def epoch(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of one epoch; the incomplete last one is left out."""
        draw = numpy_generator(self.seed, "epoch", epoch)
        order = draw.permutation(len(self.labels))
        moves = draw.integers(-self.shift, self.shift + 1, size=(2, len(order)))
        moves *= draw.random(len(order)) < self.moved
        flips = (draw.random(len(order)) < 0.5) & self.mirror
        for i in range(self.steps):
            part = slice(i * self.batch, (i + 1) * self.batch)
            rows = order[part]
            yield self.take(rows, moves[:, part], flips[part]), self.labels[rows]

    def take(self, rows: np.ndarray, moves: np.ndarray, flips: np.ndarray) -> Tensor:
        """x of the images `rows`, shifted by `moves` int [2, len(rows)] and mirrored where `flips`."""
        height, width = self.side
        down = self.shift + moves[0][:, None] + np.arange(height)
        across = np.where(flips[:, None], np.arange(width)[::-1], np.arange(width)) + self.shift + moves[1][:, None]
        taken = self.images[rows[:, None, None], down[:, :, None], across[:, None, :]]
        return torch.from_numpy(taken.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(self.top))


class FrameBatches:
    """Batches of event frames uint8 [n, steps, channels, height, width] as float32, shifted as a whole."""

    def __init__(self, frames: np.ndarray, labels: np.ndarray, batch: int, seed: int, shift: int = 0) -> None:
        check_shape(
            "frames", frames.shape, "[n, steps, channels, height, width]", (len(labels), None, None, None, None)
        )
        self.dims = frames.shape[1:]
        merged = frames.reshape(len(frames), -1, *frames.shape[3:])
        self.inner = ImageBatches(merged, labels, batch, seed, top=1.0, shift=shift)

    @property
    def steps(self) -> int:
        return self.inner.steps

    def epoch(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of one epoch; the incomplete last one is left out."""
        for x, labels in self.inner.epoch(epoch):
            yield x.reshape(len(x), *self.dims), labels
