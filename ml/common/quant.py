"""Batch normalisation followed by a learned-scale uniform quantiser, on neuron-major [rows, batch] data.

    u = γ (z − mean) / sqrt(var + ε) + β             one γ, β, mean, var a row
    code = clip(rint(u / s), lo, hi),  q = code · s   one learned threshold t a layer

    signed:    lo = −2^{b−1}, hi = 2^{b−1} − 1, s = t / 2^{b−1}
    unsigned:  lo = 0,        hi = 2^b − 1,     s = t / (2^b − 1)

rint rounds halves to even. The gradient passes straight through rint, is cut outside [lo, hi] (where
`inward` is set only when it points further out), and reaches t by q's explicit dependence on s:
∂q/∂s = code − (u/s inside the range, 0 outside).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hwsim.ir.errors import UsageError

EPS = 1e-5  # torch's BatchNorm default
MOMENTUM = 0.02  # steadier than torch's 0.1: a code near a boundary flips with the statistics's noise
_MIN_THRESHOLD = 1e-3  # keeps the scale positive while the optimiser moves the threshold


@dataclass(frozen=True)
class QuantSpec:
    """Number format of a layer's codes.

    Raises:
        UsageError: bits outside 1..8.
    """

    bits: int
    signed: bool
    threshold: float

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 8:
            raise UsageError.of("quantiser bits out of range", self.bits, "1..8", "Change the configuration.")

    @property
    def lo(self) -> int:
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def hi(self) -> int:
        return (1 << (self.bits - 1)) - 1 if self.signed else (1 << self.bits) - 1

    @property
    def centre(self) -> float:
        """Start value of β: the middle of the range for one-bit codes, whose only boundary lies there; else 0."""
        return 0.5 * (self.lo + self.hi) * self.threshold / self.steps if self.bits == 1 else 0.0

    @property
    def steps(self) -> int:
        """Steps of size s within the threshold."""
        return 1 << (self.bits - 1) if self.signed else (1 << self.bits) - 1


@cache
def _kernels() -> tuple[Any, Any]:
    """Fused forward and backward; numba is loaded only when training on a CPU."""
    from numba import njit

    @njit(fastmath=True)
    def forward(z, gamma, beta, s, lo, hi, mean, rstd, fixed, q):
        n = z.shape[1]
        inv = np.float32(1.0) / s
        for r in range(z.shape[0]):
            if not fixed:
                total = np.float32(0)
                for b in range(n):
                    total += z[r, b]
                m = total / n
                square = np.float32(0)
                for b in range(n):
                    d = z[r, b] - m
                    square += d * d
                mean[r], rstd[r] = m, np.float32(1.0) / np.sqrt(square / n + np.float32(EPS))
            m, rs = mean[r], rstd[r]
            scale = gamma[r] * rs * inv
            shift = (beta[r] - gamma[r] * rs * m) * inv
            for b in range(n):
                q[r, b] = s * min(max(np.rint(scale * z[r, b] + shift), lo), hi)

    @njit(fastmath=True)
    def backward(z, gamma, beta, s, lo, hi, mean, rstd, fixed, inward, dq, dz, dgamma, dbeta):
        n = z.shape[1]
        inv = np.float32(1.0) / s
        ds = np.float32(0)
        zero = np.float32(0)
        for r in range(z.shape[0]):
            m, rs = mean[r], rstd[r]
            scale = gamma[r] * rs * inv
            shift = (beta[r] - gamma[r] * rs * m) * inv
            sum_d, sum_dx, sum_s = np.float32(0), np.float32(0), np.float32(0)
            for b in range(n):
                v = scale * z[r, b] + shift
                inside = (v >= lo) & (v <= hi)
                back = inward & (((v > hi) & (dq[r, b] > 0)) | ((v < lo) & (dq[r, b] < 0)))
                d = dq[r, b] if inside | back else zero
                code = min(max(np.rint(v), lo), hi)
                sum_s += dq[r, b] * (code - (v if inside else zero))
                sum_d += d
                sum_dx += d * (z[r, b] - m)
                dz[r, b] = d
            ds += sum_s
            sum_dx *= rs
            dgamma[r], dbeta[r] = sum_dx, sum_d
            k = gamma[r] * rs
            if fixed:  # mean and variance do not depend on z
                sum_d, sum_dx = zero, zero
            mean_d, mean_dx = sum_d / n, sum_dx * rs / n
            for b in range(n):
                dz[r, b] = k * (dz[r, b] - mean_d - (z[r, b] - m) * mean_dx)
        return ds

    return forward, backward


class _BatchNormQuant(torch.autograd.Function):
    """Fused training-mode path: q from z [rows, batch]; fills `mean` and `rstd` unless they are `fixed`."""

    @staticmethod
    def forward(
        ctx: Any,
        z: Tensor,
        gamma: Tensor,
        beta: Tensor,
        scale: Tensor,
        mean: Tensor,
        rstd: Tensor,
        flags: tuple[bool, bool],
        spec: QuantSpec,
    ) -> Any:
        q = torch.empty_like(z)
        ctx.bounds = (np.float32(scale.item()), np.float32(spec.lo), np.float32(spec.hi))
        ctx.flags = flags
        arrays = [t.numpy() for t in (z, gamma, beta)]
        _kernels()[0](*arrays, *ctx.bounds, mean.numpy(), rstd.numpy(), flags[0], q.numpy())
        ctx.save_for_backward(z, gamma, beta, mean, rstd)
        return q

    @staticmethod
    def backward(ctx: Any, dq: Tensor, *_: Any) -> Any:
        z, gamma, beta, mean, rstd = ctx.saved_tensors
        dz, dgamma, dbeta = torch.empty_like(z), torch.empty_like(gamma), torch.empty_like(beta)
        arrays = [t.numpy() for t in (z, gamma, beta)]
        outs = [t.numpy() for t in (dq.contiguous(), dz, dgamma, dbeta)]
        ds = _kernels()[1](*arrays, *ctx.bounds, mean.numpy(), rstd.numpy(), *ctx.flags, *outs)
        return dz, dgamma, dbeta, torch.tensor(ds, dtype=torch.float32), None, None, None, None


class _Quantise(torch.autograd.Function):
    """q from u with the gradients of the module's docstring, in torch operations."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, scale: Tensor, spec: QuantSpec, inward: bool) -> Tensor:
        ctx.save_for_backward(u, scale)
        ctx.rule = spec.lo, spec.hi, inward
        return (u / scale).round().clamp(spec.lo, spec.hi) * scale

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (u, scale), (lo, hi, inward), d = ctx.saved_tensors, ctx.rule, grads[0]
        v = u / scale
        inside = (v >= lo) & (v <= hi)
        through = inside | ((v > hi) & (d > 0)) | ((v < lo) & (d < 0)) if inward else inside
        ds = (d * (v.round().clamp(lo, hi) - torch.where(inside, v, 0.0))).sum()
        return d * through, ds, None, None


