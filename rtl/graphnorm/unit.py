"""`build(unit, arch)`: the per-graph statistics unit between two streams.

A beat holds the codes of L channels of one node, and a control lane: bit 0 marks a graph's last beat, the bits above it
name the layer whose parameters hold (read in that last beat). Node after node, group after group. When the last beat of
a graph is in, its factors are settled and the graph leaves again in the same order. States and cycles:
`hwsim.ir.arch.graphnorm`. Graphs of more than `max_nodes` nodes must not be sent.
"""

from __future__ import annotations

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwsim.ir.arch.graphnorm import OUT_STAGES, SETTLE_STAGES, GraphnormArch
from hwsim.ir.errors import UsageError
from hwsim.ir.graph_norm import GraphNormUnit
from rtl.graphnorm.lane import Lane


def build(unit: GraphNormUnit, arch: GraphnormArch | None = None) -> StatisticsUnit:
    """The unit; default `GraphnormArch()`: four lanes.

    Raises:
        UsageError: lanes that do not divide the channels, or more layers than the control lane can name.
    """
    arch = arch or GraphnormArch()
    arch.groups(unit.channels)
    if unit.layers > 1 << (unit.in_bits - 1):
        want = f"at most {1 << (unit.in_bits - 1)} with codes of {unit.in_bits} bits"
        raise UsageError.of("layers", unit.layers, want, "Use wider codes.")
    return StatisticsUnit(unit, arch)


class StatisticsUnit(wiring.Component):
    """L lanes and their control; made by `build`.

    Ports:
        inp: In(stream of ArrayLayout(in_bits, L + 1)): codes by lane, then the control lane.
        out: Out(stream of ArrayLayout(signed(out_bits), L)): y by lane, in the order of the input.
        clk, rst: rising edge; synchronous reset, after which a graph begins.
    """

    def __init__(self, unit: GraphNormUnit, arch: GraphnormArch) -> None:
        self.unit, self.arch, self.groups = unit, arch, arch.groups(unit.channels)
        beats = stream.Signature(data.ArrayLayout(unit.in_bits, arch.lanes + 1))
        codes = stream.Signature(data.ArrayLayout(signed(unit.out_bits), arch.lanes))
        super().__init__({"inp": In(beats), "out": Out(codes)})

    def elaborate(self, platform: object) -> Module:
        m, unit, arch = Module(), self.unit, self.arch
        lanes = [Lane(unit, arch, i) for i in range(arch.lanes)]
        for i, lane in enumerate(lanes):
            m.submodules[f"lane{i}"] = lane
        codes = self.inp.payload.as_value()
        load, advance, issue = Signal(), Signal(), Signal()
        valid = Signal(OUT_STAGES)
        m.d.comb += [
            load.eq(self.inp.valid & self.inp.ready), advance.eq(~valid[-1] | self.out.ready),
            self.out.valid.eq(valid[-1]), self.out.payload.as_value().eq(Cat(*[lane.y for lane in lanes])),
        ]  # fmt: skip
        with m.If(advance):
            m.d.sync += valid.eq(Cat(issue, valid[:-1]))
        shared = self._control(m, codes, load, advance, issue)
        width = unit.in_bits
        for i, lane in enumerate(lanes):
            m.d.comb += [lane.a.eq(codes[i * width : (i + 1) * width]), lane.use.eq(valid[0])]
            m.d.comb += [getattr(lane, name).eq(value) for name, value in shared.items()]
        return m

    def _control(self, m: Module, codes: Signal, load: Signal, advance: Signal, issue: Signal) -> dict[str, Signal]:
        """States load, settle, drain, flush; what all lanes share."""
        unit, q = self.unit, self.groups
        control = codes[self.arch.lanes * unit.in_bits :]
        last, layer = control[0], Signal(range(max(2, unit.layers)))
        place, end = (Signal(range(max(2, self.arch.buffer_words(unit))), name=name) for name in ("place", "end"))
        group, step = Signal(range(max(2, q))), Signal(range(q + SETTLE_STAGES))
        node, n, turn = Signal(unit.count_bits), Signal(unit.count_bits), Signal()
        late = Signal(SETTLE_STAGES)
        m.d.sync += late.eq(Cat(turn, late[:-1]))
        state = Signal(4, init=1)  # one of four
        loading, settling, draining, flushing = state
        m.d.comb += [self.inp.ready.eq(loading), issue.eq(draining), turn.eq(settling & (step >= 1) & (step <= q))]
        with m.If(load):
            m.d.sync += [place.eq(place + 1), group.eq(Mux(group == q - 1, 0, group + 1))]
            with m.If(group == q - 1):
                m.d.sync += node.eq(node + 1)
            with m.If(last):
                m.d.sync += [n.eq(node + 1), node.eq(0), group.eq(0), end.eq(place), place.eq(0)]
                m.d.sync += [layer.eq(control[1:]), step.eq(0), state.eq(0b0010)]
        with m.If(settling):
            m.d.sync += step.eq(step + 1)
            with m.If(step == q + SETTLE_STAGES - 1):
                m.d.sync += state.eq(0b0100)
        with m.If(draining & advance):
            m.d.sync += place.eq(place + 1)
            with m.If(place == end):
                m.d.sync += [place.eq(0), state.eq(0b1000)]
        with m.If(flushing & advance):
            m.d.sync += state.eq(0b0001)
        row = Signal(range(max(2, unit.layers * q)))
        m.d.comb += row.eq(layer * q + step - 1)
        first = Signal()
        m.d.comb += first.eq(node == 0)
        return {
            "load": load, "first": first, "write_at": place, "read_at": place, "n": n, "row": row, "turn": turn,
            "keep": late[-1], "advance": advance,
        }  # fmt: skip
