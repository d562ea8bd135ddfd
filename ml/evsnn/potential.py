"""MPD-ED: leaky integrate-and-fire neurons on a time grid; errors start at spikes, where the potential is known.

    V_j[t] = λ V_j[t−1] (1 − s_j[t−1]) + J_j[t],   s_j[t] = H(V_j[t] − θ[t])        J: weighted input
    ∂s_j/∂V_j := m_j[t] · h_j[t],                   ∂V_j[t+1]/∂V_j[t] = κ (1 − s_j[t])   (reset path detached)

With soft reset V[t] = λ (V[t−1] − θ s[t−1]) + J[t] and ∂V[t+1]/∂V[t] = κ. κ = λ unless `back_leak` is given.

| mask | m | |
|---|---|---|
| ``spike`` | s | MPD-ED: only spikes carry errors |
| ``band`` | \\|V − θ\\| < a | sparse spiking gradient descent |
| ``none`` | 1 | STBP, the time-step baseline |
| ``tssl`` | s, or 1 after a neuron's last spike | TSSL-BP: silent neurons keep a surrogate |

| surrogate | h(u), u = V − θ | |
|---|---|---|
| ``triangle`` | max(0, 1 − \\|u\\|/a)/a | |
| ``boxcar`` | \\|u\\| < a, over 2a | |
| ``sigmoid`` | σ'(u/a)/a | |
| ``slope`` | min(1/ΔV, 4), ΔV = V[t] − V[t−1](1 − s[t−1]) | −∂t/∂V of multi-spike STD-ED and TSSL-BP |

Multi-spike STD-ED is λ = 1, mask ``spike``, surrogate ``slope`` and a backward kernel κ of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hwsim.ir.errors import UsageError

_MASK_CODES = {"none": 0, "band": 1, "spike": 2, "tssl": 3}  # as ml.evsnn.kernels_lif reads them
_SURROGATE_CODES = {"triangle": 0, "boxcar": 1, "sigmoid": 2, "slope": 3}

MASKS = ("spike", "band", "none", "tssl")
SURROGATES = ("triangle", "boxcar", "sigmoid", "slope")
SLOPE_MAX = 4.0  # bound on 1/ΔV


@dataclass(frozen=True)
class LifRule:
    """How a population fires and what its errors are.

    Attributes:
        leak: λ in [0, 1]; back_leak: κ, None for λ.
        mask, surrogate, width: see the module's tables; width is a > 0.
        soft: subtract the threshold at a spike instead of clearing the potential.

    Raises:
        UsageError: a value outside its range.
    """

    leak: float = 0.5
    mask: str = "spike"
    surrogate: str = "triangle"
    width: float = 1.0
    back_leak: float | None = None
    soft: bool = False

    def __post_init__(self) -> None:
        if self.mask not in MASKS or self.surrogate not in SURROGATES:
            got = f"{self.mask!r}, {self.surrogate!r}"
            raise UsageError.of("mask and surrogate", got, f"one of {MASKS} and of {SURROGATES}", "Change the rule.")
        if not 0 <= self.leak <= 1 or self.width <= 0 or not 0 <= self.kept <= 1:
            raise UsageError.of("rule", self, "leaks in [0, 1] and width > 0", "Change the rule.")

    @property
    def kept(self) -> float:
        """κ, the leak of the backward pass."""
        return self.leak if self.back_leak is None else self.back_leak


def surrogate(name: str, width: float, over: Tensor, rise: Tensor) -> Tensor:
    """h of u = `over` (= V − θ) and ΔV = `rise`, any shape."""
    if name == "triangle":
        return (1 - over.abs() / width).clamp(min=0) / width
    if name == "boxcar":
        return (over.abs() < width).to(over.dtype) / (2 * width)
    if name == "sigmoid":
        s = torch.sigmoid(over / width)
        return s * (1 - s) / width
    return 1 / rise.clamp(min=1 / SLOPE_MAX)


def _factor(rule: LifRule, over: Tensor, rise: Tensor, spikes: Tensor) -> Tensor:
    """m·h [steps, batch, ...]."""
    h = surrogate(rule.surrogate, rule.width, over, rise)
    if rule.mask == "none":
        return h
    if rule.mask == "band":
        return h * (over.abs() < rule.width)
    if rule.mask == "spike":
        return h * spikes
    later = torch.flip(torch.cumsum(torch.flip(spikes, (0,)), 0), (0,))
    return torch.where(later > 0, h * spikes, surrogate("sigmoid", rule.width, over, rise))


class _Lif(torch.autograd.Function):
    """Spikes, potentials and m·h from weighted input; the recursion runs over the first dimension."""

    @staticmethod
    def forward(ctx: Any, drive: Tensor, theta: Tensor, rule: LifRule) -> tuple[Tensor, Tensor, Tensor]:
        spikes, potential, factor = _run_fused(drive, theta, rule) if _fuses(drive) else _run(drive, theta, rule)
        ctx.save_for_backward(spikes, factor)
        ctx.rule = rule
        ctx.mark_non_differentiable(potential, factor)
        return spikes, potential, factor

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (spikes, factor), rule = ctx.saved_tensors, ctx.rule
        if _fuses(grads[0]):
            from ml.evsnn import kernels_lif

            error = torch.empty_like(factor)
            grad, fired, slope = (x.contiguous().view(len(x), -1).numpy() for x in (grads[0], spikes, factor))
            out = error.view(len(error), -1).numpy()
            kernels_lif.backward(grad, fired, slope, np.float32(rule.kept), rule.soft, out)
            return error, None, None
        error = grads[0] * factor
        for t in range(len(error) - 2, -1, -1):
            carried = error[t + 1] * rule.kept
            error[t] += carried if rule.soft else carried * (1 - spikes[t])
        return error, None, None


def _fuses(x: Tensor) -> bool:
    return x.device.type == "cpu" and x.dtype == torch.float32


def _run(drive: Tensor, theta: Tensor, rule: LifRule) -> tuple[Tensor, Tensor, Tensor]:
    """The equations in torch operations: the reference, and the path on other devices."""
    potential, spikes, rise = torch.empty_like(drive), torch.empty_like(drive), torch.empty_like(drive)
    v = torch.zeros_like(drive[0])
    for t in range(len(drive)):
        torch.add(drive[t], v, alpha=rule.leak, out=potential[t])
        torch.sub(potential[t], v, out=rise[t])
        spikes[t] = potential[t] >= theta[t]
        v = potential[t] - theta[t] * spikes[t] if rule.soft else potential[t] * (1 - spikes[t])
    over = potential - theta.reshape(-1, *[1] * (drive.dim() - 1))
    return spikes, potential, _factor(rule, over, rise, spikes)


def _run_fused(drive: Tensor, theta: Tensor, rule: LifRule) -> tuple[Tensor, Tensor, Tensor]:
    from ml.evsnn import kernels_lif

    out = [torch.empty(drive.shape, dtype=drive.dtype) for _ in range(3)]
    codes = _MASK_CODES[rule.mask], _SURROGATE_CODES[rule.surrogate]
    bounds = np.float32(rule.width), np.float32(SLOPE_MAX)
    arrays = [x.view(len(x), -1).numpy() for x in out]
    rows = drive.contiguous().view(len(drive), -1).numpy()
    times = theta.contiguous().to(drive.dtype).numpy()
    kernels_lif.forward(rows, times, np.float32(rule.leak), rule.soft, *codes, *bounds, *arrays)
    return out[1], out[0], out[2]


def lif(drive: Tensor, theta: Tensor, rule: LifRule) -> tuple[Tensor, Tensor, Tensor]:
    """Spikes (0 or 1), potentials V before the reset and m·h, all [steps, batch, ...], of weighted input `drive`.

    `theta` [steps] is the threshold of each step. Gradients flow from the spikes to `drive` only.
    """
    return _Lif.apply(drive, theta, rule)


def trace(spikes: Tensor, decay: float) -> Tensor:
    """Synaptic current a[t] = (1 − decay) a[t−1] + decay·s[t] over the first dimension; exact gradient."""
    out, a = [], torch.zeros_like(spikes[0])
    for s in spikes:
        a = (1 - decay) * a + decay * s
        out.append(a)
    return torch.stack(out)