def quantise(u: Tensor, scale: Tensor, spec: QuantSpec, inward: bool = False) -> Tensor:
    """q = code·s of u, any shape, without batch norm; gradients as in the module's docstring."""
    return _Quantise.apply(u, scale, spec, inward)


class BatchNormQuant(nn.Module):
    """BatchNorm1d(rows) and a quantiser; input [rows, batch], output q = code·s of the same shape.

    `fused` chooses the numba kernels for training on a CPU; the torch path is used elsewhere and is the
    equality reference. `offset` adds one learned scalar after the normalisation (the network's input).
    `inward` also lets gradients through that would bring a value back from outside the range; it is for the
    outputs, where a wrong class that saturates would else never come down (hidden layers diverge with it).
    With `fixed` set, training normalises by the running statistics as evaluation does, and leaves them alone.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(
        self, rows: int, spec: QuantSpec, offset: float | None = None, fused: bool = True, inward: bool = False
    ) -> None:
        super().__init__()
        self.spec = spec
        self.fused = fused
        self.fixed = False
        self.inward = inward
        self.gamma = nn.Parameter(torch.ones(rows))
        self.beta = nn.Parameter(torch.full((rows,), spec.centre))
        self.threshold = nn.Parameter(torch.tensor(float(spec.threshold)))
        self.offset = None if offset is None else nn.Parameter(torch.tensor(float(offset)))
        self.register_buffer("running_mean", torch.zeros(rows))
        self.register_buffer("running_var", torch.ones(rows))

    @property
    def scale(self) -> Tensor:
        """s, a positive scalar."""
        return self.threshold.clamp(min=_MIN_THRESHOLD) / self.spec.steps

    def _shift(self) -> Tensor:
        return self.beta if self.offset is None else self.beta + self.offset

    @torch.no_grad()
    def _track(self, mean: Tensor, var: Tensor, batch: int) -> None:
        if self.fixed:
            return
        unbiased = var * (batch / max(batch - 1, 1))
        self.running_mean.lerp_(mean, MOMENTUM)
        self.running_var.lerp_(unbiased, MOMENTUM)

    def folded(self) -> tuple[np.ndarray, np.ndarray]:
        """(gain, offset) float64 [rows] with u/s = gain·z + offset in evaluation mode."""
        var = self.running_var.double().cpu().numpy()
        gain = self.gamma.detach().double().cpu().numpy() / np.sqrt(var + EPS)
        shift = self._shift().detach().double().cpu().numpy() - gain * self.running_mean.double().cpu().numpy()
        scale = float(self.scale.detach().double())
        return gain / scale, shift / scale

    @torch.no_grad()
    def calibrate(self, z: Tensor) -> None:
        """Set the running statistics to those of all of z [rows, n] and keep them: for the network's input.

        A batch says little about a feature that is rarely active, and then training and evaluation differ.
        """
        self.running_mean.copy_(z.double().mean(1))
        self.running_var.copy_(z.double().var(1, unbiased=False))
        self.fixed = True

    def forward(self, z: Tensor) -> Tensor:
        spec = self.spec
        if not self.training:
            gain, offset = (torch.from_numpy(a).to(z.device) for a in self.folded())
            v = z.double() * gain[:, None] + offset[:, None]
            return (v.round().clamp(spec.lo, spec.hi) * self.scale.detach().double()).to(z.dtype)
        if self.fused and z.device.type == "cpu" and z.dtype == torch.float32:
            mean, rstd = self.running_mean.clone(), torch.rsqrt(self.running_var + EPS)
            q = _BatchNormQuant.apply(
                z.contiguous(), self.gamma, self._shift(), self.scale, mean, rstd, (self.fixed, self.inward), spec
            )
            self._track(mean, rstd.pow(-2) - EPS, z.shape[1])
            return q
        mean, var = (self.running_mean, self.running_var) if self.fixed else (z.mean(1), z.var(1, unbiased=False))
        self._track(mean.detach(), var.detach(), z.shape[1])
        u = (z - mean[:, None]) * torch.rsqrt(var + EPS)[:, None] * self.gamma[:, None] + self._shift()[:, None]
        return quantise(u, self.scale, spec, self.inward)
