"""RandBET: training with random bit errors and clipped weights (Stutz et al., MLSys 2021), the strong rival.

    g = ½·(∇L(Q(w)) + ∇L(flip_p(Q(w))))   straight through the quantiser Q;  w ← clip(w, ±w_max) after the step

Number format as in `ml.msam.bits`; two forward and backward passes a step.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from hwsim.ir.errors import UsageError
from ml.msam.bits import flipped, quantised
from ml.msam.sam import Closure


class RandBET(torch.optim.SGD):
    """SGD with momentum on the mean of the clean and of the bit-error gradient of quantised, clipped weights.

    Args:
        rate: probability of a bit error in training.
        clip: w_max > 0; weight matrices stay within ±w_max. Biases and norms are left alone.
        bits: of a stored weight.
        start: steps without bit errors (the paper waits until the loss has fallen).
        generator: draws the errors.
        sgd: lr, momentum, weight_decay of `torch.optim.SGD`.

    Raises:
        UsageError: clip not positive, or `step` without a closure.
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        *,
        generator: torch.Generator,
        rate: float = 0.01,
        clip: float = 0.3,
        bits: int = 8,
        start: int = 0,
        **sgd: Any,
    ) -> None:
        if not clip > 0:
            raise UsageError.of("clip", clip, "a number > 0", "Change clip.")
        self.rate, self.clip, self.bits, self.start, self.generator, self.count = rate, clip, bits, start, generator, 0
        super().__init__(params, lr, **sgd)

    def step(self, closure: Closure | None = None) -> Any:
        """One update; `closure` clears the gradients, computes the loss, calls backward and returns the loss."""
        if closure is None:
            raise UsageError.of("RandBET.step", "no closure", "a closure", "Pass one: it runs twice.")
        weights = [p for group in self.param_groups for p in group["params"] if p.ndim > 1]
        kept = [p.detach().clone() for p in weights]
        loss = self._at([quantised(w, self.bits) for w in kept], weights, closure)
        if self.count >= self.start:
            clean = {p: p.grad.detach().clone() for g in self.param_groups for p in g["params"] if p.grad is not None}
            self._at([flipped(w, self.rate, self.generator, self.bits) for w in kept], weights, closure)
            for p, grad in clean.items():
                if p.grad is not None:
                    p.grad.add_(grad).mul_(0.5)
        self.count += 1
        with torch.no_grad():
            torch._foreach_copy_(weights, kept)
        super().step()
        with torch.no_grad():
            for p in weights:
                p.clamp_(-self.clip, self.clip)
        return loss

    def __getstate__(self) -> dict[str, Any]:  # torch's knows only its own attributes
        return {**self.__dict__, **super().__getstate__()}

    def _at(self, values: list[Tensor], weights: list[Tensor], closure: Closure) -> Any:
        with torch.no_grad():
            torch._foreach_copy_(weights, values)
        with torch.enable_grad():
            return closure()
