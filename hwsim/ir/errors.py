"""Errors that a user can act on.

Every message names what is wrong, what was got, what was expected and how to mend it. The command line
turns an `HwsimError` into one line on stderr and the exit code `exit_code`; anything else is a defect.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self


class HwsimError(ValueError):
    """Base of all errors raised on purpose by this project."""

    exit_code = 2

    @classmethod
    def of(cls, what: str, got: object, expected: object, mend: str) -> Self:
        """Build the standard four-part message."""
        return cls(f"{what}: got {got}, expected {expected}. {mend}")


class UsageError(HwsimError):
    """An argument, option or name that the called function or command does not know."""


class ShapeError(HwsimError):
    """An array whose shape, dtype or value range does not fit."""


class ArtifactError(HwsimError):
    """An IR artifact that breaks its own rules, or a file that does not hold one."""


class DataError(HwsimError):
    """A data set that is missing, damaged or has the wrong checksum."""


class EquivalenceError(HwsimError):
    """Two models of one circuit that ought to agree bit for bit and do not."""

    exit_code = 1


class ToolMissingError(HwsimError):
    """An external program that is not installed."""

    exit_code = 3


class ToolFailedError(HwsimError):
    """An external program that ran and failed, or ran past its time limit."""

    exit_code = 4


def check_shape(name: str, got: Sequence[int], symbols: str, expected: Sequence[int | None]) -> None:
    """Raise `ShapeError` unless `got` equals `expected` (None matches any length).

    `symbols` is the symbolic shape for the message, for example ``"[batch, n_in]"``.
    """
    got = tuple(int(n) for n in got)
    fits = len(got) == len(expected) and all(e is None or g == e for g, e in zip(got, expected, strict=True))
    if not fits:
        want = "[" + ", ".join("any" if e is None else str(e) for e in expected) + "]"
        raise ShapeError.of(
            f"{name} has the wrong shape", list(got), f"{symbols} = {want}", f"Reshape or transpose {name}."
        )
