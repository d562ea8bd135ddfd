"""Quality by regression: networks for two cores and their training on pseudo-labels (SDD-FIQA section 3.3).

    L = mean of Huber(f(x) − Q(x)),  Huber(d) = ½ d² for |d| < 1, |d| − ½ else, on raw labels of 0 … 100

| network | reads | for |
|---|---|---|
| `VectorHead` | an embedding, length and all; `block_features` | a recogniser that runs anyway; a camera's gate |
| `ChipNet` | a chip of 48 × 48 | a camera: quality before anything is recognised |
| `ml.sddfiqa.backbones` | a picture of 112 × 112 | GPUs |
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from hwsim.ir.errors import ShapeError, UsageError, check_shape
from ml.common.seed import numpy_generator, torch_generator
from ml.common.train import FitConfig, Trainer

Progress = Callable[[int, int, str], None]
Forward = Callable[[nn.Module, Tensor, Tensor], Tensor]


def _initialise(model: nn.Module, seed: int) -> None:
    """He's normal weights from one generator, zero biases."""
    generator = torch_generator(seed, "quality")
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                module.weight.normal_(0, (2 / module.weight[0].numel()) ** 0.5, generator=generator)
                if module.bias is not None:
                    module.bias.zero_()


class VectorHead(nn.Module):
    """Quality [n, 1] of vectors [n, d]: linear layers with ReLU, on inputs of mean 0 and variance 1.

    Args:
        vectors: training vectors [n, d] that give the inputs' mean and scale.
        hidden: widths.
        dropout: share of the first hidden layer left out in training.
    """

    def __init__(self, vectors: Any, hidden: tuple[int, ...] = (64, 32), seed: int = 0, dropout: float = 0.2) -> None:
        super().__init__()
        x = torch.as_tensor(np.asarray(vectors, np.float32))
        check_shape("vectors", x.shape, "[n, d]", (None, None))
        d = x.shape[1]
        self.scale = nn.BatchNorm1d(d, affine=False)
        self.scale.running_mean, self.scale.running_var = x.mean(0), x.var(0)
        widths = (d, *hidden)
        layers: list[nn.Module] = []
        for a, b in zip(widths, hidden, strict=False):
            layers += [nn.Linear(a, b), nn.ReLU(), nn.Dropout(dropout)]
        self.body = nn.Sequential(*layers, nn.Linear(widths[-1], 1))
        _initialise(self, seed)

    def train(self, mode: bool = True) -> VectorHead:
        """As torch's; the inputs' mean and scale stay."""
        super().train(mode)
        self.scale.eval()
        return self

    def forward(self, x: Tensor) -> Tensor:
        return self.body(self.scale(x))


class ChipNet(nn.Module):
    """Quality [n, 1] of pixels [n, 1, 48, 48]: four convolutions that halve the picture, a mean over what is left.

    Batch norm and ReLU after each; nothing the encoded-MAC array does not run.
    """

    def __init__(self, channels: tuple[int, ...] = (12, 24, 32, 48), seed: int = 0) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 1
        for width in channels:
            layers += [nn.Conv2d(before, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            before = width
        self.body = nn.Sequential(*layers, nn.AvgPool2d(3), nn.Flatten(), nn.Dropout(0.1), nn.Linear(before, 1))
        _initialise(self, seed)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


@dataclass(frozen=True)
class Regression:
    """How a quality network is trained; Adam with decoupled decay, cosine to 0 instead of steps at epochs 5 and 10."""

    epochs: int = 60
    lr: float = 3e-3
    batch: int = 128
    weight_decay: float = 5e-4
    flip: bool = False  # mirrored pictures
    jitter: float = 0.0  # noise on inputs, in standard deviations of each


@dataclass(frozen=True)
class _Batches:
    x: Tensor
    y: Tensor
    how: Regression
    seed: int

    @property
    def steps(self) -> int:
        return max(len(self.y) // self.how.batch, 1)

    def epoch(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        draw = numpy_generator(self.seed, "regression", epoch)
        order = torch.from_numpy(draw.permutation(len(self.y)))
        spread = self.x.std(0)
        for i in range(self.steps):
            rows = order[i * self.how.batch : (i + 1) * self.how.batch]
            x = self.x[rows]
            if self.how.flip:
                turned = torch.from_numpy(draw.random(len(rows)) < 0.5)
                x = torch.where(turned[:, None, None, None], x.flip(3), x)
            if self.how.jitter:
                x = x + self.how.jitter * spread * torch.from_numpy(draw.standard_normal(x.shape, np.float32))
            yield x, self.y[rows]


def huber(_: nn.Module, predicted: Tensor, labels: Tensor) -> Tensor:
    """Smooth L1 with δ = 1 of predictions [n, 1] or [n]."""
    return functional.smooth_l1_loss(predicted.reshape(len(labels)), labels)


def fit(
    model: nn.Module,
    x: Any,
    labels: Any,
    how: Regression | None = None,
    *,
    seed: int = 0,
    loss: Forward = huber,
    progress: Progress | None = None,
) -> nn.Module:
    """Train `model` on inputs [n, …] and labels [n]; it ends in evaluation mode.

    The last linear layer starts at the labels' mean.

    Raises:
        ShapeError: not one finite label an input.
        UsageError: fewer than two inputs.
    """
    how = how or Regression()
    inputs = torch.as_tensor(x, dtype=torch.float32)
    targets = torch.as_tensor(np.asarray(labels), dtype=torch.float32)
    check_shape("labels", targets.shape, "[n]", (len(inputs),))
    if not torch.isfinite(targets).all() or not torch.isfinite(inputs).all():
        raise ShapeError.of("inputs and labels", "values that are not finite", "finite ones", "Mend the labels.")
    if len(targets) < 2:
        raise UsageError.of("inputs", len(targets), "two or more", "Regression needs data.")
    last = [m for m in model.modules() if isinstance(m, nn.Linear)][-1]
    with torch.no_grad():
        last.bias.fill_(float(targets.mean()))
        last.weight.mul_(10.0)  # labels spread over tens
    config = FitConfig(
        how.epochs, how.lr, (0.9, 0.99), weight_decay=how.weight_decay, warmup=1.0, check_every=how.epochs
    )
    batches = _Batches(inputs, targets, how, seed)
    with torch.random.fork_rng([]):  # dropout's masks have no generator of their own
        torch.manual_seed(seed)
        Trainer(model, batches, lambda _: 0.0, config, select=False, loss=loss, progress=progress).fit()
    return model.eval()


@torch.no_grad()
def predict(model: nn.Module, x: Any, block: int = 512) -> np.ndarray:
    """Quality float64 [n] of inputs [n, …]."""
    inputs = torch.as_tensor(x, dtype=torch.float32)
    parts = [model(inputs[i : i + block]).reshape(-1) for i in range(0, len(inputs), block)]
    return torch.cat(parts).double().numpy()
