"""`build(net, arch)`: the spiking core as one component between two streams.

The phases of ``docs/evsnn-chip.md``, one after another: LOAD, then SETUP, CLEAR, INTEGRATE, FIRE of each layer, RESULT;
then SOFTMAX (`sum`, `divide`), UPDATE and ERRORS of each layer as far as errors reach. Memories, streams and beats:
`rtl.evsnn.plan`.
"""

from __future__ import annotations

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hwsim.ir.arch.evsnn import EvsnnArch
from hwsim.ir.spiking import SpikingNet
from rtl.evsnn.counters import CounterBank
from rtl.evsnn.fire import FireUnit
from rtl.evsnn.lane import Lane
from rtl.evsnn.learner import Learner
from rtl.evsnn.log import EventLog
from rtl.evsnn.phases import Phases
from rtl.evsnn.plan import COUNTS, END, EVENT, RANDOM, READ, WEIGHTS, WRITE, Plan, answer_layout, pick


def build(net: SpikingNet, arch: EvsnnArch | None = None) -> Core:
    """The core of a net's shape; default architecture `EvsnnArch.fitting(net)`.

    Raises:
        ArtifactError: the net does not fit, or is not a window net of dense layers.
    """
    return Core(Plan(net, arch or EvsnnArch.fitting(net)))


