"""AdamW with Momentum-SAM's shift along the first moment (arXiv 2401.12033, section 2.3 and the authors' code).

    w̃ = w − ρ·m/‖m‖        m not divided by √v̂; its bias correction is a scalar and cancels in the direction
    m ← β₁m + (1−β₁)g,  v ← β₂v + (1−β₂)g²       g the gradient at w̃
    w ← w(1 − ηλ) − η·m̂/(√v̂ + ε)               decoupled decay on the clean weights

| symbol | here |
|---|---|
| η, β, ε, λ, ρ | `lr`, `betas`, `eps`, `weight_decay`, `rho` |
| m, v | state["exp_avg"], state["exp_avg_sq"] |
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor

from hwsim.ir.errors import UsageError
from ml.msam.perturbed import MomentumPerturbed


class AdamWMSAM(MomentumPerturbed):
    """AdamW whose gradient is taken at w − ρ·m/‖m‖; one forward and backward pass a step.

    Args:
        params: tensors or groups; a group may override lr, betas, eps, weight_decay and rho.
        lr: η ≥ 0.
        betas: (β₁, β₂), each in [0, 1).
        eps: ε ≥ 0.
        weight_decay: λ ≥ 0, decoupled.
        rho: ρ, length of the shift over all groups; 0 is torch's AdamW.
        guard: forget moments that are not finite and halve ρ, instead of spreading NaN.

    Raises:
        UsageError: a value out of range, or sparse gradients.
    """

    direction: ClassVar[str] = "exp_avg"

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        rho: float = 1.0,
        *,
        guard: bool = True,
    ) -> None:
        super().__init__(
            params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "rho": rho}, guard
        )

    def check_group(self, group: dict[str, Any]) -> None:
        """Raise `UsageError` for a group's value out of range."""
        super().check_group(group)
        if not all(0.0 <= beta < 1.0 for beta in group["betas"]) or not group["eps"] >= 0.0:
            got = f"betas {group['betas']}, eps {group['eps']}"
            raise UsageError.of("betas and eps", got, "betas in [0, 1), eps ≥ 0", "Change them.")

    def _accumulate(self, group: dict[str, Any], params: list[Tensor]) -> None:
        self._move(group, group["shift"])
        grads = [p.grad for p in params if p.grad is not None]
        if any(g.is_sparse for g in grads):
            raise UsageError.of("gradients", "sparse ones", "dense ones", "Use an embedding without sparse=True.")
        if not grads:
            return
        for p in params:
            if not self.state[p]:
                self.state[p]["step"] = torch.tensor(0.0)
                for name in ("exp_avg", "exp_avg_sq"):
                    self.state[p][name] = torch.zeros_like(p, memory_format=torch.preserve_format)
            self.state[p]["step"] += 1
        beta1, beta2 = group["betas"]
        squares = [self.state[p]["exp_avg_sq"] for p in params]
        torch._foreach_lerp_([self.state[p]["exp_avg"] for p in params], grads, 1 - beta1)
        torch._foreach_mul_(squares, beta2)
        torch._foreach_addcmul_(squares, grads, grads, 1 - beta2)

    def _descend(self, group: dict[str, Any], params: list[Tensor]) -> None:
        if not params:
            return
        (beta1, beta2), lr = group["betas"], group["lr"]
        if group["weight_decay"]:
            torch._foreach_mul_(params, 1 - lr * group["weight_decay"])
        steps = [float(self.state[p]["step"]) for p in params]
        roots = torch._foreach_sqrt([self.state[p]["exp_avg_sq"] for p in params])
        torch._foreach_div_(roots, [math.sqrt(1 - beta2**t) for t in steps])
        torch._foreach_add_(roots, group["eps"])
        rates = [-lr / (1 - beta1**t) for t in steps]
        torch._foreach_addcdiv_(params, [self.state[p]["exp_avg"] for p in params], roots, rates)
