"""The spiking core as one component between two streams: what window nets and clocked nets have in common.

The phases of ``docs/evsnn-chip.md``, one after another: LOAD, then SETUP, CLEAR, INTEGRATE, FIRE of each layer, RESULT;
then SOFTMAX (`sum`, `divide`) and UPDATE of each layer as far as errors reach. Memories, streams and beats:
`rtl.evsnn.plan`; `rtl.evsnn.window_core` and `rtl.evsnn.clocked_core` are the two cores.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.evsnn.counters import CounterBank
from rtl.evsnn.log import EventLog
from rtl.evsnn.phases import Phases
from rtl.evsnn.plan import COUNTS, END, EVENT, RANDOM, READ, WEIGHTS, WRITE, Plan, answer_layout, pick

if TYPE_CHECKING:
    from rtl.evsnn.lane import Lane
    from rtl.evsnn.learner import Learner


class Core(wiring.Component):
    """Takes events, gives results, and learns; made by `rtl.evsnn.build`.

    A sample takes `EvsnnArch.forward_cycles` from its first input beat to its last output beat, and `learn_cycles` more
    before the next one can enter, when neither neighbour pauses.

    Ports:
        inp: In(stream of 64-bit beats).   out: Out(stream of `answer_layout`).
        spike_valid, spike_layer, spike_address, spike_tick: a neuron fires in this cycle.
        clk, rst: rising edge; synchronous reset, after which random states are those of the net and weights are kept.
    """

    names: ClassVar[Sequence[str]]  # of the phases
    waiting: Value  # INTEGRATE: the log holds an event that is to be added; known in the cycle in which it is
    event: Value  # a cycle after its issue: address of that event, or of one of UPDATE

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        super().__init__({
            "inp": In(stream.Signature(64)), "out": Out(stream.Signature(answer_layout())), "spike_valid": Out(1),
            "spike_layer": Out(range(max(2, len(plan.layers)))), "spike_address": Out(plan.address_bits),
            "spike_tick": Out(plan.tick_bits),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m, plan = Module(), self.plan
        m.submodules.log = self.log = EventLog(plan)
        m.submodules.counters = self.counters = CounterBank(plan)
        self.lanes = self.make_lanes()
        for index, lane in enumerate(self.lanes):
            m.submodules[f"lane{index}"] = lane
        self.phase = Phases(m, self.names)
        level = range(plan.arch.log_depth + 1)
        self.layer, self.word = Signal(range(max(2, len(plan.layers)))), Signal(range(plan.max_words))
        self.at, self.stop, self.drain = Signal(level), Signal(level), Signal(3)
        self.stops = [Signal(level, name=f"stop_{at}") for at in range(len(plan.layers))]  # ends of the logs
        self.index, self.top = Signal(range(max(2, plan.classes))), Signal(signed(plan.z_bits))
        self.label, self.learning, self.readout = Signal(range(max(2, plan.classes))), Signal(), Signal()
        m.d.comb += self.readout.eq(self.layer == len(plan.layers) - 1)
        self.finish = Signal()  # the sample's last cycle
        self.issue, self.add, self.advance = Signal(), Signal(), Signal()  # advance: FIRE's last cycle of a word
        self.last_word, self.mask = Signal(), Signal(plan.lanes)  # lanes that hold a neuron of the word
        self.factor = Signal(plan.factor_shape)
        self.learner = self.make_learner() if plan.rule is not None else None
        self.read_log(m)
        self._addresses(m)
        self._host(m)
        self._layers(m)
        self.fire_layer(m)
        self._result(m)
        if self.learner is not None:
            self.learner.elaborate(m, platform)
        with m.If(self.finish):
            m.d.sync += self.phase.enter("load")
            m.d.comb += self.log.restart.eq(1)
        return m

    @abc.abstractmethod
    def make_lanes(self) -> Sequence[Lane]:
        """The lanes of this sort of core."""

    @abc.abstractmethod
    def make_learner(self) -> Learner:
        """The learning phases."""

    @abc.abstractmethod
    def read_log(self, m: Module) -> None:
        """Drive the log's read address; set `waiting`, `event` and, two cycles after an issue, `factor`."""

    @abc.abstractmethod
    def fire_layer(self, m: Module) -> None:
        """FIRE, until the next layer's SETUP; drives `advance`."""

    def constant(self, values: list[int]) -> Value:
        """A layer's constant, in the phases of the layer."""
        return pick(self.layer, values)

    def start_of(self, layer: Value) -> Value:
        """Where a layer's log begins."""
        return pick(layer, [Const(0, len(self.stop)), *self.stops[:-1]])

    def _addresses(self, m: Module) -> None:
        """Words that the lanes work on; stage 1 of INTEGRATE and UPDATE turns a logged address into a row."""
        plan, phase = self.plan, self.phase
        self.host_word = self.inp.payload[32 + plan.lane_bits : 60]
        row, i = Signal(range(plan.weight_words)), self.event
        rows = pick(self.layer, [i * layer.words + layer.base for layer in plan.layers])
        m.d.comb += row.eq(Mux(phase["load"], self.host_word, rows))
        word_1, self.word_2 = Signal.like(self.word), Signal.like(self.word)
        self.class_index = Signal(range(plan.classes + 2))
        self.acc_at, self.here = Signal.like(self.word), Signal.like(self.word)  # here: word of CLEAR, INTEGRATE, FIRE
        m.d.sync += [word_1.eq(self.word), self.word_2.eq(word_1)]
        m.d.comb += [
            self.class_index.eq(self.index),
            self.here.eq(Mux(phase["integrate"], self.word_2, self.word)),
            self.acc_at.eq(Mux(phase.any("result", "sum"), self.class_index >> plan.lane_bits, self.here)),
        ]
        for lane in self.lanes:
            m.d.comb += [
                lane.layer.eq(self.layer), lane.row.eq(row), lane.offset.eq(Mux(phase["load"], 0, word_1)),
                lane.acc_at.eq(self.acc_at), lane.readout.eq(self.readout),
            ]  # fmt: skip
        self.z = self.of_lane([lane.acc for lane in self.lanes], self.class_index)[: plan.z_bits].as_signed()

    def of_lane(self, values: list[Value], neuron: Value) -> Value:
        """The value of a neuron's lane."""
        bits = self.plan.lane_bits
        return Cat(values).word_select(neuron[:bits], len(values[0])) if bits else values[0]

    def is_lane(self, index: int, neuron: Value) -> Value:
        """Whether a neuron belongs to lane `index`."""
        bits = self.plan.lane_bits
        return neuron[:bits] == index if bits else Const(1, 1)

    def _host(self, m: Module) -> None:
        """LOAD: events into the log; between samples also words into the memories, and out of them."""
        plan, log, data = self.plan, self.log, self.inp.payload[:32]
        address, kind, take = self.inp.payload[32:62], self.inp.payload[62:], Signal()
        region, lane_at = address[28:30], address[: max(1, plan.lane_bits)]
        m.d.comb += [
            self.inp.ready.eq(self.phase["load"]), take.eq(self.inp.valid & self.phase["load"]),
            self.counters.packet.eq(take & (kind == EVENT)),
        ]  # fmt: skip
        writes = take & (kind == WRITE)
        with m.If(take & (kind == EVENT)):
            m.d.comb += [log.write.eq(1), log.address.eq(address), log.tick.eq(data)]
            if plan.value_bits:
                m.d.comb += log.value.eq(data[16:])
        with m.If(take & (kind == END)):
            m.d.sync += [
                self.label.eq(data), self.learning.eq(address[0]), self.stops[0].eq(log.head), self.layer.eq(0),
                self.phase.enter("setup"),
            ]  # fmt: skip
        for index, lane in enumerate(self.lanes):
            mine = self.is_lane(index, lane_at)
            m.d.comb += [
                lane.host_write.eq(writes & (region == WEIGHTS) & mine),
                lane.host_data.eq(data[16 - plan.stored_bits : 16]),
            ]
            if plan.rule is not None:
                m.d.comb += [lane.random_write.eq(writes & (region == RANDOM) & mine), lane.random_data.eq(data)]
        m.d.comb += self.counters.clear.eq(writes & (region == COUNTS))
        m.d.comb += log.clear.eq(self.counters.clear)
        self._answer(m, take & (kind == READ), address)

    def _answer(self, m: Module, asked: Value, address: Value) -> None:
        """READ: the word is there a cycle later, and leaves the cycle after."""
        plan, phase = self.plan, self.phase
        held, word = Signal(30), Signal(signed(32))
        lane_at, out = held[: max(1, plan.lane_bits)], self.out.payload
        with m.If(asked):
            m.d.sync += [held.eq(address), phase.enter("peek")]
        m.d.comb += self.counters.select.eq(held)
        with m.If(phase["peek"]):
            weight = self.of_lane([lane.weight for lane in self.lanes], lane_at).as_signed()
            found: Value = weight << (16 - plan.stored_bits)
            if plan.rule is not None:
                random = self.of_lane([lane.random for lane in self.lanes], lane_at)
                found = Mux(held[28:] == RANDOM, random, found)
            m.d.sync += [word.eq(Mux(held[28:] == COUNTS, self.counters.value, found)), phase.enter("answer")]
        with m.If(phase["answer"]):
            m.d.comb += [
                self.out.valid.eq(1), out.value.eq(word), out.address.eq(held), out.last.eq(1), out.read.eq(1),
            ]  # fmt: skip
            with m.If(self.out.ready):
                m.d.sync += phase.enter("load")
        m.d.comb += out.overflow.eq(self.log.overflow)

    def _layers(self, m: Module) -> None:
        """SETUP, CLEAR and INTEGRATE."""
        plan, phase, last, issue = self.plan, self.phase, self.last_word, self.issue
        live = Signal()
        masks = self.constant([layer.mask for layer in plan.layers])
        m.d.comb += [
            last.eq(self.word == self.constant([layer.words - 1 for layer in plan.layers])),
            self.mask.eq(Mux(last, masks, (1 << plan.lanes) - 1)), issue.eq(phase["integrate"] & self.waiting),
            self.counters.syn_fwd.eq(Mux(issue, Mux(last, self.constant([p.mask.bit_count() for p in plan.layers]),
                                                    plan.lanes), 0)),
        ]  # fmt: skip
        m.d.sync += [live.eq(issue), self.add.eq(live)]
        with m.If(phase["setup"]):
            m.d.sync += [self.at.eq(self.start_of(self.layer)), self.stop.eq(pick(self.layer, self.stops))]
            m.d.sync += [self.word.eq(0), self.drain.eq(0), phase.enter("clear")]
        with m.If(phase["clear"] | issue | self.advance):
            m.d.sync += self.word.eq(Mux(last, 0, self.word + 1))
        with m.If(phase["clear"] & last):
            m.d.sync += phase.enter("integrate")
        with m.If(issue & last):
            m.d.sync += self.at.eq(self.at + 1)
        with m.If(phase["integrate"] & ~issue):
            m.d.sync += self.drain.eq(1)
            with m.If(self.drain == 1):
                m.d.sync += phase.enter("fire")
                with m.If(self.readout):
                    m.d.sync += phase.enter("result")
        for lane in self.lanes:
            m.d.comb += [
                lane.clear.eq(phase["clear"]), lane.add.eq(self.add), lane.fire.eq(self.advance),
                lane.factor.eq(self.factor),
            ]  # fmt: skip

    def log_spike(self, m: Module, fired: Value, lane: Value, tick: Value) -> None:
        """A lane's neuron of the word fires: into the log, the counters and the ports."""
        m.d.comb += [
            self.spike_valid.eq(fired), self.spike_layer.eq(self.layer), self.spike_tick.eq(tick),
            self.spike_address.eq((self.word << self.plan.lane_bits) + lane), self.counters.spike.eq(fired),
        ]  # fmt: skip
        with m.If(fired):
            m.d.comb += [self.log.write.eq(1), self.log.address.eq(self.spike_address), self.log.tick.eq(tick)]

    def next_layer(self, m: Module) -> None:
        """The next layer's log ends here; its SETUP follows."""
        for at, stop in enumerate(self.stops[1:]):
            with m.If(self.layer == at):
                m.d.sync += stop.eq(self.log.head)
        m.d.sync += [self.layer.eq(self.layer + 1), self.phase.enter("setup")]

    def _result(self, m: Module) -> None:
        """RESULT: z_0, z_1, …; their maximum is kept."""
        plan, phase, out, end = self.plan, self.phase, self.out.payload, Signal()
        m.d.comb += end.eq(self.index == plan.classes - 1)
        with m.If(phase["result"]):
            m.d.comb += [self.out.valid.eq(1), out.value.eq(self.z), out.address.eq(self.index), out.last.eq(end)]
            with m.If(self.out.ready):
                m.d.sync += self.index.eq(Mux(end, 0, self.index + 1))
                with m.If((self.index == 0) | (self.z > self.top)):
                    m.d.sync += self.top.eq(self.z)
                with m.If(end):
                    if self.learner is None:
                        m.d.comb += self.finish.eq(1)
                    else:
                        m.d.comb += self.finish.eq(~self.learning)
                        m.d.sync += [self.drain.eq(0), phase.enter("sum")]