class Core(wiring.Component):
    """Takes events, gives results, and learns; made by `build`.

    A sample takes `EvsnnArch.forward_cycles` from its first input beat to its last output beat, and `learn_cycles` more
    before the next one can enter, when neither neighbour pauses.

    Ports:
        inp: In(stream of 64-bit beats).   out: Out(stream of `answer_layout`).
        spike_valid, spike_layer, spike_address, spike_tick: a neuron fires in this cycle.
        clk, rst: rising edge; synchronous reset, after which random states are those of the net and weights are kept.
    """

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
        m.submodules.firing = self.fire = FireUnit(plan)
        self.lanes = [Lane(plan, index) for index in range(plan.lanes)]
        for index, lane in enumerate(self.lanes):
            m.submodules[f"lane{index}"] = lane
        self.phase = Phases(m)
        level = range(plan.arch.log_depth + 1)
        self.layer, self.word = Signal(range(max(2, len(plan.layers)))), Signal(range(plan.max_words))
        self.at, self.stop, self.drain = Signal(level), Signal(level), Signal(3)
        self.stops = [Signal(level, name=f"stop_{at}") for at in range(len(plan.layers))]  # ends of the logs
        self.index, self.top = Signal(range(max(2, plan.classes))), Signal(signed(plan.z_bits))
        self.label, self.learning, self.readout = Signal(range(max(2, plan.classes))), Signal(), Signal()
        m.d.comb += self.readout.eq(self.layer == len(plan.layers) - 1)
        self.finish = Signal()  # the sample's last cycle
        self.learner = Learner(self) if plan.rule is not None else None
        self._addresses(m)
        self._host(m)
        self._layers(m)
        self._fire(m)
        self._result(m)
        if self.learner is not None:
            self.learner.elaborate(m, platform)
        with m.If(self.finish):
            m.d.sync += self.phase.enter("load")
            m.d.comb += self.log.restart.eq(1)
        return m

    def constant(self, values: list[int]) -> Value:
        """A layer's constant, in the phases of the layer."""
        return pick(self.layer, values)

    def start_of(self, layer: Value) -> Value:
        """Where a layer's log begins."""
        return pick(layer, [Const(0, len(self.stop)), *self.stops[:-1]])

    def _addresses(self, m: Module) -> None:
        """Words that the lanes work on; stage 1 of INTEGRATE and UPDATE turns a logged address into a row."""
        plan, phase, log = self.plan, self.phase, self.log
        self.host_word = self.inp.payload[32 + plan.lane_bits : 60]
        row, i = Signal(range(plan.weight_words)), log.read_address
        rows = pick(self.layer, [i * layer.words + layer.base for layer in plan.layers])
        m.d.comb += row.eq(Mux(phase["load"], self.host_word, rows))
        word_1, self.word_2 = Signal.like(self.word), Signal.like(self.word)
        self.class_index = Signal(range(plan.classes + 2))
        self.acc_at, self.state_at = Signal.like(self.word), Signal(range(plan.state_words))
        here = Signal.like(self.word)
        m.d.sync += [word_1.eq(self.word), self.word_2.eq(word_1)]
        m.d.comb += [
            self.class_index.eq(self.index),
            here.eq(Mux(phase["integrate"], self.word_2, self.word)),
            self.acc_at.eq(Mux(phase.any("result", "sum"), self.class_index >> plan.lane_bits, here)),
            self.state_at.eq(self.constant([layer.state for layer in plan.layers])
                             + Mux(phase["errors"], log.read_address >> plan.lane_bits, here)),
        ]  # fmt: skip
        for lane in self.lanes:
            m.d.comb += [
                lane.layer.eq(self.layer), lane.row.eq(row), lane.offset.eq(Mux(phase["load"], 0, word_1)),
                lane.state_at.eq(self.state_at), lane.acc_at.eq(self.acc_at), lane.readout.eq(self.readout),
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
        plan, phase, last = self.plan, self.phase, Signal()
        issue, live = Signal(), [Signal(name=f"add_{stage}") for stage in (1, 2)]
        factor, tick = Signal(plan.step_bits + 2), self.log.read_tick
        self.last_word = last
        m.d.comb += [
            last.eq(self.word == self.constant([layer.words - 1 for layer in plan.layers])),
            issue.eq(phase["integrate"] & (self.at != self.stop)),
            self.log.read_at.eq(Mux(phase["update"], self.at - 1, self.at)),
            self.counters.syn_fwd.eq(Mux(issue, Mux(last, self.constant([p.mask.bit_count() for p in plan.layers]),
                                                    plan.lanes), 0)),
        ]  # fmt: skip
        m.d.sync += [live[0].eq(issue), live[1].eq(live[0]), factor.eq(Mux(self.readout, 2 * plan.steps - tick, tick))]
        with m.If(phase["setup"]):
            m.d.sync += [self.at.eq(self.start_of(self.layer)), self.stop.eq(pick(self.layer, self.stops))]
            m.d.sync += [self.word.eq(0), self.drain.eq(0), phase.enter("clear")]
        with m.If(phase["clear"] | issue | self.fire.advance):
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
            m.d.comb += [lane.clear.eq(phase["clear"]), lane.add.eq(live[1]), lane.factor.eq(factor)]

    def _fire(self, m: Module) -> None:
        """FIRE, and a cycle in which the next layer's log gets its end."""
        plan, phase, fire, log = self.plan, self.phase, self.fire, self.log
        m.d.comb += [
            fire.start.eq(phase["setup"]), fire.run.eq(phase["fire"]), fire.word.eq(self.word),
            fire.last_word.eq(self.last_word), fire.will.eq(Cat(lane.will for lane in self.lanes)),
            fire.reached.eq(Cat(lane.reached for lane in self.lanes)),
            fire.mask.eq(Mux(self.last_word, self.constant([p.mask for p in plan.layers]), (1 << plan.lanes) - 1)),
            self.spike_valid.eq(fire.fired), self.spike_layer.eq(self.layer), self.spike_tick.eq(fire.tick),
            self.spike_address.eq((self.word << plan.lane_bits) + fire.lane),
            self.counters.spike.eq(fire.fired),
            self.counters.neuron_access.eq(Mux(fire.tick_end, self.constant([p.n for p in plan.layers]), 0)),
        ]  # fmt: skip
        for lane in self.lanes:
            m.d.comb += [lane.fire.eq(fire.advance), lane.first.eq(fire.first)]
        with m.If(fire.fired):
            m.d.comb += [log.write.eq(1), log.address.eq(self.spike_address), log.tick.eq(fire.tick)]
        with m.If(fire.done):
            m.d.sync += phase.enter("turn")
        with m.If(phase["turn"]):
            for at, stop in enumerate(self.stops[1:]):
                with m.If(self.layer == at):
                    m.d.sync += stop.eq(log.head)
            m.d.sync += [self.layer.eq(self.layer + 1), phase.enter("setup")]

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
