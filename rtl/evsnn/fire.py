"""FIRE of window neurons: tick after tick, word after word, fired lanes one a cycle, lowest first."""

from __future__ import annotations

from amaranth import Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from rtl.evsnn.plan import Plan
from rtl.lib.popcount import Popcount


class FireUnit(wiring.Component):
    """Which neurons fire, and when the phase may end.

    In tick 0 every lane says whether its neuron will fire at all; those that have not yet are *pending*. After the tick
    in which none is left the phase ends.

    Ports:
        start: tick 0 comes next.   run: a cycle of the phase.   word, last_word: visited, and whether it is the last.
        will, reached: of all lanes.   mask: lanes that hold a neuron of the word.
        first: tick 0.   advance: the word's last cycle.   fired, lane, tick: a neuron fires.
        tick_end, done: the tick's last cycle; the phase's.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        lanes = plan.lanes
        super().__init__({
            "start": In(1), "run": In(1), "word": In(range(plan.max_words)), "last_word": In(1), "will": In(lanes),
            "reached": In(lanes), "mask": In(lanes), "first": Out(1), "advance": Out(1), "fired": Out(1),
            "lane": Out(range(max(2, lanes))), "tick": Out(plan.tick_bits), "tick_end": Out(1), "done": Out(1),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m, plan, lanes = Module(), self.plan, self.plan.lanes
        m.submodules.pending = store = memory.Memory(
            shape=lanes, depth=plan.max_words, init=[], attrs={"ram_style": "distributed"}
        )
        reader, writer = store.read_port(domain="comb"), store.write_port()
        m.submodules.count = count = Popcount(lanes).create()
        pending, crossed, served, rest = Signal(lanes), Signal(lanes), Signal(lanes), Signal(lanes)
        others = Signal(lanes)
        waiting, left = Signal(range(plan.max_words * lanes + 1)), Signal(range(plan.max_words * lanes + 1))
        m.d.comb += [
            reader.addr.eq(self.word), self.first.eq(self.tick == 0),
            pending.eq(Mux(self.first, self.will & self.mask, reader.data)),
            crossed.eq(pending & self.reached), rest.eq(crossed & ~served), others.eq(rest & (rest - 1)),
            self.fired.eq(self.run & rest.any()), self.advance.eq(self.run & ~others.any()),
            count.bits.eq(pending),
            left.eq(waiting + Mux(self.first & ~served.any(), count.count, 0) - self.fired),
            self.tick_end.eq(self.advance & self.last_word), self.done.eq(self.tick_end & (left == 0)),
            writer.addr.eq(self.word), writer.data.eq(pending & ~crossed), writer.en.eq(self.advance),
        ]  # fmt: skip
        for lane in reversed(range(lanes)):
            with m.If(rest[lane]):
                m.d.comb += self.lane.eq(lane)
        with m.If(self.run):
            m.d.sync += [waiting.eq(left), served.eq(Mux(self.advance, 0, served | (rest & ~others)))]
        with m.If(self.tick_end):
            m.d.sync += self.tick.eq(self.tick + 1)
        with m.If(self.start):
            m.d.sync += [self.tick.eq(0), waiting.eq(0), served.eq(0)]
        return m
