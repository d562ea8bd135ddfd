"""The core for clocked nets: if and lif neurons, MPD-ED."""

from __future__ import annotations

from amaranth import Cat, Module, Mux, Signal

from rtl.evsnn.clocked_lane import ClockedLane
from rtl.evsnn.clocked_plan import ClockedPlan
from rtl.evsnn.core import Core
from rtl.evsnn.fire import Serving
from rtl.evsnn.mpd_learner import MpdLearner
from rtl.evsnn.phases import MPD
from rtl.lib.popcount import Popcount


class ClockedCore(Core):
    """A layer goes step by step: INTEGRATE the events of the step, then FIRE.

    The log is read a cycle ahead, so that its word says in the cycle of issue whether the event belongs to the step.
    """

    names = MPD
    plan: ClockedPlan
    lanes: list[ClockedLane]

    def make_lanes(self) -> list[ClockedLane]:
        return [ClockedLane(self.plan, index) for index in range(self.plan.lanes)]

    def make_learner(self) -> MpdLearner:
        return MpdLearner(self)

    def read_log(self, m: Module) -> None:
        log, address = self.log, Signal(self.plan.address_bits)
        self.value, self.time = Signal(self.plan.factor_shape), Signal(self.plan.tick_bits)  # of `event`; step
        self.now = log.read_tick == self.time  # the log's word is of this step
        self.waiting, self.event = (self.at != self.stop) & (self.readout | self.now), address
        m.d.comb += log.read_at.eq(self.at + (self.issue & self.last_word))
        m.d.sync += [
            address.eq(log.read_address), self.value.eq(log.read_value),
            self.factor.eq(Mux(self.layer == 0, self.value, 1)),
        ]  # fmt: skip

    def fire_layer(self, m: Module) -> None:
        """FIRE of a step, and a cycle in which the next step begins or the next layer's log gets its end."""
        plan, phase = self.plan, self.phase
        m.submodules.serving = serving = Serving(plan.lanes)
        m.submodules.busy = busy = Popcount(plan.lanes).create()
        end = Signal()
        m.d.comb += [
            serving.start.eq(phase["setup"]), serving.run.eq(phase["fire"]), self.advance.eq(serving.advance),
            serving.crossed.eq(Cat(lane.reached for lane in self.lanes) & self.mask),
            busy.bits.eq(Cat(lane.busy for lane in self.lanes) & self.mask),
            self.counters.neuron_update.eq(Mux(self.advance, busy.count, 0)), end.eq(self.advance & self.last_word),
            self.counters.neuron_access.eq(Mux(end, self.constant([p.n for p in plan.layers]), 0)),
        ]  # fmt: skip
        self.log_spike(m, serving.fired, serving.lane, self.time)
        if plan.rule is not None:
            slope = self.of_lane([lane.slope for lane in self.lanes], serving.lane)
            with m.If(serving.fired):
                m.d.comb += self.log.value.eq(slope)
        with m.If(phase["setup"]):
            m.d.sync += self.time.eq(0)
        with m.If(end):
            m.d.sync += phase.enter("turn")
        with m.If(phase["turn"]):
            m.d.sync += [self.time.eq(self.time + 1), self.drain.eq(0), phase.enter("integrate")]
            with m.If(self.time == plan.steps - 1):
                self.next_layer(m)
