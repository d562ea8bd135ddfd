"""The phases of a sample, one-hot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth import Cat, Module, Signal, Value

NAMES = ("load", "peek", "answer", "setup", "clear", "integrate", "fire", "turn", "result", "sum", "divide", "update")
STD = (*NAMES, "errors")
MPD = (*NAMES, "back", "own", "settle")  # a step of UPDATE: back, own, update, settle


class Phases:
    """A bit a phase; after reset the first of them, "load"."""

    def __init__(self, m: Module, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._now = Signal(len(names), init=1, name="phase")

    def __getitem__(self, name: str) -> Value:
        return self._now[self._names.index(name)]

    def any(self, *names: str) -> Value:
        """One of these phases."""
        return Cat(self[name] for name in names).any()

    def enter(self, name: str) -> Any:
        """For `m.d.sync`: this phase comes next."""
        return self._now.eq(1 << self._names.index(name))
