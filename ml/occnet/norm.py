"""Conditional batch norm: the shape's code sets scale and offset of every channel.

    y = γ(c) · (x − μ) / √(σ² + ε) + β(c)                         (paper, supplementary section 1, eq. 1; ε = 1e-5)

μ, σ² are statistics of a channel over batch and points in training, running averages in evaluation; γ, β are one
linear map each, started at γ = 1, β = 0 for every code.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

EPS = 1e-5
MOMENTUM = 0.1


class ConditionalBatchNorm(nn.Module):
    """Batch norm over [batch, points, channels] with scale and offset from a code [batch, c_dim].

    Args:
        c_dim: size of the code.
        channels: features a point.

    Example:
        >>> norm = ConditionalBatchNorm(4, 8)
        >>> norm(torch.ones(2, 5, 8), torch.zeros(2, 4)).shape, sum(p.numel() for p in norm.parameters())
        (torch.Size([2, 5, 8]), 80)
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, c_dim: int, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Linear(c_dim, channels)
        self.beta = nn.Linear(c_dim, channels)
        nn.init.zeros_(self.gamma.weight)
        nn.init.ones_(self.gamma.bias)
        nn.init.zeros_(self.beta.weight)
        nn.init.zeros_(self.beta.bias)
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        """x [batch, points, channels], c [batch, c_dim] → the normed x."""
        gain, offset = self.gamma(c), self.beta(c)
        if self.training:  # torch's own kernel, which also moves the running averages, is four times as fast as sums
            flat = x.reshape(-1, x.shape[-1])
            normed = functional.batch_norm(flat, self.running_mean, self.running_var, None, None, True, MOMENTUM, EPS)
            x = normed.reshape(x.shape)
        else:
            gain = gain * torch.rsqrt(self.running_var + EPS)
            offset = offset - gain * self.running_mean
        return torch.addcmul(offset[:, None].to(x.dtype), x, gain[:, None].to(x.dtype))

    def affine(self, c: Tensor) -> tuple[Tensor, Tensor]:
        """(gain, offset) [channels] of evaluation for one code [c_dim]: y = gain · x + offset."""
        gain = self.gamma(c) * torch.rsqrt(self.running_var + EPS)
        return gain, self.beta(c) - gain * self.running_mean
