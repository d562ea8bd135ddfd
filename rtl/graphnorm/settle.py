"""From the two sums of a channel to its factors: p = α_q·S₁, e, r·gain, offset (`hwsim.ir.graph_norm`)."""

from __future__ import annotations

from amaranth import Const, Module, Mux, Signal, Value, signed
from amaranth.hdl import Shape
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hwsim.ir.arch.graphnorm import GraphnormArch, alpha_bits, kappa_bits, offset_bits
from hwsim.ir.graph_norm import GraphNormUnit

LATENCY = 5  # cycles from sums to factors
LOGIC = {"rom_style": "logic"}  # constants become gates: they are few, and block RAMs are for the buffer


def product_bits(unit: GraphNormUnit) -> int:
    """Signed width of p."""
    return unit.sum_a_bits + alpha_bits(unit)


class Settle(wiring.Component):
    """One lane's pipeline; a channel a cycle, never stalled.

    Ports:
        row: layer · Q + group, one cycle before the sums.   s1, s2, n: of that channel.
        p, e, factor, offset: `LATENCY` cycles after the sums.
    """

    def __init__(self, unit: GraphNormUnit, arch: GraphnormArch, lane: int) -> None:
        self.unit, self.arch, self.lane = unit, arch, lane
        self.rows = unit.layers * arch.groups(unit.channels)
        super().__init__({
            "row": In(range(max(2, self.rows))), "n": In(unit.count_bits),
            "s1": In(signed(unit.sum_a_bits)), "s2": In(unit.sum_aa_bits),
            "p": Out(signed(product_bits(unit))), "e": Out(unit.exponent_bits),
            "factor": Out(signed(unit.factor_bits)), "offset": Out(signed(offset_bits(unit))),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m, unit = Module(), self.unit
        alpha = self._rom(m, "alpha", unit.alpha, alpha_bits(unit))
        kappa = self._rom(m, "kappa", unit.kappa, kappa_bits(unit))
        gain = self._rom(m, "gain", unit.gain, unit.gain_bits)
        offset = self._rom(m, "offset", unit.offset, offset_bits(unit))
        # 1: products of the sums
        square = self._next(m, self.s1 * self.s1, signed(2 * unit.sum_a_bits), "square")
        scaled = self._next(m, self.n * self.s2, unit.count_bits + unit.sum_aa_bits, "scaled")
        p = self._next(m, alpha * self.s1, signed(product_bits(unit)), "p1")
        # 2: W
        w = Signal(unit.square_bits, name="w")
        kappa1 = self._next(m, kappa, signed(len(kappa)), "kappa1")
        m.d.sync += w.eq((scaled << (2 * unit.alpha_fraction)) - kappa1 * square)
        # 3: exponent and mantissa; 4: table; 5: factor
        place, e, some = self._normalised(m, w)
        table = self._table(m, place)
        factor = Mux(some, table, 0) * self._late(m, gain, 4, "gain")
        m.d.sync += [
            self.factor.eq(factor), self.e.eq(self._late(m, e, 1, "e")), self.p.eq(self._late(m, p, 3, "p")),
            self.offset.eq(self._late(m, offset, 4, "offset")),
        ]  # fmt: skip
        return m

    def _rom(self, m: Module, name: str, values: object, bits: int) -> Signal:
        """Constants of this lane's channels, a cycle behind `row`."""
        unit, q = self.unit, self.arch.groups(self.unit.channels)
        words = values.reshape(unit.layers, q, self.arch.lanes)[:, :, self.lane].ravel().tolist()  # type: ignore[attr-defined]
        m.submodules[name] = store = memory.Memory(shape=signed(bits), depth=max(2, self.rows), init=words, attrs=LOGIC)
        port = store.read_port()
        read = Signal(signed(bits), name=f"{name}0")
        m.d.comb += [port.addr.eq(self.row), port.en.eq(1), read.eq(port.data)]
        return read

    def _normalised(self, m: Module, w: Signal) -> tuple[Signal, Signal, Signal]:
        """(⌊v·2^(T−2)⌋ − 2^(T−2), e, W > 0) with W = v·4^e, v in [1, 4); registered, W > 0 one cycle later."""
        unit = self.unit
        wide = len(w) + len(w) % 2
        padded = Signal(wide + unit.table_bits, name="padded")
        m.d.comb += padded.eq(w << unit.table_bits)
        place, e = Signal(unit.table_bits, name="place"), Signal(unit.exponent_bits, name="exponent")
        top, shift = Signal(unit.table_bits, name="top"), Signal(unit.exponent_bits, name="shift")
        for i in range(wide // 2):  # the highest pair of bits that is not 0 wins
            with m.If(padded[unit.table_bits + 2 * i : unit.table_bits + 2 * i + 2].any()):
                m.d.comb += [top.eq(padded[2 * i + 2 : 2 * i + 2 + unit.table_bits]), shift.eq(i)]
        m.d.sync += [place.eq(top - (1 << (unit.table_bits - 2))), e.eq(shift)]
        return place, e, self._late(m, w.any(), 2, "some")

    def _table(self, m: Module, place: Signal) -> Signal:
        unit = self.unit
        depth = 1 << unit.table_bits  # the address of W = 0 wraps; what it reads is not used
        words = [*unit.table.tolist(), *[0] * (depth - len(unit.table))]
        m.submodules.table = store = memory.Memory(shape=unit.root_bits, depth=depth, init=words, attrs=LOGIC)
        port = store.read_port()
        root = Signal(unit.root_bits, name="root")
        m.d.comb += [port.addr.eq(place), port.en.eq(1), root.eq(port.data)]
        return root

    def _next(self, m: Module, value: Value, shape: Shape | int, name: str) -> Signal:
        register = Signal(shape, name=name, reset_less=True)
        m.d.sync += register.eq(value)
        return register

    def _late(self, m: Module, value: Value, cycles: int, name: str) -> Value:
        """`value`, some cycles later."""
        value = Value.cast(value) if cycles else value
        for i in range(cycles):
            value = self._next(m, value, value.shape(), f"{name}_late{i}")
        return value if cycles else Const(0)
