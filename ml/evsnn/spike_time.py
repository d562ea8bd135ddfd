"""STD-ED: one spike a neuron, its time in closed form, exact gradients of times by times and weights.

A layer may fire only in its window [T, 2T]; times are counted from the window's start, so all inputs lie in
[0, T] and every input spike is causal. With F the inputs that fired,

    S_j = Σ_F w_ij,  I_j = Σ_F w_ij t_i,   V_j(t) = S_j t − I_j,   θ(t) = θ₀ − ρ (t − T)

    S_j T − I_j ≥ θ₀             t_j = 0 (window start, gradient 0)
    V_j(2T) ≥ θ(2T) otherwise    t_j = (θ₀ + ρT + I_j) / (ρ + S_j) − T
    otherwise                    no spike

    r_j = 1/(ρ + S_j):   ∂t_j/∂I_j = r_j,   ∂t_j/∂S_j = −(t_j + T) r_j

θ₀ = ρ = 1 (T = 1) is the falling window of STD-ED; ρ = 0 is the constant threshold of STDBP. In the
second case ρ + S_j > 0, because D = V − θ rises by T(ρ + S_j) over the window and changes sign in it.

| symbol | here |
|---|---|
| T | `WINDOW` = 1 |
| θ₀, ρ | `Threshold.start`, `Threshold.slope` |
| t, F | `Spikes.time`, `Spikes.fired` |
| δ_j = ∂L/∂t_j, e_j = δ_j r_j | gradients of `fire` |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional, grad

from hwsim.ir.errors import UsageError, check_shape
from ml.evsnn.levels import shortage

WINDOW = 1.0


class Spikes(NamedTuple):
    """Spike times [batch, ...] in [0, T], 0 where nothing fired, and `fired` of the same shape and dtype: 0 or 1."""

    time: Tensor
    fired: Tensor


@dataclass(frozen=True)
class Threshold:
    """θ(t) = start − slope·(t − T) in the window; e_j uses min(1/(slope + S_j), gain_max).

    Raises:
        UsageError: start ≤ 0, slope < 0 or gain_max ≤ 0.
    """

    start: float = WINDOW
    slope: float = 1.0
    gain_max: float = 8.0

    def __post_init__(self) -> None:
        if self.start <= 0 or self.slope < 0 or self.gain_max <= 0:
            raise UsageError.of("threshold", self, "start > 0, slope ≥ 0, gain_max > 0", "Change the rule.")


FALLING, CONSTANT = Threshold(), Threshold(slope=0.0)


def encode(x: Tensor, ticks: int = 0) -> Spikes:
    """Latency code of intensities x in [0, 1]: t = 1 − x where x > 0, no spike at 0.

    `ticks` > 0 rounds to the grid of the chip: tick k = round((1 − x)·ticks), halves up; a
    spike when k < ticks, at t = k/ticks.

    >>> encode(torch.tensor([[0.0, 0.25, 1.0]])).time.tolist()
    [[0.0, 0.75, 0.0]]
    """
    if ticks:
        late = torch.floor((1 - x) * ticks + 0.5)
        fired = (late < ticks).to(x.dtype)
        return Spikes(late / ticks * fired, fired)
    fired = (x > 0).to(x.dtype)
    return Spikes((WINDOW - x) * fired, fired)


class _Fire(torch.autograd.Function):
    """Cases of the module's docstring, element by element."""

    @staticmethod
    def forward(ctx: Any, s: Tensor, i: Tensor, threshold: Threshold, ticks: int) -> tuple[Tensor, Tensor]:
        time, fired, gain = (_fire_fused if _fuses(s) else _fire)(s, i, threshold, ticks)
        ctx.save_for_backward(time, gain)
        ctx.mark_non_differentiable(fired)
        return time, fired

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        time, gain = ctx.saved_tensors
        if _fuses(time):
            from ml.evsnn import kernels_spike_time as kernels

            to_s, to_i = torch.empty_like(time), torch.empty_like(time)
            kernels.errors(*(_row(x) for x in (grads[0].contiguous(), time, gain, to_s, to_i)))
            return to_s, to_i, None, None
        error = grads[0] * gain
        return -(time + WINDOW) * error, error, None, None


