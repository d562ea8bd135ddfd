"""`build(encoding, arch)`: R×C cells between two streams, weight stationary.

One input stream carries both operands: R beats of weights (flag lane 1) fill the rows from row 0 on, then any number
of activation beats (flag lane 0), each giving one beat of C sums. A beat of weights waits until every earlier sum
stands at the output, so a fold takes `EncodingnetArch.fold_cycles` cycles when neither side pauses. A refused sum stops
the whole array.

A cycle without an activation beat feeds code 0. Rows without a product hold code 0 and add T(0, 0) each
(`EncodingnetArch.padding`).
"""

from __future__ import annotations

from amaranth import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwsim.ir.arch.encodingnet import EncodingnetArch
from hwsim.ir.arch.encodingnet_column import ColumnPlan, column_plan
from hwsim.ir.encoding import Encoding
from hwsim.ir.errors import UsageError
from rtl.encodingnet.column import Column
from rtl.encodingnet.gates import encode
from rtl.encodingnet.shared import Shared


def build(encoding: Encoding, arch: EncodingnetArch | None = None) -> EncodedArray:
    """The array of an encoding; default `EncodingnetArch()`: 64×64 popcount columns.

    Raises:
        UsageError: an output-stationary array, or a sum that does not fit its width.
        ArtifactError: the encoding does not run on the array.
    """
    arch = arch or EncodingnetArch()
    if arch.dataflow != "ws":
        mend = "Use dataflow='ws'; 'os' is simulated only."
        raise UsageError.of("dataflow of the RTL", repr(arch.dataflow), "'ws'", mend)
    return EncodedArray(encoding, arch, column_plan(encoding, arch))


def lane_bits(encoding: Encoding) -> int:
    """Width of an input lane: the wider operand's."""
    return max(encoding.x_bits, encoding.w_bits)


def lanes(arch: EncodingnetArch) -> int:
    """Lanes of an input beat: the longer side's codes and the flag."""
    return max(arch.rows, arch.cols) + 1


class EncodedArray(wiring.Component):
    """R×C cells; made by `build`.

    Ports:
        inp: In(stream of ArrayLayout(`lane_bits`, `lanes`)): weights of one row by column, or activations by row, then
            unused lanes, and the flag in the last lane: 1 = weights.
        out: Out(stream of ArrayLayout(signed(W), C)): sums by column, `arch.array_latency` cycles behind.
        clk, rst: rising edge; synchronous reset, after which weights are loaded anew.
    """

    def __init__(self, encoding: Encoding, arch: EncodingnetArch, plan: ColumnPlan) -> None:
        self.encoding, self.arch, self.plan = encoding, arch, plan
        beats = stream.Signature(data.ArrayLayout(lane_bits(encoding), lanes(arch)))
        sums = stream.Signature(data.ArrayLayout(signed(self.plan.width), arch.cols))
        super().__init__({"inp": In(beats), "out": Out(sums)})

    def elaborate(self, platform: object) -> Module:
        m, arch, width = Module(), self.arch, lane_bits(self.encoding)
        valid, advance, load, feed = Signal(arch.array_latency), Signal(), Signal(), Signal()
        row = Signal(range(max(2, arch.rows)))
        codes = self.inp.payload.as_value()
        flag = codes[(lanes(arch) - 1) * width]
        m.d.comb += [
            advance.eq(~valid[-1] | self.out.ready),
            self.inp.ready.eq(advance & ~(flag & valid[:-1].any())),
            load.eq(self.inp.valid & self.inp.ready & flag),
            feed.eq(self.inp.valid & self.inp.ready & ~flag),
            self.out.valid.eq(valid[-1]),
        ]
        with m.If(advance):
            m.d.sync += valid.eq(Cat(feed, valid[:-1]))
        with m.If(feed | (load & (row == arch.rows - 1))):
            m.d.sync += row.eq(0)
        with m.Elif(load):
            m.d.sync += row.eq(row + 1)
        x = self._edge(
            m, [Mux(feed, codes[r * width :][: self.encoding.x_bits], 0) for r in range(arch.rows)], platform
        )
        if arch.style == "systolic":
            x = [self._delayed(m, code, r, advance, f"register_skew{r}") for r, code in enumerate(x)]
        sums = self._columns(m, Cat(*x), codes, {"w_row": row, "w_load": load, "en": advance}, platform)
        late = [self._delayed(m, y, arch.cols - 1 - c, advance, f"register_deskew{c}") for c, y in enumerate(sums)]
        m.d.comb += self.out.payload.as_value().eq(Cat(*late))
        return m

    def _columns(self, m: Module, x: Value, codes: Value, control: dict[str, Value], platform: object) -> list[Signal]:
        """Columns side by side, activations handed on; their sums."""
        width, sums = lane_bits(self.encoding), []
        column = Shared(lambda: Column(self.encoding, self.arch, stall=True), "column", platform)
        for c in range(self.arch.cols):
            y = Signal(signed(self.plan.width), name=f"y{c}")
            handed = Signal(len(x), name=f"x{c}")
            w = codes[c * width : c * width + self.encoding.w_bits]
            column.place(m, f"column{c}", {"x": x, "w": w, **control}, {"x_out": handed, "y": y})
            x = handed
            sums.append(y)
        return sums

    def _delayed(self, m: Module, value: Value, steps: int, advance: Value, name: str) -> Value:
        for i in range(steps):
            register = Signal(len(value), name=f"{name}_{i}", reset_less=True)
            with m.If(advance):
                m.d.sync += register.eq(value)
            value = register
        return value

    def _edge(self, m: Module, x: list[Value], platform: object) -> list[Value]:
        """Register codes of the activations, row by row."""
        cells, encoding = self.plan.cells, self.encoding
        if not cells.x_nodes:
            return [Cat(code[s] for s in cells.x_code) for code in x]
        raw = range(encoding.x_bits)
        return [
            encode(m, encoding, {"x": (code, raw)}, cells.x_nodes, cells.x_code, platform, "recode_x", f"encoder_x{r}")
            for r, code in enumerate(x)
        ]
