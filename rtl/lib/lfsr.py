"""Random-number registers that draw the same bits as `hwsim.ir.rng`."""

from __future__ import annotations

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwsim.ir.rng import Generator, Lfsr, check_seed


def next_state(generator: Generator, state: Value) -> Value:
    """`generator.step` as combinational logic; bits above the width are zero."""
    if isinstance(generator, Lfsr):
        if generator.form == "galois":
            return (state >> 1) ^ Mux(state[0], generator.mask, 0)
        feedback = (state & generator.mask).xor()
        return Cat(feedback, state[:-1])
    a, b, c = generator.shifts
    width = generator.width
    first = state ^ (state << a)[:width]
    second = first ^ (first >> b)
    return second ^ (second << c)[:width]


class RandomSource(wiring.Component):
    """A state register that steps once a cycle while `en` is 1.

    Args:
        generator: `Lfsr` or `Xorshift`; its `step` is what the hardware does.
        seed: state after reset.

    Ports:
        en: In(1).   state: Out(generator.width), the seed after reset, then one step a cycle with `en`.

    Raises:
        UsageError: `seed` is 0 or too wide.
    """

    def __init__(self, generator: Generator, seed: int) -> None:
        self.generator = generator
        width = generator.width
        super().__init__({"en": In(1), "state": Out(width, init=check_seed(generator, seed))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        following = Signal(self.generator.width)
        m.d.comb += following.eq(next_state(self.generator, self.state))
        with m.If(self.en):
            m.d.sync += self.state.eq(following)
        return m
