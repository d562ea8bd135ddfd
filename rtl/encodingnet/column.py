"""One column of the encoded-MAC array: R weights, one sum a cycle.

Registers run freely (an array stops them through `stall`) and have no reset. Signals and submodules are named by
group, ``register_*``, ``encoder``, ``popcount``, ``decoder``, ``heap`` and ``cell*``, so that a mapped netlist can be
split.

Position weights are constants modulo 2^W in the compressor trees: a negative one is the complemented bit and a
constant, so there is no unsigned arithmetic to go wrong.
"""

from __future__ import annotations

from amaranth import Cat, Const, EnableInserter, Module, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwsim.ir.arch.encodingnet import EncodingnetArch
from hwsim.ir.arch.encodingnet_column import ColumnPlan, column_plan
from hwsim.ir.encoding import Encoding
from rtl.encodingnet.gates import encode
from rtl.lib.compressor import compress


class Column(wiring.Component):
    """R cells and their sum.

    Args:
        encoding: the product.   arch: the array.
        stall: add the port `en`, clock enable of every register.

    Ports:
        x: In(ArrayLayout(activation code, R)); systolic: row r one cycle later than row r − 1.
        x_out: Out(the same), one cycle later, for the next column.
        w: In(w_bits), w_row: In(range(R)), w_load: In(1): weight `w` enters row `w_row`.
        y: Out(signed(W)), `arch.latency` clock edges after (the first row of) x.
        en: In(1), only with `stall`.   clk.

    Raises:
        ArtifactError, UsageError: as `column_plan`.
    """

    def __init__(self, encoding: Encoding, arch: EncodingnetArch, *, stall: bool = False) -> None:
        self.encoding, self.arch, self.stall = encoding, arch, stall
        self.plan: ColumnPlan = column_plan(encoding, arch)
        codes = data.ArrayLayout(len(self.plan.cells.x_code), arch.rows)
        ports = {
            "x": In(codes), "x_out": Out(codes), "w": In(encoding.w_bits), "w_row": In(range(max(2, arch.rows))),
            "w_load": In(1), "y": Out(signed(self.plan.width)),
        }  # fmt: skip
        super().__init__(ports | ({"en": In(1)} if stall else {}))

    def elaborate(self, platform: object) -> Module | EnableInserter:
        m, arch = Module(), self.arch
        x = self._register(m, self.x.as_value(), "x")
        m.d.comb += self.x_out.as_value().eq(x)
        w = self._weights(m, platform)
        y = self._chain(m, w, platform) if arch.style == "systolic" else self._tree(m, x, w, platform)
        m.d.comb += self.y.eq(self._register(m, y, "y"))
        return EnableInserter(self.en)(m) if self.stall else m

    def _register(self, m: Module, value: Value, name: str) -> Signal:
        register = Signal(len(value), name=f"register_{name}", reset_less=True)
        m.d.sync += register.eq(value)
        return register

    def _weights(self, m: Module, platform: object) -> list[Value]:
        encoding, cells = self.encoding, self.plan.cells
        code: Value = self.w
        if cells.w_nodes:
            raw = range(encoding.x_bits, encoding.gates.n_inputs)
            ports = {"w": (code, raw)}
            code = encode(m, encoding, ports, cells.w_nodes, cells.w_code, platform, "recode_w", "encoder_w")
        elif len(cells.w_code) < encoding.w_bits:
            code = Cat(self.w[s - encoding.x_bits] for s in cells.w_code)
        rows: list[Value] = []
        for r in range(self.arch.rows):
            register = Signal(len(code), name=f"register_w{r}", reset_less=True)
            with m.If(self.w_load & (self.w_row == r)):
                m.d.sync += register.eq(code)
            rows.append(register)
        return rows

    def _encoder(self, m: Module, x: Value, w: Value, r: int, platform: object) -> Value:
        """Wide bits of row r."""
        cells, outputs = self.plan.cells, self.encoding.gates.outputs.tolist()
        ports = {"x": (x, cells.x_code), "w": (w, cells.w_code)}
        return encode(m, self.encoding, ports, cells.cell_nodes, outputs, platform, "encoder", f"encoder_{r}")

    def _tree(self, m: Module, x: Value, w: list[Value], platform: object) -> Value:
        """Encoders, then popcounts and decoder or one heap, with the cuts between them."""
        cuts, n_bits, nx = self.arch.registers, self.encoding.n_bits, len(self.plan.cells.x_code)
        cells = [self._encoder(m, x[r * nx : (r + 1) * nx], w[r], r, platform) for r in range(self.arch.rows)]
        if "encoder" in cuts:
            cells = [self._register(m, cell, f"bits{r}") for r, cell in enumerate(cells)]
        if (counter := self.plan.counter) is None:
            return self._sum(m, Cat(*cells), "heap", "heap", platform)
        columns = [Cat(*(cell[k] for cell in cells)) for k in range(n_bits)]
        counts = [compress(m, counter, bits, platform, "popcount", f"popcount_{k}") for k, bits in enumerate(columns)]
        bits = self._register(m, Cat(*counts), "counts") if "counts" in cuts else Cat(*counts)
        return self._sum(m, bits, "decoder", "decoder", platform)

    def _sum(self, m: Module, bits: Value, group: str, name: str, platform: object) -> Value:
        """Tree and final adder over `bits`, in this order a register where there is a cut."""
        assert self.plan.tree is not None
        assert self.plan.final is not None
        width = self.plan.width
        rows = compress(m, self.plan.tree, bits, platform, group, name)
        if "rows" in self.arch.registers:
            rows = self._register(m, rows, f"{name}_rows")
        if len(rows) == width:
            return rows
        if self.arch.adder == "plus":
            total = Signal(width, name=f"{name}_sum")
            m.d.comb += total.eq(rows[:width] + rows[width:])
            return total
        return compress(m, self.plan.final, rows, platform, f"{group}_adder", f"{name}_adder")

    def _chain(self, m: Module, w: list[Value], platform: object) -> Value:
        """Multiply-accumulate cells one below the other; the last one's sum, before its register."""
        width, nx = self.plan.width, len(self.plan.cells.x_code)
        psum: Value = Const(0, signed(width))
        for r in range(self.arch.rows):
            if r:
                psum = self._register(m, psum, f"psum{r - 1}").as_signed()
            x = self.x.as_value()[r * nx : (r + 1) * nx]
            if self.arch.mac == "plain":
                psum = self._plain(m, x, w[r], psum, r)
                continue
            bits = self._encoder(m, x, w[r], r, platform)
            if self.arch.registers:
                bits = self._register(m, bits, f"product{r}")
            psum = self._sum(m, Cat(bits, psum), "cell", f"cell{r}", platform)
        return psum

    def _plain(self, m: Module, x: Value, w: Value, psum: Value, r: int) -> Value:
        encoding = self.encoding
        x, w = x.as_signed() if encoding.x_signed else x, w.as_signed() if encoding.w_signed else w
        product = Signal((x * w).shape(), name=f"cell{r}_product")
        m.d.comb += product.eq(x * w)
        if self.arch.registers:
            register = self._register(m, product, f"product{r}")
            product = register.as_signed() if product.shape().signed else register
        total = Signal(signed(self.plan.width), name=f"cell{r}_sum")
        m.d.comb += total.eq(psum + product)
        return total
