"""What every IR kind provides: identity, validation, a reference and a cost, and its tensors.

A kind is a frozen dataclass that subclasses `Artifact` and registers itself with `@register`. One object
both computes (`reference`) and is built (`rtl.<slug>.build` reads the same fields): nothing is described
twice.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeVar

import numpy as np

from hwsim.ir.errors import ArtifactError

Tensors = dict[str, np.ndarray]
Header = dict[str, Any]


@dataclass(frozen=True)
class Cost:
    """Closed-form resource figures of an artifact, each with its formula and source.

    `values` maps a name (``"table_bits"``) to a number; `formulas` maps the same name to the formula and
    where it comes from.
    """

    values: dict[str, float]
    formulas: dict[str, str]


class Artifact(ABC):
    """Integer-exact description of a circuit or problem, handed from training to simulators and RTL."""

    kind: ClassVar[str]
    spec_version: ClassVar[int]

    @abstractmethod
    def validate(self) -> None:
        """Raise `ArtifactError` when a rule of the kind is broken."""

    @abstractmethod
    def reference(self, x: np.ndarray) -> np.ndarray:
        """Slow, obvious numpy evaluation: the definition that every faster model must equal."""

    @abstractmethod
    def cost(self) -> Cost:
        """Closed-form resource figures."""

    @abstractmethod
    def to_tensors(self) -> tuple[Tensors, Header]:
        """Split into arrays and a JSON-able header. Inverse of `from_tensors`."""

    @classmethod
    @abstractmethod
    def from_tensors(cls, tensors: Tensors, header: Header) -> Self:
        """Rebuild from `to_tensors` output; the result is validated."""


_KINDS: dict[str, type[Artifact]] = {}
_A = TypeVar("_A", bound=type[Artifact])


def register(cls: _A) -> _A:
    """Class decorator: make `cls.kind` loadable by `hwsim.ir.io.load`."""
    _KINDS[cls.kind] = cls
    return cls


def kinds() -> dict[str, type[Artifact]]:
    """All registered IR kinds by name."""
    import hwsim.ir.encoding
    import hwsim.ir.gates
    import hwsim.ir.graph_mac
    import hwsim.ir.ising
    import hwsim.ir.lut
    import hwsim.ir.mac
    import hwsim.ir.mimo_ising
    import hwsim.ir.potts
    import hwsim.ir.spiking  # noqa: F401  (importing a kind's module registers it)

    return dict(sorted(_KINDS.items()))


def kind_named(name: str) -> type[Artifact]:
    """The class of an IR kind.

    Raises:
        ArtifactError: no such kind.
    """
    known = kinds()
    if name not in known:
        raise ArtifactError.of(
            "unknown IR kind", repr(name), f"one of {', '.join(known)}", "Update hwsim or re-export the artifact."
        )
    return known[name]
