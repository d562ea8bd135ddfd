"""The occupancy network's decoder f(p, c) → logit of occupancy (paper, section 3.1; supplementary section 1.1).

    x₀ = W p + b                                                        p [3] → hidden
    x_{j+1} = x_j + fc₁(ReLU(CBN₁(fc₀(ReLU(CBN₀(x_j, c))), c)))         5 blocks, fc₁ starts at 0
    logit = w · ReLU(CBN(x₅, c)) + b

With `frequencies` L > 0 (ours; the paper has none) fc_p also reads sin and cos of 2^k·π·p, k = 0 … L − 1, which lets
small networks and short trainings reach thin parts.

At hidden = c = 256, L = 0: 2 106 625 parameters, 656 384 multiply-accumulates a point, and 2·11·256² once a shape.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from hwsim.ir.errors import ShapeError, UsageError
from ml.occnet.norm import ConditionalBatchNorm

Conditioning = Literal["norm", "input"]


class InputBatchNorm(nn.Module):
    """Plain batch norm with its own scale and offset in the place of the conditional one: the paper's ablation."""

    def __init__(self, c_dim: int, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(channels)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        """x [batch, points, channels]; the code is not looked at."""
        return self.norm(x.flatten(0, -2)).reshape(x.shape)


class Block(nn.Module):
    """One residual block; `norm` is the class of its two norms."""

    def __init__(self, c_dim: int, hidden: int, norm: type[nn.Module]) -> None:
        super().__init__()
        self.norm_0, self.norm_1 = norm(c_dim, hidden), norm(c_dim, hidden)
        self.fc_0, self.fc_1 = nn.Linear(hidden, hidden), nn.Linear(hidden, hidden)
        nn.init.zeros_(self.fc_1.weight)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        """x [batch, points, hidden], c [batch, c_dim] → the same shape as x."""
        inner = self.fc_0(functional.relu(self.norm_0(x, c)))
        return x + self.fc_1(functional.relu(self.norm_1(inner, c)))


class Decoder(nn.Module):
    """Logits of occupancy.

    Args:
        c_dim: size of a shape's code.
        hidden: features a point.
        blocks: residual blocks.
        frequencies: L, see above.
        conditioning: ``"norm"`` = conditional batch norm; ``"input"`` = the code is added to the first features and
            the norms are plain (the paper's ablation "w/o CBN").

    Raises:
        UsageError: sizes below 1 or an unknown conditioning.

    Example:
        >>> decoder = Decoder()
        >>> sum(p.numel() for p in decoder.parameters()), decoder.macs
        (2106625, 656384)
        >>> decoder(torch.zeros(2, 7, 3), torch.zeros(2, 256)).shape
        torch.Size([2, 7])
    """

    def __init__(
        self,
        c_dim: int = 256,
        hidden: int = 256,
        blocks: int = 5,
        conditioning: Conditioning = "norm",
        frequencies: int = 0,
    ) -> None:
        super().__init__()
        if min(c_dim, hidden, blocks) < 1 or conditioning not in ("norm", "input"):
            got = f"c_dim {c_dim}, hidden {hidden}, blocks {blocks}, conditioning {conditioning!r}"
            raise UsageError.of("decoder", got, "sizes ≥ 1, conditioning 'norm' or 'input'", "Change them.")
        norm = ConditionalBatchNorm if conditioning == "norm" else InputBatchNorm
        self.c_dim, self.hidden, self.frequencies = c_dim, hidden, frequencies
        self.fc_p = nn.Linear(3 + 6 * frequencies, hidden)
        self.fc_c = nn.Linear(c_dim, hidden) if conditioning == "input" else None
        self.blocks = nn.ModuleList(Block(c_dim, hidden, norm) for _ in range(blocks))
        self.norm = norm(c_dim, hidden)
        self.fc_out = nn.Linear(hidden, 1)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one query point."""
        return self.fc_p.in_features * self.hidden + 2 * len(self.blocks) * self.hidden**2 + self.hidden

    def forward(self, points: Tensor, c: Tensor) -> Tensor:
        """points [batch, n, 3], c [batch, c_dim] → logits [batch, n].

        Raises:
            ShapeError: other shapes.
        """
        if points.ndim != 3 or points.shape[-1] != 3 or c.shape != (len(points), self.c_dim):
            got = f"points {list(points.shape)}, code {list(c.shape)}"
            want = f"[batch, n, 3] and [batch, {self.c_dim}]"
            raise ShapeError.of("decoder input", got, want, "Reshape them.")
        x = self.fc_p(waves(points, self.frequencies))
        if self.fc_c is not None:
            x = x + self.fc_c(c)[:, None]
        for block in self.blocks:
            x = block(x, c)
        return self.fc_out(functional.relu(self.norm(x, c))).squeeze(-1)


def waves(points: Tensor, frequencies: int) -> Tensor:
    """points […, 3] → […, 3 + 6·L]: the points, then sin and cos of 2^k·π·p."""
    if not frequencies:
        return points
    angles = (points.float()[..., None] * (math.pi * 2.0 ** torch.arange(frequencies))).flatten(-2)
    return torch.cat([points, angles.sin(), angles.cos()], -1)


def parameters_of(module: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(p.numel() for p in module.parameters())
