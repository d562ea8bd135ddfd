"""What a run trains, read from one setting: ``name:norm+norm:folds:epochs:repeats``, separated by spaces.

Parts left out are all norms, and the run's folds, epochs and one repeat.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benches.graphnorm.folds import N_FOLDS, SETS
from hwsim.ir.errors import UsageError

NORMS = ("graph", "batch", "instance", "layer")


@dataclass(frozen=True)
class Study:
    """Cross-validation of one set: norms, the first `folds` of ten, epochs, repeats with other splits."""

    norms: tuple[str, ...]
    folds: int
    epochs: int
    repeats: int
    hidden: int

    @property
    def options(self) -> dict[str, Any]:
        """Recipe fields."""
        return {"hidden": self.hidden, "epochs": self.epochs}


def studies(config: Any) -> dict[str, Study]:
    """Set → what is trained on it.

    Raises:
        UsageError: an unknown set or norm, GraphNorm missing, or numbers out of range.
    """
    found = {}
    for text in config.sets.split():
        name, norms, *numbers = [*text.split(":"), "", "", "", ""][:5]
        chosen = tuple(norms.split("+")) if norms else NORMS
        given = [int(n) if n.isdigit() else 0 for n in numbers]
        folds, epochs, repeats = (
            n if text else default
            for n, text, default in zip(given, numbers, (config.folds, config.epochs, 1), strict=True)
        )
        known = name in SETS and set(chosen) <= set(NORMS) and chosen[0] == "graph"
        if not known or not 1 <= folds <= N_FOLDS or epochs < 1 or repeats < 1:
            want = f"one of {', '.join(SETS)}; graph first of {'+'.join(NORMS)}; 1…{N_FOLDS} folds; epochs; repeats"
            raise UsageError.of("sets", repr(text), want, "Write name:norm+norm:folds:epochs:repeats.")
        found[name] = Study(chosen, folds, epochs, repeats, config.hidden)
    return found
