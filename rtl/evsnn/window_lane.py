"""A lane of window neurons.

    S += w,   M += w·t  or  z += w·(2T − t);      D = T·S − M − T·2^f  in the first tick,  D += S + 2^f  in every tick

Learning, stage 2: e·P, (W >> 8)·e, the random state steps; stage 3: W ← sat16(W + ⌊(e·P + r) / 2^lr⌋).
"""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal, Value, signed
from amaranth.lib.wiring import In, Out

from rtl.evsnn.lane import Lane
from rtl.evsnn.plan import pick
from rtl.evsnn.window_plan import WindowPlan


class WindowLane(Lane):
    """S, M, D and z of window neurons; P = base + t_j.

    Ports beside those of `Lane`:
        state_at, sum: word of S, and S.   first: the first tick.   will, reached: fires at all; D ≥ 0.
        base: P − t_j.   back: (W >> 8)·e of stage 3.
    """

    plan: WindowPlan
    last_stage = 3

    def neuron_ports(self) -> dict[str, Any]:
        plan = self.plan
        return {
            "state_at": In(range(plan.state_words)), "sum": Out(signed(plan.sum_bits)), "first": In(1), "will": Out(1),
            "reached": Out(1),
        }  # fmt: skip

    def learning_ports(self) -> dict[str, Any]:
        return {"base": In(self.plan.step_bits + 2), "back": Out(signed(self.plan.error_bits + 8))}

    def neuron(self, m: Module) -> None:
        plan, k = self.plan, self.plan.step_bits
        acc_write = self.memory(m, "accumulators", self.acc_at, self.acc, plan.max_words)
        sum_write = self.memory(m, "sums", self.state_at, self.sum, plan.state_words)
        one = pick(self.layer, [1 << p.fraction for p in plan.layers])
        w = Signal(signed(8))
        slope, start, d = Signal(signed(plan.slope_bits)), Signal.like(self.acc), Signal.like(self.acc)
        end = Signal.like(self.acc)
        m.d.comb += [
            w.eq(self.weight[-8:].as_signed()),
            slope.eq(self.sum + one),
            start.eq((self.sum << k) - self.acc - (one << k)),
            end.eq((self.sum << (k + 1)) - self.sum - self.acc - one),  # D of the last tick
            self.will.eq(~start[-1] | ~end[-1]),
            d.eq(Mux(self.first, start, self.acc)),
            self.reached.eq(~d[-1]),
            acc_write.en.eq(self.clear | self.add | self.fire),
            acc_write.data.eq(Mux(self.fire, d + slope, self.acc + w * self.factor)),
            sum_write.en.eq((self.clear | self.add) & ~self.readout),
            sum_write.data.eq(self.sum + w),
        ]
        with m.If(self.clear):
            m.d.comb += [acc_write.data.eq(Mux(self.readout, self.bias(), 0)), sum_write.data.eq(0)]

    def change(self, m: Module, at_1: Signal, live: list[Signal]) -> Value:
        held, tick = self.held_error(m, at_1)
        e, factor = Signal(signed(self.plan.error_bits)), Signal(self.plan.step_bits + 2)
        m.d.sync += [
            e.eq(held), factor.eq(self.base + tick), self.back.eq(Mux(live[1], self.weight[-8:].as_signed() * e, 0))
        ]  # fmt: skip
        return self.moved(m, e, factor, self.weight, live[1])
