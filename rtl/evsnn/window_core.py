"""The core for window nets: STD-ED."""

from __future__ import annotations

from amaranth import Cat, Module, Mux, Signal

from rtl.evsnn.core import Core
from rtl.evsnn.fire import FireUnit
from rtl.evsnn.phases import STD
from rtl.evsnn.std_learner import StdLearner
from rtl.evsnn.window_lane import WindowLane
from rtl.evsnn.window_plan import WindowPlan


class WindowCore(Core):
    """Every neuron fires once, against the falling threshold; ERRORS of a layer comes before its UPDATE."""

    names = STD
    plan: WindowPlan
    lanes: list[WindowLane]

    def make_lanes(self) -> list[WindowLane]:
        return [WindowLane(self.plan, index) for index in range(self.plan.lanes)]

    def make_learner(self) -> StdLearner:
        return StdLearner(self)

    def read_log(self, m: Module) -> None:
        tick = self.log.read_tick
        self.waiting, self.event = self.at != self.stop, self.log.read_address
        m.d.comb += self.log.read_at.eq(Mux(self.phase["update"], self.at - 1, self.at))
        m.d.sync += self.factor.eq(Mux(self.readout, 2 * self.plan.steps - tick, tick))

    def fire_layer(self, m: Module) -> None:
        """FIRE, and a cycle in which the next layer's log gets its end."""
        plan, phase = self.plan, self.phase
        m.submodules.firing = fire = FireUnit(plan)
        state_at = Signal(range(plan.state_words))
        m.d.comb += [
            fire.start.eq(phase["setup"]), fire.run.eq(phase["fire"]), fire.word.eq(self.word),
            fire.last_word.eq(self.last_word), fire.will.eq(Cat(lane.will for lane in self.lanes)),
            fire.reached.eq(Cat(lane.reached for lane in self.lanes)), fire.mask.eq(self.mask),
            self.advance.eq(fire.advance),
            self.counters.neuron_access.eq(Mux(fire.tick_end, self.constant([p.n for p in plan.layers]), 0)),
            state_at.eq(self.constant([layer.state for layer in plan.layers])
                        + Mux(phase["errors"], self.log.read_address >> plan.lane_bits, self.here)),
        ]  # fmt: skip
        for lane in self.lanes:
            m.d.comb += [lane.first.eq(fire.first), lane.state_at.eq(state_at)]
        self.log_spike(m, fire.fired, fire.lane, fire.tick)
        with m.If(fire.done):
            m.d.sync += phase.enter("turn")
        with m.If(phase["turn"]):
            self.next_layer(m)