def _fuses(x: Tensor) -> bool:
    return x.device.type == "cpu" and x.dtype == torch.float32


def _row(x: Tensor) -> Any:
    return x.view(-1).numpy()


def _fire(s: Tensor, i: Tensor, threshold: Threshold, ticks: int) -> tuple[Tensor, Tensor, Tensor]:
    """Times, spikes and bounded gain in torch operations: the reference, and the path on other devices."""
    start, slope = threshold.start, threshold.slope
    at_start = s * WINDOW - i >= start
    by_end = 2 * WINDOW * s - i >= start - slope * WINDOW
    inside = by_end & ~at_start & (slope + s > 0)
    gain = torch.where(inside, 1 / torch.where(inside, slope + s, 1.0), 0.0)
    time = ((start + slope * WINDOW + i) * gain - WINDOW * inside).clamp_(0, WINDOW)
    if ticks:
        time = torch.ceil(time * ticks - 1e-4) / ticks  # the first tick at or after the crossing
        inside, time = inside & (time < WINDOW), torch.where(time < WINDOW, time, 0.0)
    fired = (inside | at_start).to(s.dtype)
    return time, fired, gain.clamp_(max=threshold.gain_max)


def _fire_fused(s: Tensor, i: Tensor, threshold: Threshold, ticks: int) -> tuple[Tensor, Tensor, Tensor]:
    from ml.evsnn import kernels_spike_time as kernels

    s, i = s.contiguous(), i.contiguous()
    time, fired, gain = (torch.empty_like(s) for _ in range(3))
    start, slope, gain_max = (np.float32(x) for x in (threshold.start, threshold.slope, threshold.gain_max))
    kernels.fire(_row(s), _row(i), start, slope, ticks, gain_max, _row(time), _row(fired), _row(gain))
    return time, fired, gain


def fire(s: Tensor, i: Tensor, threshold: Threshold = FALLING, ticks: int = 0) -> Spikes:
    """Spikes of neurons with slopes `s` and offsets `i`, any equal shapes; `ticks` > 0 rounds times up to the grid.

    On the grid a neuron fires at ticks 0 … ticks − 1; a crossing after the last of them is no spike.
    """
    return Spikes(*_Fire.apply(s, i, threshold, ticks))


def silence(s: Tensor, i: Tensor, spikes: Spikes, threshold: Threshold, wanted: float) -> Tensor:
    """How far neurons that fire in less than a share `wanted` of the batch stay below their threshold; a scalar ≥ 0.

    Mean over neurons (maps of a convolution) of max(0, wanted − rate_j) · mean over the batch of
    max(0, θ(2T) − V_j(2T)). A neuron that never fires has no gradient of its own: this one wakes it.
    """
    over = (0, *range(2, s.dim()))
    rate = spikes.fired.mean(over)
    rare = rate < wanted  # nearly all neurons of a trained net fire enough
    if not rare.any():
        return s.new_zeros(())
    short = (threshold.start - threshold.slope * WINDOW - 2 * WINDOW * s[:, rare] + i[:, rare]).clamp(min=0)
    return shortage(rate[rare], short.mean(over), wanted) * rare.to(s.dtype).mean()


