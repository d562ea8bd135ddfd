"""Layers of a LUT network as combinational hardware.

Codes of a layer travel on one bus, neuron k at bits [k·β + β − 1 : k·β]. A lookup table is held as β *bit planes*:
plane i is the truth table of output bit i, a constant of 2^(β_in·F) bits, indexed by the address.

Three styles of ROM, proved equal in ``tests/rtl`` (figures: HDR-5L, 566 tables of 4096 two-bit codes):

| rom | what | Verilog | Verilator + g++ | simulation |
|---|---|---|---|---|
| planes | a Verilog-2001 module a table, ``q[i] = T<i>[a]`` | 0.8 s | 16 s CPU | 0.44 M samples/s |
| memory | the same with an array filled at start, ``q = rom[a]`` | 0.8 s | 7 s CPU | 0.63 M samples/s |
| amaranth | pure Amaranth constants | 14 s | as planes | as planes |

`planes` is the default: every synthesis tool sees plain logic there, one mux tree a truth table. `memory` is for
simulating large networks; a synthesis tool may fold it with a register into a block RAM. A `case` of 4096 arms, which
generators of this kind commonly print, takes Verilator minutes and 41 MB.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from amaranth import Cat, Const, Instance, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwsim.ir.lut_layers import Layer, LutLayer, SumLayer

Rom = Literal["planes", "memory", "amaranth"]


@dataclass(frozen=True)
class Place:
    """Where a layer's logic goes: `module` names its ROM modules and file, `prefix` its signals and instances."""

    module: str
    prefix: str = ""
    rom: Rom = "planes"


def code_of(bus: Value, k: int, bits: int) -> Value:
    """Code of neuron k on a bus of `bits`-bit codes."""
    return bus[k * bits : (k + 1) * bits]


def planes(table: np.ndarray, bits: int) -> list[int]:
    """Bit planes of one table [2^address_bits]: plane i has bit a set where output bit i is 1 at address a."""
    packed = np.packbits((table[None, :] >> np.arange(bits)[:, None]) & 1, axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]


def rom_verilog(name: str, table: np.ndarray, address_bits: int, bits: int, rom: Rom = "planes") -> str:
    """A lookup table as a Verilog-2001 module: address `a` in, code `q` out, no clock; `rom` planes or memory."""
    depth = 1 << address_bits
    lines = [
        f"module {name} (",
        f"  input wire [{address_bits - 1}:0] a,",
        f'  (* rom_style = "distributed" *) output wire [{bits - 1}:0] q',
        ");",
    ]
    for i, plane in enumerate(planes(table, bits)):
        lines.append(f"  localparam [{depth - 1}:0] T{i} = {depth}'h{plane:0{-(-depth // 4)}x};")
    if rom == "memory":
        index = f"i[{address_bits - 1}:0]"
        word = ", ".join(f"T{i}[{index}]" for i in reversed(range(bits)))
        lines += [
            f"  reg [{bits - 1}:0] rom [0:{depth - 1}];",
            "  integer i;",
            f"  initial for (i = 0; i < {depth}; i = i + 1) rom[{index}] = {{{word}}};",
            "  assign q = rom[a];",
        ]
    else:
        lines += [f"  assign q[{i}] = T{i}[a];" for i in range(bits)]
    return "\n".join([*lines, "endmodule", ""])


def lookup(m: Module, layer: LutLayer, bus: Value, place: Place, platform: object) -> Value:
    """Output bus of a LUT layer; its tables go to `platform` as file ``<module>.v``, but not as "amaranth"."""
    as_text = place.rom != "amaranth" and hasattr(platform, "add_file")
    outputs, texts = [], []
    for k in range(layer.n_out):
        picked = [code_of(bus, int(j), layer.bits_in) for j in layer.connections[k]]
        address = Cat(*reversed(picked))  # the first connection is the most significant
        if as_text:
            module = f"{place.module}_lut{k}"
            texts.append(rom_verilog(module, layer.table[k], layer.address_bits, layer.bits_out, place.rom))
            code = Signal(layer.bits_out, name=f"{place.prefix}q{k}")
            m.submodules[f"{place.prefix}lut{k}"] = Instance(module, i_a=address, o_q=code)
        else:
            tables = [Const(plane, 1 << layer.address_bits) for plane in planes(layer.table[k], layer.bits_out)]
            code = Cat(table.bit_select(address, 1) for table in tables)
        outputs.append(code)
    if as_text:
        platform.add_file(f"{place.module}.v", "\n".join(texts))
    return Cat(*outputs)


def add(m: Module, layer: SumLayer, bus: Value, place: Place) -> Value:
    """Output bus of a sum layer: balanced adder trees that saturate to lo..hi.

    With codes c_j = value_j + 2^(β−1), the emitted code is clip(Σ c_j + least, 0, hi − lo), where
    least = bias − n·2^(β−1) − lo is the smallest value that the sum can have.
    """
    outputs, span = [], layer.hi - layer.lo
    for k in range(layer.n_out):
        terms = layer.sources[layer.offsets[k] : layer.offsets[k + 1]]
        least = int(layer.bias[k]) - len(terms) * (1 << (layer.bits_in - 1)) - layer.lo
        most = least + len(terms) * ((1 << layer.bits_in) - 1)
        if most <= 0 or least >= span or not len(terms):
            outputs.append(Const(min(max(least, 0), span), layer.bits_out))
            continue
        total = Signal(range(min(least, 0), most + 1), name=f"{place.prefix}total{k}")
        code = Signal(layer.bits_out, name=f"{place.prefix}q{k}")
        m.d.comb += total.eq(_tree([code_of(bus, int(j), layer.bits_in) for j in terms]) + Const(least))
        m.d.comb += code.eq(_clip(total, least, most, span, layer.bits_out))
        outputs.append(code)
    return Cat(*outputs)


def _clip(total: Signal, least: int, most: int, span: int, bits_out: int) -> Value:
    """clip(total, 0, span) in `bits_out` bits, with only the comparisons that least..most lets fire."""
    result = Cat(total, Const(0, bits_out))[:bits_out] if len(total) < bits_out else total[:bits_out]
    if most > span:
        result = Mux(total > span, Const(span, bits_out), result)
    if least < 0:
        result = Mux(total < 0, Const(0, bits_out), result)
    return result


def _tree(values: list[Value]) -> Value:
    """Sum of unsigned values by a balanced tree; every adder is one bit wider than its operands."""
    while len(values) > 1:
        pairs = [a + b for a, b in zip(values[::2], values[1::2], strict=False)]
        values = pairs + values[len(pairs) * 2 :]
    return values[0]


def evaluate(m: Module, layer: Layer, bus: Value, place: Place, platform: object) -> Value:
    """Output bus of any layer, its logic placed in `m`."""
    if isinstance(layer, SumLayer):
        return add(m, layer, bus, place)
    return lookup(m, layer, bus, place, platform)


class LayerUnit(wiring.Component):
    """One layer of a LUT network; combinational.

    Ports:
        x: In(n_in · β_in), codes of the previous layer.
        y: Out(n_out · β_out), codes of this layer.
    """

    def __init__(self, layer: Layer, n_in: int, place: Place) -> None:
        super().__init__({"x": In(n_in * layer.bits_in), "y": Out(layer.n_out * layer.bits_out)})
        self._layer, self._place = layer, place

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.y.eq(evaluate(m, self._layer, self.x, self._place, platform))
        return m
