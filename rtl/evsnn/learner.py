"""The learning phases that both cores have: SOFTMAX, and the lanes' work in UPDATE."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING

from amaranth import Cat, Module, Mux, Signal, Value, signed

from rtl.evsnn.learn import Softmax
from rtl.evsnn.plan import pick

if TYPE_CHECKING:
    from rtl.evsnn.core import Core


class Learner(abc.ABC):
    """Adds the learning phases to a core while it elaborates.

    Attributes:
        some: the layer that comes next has an error.   found: one of them is found in this cycle.
        issue, fresh, last: a step of UPDATE; an event's first; its last.
        load, load_at, load_e, load_tick, load_active: an error goes to its neuron's lane.
        ended: the last cycle of a layer's UPDATE.
    """

    def __init__(self, core: Core) -> None:
        self.core, self.plan = core, core.plan
        self.some, self.found, self.ended = Signal(), Signal(), Signal()
        self.fresh, self.issue, self.last = Signal(), Signal(), Signal()
        self.load, self.load_at, self.load_active = Signal(), Signal(self.plan.address_bits), Signal()
        self.load_e, self.load_tick = Signal(signed(self.plan.error_bits)), Signal(self.plan.tick_bits)
        self.softmax = Softmax(self.plan)

    def elaborate(self, m: Module, platform: object) -> None:
        """Write all of it into the core's module."""
        m.submodules.softmax = self.softmax
        with m.If(self.found):
            m.d.sync += self.some.eq(1)
        self._soften(m)
        self.replay(m)
        self.errors(m, platform)
        self._lanes(m)

    @abc.abstractmethod
    def begin(self, m: Module, layer: Value) -> None:
        """UPDATE of a layer comes next."""

    @abc.abstractmethod
    def replay(self, m: Module) -> None:
        """UPDATE: drives `issue`, `last` and `ended`."""

    @abc.abstractmethod
    def errors(self, m: Module, platform: object) -> None:
        """From the errors of events to those of neurons: drives `load` … and `found` beside the softmax's."""

    def begin_update(self, m: Module, layer: Value, anything: Value) -> None:
        """UPDATE of a layer, or the end of learning."""
        core = self.core
        m.d.sync += [
            core.at.eq(pick(layer, core.stops)), core.stop.eq(core.start_of(layer)), core.drain.eq(0), self.fresh.eq(1),
        ]  # fmt: skip
        self.begin(m, layer)
        with m.If(~anything):
            m.d.comb += core.finish.eq(1)

    def step(self, m: Module, issue: Value) -> None:
        """A cycle of UPDATE: every lane takes its next active word."""
        core = self.core
        more = Cat(lane.more for lane in core.lanes).any()
        m.d.comb += [self.issue.eq(issue), self.last.eq(self.issue & ~more)]
        with m.If(self.issue):
            m.d.sync += [self.fresh.eq(self.last), core.at.eq(core.at - self.last)]

    def sums(self, m: Module, stages: int) -> tuple[Signal, Value, Value]:
        """err_i at the lanes' last stage; whether it is all of it; and the event's place in the log."""
        total = Signal(signed(self.plan.err_bits(0)), name="err_total")
        held = Signal.like(total)
        late: dict[str, Value] = {"live": self.issue, "fresh": self.fresh, "last": self.last}
        place: Value = self.core.at - 1
        for stage in range(1, stages + 1):
            for name, value in late.items():
                late[name] = register = Signal(name=f"{name}_{stage}")
                m.d.sync += register.eq(value)
            there = Signal(self.log_index, name=f"place_{stage}")
            m.d.sync += there.eq(place)
            place = there
        parts: list[Value] = [Mux(late["fresh"], 0, held), *(lane.back for lane in self.core.lanes)]
        while len(parts) > 1:
            parts = [a + b for a, b in zip(parts[::2], parts[1::2], strict=False)] + parts[len(parts) & ~1 :]
        m.d.comb += total.eq(parts[0])
        with m.If(late["live"]):
            m.d.sync += held.eq(total)
        return total, late["last"], place

    @property
    def log_depth(self) -> int:
        return max(2, self.plan.arch.log_depth)

    @property
    def log_index(self) -> int:
        """Width of a place in the log."""
        return (self.log_depth - 1).bit_length()

    def _soften(self, m: Module) -> None:
        core, soft, phase = self.core, self.softmax, self.core.phase
        m.d.comb += [
            soft.summing.eq(phase["sum"]), soft.dividing.eq(phase["divide"]), soft.z.eq(core.z), soft.top.eq(core.top),
            soft.label.eq(core.label),
        ]  # fmt: skip
        with m.If(phase["sum"]):
            m.d.comb += core.class_index.eq(soft.index)
            m.d.sync += self.some.eq(0)
        with m.If(soft.summed):
            m.d.sync += phase.enter("divide")
        with m.If(soft.done):
            self.begin_update(m, core.layer, self.some | soft.active)

    def _lanes(self, m: Module) -> None:
        """Errors into the lanes, and what a step of UPDATE needs."""
        core, plan, soft = self.core, self.plan, self.softmax
        place = Signal(plan.address_bits)
        m.d.comb += place.eq(Mux(self.load, self.load_at, soft.index))
        for index, lane in enumerate(core.lanes):
            m.d.comb += [
                lane.forget.eq(core.phase["sum"] | self.ended),
                lane.error_write.eq((soft.write | self.load) & core.is_lane(index, place)),
                lane.error_at.eq(place >> plan.lane_bits), lane.error.eq(Mux(self.load, self.load_e, soft.e)),
                lane.error_tick.eq(Mux(self.load, self.load_tick, 0)),
                lane.error_active.eq(Mux(self.load, self.load_active, soft.active)),
                lane.issue.eq(self.issue), lane.restart.eq(self.fresh), lane.own.eq(core.phase["update"]),
            ]  # fmt: skip
        touched = [lane.touched for lane in core.lanes]
        total: Value = touched[0]
        for bit in touched[1:]:
            total = total + bit
        m.d.comb += core.counters.err_pair.eq(total)
