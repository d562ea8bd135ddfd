"""One lane: sums while the buffer fills, settled factors, and the channel's codes from the buffer to the output."""

from __future__ import annotations

from amaranth import Module, Mux, Signal, Value, signed
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hwsim.ir.arch.graphnorm import GraphnormArch, offset_bits
from hwsim.ir.graph_norm import GraphNormUnit
from rtl.graphnorm.settle import Settle, product_bits


class Lane(wiring.Component):
    """The datapath of L-th channels; all control comes from `rtl.graphnorm.unit`.

    Ports:
        load, first, a: a beat arrives; it belongs to the graph's first node; the code.
        write_at, read_at: places in the buffer.   n, row: of the graph; see `Settle.row`.
        turn: the sums rotate towards `Settle`.   keep: factors arrive and are kept.
        advance, use: the output pipeline moves; a beat enters it, so that the factors rotate.
        y: out_bits, four advances after its beat's code left the buffer.
    """

    def __init__(self, unit: GraphNormUnit, arch: GraphnormArch, lane: int) -> None:
        self.unit, self.arch, self.lane = unit, arch, lane
        self.groups = arch.groups(unit.channels)
        places = range(max(2, arch.buffer_words(unit)))
        super().__init__({
            "load": In(1), "first": In(1), "a": In(signed(unit.in_bits)), "write_at": In(places),
            "read_at": In(places), "n": In(unit.count_bits), "row": In(range(max(2, unit.layers * self.groups))),
            "turn": In(1), "keep": In(1), "advance": In(1), "use": In(1), "y": Out(signed(unit.out_bits)),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.settle = settle = Settle(self.unit, self.arch, self.lane)
        s1, s2 = self._sums(m)
        m.d.comb += [settle.row.eq(self.row), settle.n.eq(self.n)]
        m.d.sync += [settle.s1.eq(s1), settle.s2.eq(s2)]
        self._output(m, self._buffer(m), self._factors(m, settle))
        return m

    def _ring(self, m: Module, name: str, shape: object, move: Value, new: Value) -> Signal:
        """Q registers in a row: on `move` all advance, `new` enters behind; the oldest one is returned."""
        ring = [Signal(shape, name=f"{name}{i}", reset_less=True) for i in range(self.groups)]
        with m.If(move):
            m.d.sync += [to.eq(value) for to, value in zip(ring, [*ring[1:], new], strict=True)]
        return ring[0]

    def _sums(self, m: Module) -> tuple[Signal, Signal]:
        """Σa and Σa² of the channel whose turn it is."""
        unit = self.unit
        a, aa = Signal(signed(unit.in_bits)), Signal(2 * unit.in_bits - 1)
        valid, first = Signal(), Signal()
        m.d.sync += [a.eq(self.a), aa.eq(self.a * self.a), valid.eq(self.load), first.eq(self.first)]
        s1, s2 = Signal(signed(unit.sum_a_bits)), Signal(unit.sum_aa_bits)
        move = valid | self.turn
        head1 = self._ring(m, "s1_", s1.shape(), move, s1)
        head2 = self._ring(m, "s2_", s2.shape(), move, s2)
        m.d.comb += [s1.eq(Mux(first, 0, head1) + a), s2.eq(Mux(first, 0, head2) + aa)]
        return head1, head2

    def _buffer(self, m: Module) -> Signal:
        """The code at `read_at`, a cycle later."""
        unit = self.unit
        depth = max(2, self.arch.buffer_words(unit))
        m.submodules.buffer = store = memory.Memory(
            shape=signed(unit.in_bits), depth=depth, init=[], attrs={"ram_style": "block"}
        )
        writer, reader = store.write_port(), store.read_port()
        code = Signal(signed(unit.in_bits), name="code")
        m.d.comb += [
            writer.addr.eq(self.write_at), writer.en.eq(self.load), writer.data.eq(self.a),
            reader.addr.eq(self.read_at), reader.en.eq(self.advance), code.eq(reader.data),
        ]  # fmt: skip
        return code

    def _factors(self, m: Module, settle: Settle) -> dict[str, Signal]:
        """Factors of the channel whose turn it is; they come round again node after node."""
        ports = {"p": settle.p, "e": settle.e, "factor": settle.factor, "offset": settle.offset}
        move, heads = self.keep | (self.use & self.advance), {}
        for name, port in ports.items():
            new = Signal(port.shape(), name=f"new_{name}")
            heads[name] = self._ring(m, f"{name}_", port.shape(), move, new)
            m.d.comb += new.eq(Mux(self.keep, port, heads[name]))
        return heads

    def _output(self, m: Module, code: Signal, heads: dict[str, Signal]) -> None:
        """n·a; D·2^(P−e); times the factor; offset, shift, saturation: a register each."""
        unit = self.unit
        scaled, p = Signal(signed(unit.count_bits + unit.in_bits)), Signal(signed(product_bits(unit)))
        e, kept = Signal(unit.exponent_bits), Signal(signed(unit.kept_bits))
        factors = [Signal(signed(unit.factor_bits), name=f"factor_at{i}") for i in range(2)]
        offsets = [Signal(signed(offset_bits(unit)), name=f"offset_at{i}") for i in range(3)]
        total, shifted = Signal(signed(unit.sum_bits)), Signal(signed(unit.sum_bits - unit.shift))
        d = Signal(signed(max(len(scaled) + unit.alpha_fraction, len(p)) + 1))
        up = Signal(signed(len(d) + unit.keep))
        rounded = Signal(signed(unit.sum_bits))
        m.d.comb += [
            d.eq((scaled << unit.alpha_fraction) - p), up.eq(d << unit.keep),
            rounded.eq(total + offsets[2] + ((1 << unit.shift) >> 1)), shifted.eq(rounded >> unit.shift),
        ]  # fmt: skip
        with m.If(self.advance):
            m.d.sync += [
                scaled.eq(self.n * code), p.eq(heads["p"]), e.eq(heads["e"]),
                kept.eq(up >> e),
                total.eq(kept * factors[1]),
                self.y.eq(Mux(shifted > unit.hi, unit.hi, Mux(shifted < unit.lo, unit.lo, shifted))),
                *[to.eq(value) for to, value in zip(factors, [heads["factor"], *factors], strict=False)],
                *[to.eq(value) for to, value in zip(offsets, [heads["offset"], *offsets], strict=False)],
            ]  # fmt: skip
