"""The phases of a sample, one-hot."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Signal, Value

NAMES = ("load", "peek", "answer", "setup", "clear", "integrate", "fire", "turn", "result", "sum", "divide", "update",
         "errors")  # fmt: skip


class Phases:
    """A bit a phase; after reset "load"."""

    def __init__(self, m: Module) -> None:
        self._now = Signal(len(NAMES), init=1, name="phase")

    def __getitem__(self, name: str) -> Value:
        return self._now[NAMES.index(name)]

    def any(self, *names: str) -> Value:
        """One of these phases."""
        return Cat(self[name] for name in names).any()

    def enter(self, name: str) -> Any:
        """For `m.d.sync`: this phase comes next."""
        return self._now.eq(1 << NAMES.index(name))
