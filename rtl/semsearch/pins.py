"""The scorer behind two data pins, so that a device with fewer pins than a beat has bits can hold it.

For place and route alone: the clock that is reached is the scorer's, because everything around it is a register.
"""

from __future__ import annotations

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwsim.ir.arch.semsearch import HammingArch
from rtl.semsearch.scorer import build

LUT = 4  # inputs of a look-up table: the parity is taken in steps of so many


class FewPins(wiring.Component):
    """A shift register feeds every used input of the scorer; its outputs meet in one bit, a register on both sides.

    Ports:
        d: In(1): next bit of the shift register.   q: Out(1): parity of all outputs, three edges later.
        clk, rst: as the scorer's.
    """

    def __init__(self, arch: HammingArch) -> None:
        self.arch = arch
        super().__init__({"d": In(1), "q": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.scorer = scorer = build(self.arch)
        used = self.arch.beat_bits + 2  # lanes and flags
        shift = Signal(used + 2, reset_less=True)
        seen = Cat(scorer.out.valid, scorer.inp.ready, scorer.out.payload.as_value())
        held = Signal(len(seen), reset_less=True)
        parts = Signal(-(-len(seen) // LUT), reset_less=True)
        m.d.sync += [shift.eq(Cat(self.d, shift)), held.eq(seen), self.q.eq(parts.xor())]
        m.d.sync += parts.eq(Cat(held[i : i + LUT].xor() for i in range(0, len(seen), LUT)))
        m.d.comb += [
            scorer.inp.payload.as_value().eq(shift[:used]),
            scorer.inp.valid.eq(shift[used]),
            scorer.out.ready.eq(shift[used + 1]),
        ]
        return m
