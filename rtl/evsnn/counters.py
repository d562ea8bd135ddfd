"""Counters of the core, of all samples since reset or since they were cleared; they wrap at 2^32.

`hwsim.evsnn.activity` has the meaning of each. The others follow: weight_rd = syn_fwd + err_pair, weight_wr = err_pair,
state_rd = state_wr = syn_fwd + neuron_access; for window neurons neuron_update = neuron_access.
"""

from __future__ import annotations

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.evsnn.plan import COUNTER_BITS, Plan


class CounterBank(wiring.Component):
    """One register a counter.

    Ports:
        <name>: In, what is added in this cycle.   clear: all become 0.   select → value, in the same cycle.
    """

    def __init__(self, plan: Plan) -> None:
        widths = {"packet": 1, "syn_fwd": plan.lanes.bit_length(), "spike": 1, "err_pair": plan.lanes.bit_length()}
        widths |= {"neuron_update": plan.lanes.bit_length()}
        widths["neuron_access"] = max(layer.n for layer in plan.layers).bit_length()
        self.names = plan.counters
        super().__init__({
            **{name: In(widths[name]) for name in self.names}, "clear": In(1), "select": In(range(len(self.names))),
            "value": Out(COUNTER_BITS),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for at, name in enumerate(self.names):
            count = Signal(COUNTER_BITS, name=f"count_{name}")
            m.d.sync += count.eq(count + getattr(self, name))
            with m.If(self.clear):
                m.d.sync += count.eq(0)
            with m.If(self.select == at):
                m.d.comb += self.value.eq(count)
        return m
