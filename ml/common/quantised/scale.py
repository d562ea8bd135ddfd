"""Scales: which real value a code stands for, and how gradients pass the rounding.

    code = clip(rint(x / Δ), lo, hi),   q = code · Δ,   Δ = α / max(|lo|, hi)

Gradients as in the paper's code (EncodingNet, models/my_quant_layer.py): dx = dq unclipped, and
dα = Σ dq · (sign(x) where |x| > α, else q/α − x/α).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hwsim.ir.errors import ShapeError

_SMALLEST = 1e-8  # keeps a range positive while it is trained


class _FakeQuantise(torch.autograd.Function):
    """q from x and α with the module's gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, alpha: Tensor, lo: int, hi: int) -> Tensor:
        step = alpha / max(-lo, hi)
        q = (x / step).round().clamp(lo, hi) * step
        ctx.save_for_backward(x, alpha, q)
        return q

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        x, alpha, q = ctx.saved_tensors
        d = grads[0]
        dalpha = None
        if ctx.needs_input_grad[1]:
            slope = torch.where(x.abs() > alpha, x.sign() * (q != 0), (q - x) / alpha)
            dalpha = (d * slope).sum().reshape(alpha.shape)
        return d, dalpha, None, None


class Scale(nn.Module):
    """A quantiser with a trainable range α.

    Args:
        alpha: largest magnitude.
        lo, hi: code range; lo = 0 for values that are never negative.
    """

    def __init__(self, alpha: float, lo: int, hi: int) -> None:
        super().__init__()
        if not (np.isfinite(alpha) and lo <= 0 < hi):
            got = f"range {alpha}, codes {lo}…{hi}"
            raise ShapeError.of("scale", got, "a finite range and codes around zero", "Calibrate with other data.")
        self.alpha = nn.Parameter(torch.tensor(max(float(alpha), _SMALLEST), dtype=torch.float32))
        self.lo, self.hi = lo, hi

    @property
    def range(self) -> Tensor:
        """α, positive."""
        return self.alpha.clamp(min=_SMALLEST)

    @property
    def step(self) -> Tensor:
        """Δ as a tensor that passes gradients."""
        return self.range / max(-self.lo, self.hi)

    @property
    def value(self) -> float:
        """Δ in float64."""
        return float(self.range.detach().double()) / max(-self.lo, self.hi)

    def forward(self, x: Tensor) -> Tensor:
        """Fake-quantised x."""
        return _FakeQuantise.apply(x, self.range, self.lo, self.hi)

    def codes(self, q: Tensor) -> Tensor:
        """Integer-valued codes of values that this scale made; gradients as of q / Δ."""
        return rounded(q / self.step)

    def extra_repr(self) -> str:
        return f"codes {self.lo}…{self.hi}"


def rounded(x: Tensor) -> Tensor:
    """rint(x) with the gradient of x."""
    return x + (x.round() - x).detach()


def weight_steps(weight: Tensor, top: int, per_channel: bool) -> Tensor:
    """Δ of weights [n, …] as [n, 1, …] or [1, 1, …]: the largest magnitude is code `top`; no gradient."""
    w = weight.detach().abs()
    largest = w.flatten(1).amax(1) if per_channel else w.max().reshape(1)
    return (largest.clamp(min=_SMALLEST) / top).reshape(-1, *[1] * (weight.ndim - 1))
