"""Mini-batches in neuron-major layout, [inputs, batch], from data held in memory.

Image batches may be shifted by whole pixels (light augmentation); order and shifts of an epoch are drawn
from (seed, epoch) alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hwsim.ir.errors import check_shape
from ml.common.seed import numpy_generator

LINE = 16  # float32 values in a cache line


@cache
def _shift_kernel() -> Any:
    from numba import njit

    @njit
    def gather(images, rows, dy, dx, table, out):
        height, width = images.shape[1], images.shape[2]
        for first in range(0, len(rows), LINE):  # a cache line of every output row at a time
            last = min(first + LINE, len(rows))
            for i in range(height):
                for j in range(width):
                    for b in range(first, last):
                        y, x = i + dy[b], j + dx[b]
                        inside = 0 <= y < height and 0 <= x < width
                        out[i * width + j, b] = table[images[rows[b], y, x]] if inside else table[0]

    return gather


class ImageBatches:
    """Batches of uint8 images [n, height, width] as value·gain + offset, some of them shifted.

    A share `moved` of the images is shifted by up to `shift` pixels in either direction.

    Pixels that a shift brings in from outside have value 0.
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        batch: int,
        seed: int,
        *,
        features: tuple[float, float],
        shift: int = 0,
        moved: float = 1.0,
    ) -> None:
        check_shape("images", images.shape, "[n, height, width]", (len(labels), None, None))
        self.images, self.labels = np.ascontiguousarray(images), torch.from_numpy(labels.astype(np.int64))
        self.batch, self.seed, self.shift, self.moved = batch, seed, shift, moved
        self.table = (np.arange(256) * features[0] + features[1]).astype(np.float32)

    @property
    def steps(self) -> int:
        return max(len(self.labels) // self.batch, 1)

    def epoch(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of one epoch; the incomplete last one is left out."""
        draw = numpy_generator(self.seed, "epoch", epoch)
        order = draw.permutation(len(self.labels))
        moves = draw.integers(-self.shift, self.shift + 1, size=(2, len(order)))
        moves *= draw.random(len(order)) < self.moved
        for i in range(self.steps):
            part = slice(i * self.batch, (i + 1) * self.batch)
            rows = order[part]
            yield self.take(rows, moves[:, part]), self.labels[rows]

    def take(self, rows: np.ndarray, moves: np.ndarray | None = None) -> Tensor:
        """x float32 [pixels, len(rows)] of the given images."""
        moves = np.zeros((2, len(rows)), np.int64) if moves is None else moves
        out = np.empty((self.images[0].size, len(rows)), np.float32)
        _shift_kernel()(self.images, rows, moves[0], moves[1], self.table, out)
        return torch.from_numpy(out)


class ArrayBatches:
    """Batches of float32 rows [n, n_in] as [n_in, batch]."""

    def __init__(self, x: np.ndarray, labels: np.ndarray, batch: int, seed: int) -> None:
        check_shape("x", x.shape, "[n, n_in]", (len(labels), None))
        self.x, self.labels = torch.from_numpy(x.astype(np.float32)), torch.from_numpy(labels.astype(np.int64))
        self.batch, self.seed = batch, seed

    @property
    def steps(self) -> int:
        return max(len(self.labels) // self.batch, 1)

    def epoch(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of one epoch; the incomplete last one is left out."""
        order = numpy_generator(self.seed, "epoch", epoch).permutation(len(self.labels))
        for i in range(self.steps):
            rows = order[i * self.batch : (i + 1) * self.batch]
            yield self.x[rows].t().contiguous(), self.labels[rows]
