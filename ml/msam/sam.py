"""The dear relatives, as baselines: SAM (Foret et al. 2021) and LookSAM (Liu et al. 2022), over SGD with momentum.

    SAM:      g = ∇L_B(w + ρ·∇L_B(w)/‖∇L_B(w)‖): two forward and backward passes a step
    LookSAM:  SAM every k steps; its part g_v that is orthogonal to the plain gradient g_p is kept, and between
              g = g_p + α·‖g_p‖/‖g_v‖·g_v

Both call their closure once or twice, so `step` needs one.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from hwsim.ir.errors import UsageError
from ml.msam.perturbed import EPS, global_norm

Closure = Callable[[], Any]


class SAM(torch.optim.SGD):
    """SGD with momentum on SAM's gradient.

    Args:
        rho: ρ > 0, length of the ascent step over all groups.
        second_pass: opens the context of the second pass, for example ``lambda: frozen_statistics(model)``.
        sgd: lr, momentum, weight_decay of `torch.optim.SGD`; decay multiplies the clean weights.

    Raises:
        UsageError: ρ not positive, or `step` without a closure.
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        rho: float = 0.05,
        *,
        second_pass: Callable[[], AbstractContextManager[Any]] = nullcontext,
        **sgd: Any,
    ) -> None:
        if not rho > 0:
            raise UsageError.of("rho", rho, "a number > 0", "Change rho, or use torch.optim.SGD.")
        self.rho, self.second_pass = rho, second_pass
        super().__init__(params, lr, **sgd)

    def step(self, closure: Closure | None = None) -> Any:
        """One update; `closure` clears the gradients, computes the loss, calls backward and returns the loss."""
        if closure is None:
            raise UsageError.of(f"{type(self).__name__}.step", "no closure", "a closure", "Pass one: it runs twice.")
        with torch.enable_grad():
            loss = closure()
        self.ascend_and_return(closure)
        super().step()
        return loss

    def __getstate__(self) -> dict[str, Any]:  # torch's knows only its own attributes
        return {**self.__dict__, **super().__getstate__()}

    def _with_grad(self) -> list[Tensor]:
        return [p for group in self.param_groups for p in group["params"] if p.grad is not None]

    def ascend_and_return(self, closure: Closure) -> None:
        """Replace the gradients by those at w + ρ·g/‖g‖; the weights are the same bits afterwards."""
        params = self._with_grad()
        kept = [p.detach().clone() for p in params]
        with torch.no_grad():
            grads = [p.grad for p in params if p.grad is not None]
            scale = self.rho / (global_norm(grads) + EPS)
            torch._foreach_add_(params, grads, alpha=scale)
        with torch.enable_grad(), self.second_pass():
            closure()
        with torch.no_grad():
            torch._foreach_copy_(params, kept)


class LookSAM(SAM):
    """SAM that computes its second gradient only every `k` steps and reuses its orthogonal part between.

    Args:
        k: steps from one SAM step to the next.
        alpha: α, weight of the reused part.
    """

    def __init__(self, params: Any, lr: float = 1e-3, rho: float = 0.05, *, k: int = 10, alpha: float = 0.7,
                 **rest: Any) -> None:  # fmt: skip
        if k < 1:
            raise UsageError.of("k", k, "1 or more steps", "Change k.")
        self.k, self.alpha, self.count = k, alpha, 0
        super().__init__(params, lr, rho, **rest)

    def ascend_and_return(self, closure: Closure) -> None:
        """SAM's gradient every k steps, the corrected plain one between."""
        fresh = self.count % self.k == 0
        self.count += 1
        if fresh:
            plain = {p: p.grad.detach().clone() for p in self._with_grad() if p.grad is not None}
            super().ascend_and_return(closure)
            self._remember(plain)
        else:
            self._reuse()

    @torch.no_grad()
    def _remember(self, plain: dict[Tensor, Tensor]) -> None:
        """g_v = g_s − (g_s·g_p/‖g_p‖²)·g_p."""
        both = [(p, p.grad, plain[p]) for p in self._with_grad() if p in plain and p.grad is not None]
        dot = sum(float((sam * own).sum()) for _, sam, own in both)
        scale = dot / (global_norm(list(plain.values())) ** 2 + EPS)
        for p, sam, own in both:
            self.state[p]["orthogonal"] = sam - scale * own

    @torch.no_grad()
    def _reuse(self) -> None:
        params = [p for p in self._with_grad() if "orthogonal" in self.state[p]]
        if not params:
            return
        grads = [p.grad for p in params if p.grad is not None]
        kept = [self.state[p]["orthogonal"] for p in params]
        torch._foreach_add_(grads, kept, alpha=self.alpha * global_norm(grads) / (global_norm(kept) + EPS))
