"""Signals over time, and their VCD waveform."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwsim.ir.errors import ShapeError


@dataclass(frozen=True, eq=False)
class Signal:
    """One signal: unsigned integers [cycles] of `width` bits; a negative value means unknown (x)."""

    width: int
    values: np.ndarray


@dataclass(frozen=True, eq=False)
class Trace:
    """Signals of one clock domain by hierarchical name (``"stage0.valid"``), sampled in each cycle.

    Raises:
        ShapeError: signals of different lengths, or a value that is too wide.
    """

    signals: dict[str, Signal]

    def __post_init__(self) -> None:
        lengths = {len(signal.values) for signal in self.signals.values()}
        if len(lengths) > 1:
            raise ShapeError.of("trace signals differ in length", sorted(lengths), "one length", "Pad the trace.")
        for name, signal in self.signals.items():
            if len(signal.values) and int(signal.values.max()) >= 1 << signal.width:
                raise ShapeError.of(
                    f"trace signal {name}", int(signal.values.max()), f"at most {signal.width} bits", "Widen it."
                )

    @property
    def cycles(self) -> int:
        """Clock cycles in the trace."""
        return len(next(iter(self.signals.values())).values) if self.signals else 0

    def write_vcd(self, path: str | os.PathLike[str], period_ns: int = 10) -> Path:
        """Write a VCD file with a clock of `period_ns` (even, ≥ 2); returns its path.

        A cycle's values appear at the rising edge that begins it.
        """
        from vcd import VCDWriter  # a dependency of amaranth; imported only when a waveform is asked for

        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8") as file, VCDWriter(file, timescale="1 ns", date="") as writer:
            clock = writer.register_var("top", "clk", "wire", size=1, init=0)
            variables = {}
            for name, signal in self.signals.items():
                scope, _, leaf = f"top.{name}".rpartition(".")
                variables[name] = writer.register_var(scope, leaf, "wire", size=signal.width, init="x")
            for cycle in range(self.cycles):
                start = cycle * period_ns
                writer.change(clock, start, 1)
                for name, signal in self.signals.items():
                    value = int(signal.values[cycle])
                    writer.change(variables[name], start, value if value >= 0 else "x")
                writer.change(clock, start + period_ns // 2, 0)
            writer.close(self.cycles * period_ns)
        return path
