"""The networks: an MLP and LeNet for digits, ResNet-8 and ResNet-20 for CIFAR-10.

Float models of plain torch modules; `ml.common.convert.quantise` makes their integer twins. First and last layers are
quantised too, as in the paper.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from hwsim.ir.errors import UsageError
from ml.common.seed import derive

Shape = tuple[int, int, int]


class Mlp(nn.Module):
    """Two hidden layers with ReLU. x [batch, c, h, w] → scores [batch, classes]."""

    def __init__(self, shape: Shape, classes: int, width: int = 128) -> None:
        super().__init__()
        n = shape[0] * shape[1] * shape[2]
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(n, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class LeNet(nn.Module):
    """LeNet-5 with ReLU, batch norm and maximum pooling; 3×3 windows on images below 16 pixels."""

    def __init__(self, shape: Shape, classes: int) -> None:
        super().__init__()
        c, side, _ = shape
        size = 5 if side >= 16 else 3
        self.features = nn.Sequential(
            nn.Conv2d(c, 6, size, padding=size // 2),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 16, size, padding=0 if side >= 16 else 1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        left = (side // 2 - (4 if side >= 16 else 0)) // 2
        self.scores = nn.Sequential(
            nn.Linear(16 * left * left, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.scores(torch.flatten(self.features(x), 1))


class Block(nn.Module):
    """Two 3×3 convolutions beside a shortcut (a 1×1 convolution where the shape changes)."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(n_out)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or n_in != n_out:
            self.shortcut = nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out))

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class ResNet(nn.Module):
    """ResNet-(6n + 2) of 16, 32 and 64 channels (He et al. 2016, section 4.2)."""

    def __init__(self, shape: Shape, classes: int, n: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(shape[0], 16, 3, 1, 1, bias=False)
        self.bn = nn.BatchNorm2d(16)
        blocks, n_in = [], 16
        for stage, width in enumerate((16, 32, 64)):
            for i in range(n):
                blocks.append(Block(n_in, width, 2 if stage and i == 0 else 1))
                n_in = width
        self.blocks = nn.Sequential(*blocks)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.scores = nn.Linear(n_in, classes)

    def forward(self, x: Tensor) -> Tensor:
        y = self.blocks(functional.relu(self.bn(self.conv(x))))
        return self.scores(torch.flatten(self.pool(y), 1))


_NETS: dict[str, Callable[[Shape, int], nn.Module]] = {
    "mlp": Mlp,
    "lenet": LeNet,
    "resnet8": lambda shape, classes: ResNet(shape, classes, 1),
    "resnet20": lambda shape, classes: ResNet(shape, classes, 3),
}
NAMES = tuple(_NETS)


def build(name: str, shape: Shape, classes: int, seed: int) -> nn.Module:
    """The float network called `name` for images [c, h, w], drawn from the stream "weights" of `seed`.

    Raises:
        UsageError: unknown name.
    """
    if name not in _NETS:
        raise UsageError.of("unknown network", repr(name), f"one of {', '.join(NAMES)}", "Change --net.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "weights"))
        return _NETS[name](shape, classes)
