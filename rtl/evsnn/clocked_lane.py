"""A lane of if and lif neurons.

    a += w·x  (z += w·x in the readout);      v ← sat(dec(v) + b + a),  a ← 0,  v ← 0 if it fires

Learning, stage 2: e·trace; stage 3: e·trace·x, (W >> 8)·e·trace, the random state steps; stage 4:
W ← sat16(W + ⌊(e·trace·x + r) / 2^lr⌋).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from amaranth import Const, Module, Mux, Signal, Value, signed
from amaranth.lib import memory
from amaranth.lib.wiring import In, Out

from hwsim.ir.populations import Population
from rtl.evsnn.clocked_plan import SLOPE_UNIT, ClockedPlan
from rtl.evsnn.lane import Lane
from rtl.evsnn.plan import SHADOW_BITS, pick


class ClockedLane(Lane):
    """a, v and z of clocked neurons.

    Ports beside those of `Lane`:
        reached: v is above the threshold in this step.   busy: v, a or b is not 0.
        A lane that learns: slope: h of the neuron.   time: t.   back: (W >> 8)·e·trace of stage 4.
    """

    plan: ClockedPlan
    last_stage = 4

    def neuron_ports(self) -> dict[str, Any]:
        return {"reached": Out(1), "busy": Out(1)}

    def learning_ports(self) -> dict[str, Any]:
        plan = self.plan
        return {
            "time": In(plan.tick_bits), "slope": Out(SLOPE_UNIT + 1),
            "back": Out(signed(plan.error_bits + plan.trace_bits + 9)),
        }  # fmt: skip

    def neuron(self, m: Module) -> None:
        plan = self.plan
        acc_write = self.memory(m, "accumulators", self.acc_at, self.acc, plan.max_words)
        m.d.comb += [
            acc_write.en.eq(self.clear | self.add | self.fire),
            acc_write.data.eq(Mux(self.fire, 0, self.acc + self.weight[-8:].as_signed() * self.factor)),
        ]
        with m.If(self.clear):
            m.d.comb += acc_write.data.eq(Mux(self.readout, self.bias(), 0))
        if plan.spiking:
            self._membrane(m)

    def _membrane(self, m: Module) -> None:
        plan = self.plan
        v, new, theta = (Signal(signed(plan.v_bits), name=name) for name in ("v", "new", "theta"))
        v_write = self.memory(m, "membranes", self.acc_at, v, plan.max_words)
        bias = self._of_neuron(m, "biases", lambda p: p.bias if len(p.bias) else np.zeros(p.n, np.int32))
        kept = pick(self.layer, [_decayed(v, p) for p in plan.spiking])
        total = Signal(signed(max(plan.v_bits, plan.acc_bits, 32) + 2))
        above, over = Signal(signed(plan.v_bits + 1)), Signal(plan.v_bits)
        at_once = pick(self.layer, [int(p.compare == ">=") for p in plan.spiking])
        m.d.comb += [
            theta.eq(self._of_neuron(m, "thresholds", lambda p: p.threshold)),
            total.eq(kept + bias + self.acc), new.eq(pick(self.layer, [_limited(total, p) for p in plan.spiking])),
            above.eq(new - theta), over.eq(above[:-1]),
            self.reached.eq(~above[-1] & (at_once | over.any())),
            self.busy.eq(v.any() | self.acc.any() | bias.any()),
            v_write.en.eq(self.clear | self.fire), v_write.data.eq(Mux(self.clear | self.reached, 0, new)),
        ]  # fmt: skip
        if plan.rule is not None:
            s = plan.rule.surrogate_bits
            m.d.comb += self.slope.eq(Mux(over > (1 << s), 0, (((1 << s) - over[: s + 1])[: s + 1] << SLOPE_UNIT) >> s))

    def _of_neuron(self, m: Module, name: str, values: Callable[[Population], np.ndarray]) -> Value:
        """A number of the word's neuron: a constant of its layer, or a table of all words."""
        plan = self.plan
        layers = [np.asarray(values(p)).astype(np.int64) for p in plan.spiking]
        if all((x == x[0]).all() for x in layers):
            return pick(self.layer, [Const(int(x[0]), signed(32)) for x in layers])
        table = [0] * max(2, plan.layers[-1].state)
        for numbers, p in zip(layers, plan.layers, strict=False):
            mine = numbers[self.index :: plan.lanes].tolist()
            table[p.state : p.state + len(mine)] = mine
        bits = max(abs(x) for x in table).bit_length() + 1
        m.submodules[name] = store = memory.Memory(
            shape=signed(bits), depth=len(table), init=table, attrs={"ram_style": "distributed"}
        )
        reader = store.read_port(domain="comb")
        m.d.comb += reader.addr.eq(self.acc_at + pick(self.layer, [p.state for p in plan.layers]))
        return reader.data

    def change(self, m: Module, at_1: Signal, live: list[Signal]) -> Value:
        plan = self.plan
        held, tick = self.held_error(m, at_1)
        trace = plan.learning.trace
        m.submodules.traces = table = memory.Memory(
            shape=plan.trace_bits, depth=max(2, len(trace)), init=[int(x) for x in trace]
        )
        reader = table.read_port(domain="comb")
        e, scale = Signal(signed(plan.error_bits)), Signal(plan.trace_bits)
        part, x = Signal(signed(plan.error_bits + plan.trace_bits + 1)), Signal(plan.factor_shape)
        before = Signal(signed(SHADOW_BITS))
        m.d.comb += reader.addr.eq(Mux(self.readout, 0, tick - self.time))
        m.d.sync += [
            e.eq(held), scale.eq(reader.data), part.eq(e * scale), x.eq(self.factor), before.eq(self.weight),
            self.back.eq(Mux(live[2], before[-8:].as_signed() * part, 0)),
        ]  # fmt: skip
        return self.moved(m, part, x, before, live[2])


def _decayed(v: Value, p: Population) -> Value:
    """dec(v), see `hwsim.ir.populations`."""
    k, kept = p.decay_bits, (1 << p.decay_bits) - p.v_loss
    if not p.v_loss:
        return v
    if p.leak == "linear":
        down, up = v - p.v_loss, v + p.v_loss
        return Mux(v > 0, Mux(down > 0, down, 0), Mux(up < 0, up, 0))
    while k and kept % 2 == 0:
        k, kept = k - 1, kept // 2
    rest = Mux(v < 0, (1 << k) - 1, 0) if p.leak == "toward_zero" else 0
    return (v * kept + rest) >> k


def _limited(x: Value, p: Population) -> Value:
    """x saturated to the neurons' width."""
    return Mux(x > p.high, p.high, Mux(x < p.low, p.low, x))