class _PairLinear(torch.autograd.Function):
    """(S, I) of a dense layer: one product over the stacked rows (fired; time)."""

    @staticmethod
    def forward(ctx: Any, time: Tensor, fired: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        rows = torch.cat((fired, time))
        ctx.save_for_backward(rows, weight)
        out = rows @ weight.t()
        return out[: len(time)], out[len(time) :]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        rows, weight = ctx.saved_tensors
        d_weight = torch.cat(grads).t() @ rows if ctx.needs_input_grad[2] else None
        d_time = (grads[1] @ weight) * rows[: len(grads[1])] if ctx.needs_input_grad[0] else None
        return d_time, None, d_weight


class _PairConv(torch.autograd.Function):
    """(S, I) of a convolution, as `_PairLinear`."""

    @staticmethod
    def forward(ctx: Any, time: Tensor, fired: Tensor, weight: Tensor, padding: int) -> tuple[Tensor, Tensor]:
        rows = torch.cat((fired, time))
        ctx.save_for_backward(rows, weight)
        ctx.padding = padding
        out = functional.conv2d(rows, weight, padding=padding)
        return out[: len(time)], out[len(time) :]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (rows, weight), padding, n = ctx.saved_tensors, ctx.padding, len(grads[1])
        d_weight = grad.conv2d_weight(rows, weight.shape, torch.cat(grads), padding=padding)
        d_time = None
        if ctx.needs_input_grad[0]:
            d_time = grad.conv2d_input(rows[:n].shape, weight, grads[1], padding=padding) * rows[:n]
        return d_time, None, d_weight, None


def dense_sums(spikes: Spikes, weight: Tensor) -> tuple[Tensor, Tensor]:
    """S, I [batch, n_out] from spikes [batch, n_in] and weight [n_out, n_in].

    Raises:
        ShapeError: widths differ.
    """
    check_shape("spikes", spikes.time.shape, "[batch, n_in]", (None, weight.shape[1]))
    return _PairLinear.apply(spikes.time, spikes.fired, weight)


def conv_sums(spikes: Spikes, weight: Tensor, padding: int = 0) -> tuple[Tensor, Tensor]:
    """S, I [batch, maps, h, w] from spikes [batch, n_in, h, w] and weight [maps, n_in, k, k], stride 1.

    Raises:
        ShapeError: numbers of maps differ.
    """
    check_shape("spikes", spikes.time.shape, "[batch, n_in, height, width]", (None, weight.shape[1], None, None))
    return _PairConv.apply(spikes.time, spikes.fired, weight, padding)


class _MinPool(torch.autograd.Function):
    """`min_pool` in one pass."""

    @staticmethod
    def forward(ctx: Any, time: Tensor, fired: Tensor, size: int) -> tuple[Tensor, Tensor]:
        from ml.evsnn import kernels_spike_time as kernels

        batch, maps, height, width = ctx.shape = time.shape
        first = time.new_empty(batch, maps, height // size, width // size)
        any_fired, where = torch.empty_like(first), torch.empty(first.shape, dtype=torch.int32)
        late, spikes, *out = (x.contiguous().flatten(0, 1).numpy() for x in (time, fired, first, any_fired, where))
        kernels.pool(late, spikes, size, *out)
        ctx.save_for_backward(where)
        ctx.mark_non_differentiable(any_fired)
        return first, any_fired

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        from ml.evsnn import kernels_spike_time as kernels

        batch, maps, height, width = ctx.shape
        out = grads[0].new_zeros(batch * maps, height * width)
        grad, where = (x.contiguous().view(batch * maps, -1).numpy() for x in (grads[0], ctx.saved_tensors[0]))
        kernels.unpool(grad, where, out.numpy())
        return out.view(ctx.shape), None, None


def min_pool(spikes: Spikes, size: int) -> Spikes:
    """The earliest spike of every size × size block (stride size); no spike when none fired."""
    if _fuses(spikes.time):
        return Spikes(*_MinPool.apply(spikes.time, spikes.fired, size))
    late = torch.where(spikes.fired > 0, spikes.time, 2 * WINDOW)
    first = -functional.max_pool2d(-late, size)
    fired = (first <= WINDOW).to(first.dtype)
    return Spikes(first * fired, fired)


def flat(spikes: Spikes) -> Spikes:
    """Maps [batch, c, h, w] as [batch, c·h·w], map by map, row by row."""
    return Spikes(spikes.time.flatten(1), spikes.fired.flatten(1))


def readout(spikes: Spikes, weight: Tensor) -> Tensor:
    """z_k = V_k(2T) = Σ_F w_ki (2T − t_i) [batch, n_out] of an output layer that does not spike."""
    check_shape("spikes", spikes.time.shape, "[batch, n_in]", (None, weight.shape[1]))
    return functional.linear((2 * WINDOW - spikes.time) * spikes.fired, weight)
