"""Learning of window nets: UPDATE of a layer, then ERRORS of the one below from those of its spikes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amaranth import Module, Mux, Signal, Value

from rtl.evsnn.learn import HiddenErrors
from rtl.evsnn.learner import Learner
from rtl.evsnn.plan import pick
from rtl.evsnn.ram import Ram

if TYPE_CHECKING:
    from rtl.evsnn.window_core import WindowCore

UPDATE_DRAIN, ERROR_DRAIN = 3, 4


class StdLearner(Learner):
    """SOFTMAX, UPDATE, ERRORS, UPDATE …"""

    core: WindowCore

    def begin(self, m: Module, layer: Value) -> None:
        m.d.sync += self.core.phase.enter("update")

    def replay(self, m: Module) -> None:
        core, phase = self.core, self.core.phase
        self.step(m, phase["update"] & (core.at != core.stop))
        with m.If(phase["update"] & ~self.issue):
            m.d.sync += core.drain.eq(core.drain + 1)
            with m.If(core.drain == UPDATE_DRAIN - 1):
                m.d.comb += self.ended.eq(1)
                m.d.sync += [
                    core.layer.eq(core.layer - 1), core.at.eq(core.start_of(core.layer)), core.drain.eq(0),
                    core.stop.eq(pick(core.layer, core.stops)), self.some.eq(0), phase.enter("errors"),
                ]  # fmt: skip
                with m.If(core.layer == 0):
                    m.d.comb += core.finish.eq(1)
        reach = Mux(core.readout, 2 * self.plan.steps, self.plan.steps)
        for lane in core.lanes:
            m.d.comb += lane.base.eq(reach - core.log.read_tick)

    def errors(self, m: Module, platform: object) -> None:
        core, phase, log = self.core, self.core.phase, self.core.log
        m.submodules.hidden = hidden = HiddenErrors(core.plan)
        total, whole, place = self.sums(m, core.lanes[0].last_stage)
        ram = Ram(m, "errs", len(total), self.log_depth, platform)
        issue, live = Signal(), Signal()
        m.d.comb += [
            ram.write_at.eq(place), ram.written.eq(total), ram.write.eq(whole),
            ram.read_at.eq(core.at[: len(ram.read_at)]),
            issue.eq(phase["errors"] & (core.at != core.stop)), hidden.live.eq(live), hidden.layer.eq(core.layer),
            hidden.err.eq(ram.read.as_signed()), hidden.neuron.eq(log.read_address), hidden.tick.eq(log.read_tick),
            hidden.sum.eq(core.of_lane([lane.sum for lane in core.lanes], log.read_address)),
            self.load.eq(hidden.write), self.load_at.eq(hidden.at), self.load_e.eq(hidden.e),
            self.load_tick.eq(hidden.e_tick), self.load_active.eq(hidden.active),
            self.found.eq((self.softmax.write & self.softmax.active) | (hidden.write & hidden.active)),
        ]  # fmt: skip
        m.d.sync += live.eq(issue)
        with m.If(issue):
            m.d.sync += core.at.eq(core.at + 1)
        with m.If(phase["errors"] & ~issue):
            m.d.sync += core.drain.eq(core.drain + 1)
            with m.If(core.drain == ERROR_DRAIN - 1):
                self.begin_update(m, core.layer, self.some | (hidden.write & hidden.active))
