"""One lane of a spiking core: weights, neurons, random state and errors of every W-th neuron.

Forward: a weight is read, and in the same cycle as it arrives it is added to the neuron's sums. Learning, a word a
cycle; stages count from the cycle in which the lane picks its next active word:

=====  ======================================================================
0      lowest active word g that this event has not met
1      weight address; e and t_j of word g are read
2      W arrives
last   the changed W is written
=====  ======================================================================
"""

from __future__ import annotations

import abc
from itertools import pairwise
from typing import Any, ClassVar

from amaranth import Cat, Const, Module, Mux, Shape, Signal, Value, signed
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from rtl.evsnn.plan import SHADOW_BITS, Plan, pick
from rtl.evsnn.ram import Ram
from rtl.lib.lfsr import next_state


class Lane(wiring.Component):
    """Lane `index` of a core: what both sorts of neurons have in common.

    Ports, all but `row` and `offset` of the cycle in which they act:
        layer: of the phase.
        row, offset, own: weight address = row + offset, or row + the lane's own word if `own`.
        host_write, host_data: write a weight at the address.   weight: what the last address held.
        acc_at, acc: word of the accumulators, and what it holds.   readout: the layer is the readout.
        clear, add, fire: set them to 0 (z: the bias); add `weight` times `factor`; the neuron's step of FIRE.
        A lane that learns: forget: no word is active.   error_write, error_at, error, error_tick, error_active.
        issue, restart: take the next active word; the first one of an event.   more: it was not the last one.
        back: the error sent down, at the last stage.   touched: a weight is written.
        random_write, random_data, random: the random state.
    """

    last_stage: ClassVar[int]

    def __init__(self, plan: Plan, index: int) -> None:
        self.plan, self.index = plan, index
        address, words = range(plan.weight_words), range(plan.max_words)
        ports: dict[str, Any] = {
            "layer": In(range(max(2, len(plan.layers)))), "row": In(address), "offset": In(words), "own": In(1),
            "host_write": In(1), "host_data": In(plan.stored_bits), "weight": Out(signed(plan.stored_bits)),
            "acc_at": In(words), "acc": Out(signed(plan.acc_bits)), "clear": In(1), "add": In(1), "fire": In(1),
            "readout": In(1), "factor": In(plan.factor_shape), **self.neuron_ports(),
        }  # fmt: skip
        if plan.rule is not None:
            ports |= {
                "forget": In(1), "error_write": In(1), "error_at": In(words), "error": In(signed(plan.error_bits)),
                "error_tick": In(plan.tick_bits), "error_active": In(1), "issue": In(1), "restart": In(1),
                "more": Out(1), "touched": Out(1), "random_write": In(1),
                "random_data": In(plan.rule.generator.width), "random": Out(plan.rule.generator.width),
                **self.learning_ports(),
            }  # fmt: skip
        super().__init__(ports)

    @abc.abstractmethod
    def neuron_ports(self) -> dict[str, Any]:
        """Ports of this sort of neuron."""

    @abc.abstractmethod
    def learning_ports(self) -> dict[str, Any]:
        """Ports of its learning, `back` among them."""

    @abc.abstractmethod
    def neuron(self, m: Module) -> None:
        """Accumulators, state and FIRE."""

    @abc.abstractmethod
    def change(self, m: Module, at_1: Signal, live: list[Signal]) -> Value:
        """The new weight at the last stage; `at_1` is the word at stage 1, `live[k]` says that stage k + 1 has one."""

    def elaborate(self, platform: object) -> Module:
        m, plan = Module(), self.plan
        ram = Ram(m, "weights", plan.stored_bits, plan.weight_words, platform)
        offset, address = Signal.like(self.offset), Signal.like(self.row)
        m.d.comb += [
            offset.eq(self.offset), address.eq(self.row + offset), ram.read_at.eq(address), self.weight.eq(ram.read),
            ram.write_at.eq(address), ram.written.eq(self.host_data), ram.write.eq(self.host_write),
        ]  # fmt: skip
        self.neuron(m)
        if plan.rule is not None:
            new, new_at = self._learn(m, address, offset)
            with m.If(~self.host_write):
                m.d.comb += [ram.write_at.eq(new_at), ram.written.eq(new), ram.write.eq(self.touched)]
        return m

    def bias(self) -> Value:
        """The readout's bias of the word."""
        bias = [int(b) for b in self.plan.net.layers[-1].population.bias][self.index :: self.plan.lanes]
        return pick(self.acc_at, [Const(b, signed(self.plan.z_bits)) for b in bias]) if bias else Const(0, 1)

    def memory(self, m: Module, name: str, at: Value, out: Signal, depth: int) -> memory.WritePort:
        """A memory that is read in the same cycle at `at`, where it is written too."""
        m.submodules[name] = store = memory.Memory(
            shape=out.shape(), depth=depth, init=[], attrs={"ram_style": "distributed"}
        )
        reader, writer = store.read_port(domain="comb"), store.write_port()
        m.d.comb += [reader.addr.eq(at), out.eq(reader.data), writer.addr.eq(at)]
        return writer

    def _learn(self, m: Module, address: Signal, offset: Signal) -> tuple[Value, Signal]:
        """New weight of the last stage and its address."""
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
        at_1, live = Signal.like(at), [Signal(name=f"live_{stage}") for stage in range(1, self.last_stage + 1)]
        m.d.sync += [at_1.eq(at), live[0].eq(self.issue & source.any())]
        m.d.sync += [after.eq(before) for before, after in pairwise(live)]
        with m.If(self.own):
            m.d.comb += offset.eq(at_1)
        m.d.comb += self.touched.eq(live[-1])
        new_at = address
        for stage in range(2, self.last_stage + 1):
            late = Signal.like(address, name=f"at_{stage}")
            m.d.sync += late.eq(new_at)
            new_at = late
        return self.change(m, at_1, live), new_at

    def held_error(self, m: Module, at_1: Signal) -> tuple[Value, Value]:
        """e and t_j at stage 1."""
        plan = self.plan
        held = Signal(plan.error_bits + plan.tick_bits)
        m.submodules.errors = store = memory.Memory(
            shape=len(held), depth=plan.max_words, init=[], attrs={"ram_style": "distributed"}
        )
        reader, writer = store.read_port(domain="comb"), store.write_port()
        m.d.comb += [
            writer.addr.eq(self.error_at), writer.data.eq(Cat(self.error, self.error_tick)),
            writer.en.eq(self.error_write), reader.addr.eq(at_1), held.eq(reader.data),
        ]  # fmt: skip
        return held[: plan.error_bits].as_signed(), held[plan.error_bits :]

    def moved(self, m: Module, e: Value, factor: Value, weight: Value, live: Signal) -> Value:
        """W + ⌊(e·factor + r) / 2^lr⌋ a stage later, saturated; the random state steps with `live`."""
        plan, generator = self.plan, self.plan.learning.generator
        state = Signal(generator.width, init=int(plan.learning.seeds[self.index]))
        following, r = Signal.like(state), Signal(max(p.lr for p in plan.layers))
        m.d.comb += [self.random.eq(state), following.eq(next_state(generator, state))]
        with m.If(live):
            m.d.sync += state.eq(following)
        with m.If(self.random_write):
            m.d.sync += state.eq(self.random_data)
        product = Signal(_product(e.shape(), factor.shape()))
        before = Signal(signed(SHADOW_BITS))
        masks = [(1 << p.lr) - 1 for p in plan.layers]
        m.d.sync += [product.eq(e * factor), before.eq(weight), r.eq(following & pick(self.layer, masks))]
        total = product + r
        step = pick(self.layer, [total >> p.lr for p in plan.layers])
        after, top = before + step, (1 << (SHADOW_BITS - 1)) - 1
        return Mux(after > top, top, Mux(after < -top - 1, -top - 1, after))


def _product(a: Shape, b: Shape) -> Shape:
    """Of a signed a and any b."""
    return signed(a.width + b.width + (not b.signed))
