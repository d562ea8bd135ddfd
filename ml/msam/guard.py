"""A guard for ρ: training that gets nowhere goes back to where it was well, with half the shift.

A ρ too long for the network makes nothing infinite: the loss settles near that of guessing, and ReLUs die, so that a
shorter shift alone does not bring the network back. The optimisers' own guard catches NaN and infinity.
"""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor, nn

from hwsim.ir.errors import UsageError
from ml.msam.perturbed import MAX_HALVINGS, DivergedError, MomentumPerturbed

PATIENCE, PROGRESS, RISE = 10, 0.9, 1.5


class RhoGuard:
    """Call `start` with the loss of every step, `check` with the mean loss after every epoch.

    Training is broken when the loss is not finite, when it is `RISE` times the best one, or when after `PATIENCE`
    epochs none was below `PROGRESS` times the loss of the first step. Then the weights of the best epoch return (those
    at the beginning, while no epoch was that good), the momentum is forgotten, and ρ is halved from there on.

    Args:
        model: the trained network.
        optimiser: MSAM or AdamWMSAM over its parameters.

    Raises:
        UsageError: another optimiser, which has no ρ to halve.
    """

    def __init__(self, model: nn.Module, optimiser: MomentumPerturbed) -> None:
        if not isinstance(optimiser, MomentumPerturbed):
            got = type(optimiser).__name__
            raise UsageError.of("RhoGuard", got, "MSAM or AdamWMSAM", "Leave the guard out.")
        self.model, self.optimiser = model, optimiser
        self.halvings = 0
        self._begin()

    def _begin(self) -> None:
        self.first = self.best = math.inf
        self.epochs = 0
        self.kept = self._clean()

    def _clean(self) -> dict[str, Tensor]:
        with self.optimiser.unperturbed():
            return {name: value.detach().clone() for name, value in self.model.state_dict().items()}

    @property
    def _learned(self) -> bool:
        return self.best <= PROGRESS * self.first < math.inf

    def start(self, loss: float) -> None:
        """Loss of a training's first step, whose weights have no shift yet; later ones do not count."""
        if self.first == math.inf:
            self.first = loss

    def check(self, loss: float) -> bool:
        """Judge an epoch's mean loss; True when training was taken back.

        Raises:
            DivergedError: ρ was halved `MAX_HALVINGS` times and training is still broken.
        """
        self.epochs += 1
        broken = not math.isfinite(loss) or loss > RISE * self.best
        if not broken and loss < self.best:
            self.first, self.best = loss if self.first == math.inf else self.first, loss
            if self._learned:
                self.kept = self._clean()
        if not broken and (self._learned or self.epochs < PATIENCE):
            return False
        self.halvings += 1
        if self.halvings > MAX_HALVINGS:
            mend = "Lower lr, or look at the data: with so short a shift this is plain SGD or AdamW."
            raise DivergedError.of("training with a guarded rho", f"loss {loss:.4g}", "a falling loss", mend)
        self._return()
        return True

    def _return(self) -> None:
        with self.optimiser.unperturbed():
            self.model.load_state_dict(self.kept)
            self.optimiser.forget()
        self.optimiser.halve_rho()
        if not self._learned:
            self._begin()

    def state_dict(self) -> dict[str, Any]:
        """All that a later epoch needs."""
        return {"halvings": self.halvings, "first": self.first, "best": self.best, "epochs": self.epochs,
                "kept": self.kept}  # fmt: skip

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverse of `state_dict`."""
        for name, value in state.items():
            setattr(self, name, value)
