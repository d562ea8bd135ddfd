"""Momentum-SAM: sharpness-aware minimisation at the cost of SGD (arXiv 2401.12033, algorithm 1).

    g_t     = ∇L_B(w̃_t) + λ·w̃_t
    w_t     = w̃_t + s_t·v_t              the stored scale comes off
    v_{t+1} = μ·v_t + g_t
    w_{t+1} = w_t − η·v_{t+1}
    w̃_{t+1} = w_{t+1} − s_{t+1}·v_{t+1}    s = ρ/(‖v‖ + 1e-12)

ρ > 0 looks ahead along −v, the side of Nesterov's gradient; the loss rises there because the last step overshot
(paper section 4.1). Nesterov's method is the same update with s = η·μ, not normalised: `mode="nag"`.

| symbol | here |
|---|---|
| η, μ, λ, ρ | `lr`, `momentum`, `weight_decay`, `rho` |
| v | state["momentum_buffer"] |
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from hwsim.ir.errors import UsageError
from ml.msam.perturbed import MomentumPerturbed

MODES = ("msam", "nag")
DECAY_AT = ("perturbed", "clean")


class MSAM(MomentumPerturbed):
    """SGD with momentum whose gradient is taken at w − ρ·v/‖v‖; one forward and backward pass a step.

    Args:
        params: tensors or groups; a group may override lr, momentum, weight_decay and rho.
        lr: η ≥ 0.
        momentum: μ in [0, 1).
        weight_decay: λ ≥ 0, added to the gradient.
        rho: ρ, length of the shift over all groups; 0 is SGD bit for bit. Tune it for the model's size: 0.3 to 1 for
            ten thousand weights, 3 for the paper's networks.
        mode: ``"msam"``, or ``"nag"`` for s = η·μ, which equals ``torch.optim.SGD(nesterov=True)``.
        decay_at: whether λ multiplies the ``"perturbed"`` weights (the authors' code) or the ``"clean"`` ones.
        guard: forget a momentum that is not finite and halve ρ, instead of spreading NaN.

    Raises:
        UsageError: a value out of range, or sparse gradients.

    Example:
        >>> w = torch.nn.Parameter(torch.tensor([1.0, 1.0]))
        >>> opt = MSAM([w], lr=0.1, rho=0.5)
        >>> for _ in range(2):
        ...     opt.zero_grad(); (w * w).sum().backward(); opt.step()
        >>> with opt.unperturbed():
        ...     [round(x, 3) for x in w.tolist()]
        [0.531, 0.531]
    """

    direction: ClassVar[str] = "momentum_buffer"

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        rho: float = 0.3,
        *,
        mode: str = "msam",
        decay_at: str = "perturbed",
        guard: bool = True,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "rho": rho, "mode": mode,
                    "decay_at": decay_at}  # fmt: skip
        super().__init__(params, defaults, guard)

    def check_group(self, group: dict[str, Any]) -> None:
        """Raise `UsageError` for a group's value out of range."""
        super().check_group(group)
        if not 0.0 <= group["momentum"] < 1.0:
            raise UsageError.of("momentum", group["momentum"], "a number in [0, 1)", "Change momentum.")
        for name, known in (("mode", MODES), ("decay_at", DECAY_AT)):
            if group[name] not in known:
                raise UsageError.of(name, repr(group[name]), f"one of {', '.join(known)}", f"Change {name}.")

    def _scale(self, group: dict[str, Any], norm: float) -> float:
        return group["lr"] * group["momentum"] if group["mode"] == "nag" else super()._scale(group, norm)

    def _accumulate(self, group: dict[str, Any], params: list[Tensor]) -> None:
        # torch's Nesterov sees a new η one step earlier: its look-ahead always counts as taken with the current one
        applied = self._scale(group, 1.0) if group["mode"] == "nag" else group["shift"]
        perturbed = group["decay_at"] == "perturbed"
        grads = _decayed(params, group["weight_decay"]) if perturbed else None
        self._move(group, applied)
        grads = grads or _decayed(params, group["weight_decay"])
        old = [p for p in params if self.direction in self.state[p]]
        first = [(p, g) for p, g in zip(params, grads, strict=True) if self.direction not in self.state[p]]
        if old:
            momenta = [self.state[p][self.direction] for p in old]
            known = set(old)
            torch._foreach_mul_(momenta, group["momentum"])
            torch._foreach_add_(momenta, [g for p, g in zip(params, grads, strict=True) if p in known])
        for p, g in first:
            self.state[p][self.direction] = g.detach().clone(memory_format=torch.preserve_format)

    def _descend(self, group: dict[str, Any], params: list[Tensor]) -> None:
        if params:
            momenta = [self.state[p][self.direction] for p in params]
            torch._foreach_add_(params, momenta, alpha=-group["lr"])


def _decayed(params: list[Tensor], decay: float) -> list[Tensor]:
    """Gradients with λ·p added; `p.grad` itself stays as it is."""
    grads = [p.grad for p in params if p.grad is not None]
    if any(g.is_sparse for g in grads):
        raise UsageError.of("gradients", "sparse ones", "dense ones", "Use an embedding without sparse=True.")
    if not decay or not grads:
        return grads
    return list(torch._foreach_add(grads, params, alpha=decay))
