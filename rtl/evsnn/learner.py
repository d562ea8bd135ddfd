"""The learning phases of the core: SOFTMAX, UPDATE, ERRORS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amaranth import Cat, Module, Mux, Signal, Value, signed

from rtl.evsnn.learn import HiddenErrors, Softmax
from rtl.evsnn.plan import pick
from rtl.evsnn.ram import Ram

if TYPE_CHECKING:
    from rtl.evsnn.core import Core

UPDATE_DRAIN, ERROR_DRAIN = 3, 4


class Learner:
    """Adds the learning phases to a core while it elaborates."""

    def __init__(self, core: Core) -> None:
        self.core, self.plan = core, core.plan
        self.some = Signal()  # a neuron of the layer is active
        self.fresh, self.issue = Signal(), Signal()  # UPDATE: an event begins; a step of it
        self.at_1 = Signal.like(core.at)
        self.write, self.active = Signal(), Signal()

    def elaborate(self, m: Module, platform: object) -> None:
        """Write all of it into the core's module."""
        m.submodules.softmax, m.submodules.hidden = Softmax(self.plan), HiddenErrors(self.plan)
        self.softmax, self.hidden = m.submodules.softmax, m.submodules.hidden
        with m.If(self.write & self.active):
            m.d.sync += self.some.eq(1)
        self._soften(m)
        self._update(m)
        self._errors(m, self._sums(m, platform))
        self._lanes(m)

    def _begin_update(self, m: Module, anything: Value) -> None:
        """UPDATE of the layer, or the end of learning."""
        core = self.core
        m.d.sync += [
            core.at.eq(pick(core.layer, core.stops)), core.stop.eq(core.start_of(core.layer)), core.drain.eq(0),
            self.fresh.eq(1), core.phase.enter("update"),
        ]  # fmt: skip
        with m.If(~anything):
            m.d.comb += core.finish.eq(1)

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
            self._begin_update(m, self.some | soft.active)

    def _update(self, m: Module) -> None:
        core, phase = self.core, self.core.phase
        more = Cat(lane.more for lane in core.lanes).any()
        self.last = Signal()
        m.d.comb += [self.issue.eq(phase["update"] & (core.at != core.stop)), self.last.eq(self.issue & ~more)]
        with m.If(self.issue):
            m.d.sync += [self.fresh.eq(self.last), core.at.eq(core.at - self.last)]
        with m.If(phase["update"] & ~self.issue):
            m.d.sync += core.drain.eq(core.drain + 1)
            with m.If(core.drain == UPDATE_DRAIN - 1):
                m.d.sync += [
                    core.layer.eq(core.layer - 1), core.at.eq(core.start_of(core.layer)), core.drain.eq(0),
                    core.stop.eq(pick(core.layer, core.stops)), self.some.eq(0), phase.enter("errors"),
                ]  # fmt: skip
                with m.If(core.layer == 0):
                    m.d.comb += core.finish.eq(1)

    def _sums(self, m: Module, platform: object) -> Value:
        """err_i of UPDATE into a memory; what it holds for the spike at `at`, a cycle later."""
        core, depth = self.core, max(2, self.plan.arch.log_depth)
        total = Signal(signed(self.plan.err_bits(0)))
        held = Signal.like(total)
        ram = Ram(m, "errs", len(total), depth, platform)
        late: dict[str, Value] = {"live": self.issue, "fresh": self.fresh, "last": self.last, "place": core.at - 1}
        for stage in (1, 2, 3):
            for name, value in late.items():
                late[name] = register = Signal(len(ram.write_at) if name == "place" else 1, name=f"{name}_{stage}")
                m.d.sync += register.eq(value)
        parts: list[Value] = [Mux(late["fresh"], 0, held), *(lane.back for lane in core.lanes)]
        while len(parts) > 1:
            parts = [a + b for a, b in zip(parts[::2], parts[1::2], strict=False)] + parts[len(parts) & ~1 :]
        m.d.comb += [
            total.eq(parts[0]), ram.write_at.eq(late["place"]), ram.written.eq(total), ram.write.eq(late["last"]),
            ram.read_at.eq(core.at[: len(ram.read_at)]),
        ]  # fmt: skip
        with m.If(late["live"]):
            m.d.sync += held.eq(total)
        return ram.read.as_signed()

    def _errors(self, m: Module, err: Value) -> None:
        core, hidden, phase = self.core, self.hidden, self.core.phase
        issue, live = Signal(), Signal()
        neuron = core.log.read_address
        m.d.comb += [
            issue.eq(phase["errors"] & (core.at != core.stop)), hidden.live.eq(live), hidden.layer.eq(core.layer),
            hidden.err.eq(err), hidden.neuron.eq(neuron), hidden.tick.eq(core.log.read_tick),
            hidden.sum.eq(core.of_lane([lane.sum for lane in core.lanes], neuron)),
        ]  # fmt: skip
        m.d.sync += live.eq(issue)
        with m.If(issue):
            m.d.sync += core.at.eq(core.at + 1)
        with m.If(phase["errors"] & ~issue):
            m.d.sync += core.drain.eq(core.drain + 1)
            with m.If(core.drain == ERROR_DRAIN - 1):
                self._begin_update(m, self.some | (hidden.write & hidden.active))

    def _lanes(self, m: Module) -> None:
        """Errors into the lanes, and what a step of UPDATE needs."""
        core, plan, soft, hidden = self.core, self.plan, self.softmax, self.hidden
        from_hidden, place = core.phase["errors"], Signal(plan.address_bits)
        m.d.comb += [
            self.write.eq(soft.write | hidden.write), place.eq(Mux(from_hidden, hidden.at, soft.index)),
            self.active.eq(Mux(from_hidden, hidden.active, soft.active)),
        ]  # fmt: skip
        reach = Mux(core.readout, 2 * plan.steps, plan.steps)
        forget = core.phase["sum"] | (core.phase["update"] & (core.drain == UPDATE_DRAIN - 1))
        for index, lane in enumerate(core.lanes):
            m.d.comb += [
                lane.forget.eq(forget), lane.error_write.eq(self.write & core.is_lane(index, place)),
                lane.error_at.eq(place >> plan.lane_bits), lane.error.eq(Mux(from_hidden, hidden.e, soft.e)),
                lane.error_tick.eq(Mux(from_hidden, hidden.e_tick, 0)), lane.error_active.eq(self.active),
                lane.issue.eq(self.issue), lane.restart.eq(self.fresh), lane.own.eq(core.phase["update"]),
                lane.base.eq(reach - core.log.read_tick),
            ]  # fmt: skip
        touched = [lane.touched for lane in core.lanes]
        total: Value = touched[0]
        for bit in touched[1:]:
            total = total + bit
        m.d.comb += core.counters.err_pair.eq(total)
