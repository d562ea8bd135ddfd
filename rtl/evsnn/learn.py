"""Errors of a sample: softmax of the readout, and the errors of a hidden layer from those of its spikes.

    e_k = 2^8·[k = label] − ⌊2^8·exp[u_k] / Σ exp[u]⌋,      u_k = min((max z − z_k) >> exp_shift, 255)
    q = 2^f + S_j,  m = ⌊log2 q⌋,  e_j = sat(round(err'·reciprocal[⌊q·2^8 / 2^m⌋ − 2^8] / 2^(8 + m − f)))

`hwsim.ir.plasticity` has the formulas and their tables.
"""

from __future__ import annotations

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from rtl.evsnn.plan import READOUT_ERROR_BITS, Plan, pick
from rtl.evsnn.window_plan import WindowPlan

QUOTIENT_BITS = 9


class Softmax(wiring.Component):
    """K + 2 cycles of `sum`, then ten for each class of `divide`: nine quotient bits and the write.

    Ports:
        summing, dividing: the phases.   z: of class `index`, in the same cycle.   top: their maximum.   label.
        summed, done: last cycle of each phase.   write, e, active: e of class `index`, |e| ≥ skip_below.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        classes = range(max(2, plan.classes))
        z = signed(plan.z_bits)
        super().__init__({
            "summing": In(1), "dividing": In(1), "z": In(z), "top": In(z), "label": In(classes),
            "index": Out(range(plan.classes + 2)), "summed": Out(1), "done": Out(1), "write": Out(1),
            "e": Out(signed(READOUT_ERROR_BITS)), "active": Out(1),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m, plan, rule = Module(), self.plan, self.plan.learning
        total, power = Signal(8 + plan.classes.bit_length()), self._powers(m, total_of := Signal())
        with m.If(total_of):
            m.d.sync += total.eq(total + power)
        m.d.comb += self.summed.eq(self.summing & (self.index == plan.classes + 1))
        with m.If(self.summing):
            m.d.sync += self.index.eq(Mux(self.summed, 0, self.index + 1))
        step, rest, quotient = Signal(range(QUOTIENT_BITS + 1)), Signal.like(total), Signal(QUOTIENT_BITS)
        now, bit = Signal(len(total) + 1), Signal()
        m.d.comb += [
            now.eq(Mux(step == 0, self._stored, rest << 1)), bit.eq(now >= total),
            self.write.eq(self.dividing & (step == QUOTIENT_BITS)),
            self.done.eq(self.write & (self.index == plan.classes - 1)),
            self.e.eq(Mux(self.index == self.label, 256, 0) - quotient),
            self.active.eq((self.e >= rule.skip_below) | (self.e <= -rule.skip_below)),
        ]  # fmt: skip
        with m.If(self.dividing):
            m.d.sync += [
                step.eq(Mux(self.write, 0, step + 1)), rest.eq(now - Mux(bit, total, 0)),
                quotient.eq(Cat(bit, quotient)),
            ]  # fmt: skip
            with m.If(self.write):
                m.d.sync += self.index.eq(Mux(self.done, 0, self.index + 1))
        with m.If(self.done):
            m.d.sync += total.eq(0)
        return m

    def _powers(self, m: Module, live: Signal) -> Value:
        """exp of a class, two cycles after its z; `live` says when. Kept for the division."""
        plan, rule = self.plan, self.plan.learning
        m.submodules.table = table = memory.Memory(shape=8, depth=256, init=[int(x) for x in rule.exp])
        m.submodules.powers = store = memory.Memory(
            shape=8, depth=max(2, plan.classes), init=[], attrs={"ram_style": "distributed"}
        )
        read, kept, writer = table.read_port(), store.read_port(domain="comb"), store.write_port()
        gap, u, at = Signal(plan.z_bits + 1), Signal(8), [Signal.like(writer.addr, name=f"class_{i}") for i in (1, 2)]
        valid = [Signal(name=f"valid_{i}") for i in (1, 2)]
        m.d.comb += gap.eq((self.top - self.z) >> rule.exp_shift)
        m.d.sync += [
            u.eq(Mux(gap > 255, 255, gap)), at[0].eq(self.index[: len(writer.addr)]), at[1].eq(at[0]),
            valid[0].eq(self.summing & (self.index < plan.classes)), valid[1].eq(valid[0]),
        ]  # fmt: skip
        self._stored = kept.data
        m.d.comb += [
            read.addr.eq(u), read.en.eq(1), live.eq(valid[1]), writer.addr.eq(at[1]), writer.data.eq(read.data),
            writer.en.eq(valid[1]), kept.addr.eq(self.index[: len(kept.addr)]),
        ]  # fmt: skip
        return read.data


class HiddenErrors(wiring.Component):
    """A spike a cycle; e leaves three cycles after its error came in.

    Ports:
        live, layer, err, sum, neuron, tick: a spike's error, its neuron and S and t of it.
        write, at, e, e_tick, active: its e three cycles later; one below `skip_below` is not active.
    """

    def __init__(self, plan: WindowPlan) -> None:
        self.plan = plan
        self._shift_up = max(0, *(p.fraction - 8 for p in plan.layers))  # so that the last shift is never to the left
        super().__init__({
            "live": In(1), "layer": In(range(max(2, len(plan.layers)))), "err": In(signed(plan.err_bits(0))),
            "sum": In(signed(plan.sum_bits)), "neuron": In(plan.address_bits), "tick": In(plan.tick_bits),
            "write": Out(1), "at": Out(plan.address_bits), "e": Out(signed(plan.error_bits)),
            "e_tick": Out(plan.tick_bits), "active": Out(1),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m, plan = Module(), self.plan
        below = plan.layers[1:] or plan.layers  # layer l gets its errors from layer l + 1
        err = Signal(signed(plan.err_bits(1)))
        q = Signal(plan.slope_bits)  # positive: D rises from below 0 to 0 or more
        live = self._carried(m, self.live, "live")
        neuron, tick = self._carried(m, self.neuron, "neuron"), self._carried(m, self.tick, "tick")
        m.d.sync += [
            err.eq(pick(self.layer, [rounded(self.err, p.err_shift) for p in below])),
            q.eq(self.sum + pick(self.layer, [1 << p.fraction for p in plan.layers])),
        ]
        scaled, shift = self._scaled(m, err, q)
        half = Signal(signed(len(scaled) + self._shift_up + 1))
        found, limit = Signal(signed(len(half) + 1)), plan.limit
        m.d.comb += [
            half.eq((scaled << (self._shift_up + 1)) >> shift),
            found.eq((half + 1) >> 1),
            self.write.eq(live[2]), self.at.eq(neuron[2]), self.e_tick.eq(tick[2]),
            self.e.eq(Mux(found > limit, limit, Mux(found < -limit, -limit, found))),
            self.active.eq(
                (tick[2] != 0)  # a neuron that fires at its window's start has no gradient
                & ((self.e >= plan.learning.skip_below) | (self.e <= -plan.learning.skip_below))
            ),
        ]  # fmt: skip
        return m

    def _carried(self, m: Module, value: Signal, name: str) -> list[Signal]:
        """The value one, two and three cycles later."""
        out = []
        for stage in (1, 2, 3):
            register = Signal.like(value, name=f"{name}_{stage}")
            m.d.sync += register.eq(value)
            out.append(register)
            value = register
        return out

    def _scaled(self, m: Module, err: Signal, q: Signal) -> tuple[Signal, Signal]:
        """err'·reciprocal at stage 3, and the right shift that remains."""
        rule, width = self.plan.learning, len(q)
        m.submodules.table = table = memory.Memory(shape=9, depth=256, init=[int(x) for x in rule.reciprocal])
        reader = table.read_port()
        m_now, places = Signal(range(width)), Signal(range(width))
        for i in range(width):
            with m.If(q[i]):
                m.d.comb += m_now.eq(i)
        norm = Signal(width + 8)
        m.d.comb += [
            places.eq((width - 1) - m_now), norm.eq((Cat(Const(0, 8), q) << places)[: width + 8]),
            reader.addr.eq(norm[width - 1 : width + 7]), reader.en.eq(1),
        ]  # fmt: skip
        m_late, err_late = Signal.like(m_now), Signal.like(err)
        scaled = Signal(signed(len(err) + 10))
        shifts = [8 + self._shift_up - p.fraction for p in self.plan.layers]
        shift = Signal(range(width + max(shifts)))
        m.d.sync += [
            m_late.eq(m_now), err_late.eq(err), scaled.eq(err_late * reader.data),
            shift.eq(m_late + pick(self.layer, shifts)),
        ]  # fmt: skip
        return scaled, shift


def rounded(x: Value, s: int) -> Value:
    """x / 2^s, halves up; a negative s multiplies."""
    return (x + (1 << (s - 1))) >> s if s > 0 else x << -s
