"""Counting ones by a balanced adder tree, with registers between its levels if asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwsim.ir.errors import UsageError, check_shape


@dataclass(frozen=True)
class Popcount:
    """Ones among `width` bits.

    Attributes:
        width: bits counted, 1 or more.
        register_every: adder levels between registers; 0 = combinational.

    Raises:
        UsageError: a width below 1 or a negative `register_every`.
    """

    width: int
    register_every: int = 0

    def __post_init__(self) -> None:
        if self.width < 1 or self.register_every < 0:
            got = f"width {self.width}, register_every {self.register_every}"
            raise UsageError.of("popcount", got, "width ≥ 1, register_every ≥ 0", "Mend the parameters.")

    @property
    def levels(self) -> int:
        """Adder levels: ⌈log2 width⌉."""
        return (self.width - 1).bit_length()

    @property
    def latency(self) -> int:
        """Clock edges from bits to count."""
        return self.levels // self.register_every if self.register_every else 0

    def reference(self, bits: np.ndarray) -> np.ndarray:
        """Counts int64 [batch] of 0/1 bits [batch, width]."""
        check_shape("bits", np.shape(bits), "[batch, width]", (None, self.width))
        return np.asarray(bits, dtype=np.int64).sum(axis=1)

    def create(self) -> PopcountTree:
        """The hardware of this description."""
        return PopcountTree(self)


class PopcountTree(wiring.Component):
    """Balanced adder tree over single bits.

    Ports:
        bits: In(width).   count: Out(range(width + 1)), `latency` clock edges later.
    """

    def __init__(self, parameters: Popcount) -> None:
        self.parameters = parameters
        super().__init__({"bits": In(parameters.width), "count": Out(range(parameters.width + 1))})

    def elaborate(self, platform: object) -> Module:
        m, every = Module(), self.parameters.register_every
        values = list(self.bits)
        for level in range(1, self.parameters.levels + 1):
            pairs = [a + b for a, b in zip(values[::2], values[1::2], strict=False)]
            values = pairs + values[len(pairs) * 2 :]
            if every and level % every == 0:
                stored = [Signal(len(value), name=f"level{level}_{i}") for i, value in enumerate(values)]
                m.d.sync += [register.eq(value) for register, value in zip(stored, values, strict=True)]
                values = stored
        m.d.comb += self.count.eq(values[0])
        return m
