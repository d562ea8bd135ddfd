"""FIRE: tick after tick, word after word, fired lanes one a cycle, lowest first."""

from __future__ import annotations

from amaranth import Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from rtl.evsnn.window_plan import WindowPlan
from rtl.lib.popcount import Popcount


class Serving(wiring.Component):
    """The fired lanes of a word, one a cycle, lowest first; a word without one takes a cycle too.

    Ports:
        start: a word comes next.   run: a cycle of the phase.   crossed: fired lanes, in every cycle of a word.
        fresh: the word's first cycle.   fired, lane: one of them.   advance: the word's last cycle.
    """

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        super().__init__({
            "start": In(1), "run": In(1), "crossed": In(lanes), "fresh": Out(1), "fired": Out(1),
            "lane": Out(range(max(2, lanes))), "advance": Out(1),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m, lanes = Module(), self.lanes
        served, rest, others = Signal(lanes), Signal(lanes), Signal(lanes)
        m.d.comb += [
            rest.eq(self.crossed & ~served), others.eq(rest & (rest - 1)), self.fresh.eq(~served.any()),
            self.fired.eq(self.run & rest.any()), self.advance.eq(self.run & ~others.any()),
        ]  # fmt: skip
        for lane in reversed(range(lanes)):
            with m.If(rest[lane]):
                m.d.comb += self.lane.eq(lane)
        with m.If(self.run):
            m.d.sync += served.eq(Mux(self.advance, 0, served | (rest & ~others)))
        with m.If(self.start):
            m.d.sync += served.eq(0)
        return m


class FireUnit(wiring.Component):
    """Which window neurons fire, and when the phase may end.

    In tick 0 every lane says whether its neuron will fire at all; those that have not yet are *pending*. After the tick
    in which none is left the phase ends.

    Ports:
        start: tick 0 comes next.   run: a cycle of the phase.   word, last_word: visited, and whether it is the last.
        will, reached: of all lanes.   mask: lanes that hold a neuron of the word.
        first: tick 0.   advance: the word's last cycle.   fired, lane, tick: a neuron fires.
        tick_end, done: the tick's last cycle; the phase's.
    """

    def __init__(self, plan: WindowPlan) -> None:
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
        m.submodules.serving = serving = Serving(lanes)
        pending, crossed = Signal(lanes), Signal(lanes)
        waiting, left = Signal(range(plan.max_words * lanes + 1)), Signal(range(plan.max_words * lanes + 1))
        m.d.comb += [
            reader.addr.eq(self.word), self.first.eq(self.tick == 0),
            pending.eq(Mux(self.first, self.will & self.mask, reader.data)), crossed.eq(pending & self.reached),
            serving.start.eq(self.start), serving.run.eq(self.run), serving.crossed.eq(crossed),
            self.fired.eq(serving.fired), self.lane.eq(serving.lane), self.advance.eq(serving.advance),
            count.bits.eq(pending),
            left.eq(waiting + Mux(self.first & serving.fresh, count.count, 0) - self.fired),
            self.tick_end.eq(self.advance & self.last_word), self.done.eq(self.tick_end & (left == 0)),
            writer.addr.eq(self.word), writer.data.eq(pending & ~crossed), writer.en.eq(self.advance),
        ]  # fmt: skip
        with m.If(self.run):
            m.d.sync += waiting.eq(left)
        with m.If(self.tick_end):
            m.d.sync += self.tick.eq(self.tick + 1)
        with m.If(self.start):
            m.d.sync += [self.tick.eq(0), waiting.eq(0)]
        return m
