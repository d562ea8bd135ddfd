"""`build(network, arch)`: a `LutNetwork` as an Amaranth pipeline with plain or stream ports.

Registers sit at `arch.boundaries(n_layers)`; the latency is their number. Both forms read the artifact itself, so
nothing is described twice.

Reset is synchronous. Plain data registers are reset to zero, which makes the outputs of the first `latency` cycles
deterministic; in stream form only the valid bits are reset, since no payload is looked at without its valid bit.
"""

from __future__ import annotations

from typing import Literal

from amaranth import Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwsim.ir.arch.neuralut import NeuralutArch
from hwsim.ir.errors import UsageError
from hwsim.ir.lut import LutNetwork
from rtl.neuralut.layers import LayerUnit, Place, Rom, evaluate

Hierarchy = Literal["layers", "flat"]


def build(
    network: LutNetwork,
    arch: NeuralutArch | None = None,
    *,
    name: str | None = None,
    hierarchy: Hierarchy = "layers",
    rom: Rom = "planes",
) -> PlainPipeline | StreamPipeline:
    """The pipeline of a LUT network.

    Args:
        network: the artifact.
        arch: register placement and port style; default `NeuralutArch()`, the paper's.
        name: prefix of the modules and files that hold the lookup tables; default: the top module's name. Give
            each network its own when one design holds several.
        hierarchy: ``"layers"`` = one module a layer; ``"flat"`` = all layers in the top module.
        rom: ``"planes"`` = a Verilog-2001 module a table, for every tool; ``"memory"`` = the same as an array, which
            Verilator compiles and runs faster; ``"amaranth"`` = pure Amaranth. Without
            `rtl.lib.verilog.to_verilog`, for example in Amaranth's simulator, all are pure Amaranth.

    Raises:
        UsageError: an unknown hierarchy or rom style.

    Example:
        >>> import numpy as np
        >>> from hwsim.ir.lut import LutLayer, LutNetwork
        >>> inverter = LutLayer(np.array([[0]], np.int32), np.array([[3, 2, 1, 0]], np.uint8), 2, 2)
        >>> build(LutNetwork(1, 2, (inverter, inverter))).latency
        2
    """
    for what, got, known in (
        ("hierarchy", hierarchy, ("layers", "flat")),
        ("rom", rom, ("planes", "memory", "amaranth")),
    ):
        if got not in known:
            raise UsageError.of(what, repr(got), " or ".join(map(repr, known)), "Choose one of them.")
    arch = arch or NeuralutArch()
    cls = StreamPipeline if arch.ports == "stream" else PlainPipeline
    return cls(network, arch, name, hierarchy, rom)


class _Pipeline(wiring.Component):
    """What both port styles share: layers in a row with registers between them."""

    def __init__(
        self, ports: dict, network: LutNetwork, arch: NeuralutArch, name: str | None, hierarchy: Hierarchy, rom: Rom
    ) -> None:
        super().__init__(ports)
        self.network, self.arch = network, arch
        self._name, self._hierarchy, self._rom = name, hierarchy, rom

    @property
    def latency(self) -> int:
        """Clock edges from the cycle that presents a sample to the first cycle that shows its result."""
        return self.arch.latency(len(self.network.layers))

    def _layer(self, m: Module, i: int, bus: Value, platform: object) -> Value:
        layer, n_in = self.network.layers[i], self.network.widths[i]
        prefix = f"layer{i}_" if self._hierarchy == "flat" else ""
        place = Place(f"{self._name or getattr(platform, 'top', 'top')}_layer{i}", prefix, self._rom)
        if self._hierarchy == "flat":
            out = Signal(layer.n_out * layer.bits_out, name=f"{prefix}y")
            m.d.comb += out.eq(evaluate(m, layer, bus, place, platform))
            return out
        unit = LayerUnit(layer, n_in, place)
        m.submodules[f"layer{i}"] = unit
        m.d.comb += unit.x.eq(bus)
        return unit.y

    def _wire(self, m: Module, bus: Value, platform: object, advance: Value | None, reset_less: bool) -> Value:
        """Layers and registers from the input bus to the output bus; registers load when `advance` holds."""
        layers = self.network.layers
        cuts = self.arch.boundaries(len(layers))
        for b in range(len(layers) + 1):
            if b in cuts:
                register = Signal(len(bus), name=f"stage{b}", reset_less=reset_less)
                if advance is None:
                    m.d.sync += register.eq(bus)
                else:
                    with m.If(advance):
                        m.d.sync += register.eq(bus)
                bus = register
            if b < len(layers):
                bus = self._layer(m, b, bus, platform)
        return bus


def _bus_shape(lanes: int, bits: int) -> data.ArrayLayout:
    return data.ArrayLayout(bits, lanes)


class PlainPipeline(_Pipeline):
    """LUT network without handshake: codes in, codes out, one sample every cycle.

    Ports:
        codes_in: In(ArrayLayout(β_in, n_inputs)).
        codes_out: Out(ArrayLayout(β_out, n_outputs)), valid `latency` clock edges later.
        clk, rst: absent when there is no register at all.
    """

    def __init__(
        self,
        network: LutNetwork,
        arch: NeuralutArch,
        name: str | None,
        hierarchy: Hierarchy = "layers",
        rom: Rom = "planes",
    ) -> None:
        ports = {
            "codes_in": In(_bus_shape(network.n_inputs, network.input_bits)),
            "codes_out": Out(_bus_shape(network.n_outputs, network.output_bits)),
        }
        super().__init__(ports, network, arch, name, hierarchy, rom)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        out = self._wire(m, self.codes_in.as_value(), platform, None, reset_less=False)
        m.d.comb += self.codes_out.as_value().eq(out)
        return m


class StreamPipeline(_Pipeline):
    """LUT network between two Amaranth streams, with a global stall.

    The whole pipeline advances when its output slot is empty or taken: ``advance = ~out.valid | out.ready``, which is
    also ``inp.ready``. A stalled sample therefore stalls all behind it, and bubbles are not squeezed out.

    Ports:
        inp: In(stream of ArrayLayout(β_in, n_inputs)).
        out: Out(stream of ArrayLayout(β_out, n_outputs)); `latency` cycles behind when nothing stalls.
        clk, rst.
    """

    def __init__(
        self,
        network: LutNetwork,
        arch: NeuralutArch,
        name: str | None,
        hierarchy: Hierarchy = "layers",
        rom: Rom = "planes",
    ) -> None:
        ports = {
            "inp": In(stream.Signature(_bus_shape(network.n_inputs, network.input_bits))),
            "out": Out(stream.Signature(_bus_shape(network.n_outputs, network.output_bits))),
        }
        super().__init__(ports, network, arch, name, hierarchy, rom)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        valid = Signal(self.latency)
        advance = Signal()
        with m.If(advance):  # first in the module, so that registers keep their own names in the Verilog
            m.d.sync += valid.eq((valid << 1) | self.inp.valid)
        m.d.comb += [advance.eq(~valid[-1] | self.out.ready), self.inp.ready.eq(advance), self.out.valid.eq(valid[-1])]
        out = self._wire(m, self.inp.payload.as_value(), platform, advance, reset_less=True)
        m.d.comb += self.out.payload.as_value().eq(out)
        return m
