"""A small recogniser for two cores: four convolutions, 64 values, trained with CosFace on people of its own.

Stands in for the paper's ResNet-50 on MS1M where no recogniser is at hand. Its people are none of those whose quality
is learned or judged.

    L = −log softmax(s·(cos θ − m·1_y)),   s = 30, m = 0.25   (CosFace; the authors' helper has m = 0.4)
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from hwsim.ir.errors import UsageError
from ml.common.seed import derive, numpy_generator, torch_generator
from ml.common.train import FitConfig, Trainer
from ml.sddfiqa.degrade import resized
from ml.sddfiqa.faces import with_copies
from ml.sddfiqa.labels import check_identities
from ml.sddfiqa.recognise import check_chips

SIDE, WIDTH = 48, 64  # pixels in, values out
SCALE, MARGIN = 30.0, 0.25
DROPOUT = 0.2  # in front of the last layer; SER-FIQ-style quality switches it on
Progress = Callable[[int, int, str], None]


def pixels(chips: Any, side: int = SIDE) -> Tensor:
    """Network input float32 [n, 1, side, side] of chips uint8 [n, s, s], (v/255 − ½)/½ as in the paper."""
    chips = check_chips(chips)
    small = np.stack([resized(chip, side) for chip in chips]) if chips.shape[1] != side else chips
    return torch.from_numpy(small.astype(np.float32) / 127.5 - 1)[:, None]


class FaceNet(nn.Module):
    """Chips to embeddings; a `ml.sddfiqa.recognise.Recogniser`.

    Args:
        seed: of the weights.
        channels: of the four convolutions, each halving the picture.
    """

    def __init__(self, seed: int = 0, channels: tuple[int, ...] = (24, 48, 72, 96)) -> None:
        super().__init__()
        self.name = f"FaceNet {'-'.join(map(str, channels))}"
        layers: list[nn.Module] = []
        before = 1
        for width in channels:
            layers += [nn.Conv2d(before, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            before = width
        self.body = nn.Sequential(*layers, nn.Flatten())
        self.dropout = nn.Dropout(DROPOUT)
        self.last = nn.Linear(before * (SIDE >> len(channels)) ** 2, WIDTH)
        generator = torch_generator(seed, "facenet")
        with torch.no_grad():
            for module in self.modules():
                if isinstance(module, nn.Conv2d | nn.Linear):
                    fan_in = module.weight[0].numel()
                    module.weight.normal_(0, (2 / fan_in) ** 0.5, generator=generator)
            self.last.bias.zero_()
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """Embeddings [n, 64], not normalised, of pixels [n, 1, 48, 48]."""
        return self.last(self.dropout(self.body(x)))

    @torch.no_grad()
    def features(self, chips: Any, block: int = 256) -> Tensor:
        """What the last layer reads, [n, f]."""
        x = pixels(chips)
        return torch.cat([self.body(x[i : i + block]) for i in range(0, len(x), block)])

    @torch.no_grad()
    def embed(self, chips: Any, progress: Progress | None = None) -> np.ndarray:
        """Embeddings float32 [n, 64] of chips uint8 [n, side, side]."""
        return self.last(self.features(chips)).numpy()


@dataclass(frozen=True)
class _Faces:
    """Batches of chips in random flips."""

    x: Tensor
    y: Tensor
    batch: int
    seed: int

    @property
    def steps(self) -> int:
        return max(len(self.y) // self.batch, 1)

    def epoch(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        draw = numpy_generator(self.seed, "faces", epoch)
        order = torch.from_numpy(draw.permutation(len(self.y)))
        for i in range(self.steps):
            rows = order[i * self.batch : (i + 1) * self.batch]
            x = self.x[rows]
            flip = torch.from_numpy(draw.random(len(rows)) < 0.5)
            yield torch.where(flip[:, None, None, None], x.flip(3), x), self.y[rows]


class _CosFace(nn.Module):
    """Class scores s·(cos θ − m·1_y); the margin is the loss's."""

    def __init__(self, net: FaceNet, classes: int, seed: int) -> None:
        super().__init__()
        self.net = net
        self.centres = nn.Parameter(torch.randn(classes, WIDTH, generator=torch_generator(seed, "centres")))

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(functional.normalize(self.net(x)), functional.normalize(self.centres))


def _cosface(_: nn.Module, cosine: Tensor, y: Tensor) -> Tensor:
    return functional.cross_entropy(SCALE * (cosine - MARGIN * functional.one_hot(y, cosine.shape[1])), y)


def train_facenet(
    chips: Any,
    identities: Any,
    *,
    seed: int = 0,
    epochs: int = 30,
    copies: int = 2,
    strongest: float = 0.5,
    lr: float = 2e-3,
    channels: tuple[int, ...] = (24, 48, 72, 96),
    start: FaceNet | None = None,
    progress: Progress | None = None,
) -> FaceNet:
    """Train a recogniser on chips uint8 [n, side, side] of `identities` [n], and on `copies` mildly degraded ones.

    `start` is a recogniser whose weights are trained on (itself it stays as it is); `channels` are its then.

    Raises:
        ShapeError, UsageError: chips, identities or numbers that do not fit.
    """
    if epochs < 1:
        raise UsageError.of("epochs", epochs, "1 or more", "Train for some tens.")
    y = check_identities(identities, len(chips))
    made = with_copies(chips, y, copies=copies, seed=derive(seed, "copies") % 2**32, strongest=strongest)
    model = _CosFace(copy.deepcopy(start) if start else FaceNet(seed, channels), int(y.max()) + 1, seed)
    batches = _Faces(pixels(made.chips), torch.from_numpy(made.identity), 128, seed)
    config = FitConfig(epochs, lr, (0.9, 0.99), weight_decay=5e-4, warmup=1.0, check_every=epochs)
    with torch.random.fork_rng([]):  # dropout's masks have no generator of their own
        torch.manual_seed(derive(seed, "dropout"))
        Trainer(model, batches, lambda _: 0.0, config, select=False, loss=_cosface, progress=progress).fit()
    return model.net.eval()
