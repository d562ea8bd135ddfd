"""Training speed: seconds of processor time an epoch, fused kernels beside batched matrix products.

`python -m ml.neuralut.speed` measures both in one process, in alternating rounds, on random data.
"""

from __future__ import annotations

import statistics
import sys
import time
from dataclasses import dataclass

import torch

from ml.common.seed import torch_generator
from ml.neuralut.configs import named
from ml.neuralut.model import LutNet

MNIST_IMAGES = 60_000


@dataclass(frozen=True)
class Speed:
    """CPU seconds an epoch of `images` samples: fused kernels, the torch path, and how often faster."""

    fused_s: float
    torch_s: float
    images: int

    @property
    def ratio(self) -> float:
        return self.torch_s / self.fused_s


class _Stepper:
    """Whole training steps (forward, backward, optimiser) on one batch of noise."""

    def __init__(self, config: str, batch: int, fused: bool) -> None:
        shape = named(config)
        self.model = LutNet(shape, 0, fused=fused)
        self.optimiser = torch.optim.AdamW(self.model.parameters(), fused=True)
        self.x = torch.randn(shape.n_in, batch, generator=torch_generator(0, "x"))
        self.y = torch.randint(shape.classes, (batch,), generator=torch_generator(0, "y"))

    def seconds(self, steps: int) -> float:
        """CPU seconds a step, over `steps`."""
        start = time.process_time()
        for _ in range(steps):
            self.optimiser.zero_grad()
            torch.nn.functional.cross_entropy(self.model(self.x), self.y).backward()
            self.optimiser.step()
        return (time.process_time() - start) / steps


def measure(config: str = "hdr5l", batch: int = 256, steps: int = 8, rounds: int = 5) -> Speed:
    """Median over alternating rounds, after one warm-up step of each; one thread is assumed."""
    fused, plain = _Stepper(config, batch, True), _Stepper(config, batch, False)
    fused.seconds(1)
    plain.seconds(1)
    pairs = [(fused.seconds(steps), plain.seconds(steps)) for _ in range(rounds)]
    per_epoch = MNIST_IMAGES / batch
    ours, theirs = (statistics.median(column) * per_epoch for column in zip(*pairs, strict=True))
    return Speed(ours, theirs, MNIST_IMAGES)


if __name__ == "__main__":
    torch.set_num_threads(1)
    found = measure(sys.argv[1] if len(sys.argv) > 1 else "hdr5l")
    print(f"fused {found.fused_s:.2f} s, torch {found.torch_s:.2f} s an epoch of {found.images}: {found.ratio:.1f}×")
