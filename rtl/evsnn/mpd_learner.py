"""Learning of clocked nets: UPDATE of each layer, step by step back in time.

A step is `back` (a cycle), `own` (a spike of the layer a cycle: its error goes into its neuron's lane; and one cycle to
see that the next is of an earlier step), `update` (the events of the step; and one cycle, as before), `settle` (five
cycles, until what the last event changed is in its memories).

The error of an event, stages 4 to 6 of its last cycle:   e = sat(round(round(err / 2^s)·h / 2^8)), 0 if below the skip.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from amaranth import Module, Mux, Signal, Value, signed

from rtl.evsnn.clocked_plan import SLOPE_UNIT
from rtl.evsnn.learn import rounded
from rtl.evsnn.learner import Learner
from rtl.evsnn.plan import pick
from rtl.evsnn.ram import Ram

if TYPE_CHECKING:
    from rtl.evsnn.clocked_core import ClockedCore

SETTLE = 5


class MpdLearner(Learner):
    """SOFTMAX, UPDATE, UPDATE …"""

    core: ClockedCore

    def __init__(self, core: ClockedCore) -> None:
        super().__init__(core)
        self.own = Signal.like(core.at)  # one past the latest spike of the layer that has not been met

    def begin(self, m: Module, layer: Value) -> None:
        core = self.core
        m.d.sync += [
            self.own.eq(pick(layer, [*core.stops[1:], core.stops[-1]])), core.time.eq(self.plan.steps - 1),
            self.some.eq(0), core.phase.enter("back"),
        ]  # fmt: skip

    def replay(self, m: Module) -> None:
        core, phase = self.core, self.core.phase
        m.d.comb += self.load.eq(phase["own"] & (self.own != pick(core.layer, core.stops)) & core.now)
        self.step(m, phase["update"] & (core.at != core.stop) & core.now)
        with m.If(phase["back"]):
            m.d.comb += core.log.read_at.eq(self.own - 1)
            m.d.sync += phase.enter("own")
        with m.If(phase["own"]):
            m.d.comb += core.log.read_at.eq(Mux(self.load, self.own - 2, core.at - 1))
            with m.If(self.load):
                m.d.sync += self.own.eq(self.own - 1)
            with m.Else():
                m.d.sync += phase.enter("update")
        with m.If(phase["update"]):
            m.d.comb += core.log.read_at.eq(core.at - 1 - self.last)
            with m.If(~self.issue):
                m.d.sync += phase.enter("settle")
        with m.If(phase["settle"]):
            m.d.sync += core.drain.eq(core.drain + 1)
            with m.If(core.drain == SETTLE - 1):
                m.d.sync += [core.drain.eq(0), core.time.eq(core.time - 1), phase.enter("back")]
                m.d.comb += self.ended.eq(core.time == 0)
        with m.If(self.ended):
            m.d.sync += core.layer.eq(core.layer - 1)
            self.begin_update(m, core.layer - 1, self.some | self.found)
            with m.If(core.layer == 0):
                m.d.comb += core.finish.eq(1)
        for lane in core.lanes:
            m.d.comb += lane.time.eq(core.time)

    def errors(self, m: Module, platform: object) -> None:
        core, log = self.core, self.core.log
        ram = Ram(m, "errs", self.plan.error_bits, self.log_depth, platform)
        e, whole, place = self._spike_error(m)
        m.d.comb += [
            ram.write_at.eq(place), ram.written.eq(e), ram.write.eq(whole),
            ram.read_at.eq(log.read_at[: len(ram.read_at)]),
            self.load_at.eq(log.read_address), self.load_e.eq(ram.read), self.load_tick.eq(core.time),
            self.load_active.eq(ram.read.any()),
            self.found.eq((self.softmax.write & self.softmax.active) | (whole & e.any())),
        ]  # fmt: skip

    def _spike_error(self, m: Module) -> tuple[Signal, Signal, Signal]:
        """e at stage 6, whether it is there, and its place in the log."""
        core, plan = self.core, self.plan
        total, whole, place = self.sums(m, core.lanes[0].last_stage)
        slope: Value = core.value[: SLOPE_UNIT + 1]
        for stage in range(2, 6):
            late = Signal(SLOPE_UNIT + 1, name=f"slope_{stage}")
            m.d.sync += late.eq(slope)
            slope = late
        err, e = Signal.like(total), Signal(signed(plan.error_bits))
        product = Signal(signed(plan.err_bits(1) + SLOPE_UNIT + 2))
        wholes, places = (
            [Signal(name=f"whole_{k}") for k in (5, 6)],
            [Signal(self.log_index, name=f"at_{k}") for k in (5, 6)],
        )
        m.d.sync += [
            err.eq(total), product.eq(pick(core.layer, [rounded(err, p.err_shift) for p in plan.layers]) * slope),
            wholes[0].eq(whole), wholes[1].eq(wholes[0]), places[0].eq(place), places[1].eq(places[0]),
        ]  # fmt: skip
        found, limit, skip = rounded(product, SLOPE_UNIT), plan.limit, plan.learning.skip_below
        clipped = Mux(found > limit, limit, Mux(found < -limit, -limit, found))
        m.d.comb += e.eq(Mux((clipped >= skip) | (clipped <= -skip), clipped, 0))
        return e, wholes[1], places[1]
