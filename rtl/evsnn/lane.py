"""One lane of the spiking core: weights, neurons, random state and errors of every W-th neuron.

Forward: a weight is read, and in the same cycle as it arrives it is added to the neuron's sums,

    S += w,   M += w·t  or  z += w·(2T − t);      D = T·S − M − T·2^f  in the first tick,  D += S + 2^f  in every tick

Learning, a word a cycle; stages count from the cycle in which the lane picks its next active word:

=====  ======================================================================
0      lowest active word g that this event has not met
1      weight address; e and t_j of word g are read
2      W arrives; e·P, (W >> 8)·e; the random state steps
3      W ← sat16(W + ⌊(e·P + r) / 2^lr⌋) is written; the product leaves
=====  ======================================================================
"""

from __future__ import annotations

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from rtl.evsnn.plan import SHADOW_BITS, Plan, pick
from rtl.evsnn.ram import Ram
from rtl.lib.lfsr import next_state


class Lane(wiring.Component):
    """Lane `index` of a core.

    Ports, all but `row` and `offset` of the cycle in which they act:
        layer: of the phase.
        row, offset, own: weight address = row + offset, or row + the lane's own word if `own`.
        host_write, host_data: write a weight at the address.   weight: what the last address held.
        state_at, acc_at: words of S and of M, D, z.   sum, acc: what they hold.
        clear, add, fire: set them to 0 (z: the bias); add `weight`, times `factor` for acc; add S + 2^f to D.
        readout: the layer is the readout.   first: the first tick.   will, reached: fires at all; D ≥ 0.
        A lane that learns: forget: no word is active.   error_write, error_at, error, error_tick, error_active.
        issue, restart: take the next active word; the first one of an event.   more: it was not the last one.
        base: P − t_j.   back: (W >> 8)·e of stage 3.   touched: a weight is written.
        random_write, random_data, random: the random state.
    """

    def __init__(self, plan: Plan, index: int) -> None:
        self.plan, self.index = plan, index
        address, words = range(plan.weight_words), range(plan.max_words)
        ports = {
            "layer": In(range(max(2, len(plan.layers)))), "row": In(address), "offset": In(words), "own": In(1),
            "host_write": In(1), "host_data": In(plan.stored_bits), "weight": Out(signed(plan.stored_bits)),
            "state_at": In(range(plan.state_words)), "acc_at": In(words), "sum": Out(signed(plan.sum_bits)),
            "acc": Out(signed(plan.acc_bits)), "clear": In(1), "add": In(1), "fire": In(1), "readout": In(1),
            "factor": In(plan.step_bits + 2), "first": In(1), "will": Out(1), "reached": Out(1),
        }  # fmt: skip
        if plan.rule is not None:
            ports |= {
                "forget": In(1), "error_write": In(1), "error_at": In(words), "error": In(signed(plan.error_bits)),
                "error_tick": In(plan.tick_bits), "error_active": In(1), "issue": In(1), "restart": In(1),
                "more": Out(1), "base": In(plan.step_bits + 2), "touched": Out(1),
                "back": Out(signed(plan.error_bits + 8)), "random_write": In(1),
                "random_data": In(plan.rule.generator.width), "random": Out(plan.rule.generator.width),
            }  # fmt: skip
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        m, plan = Module(), self.plan
        ram = Ram(m, "weights", plan.stored_bits, plan.weight_words, platform)
        offset, address = Signal.like(self.offset), Signal.like(self.row)
        m.d.comb += [
            offset.eq(self.offset), address.eq(self.row + offset), ram.read_at.eq(address), self.weight.eq(ram.read),
            ram.write_at.eq(address), ram.written.eq(self.host_data), ram.write.eq(self.host_write),
        ]  # fmt: skip
        self._forward(m)
        if plan.rule is not None:
            new, new_at = self._learn(m, address, offset)
            with m.If(~self.host_write):
                m.d.comb += [ram.write_at.eq(new_at), ram.written.eq(new), ram.write.eq(self.touched)]
        return m

    def _forward(self, m: Module) -> None:
        plan, k = self.plan, self.plan.step_bits
        acc_write = self._memory(m, "accumulators", self.acc_at, self.acc, plan.max_words)
        sum_write = self._memory(m, "sums", self.state_at, self.sum, plan.state_words)
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
            m.d.comb += [acc_write.data.eq(Mux(self.readout, self._bias(), 0)), sum_write.data.eq(0)]

    def _bias(self) -> Value:
        bias = [int(b) for b in self.plan.net.layers[-1].population.bias][self.index :: self.plan.lanes]
        return pick(self.acc_at, [Const(b, signed(self.plan.z_bits)) for b in bias]) if bias else Const(0, 1)

    def _memory(self, m: Module, name: str, at: Value, out: Signal, depth: int) -> memory.WritePort:
        """A memory that is read in the same cycle at `at`, where it is written too."""
        m.submodules[name] = store = memory.Memory(
            shape=out.shape(), depth=depth, init=[], attrs={"ram_style": "distributed"}
        )
        reader, writer = store.read_port(domain="comb"), store.write_port()
        m.d.comb += [reader.addr.eq(at), out.eq(reader.data), writer.addr.eq(at)]
        return writer

    def _learn(self, m: Module, address: Signal, offset: Signal) -> tuple[Value, Signal]:
        """New weight of stage 3 and its address."""
        words = self.plan.max_words
        active, left = Signal(words), Signal(words)  # of all; of those that the event has not met
        for g in range(words):
            with m.If(self.error_write & (self.error_at == g)):
                m.d.sync += active[g].eq(self.error_active)
        with m.If(self.forget):
            m.d.sync += active.eq(0)
        source, rest, at = Signal(words), Signal(words), Signal(range(words))
        m.d.comb += [
            source.eq(Mux(self.restart, active, left)), rest.eq(source & (source - 1)), self.more.eq(rest.any()),
        ]  # fmt: skip
        for g in reversed(range(words)):
            with m.If(source[g]):
                m.d.comb += at.eq(g)
        with m.If(self.issue):
            m.d.sync += left.eq(rest)
        at_1, live = Signal.like(at), [Signal(name=f"live_{stage}") for stage in (1, 2, 3)]
        m.d.sync += [at_1.eq(at), live[0].eq(self.issue & source.any()), live[1].eq(live[0]), live[2].eq(live[1])]
        with m.If(self.own):
            m.d.comb += offset.eq(at_1)
        m.d.comb += self.touched.eq(live[2])
        at_2, at_3 = Signal.like(address), Signal.like(address)
        m.d.sync += [at_2.eq(address), at_3.eq(at_2)]
        e, factor = self._error(m, at_1)
        return self._change(m, e, factor, live[1]), at_3

    def _error(self, m: Module, at_1: Signal) -> tuple[Signal, Signal]:
        """e and P at stage 2."""
        plan = self.plan
        held = Signal(plan.error_bits + plan.tick_bits)
        m.submodules.errors = store = memory.Memory(
            shape=len(held), depth=plan.max_words, init=[], attrs={"ram_style": "distributed"}
        )
        reader, writer = store.read_port(domain="comb"), store.write_port()
        e, factor = Signal(signed(plan.error_bits)), Signal(plan.step_bits + 2)
        m.d.comb += [
            writer.addr.eq(self.error_at), writer.data.eq(Cat(self.error, self.error_tick)),
            writer.en.eq(self.error_write), reader.addr.eq(at_1), held.eq(reader.data),
        ]  # fmt: skip
        m.d.sync += [e.eq(held[: plan.error_bits].as_signed()), factor.eq(self.base + held[plan.error_bits :])]
        return e, factor

    def _change(self, m: Module, e: Signal, factor: Signal, live: Signal) -> Value:
        """The new weight at stage 3."""
        plan, generator = self.plan, self.plan.learning.generator
        state = Signal(generator.width, init=int(plan.learning.seeds[self.index]))
        following, r = Signal.like(state), Signal(max(p.lr for p in plan.layers))
        m.d.comb += [self.random.eq(state), following.eq(next_state(generator, state))]
        with m.If(live):
            m.d.sync += state.eq(following)
        with m.If(self.random_write):
            m.d.sync += state.eq(self.random_data)
        product = Signal(signed(plan.error_bits + len(factor) + 1))
        before = Signal(signed(SHADOW_BITS))
        m.d.sync += [
            product.eq(e * factor), before.eq(self.weight), r.eq(following & pick(self.layer, self._masks())),
            self.back.eq(Mux(live, self.weight[-8:].as_signed() * e, 0)),
        ]  # fmt: skip
        total = product + r
        step = pick(self.layer, [total >> p.lr for p in plan.layers])
        moved, top = before + step, (1 << (SHADOW_BITS - 1)) - 1
        return Mux(moved > top, top, Mux(moved < -top - 1, -top - 1, moved))

    def _masks(self) -> list[int]:
        return [(1 << p.lr) - 1 for p in self.plan.layers]
