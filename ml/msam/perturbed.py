"""What MSAM and AdamWMSAM share: weights that rest at a point shifted along the momentum.

    w̃ = w − s·d        d the momentum (SGD: v, Adam: m), s = ρ / (‖d‖ + ε), one norm over all parameters

Between two steps the parameters hold w̃, so that the next forward and backward pass happen there (paper algorithm 1).
The scale s that was applied is stored with each parameter group, so that it comes off exactly whatever ρ became since.

| symbol | here |
|---|---|
| w, w̃ | clean and shifted weights |
| ρ | `rho`, length of the shift; times `damping`, which the guard halves |
| s | group["shift"] |
| ε | `EPS` |
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import reduce
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.optim import Optimizer

from hwsim.ir.errors import HwsimError, UsageError

EPS = 1e-12  # the authors' code: keeps 0/0 out of the first step
MAX_HALVINGS = 10  # of ρ in a row: after a thousandth, ρ is not what breaks the training
OWN = ("shift", "resting", "damping", "halvings")


class DivergedError(HwsimError):
    """Training whose loss or gradients are no longer finite."""


class MomentumPerturbed(Optimizer):
    """An optimiser whose parameters are stored at w̃ between steps.

    Evaluate, export and save under ``with opt.unperturbed():``. A group may have its own ρ; the norm is global.
    """

    direction: ClassVar[str]  # key of d in the state of a parameter

    def __init__(self, params: Any, defaults: dict[str, Any], guard: bool) -> None:
        own = {"shift": 0.0, "resting": False, "damping": 1.0, "halvings": 0}
        self.guard = guard
        self._kept: dict[Tensor, Tensor] | None = None
        super().__init__(params, {**defaults, **own})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters; a running optimiser shifts them from the next step on."""
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        group["resting"] = self.param_groups[0]["resting"]
        group["damping"] = self.param_groups[0]["damping"]
        self.check_group(group)

    def check_group(self, group: dict[str, Any]) -> None:
        """Raise `UsageError` for a group's value out of range."""
        for name in ("lr", "weight_decay"):
            if not 0.0 <= float(group[name]) < math.inf:
                raise UsageError.of(name, group[name], "a number ≥ 0", f"Change {name}.")
        if not math.isfinite(group["rho"]):
            raise UsageError.of("rho", group["rho"], "a finite number (> 0: the paper's side)", "Change rho.")

    def __getstate__(self) -> dict[str, Any]:  # torch's knows only its own attributes
        return {**super().__getstate__(), "guard": self.guard}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._kept = None
        self.__dict__.setdefault("guard", True)
        for group in self.param_groups:  # a state of plain SGD or AdamW has none of our keys
            for name, value in self.defaults.items():
                group.setdefault(name, value)

    # ---- one step ----------------------------------------------------------------------------------------

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update from the gradients at w̃; leaves the parameters at the new w̃.

        Raises:
            UsageError: inside `unperturbed()`, or after a clean checkpoint was loaded outside of it.
            DivergedError: gradients stayed non-finite while the guard halved ρ `MAX_HALVINGS` times.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        if self.resting:
            mend = "Leave `with opt.unperturbed():`, or call opt.perturb(), before the forward pass."
            raise UsageError.of(f"{type(self).__name__}.step()", "gradients of unperturbed weights", "of shifted ones",
                                mend)  # fmt: skip
        for group in self.param_groups:
            self._accumulate(group, [p for p in group["params"] if p.grad is not None])
        norm = self._norm()
        if self.guard and not math.isfinite(norm):
            self._recover()
            return loss
        for group in self.param_groups:
            self._descend(group, [p for p in group["params"] if p.grad is not None])
            group["halvings"] = 0
            group["shift"] = self._scale(group, norm)
            self._move(group, -group["shift"])
        return loss

    def _accumulate(self, group: dict[str, Any], params: list[Tensor]) -> None:
        """Take the old shift off all parameters of `group`, then add the gradients of `params` to d."""
        raise NotImplementedError

    def _descend(self, group: dict[str, Any], params: list[Tensor]) -> None:
        """Move w of `params` by the optimiser's step."""
        raise NotImplementedError

    def _scale(self, group: dict[str, Any], norm: float) -> float:
        """s of the next shift."""
        rho = group["rho"] * group["damping"]
        return rho / (norm + EPS) if rho else 0.0

    def _shifted(self, group: dict[str, Any]) -> tuple[list[Tensor], list[Tensor]]:
        """Parameters of `group` that have a momentum, and their momenta."""
        params = [p for p in group["params"] if self.direction in self.state.get(p, ())]
        return params, [self.state[p][self.direction] for p in params]

    def _move(self, group: dict[str, Any], scale: float) -> None:
        """parameters += scale · d."""
        params, momenta = self._shifted(group)
        if scale and params:
            torch._foreach_add_(params, momenta, alpha=scale)

    def _norm(self) -> float:
        """‖d‖ over all groups."""
        momenta = [d for group in self.param_groups for d in self._shifted(group)[1]]
        return global_norm(momenta)

    def _recover(self) -> None:
        """Forget a momentum that is not finite; the weights are clean here, and ρ is halved for what follows."""
        self.forget()
        for group in self.param_groups:
            group["halvings"] += 1
        self.halve_rho()
        if self.param_groups[0]["halvings"] >= MAX_HALVINGS:
            mend = "Lower lr or rho, clip the gradients, or look at the loss."
            got = f"NaN or infinity {MAX_HALVINGS} times in a row"
            raise DivergedError.of(f"{type(self).__name__}: norm of the momentum", got, "finite gradients", mend)

    def forget(self) -> None:
        """Drop momentum and shift, as before the first step; for parameters that hold clean weights."""
        self.state.clear()
        for group in self.param_groups:
            group["shift"] = 0.0

    def halve_rho(self) -> None:
        """Halve the shift of every group from the next step on (it multiplies whatever ρ a schedule sets)."""
        for group in self.param_groups:
            group["damping"] *= 0.5

    # ---- clean weights -----------------------------------------------------------------------------------

    @property
    def resting(self) -> bool:
        """Whether the parameters hold the clean weights w although a shift belongs to them."""
        return bool(self.param_groups[0]["resting"])

    @contextmanager
    def unperturbed(self) -> Iterator[None]:
        """Hold the clean weights w inside the block: for evaluation, export and checkpoints.

        On leaving, parameters that were not changed inside get back the very bits of w̃, so that evaluating never
        changes training; changed ones (a loaded checkpoint) are shifted anew. Blocks may be nested.
        """
        if self.resting:
            yield
            return
        kept = {p: p.detach().clone() for group in self.param_groups for p in self._shifted(group)[0]}
        self.unperturb()
        self._kept = kept
        try:
            yield
        finally:
            self.perturb()

    @torch.no_grad()
    def unperturb(self) -> None:
        """Move the parameters to w; nothing when they are there already. Call it once when training is over."""
        for group in self.param_groups:
            if not group["resting"]:
                self._move(group, group["shift"])
                group["resting"] = True

    @torch.no_grad()
    def perturb(self) -> None:
        """Move the parameters back to w̃ to train on; nothing when they are there already."""
        kept, self._kept = self._kept or {}, None
        for group in self.param_groups:
            if not group["resting"]:
                continue
            self._move(group, -group["shift"])
            group["resting"] = False
            for p, d in zip(*self._shifted(group), strict=True):
                if p in kept and _same(p, kept[p], d, group["shift"]):
                    p.copy_(kept[p])

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a state; load weights and state both inside `unperturbed()`, or both outside, as they were saved."""
        super().load_state_dict(state_dict)
        self._kept = None


def global_norm(tensors: list[Tensor]) -> float:
    """L2 norm over all tensors, in float32 at least; 0 for none."""
    if not tensors:
        return 0.0
    norms = torch._foreach_norm(tensors)
    wide = reduce(torch.promote_types, (n.dtype for n in norms), torch.float32)
    return float(torch.linalg.vector_norm(torch.stack([n.to(norms[0].device, wide) for n in norms])))


def _same(p: Tensor, kept: Tensor, d: Tensor, shift: float) -> bool:
    """Whether `p` differs from `kept` by no more than the rounding of taking a shift off and putting it on."""
    bound = 4 * torch.finfo(p.dtype).eps * (kept.abs() + (shift * d).abs())
    return bool(((p - kept).abs() <= bound).all())


@contextmanager
def unperturbed(optimiser: Optimizer) -> Iterator[None]:
    """`optimiser.unperturbed()` where it has one; any other optimiser holds clean weights anyway."""
    if isinstance(optimiser, MomentumPerturbed):
        with optimiser.unperturbed():
            yield
    else:
        yield
