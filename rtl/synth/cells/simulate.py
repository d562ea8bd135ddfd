"""Bit-parallel simulation of a mapped netlist: 64 independent streams a word, toggles of every net.

Two models of the time inside a cycle:

* zero delay: every net changes at most once a cycle — no glitches;
* Liberty delays: a gate's output is f(in₁(t − d₁), …, in_k(t − d_k)) with one delay d_j a pin (mean of the rising and
  falling one at the slew and load of static timing). Waveforms are merged gate by gate in topological order, so no
  event queue is needed. Pulses shorter than `inertia` × the gate's smallest delay are removed, as the inertial delay
  of Verilog does; inertia 0 keeps all of them (transport delay: an upper bound).

One cycle: inputs and register outputs change, the logic settles, outputs are read, registers take their data. An
asynchronous control acts at the clock edge. Registers start at 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hwsim.ir.errors import ShapeError, UsageError
from rtl.synth.cells.graph import Graph, build_graph
from rtl.synth.cells.kernels import glitch_cycles, plain_cycles
from rtl.synth.cells.netlist import CellNetlist
from rtl.synth.cells.sta import Timing, analyse


@dataclass(frozen=True, eq=False)
class Activity:
    """What a simulation saw.

    Attributes:
        outputs: bits uint8 [cycles, streams, width] by port, read at the end of every cycle.
        toggles: int64 [n_nets], changes without glitches over the counted cycles and all streams.
        glitch_toggles: the same with Liberty delays, or None.
        ones: int64 [n_nets], cycles × streams in which the settled net was 1.
        cycles: counted cycles times streams, the denominator of all of these.
        graph: the simulated gates.
    """

    outputs: Mapping[str, np.ndarray]
    toggles: np.ndarray
    glitch_toggles: np.ndarray | None
    ones: np.ndarray
    cycles: int
    graph: Graph

    def integers(self, port: str, *, signed: bool = False) -> np.ndarray:
        """int64 [cycles, streams] of an output port of at most 63 bits (64 when signed)."""
        bits = self.outputs[port].astype(np.int64)
        width = bits.shape[-1]
        if width > 63 + signed:
            raise ShapeError.of(f"port {port}", f"{width} bits", "at most 63", "Read outputs[port] as bits.")
        value = (bits[..., : width - signed] << np.arange(width - signed)).sum(axis=-1)
        return value - (bits[..., -1] << (width - 1)) if signed else value


def simulate_cells(
    netlist: CellNetlist,
    inputs: Mapping[str, np.ndarray],
    *,
    warmup: int = 1,
    glitches: Timing | bool = False,
    inertia: float = 1.0,
    tick_ps: float | None = None,
) -> Activity:
    """Run operand streams through a netlist and count toggles.

    Args:
        netlist: from `map_cells`.
        inputs: every input port but the clock (ports that nothing reads may be left out): integers [cycles, streams],
            or bits [cycles, streams, width], least significant first. Streams are independent runs side by side: 64
            of them cost what one does.
        warmup: cycles before toggles are counted (1 at least: the first one has nothing before it).
        glitches: also simulate with delays: True, or the `Timing` to take them from.
        inertia: see the module. tick_ps: resolution of time; None for a sixteenth of the mean delay.

    Raises:
        ShapeError: a port with the wrong shape or values. UsageError: a port missing or unknown, a loop of gates.

    Example:
        >>> activity = simulate_cells(netlist, {"a": a, "w": w})          # doctest: +SKIP
        >>> (activity.integers("y", signed=True) == expected).all()       # doctest: +SKIP
    """
    timing = analyse(netlist) if glitches is True else glitches or None
    graph = timing.graph if timing else build_graph(netlist)
    words, nets, cycles, streams = _packed(netlist, graph, inputs)
    if not 1 <= warmup < cycles:
        raise UsageError.of("warmup", warmup, f"1..{cycles - 1} of {cycles} cycles", "Give more cycles.")
    out_nets = np.concatenate([np.asarray(n) for n in netlist.outputs.values()] or [np.zeros(0, np.int32)])
    masks = np.full(words.shape[2], np.uint64(0xFFFFFFFFFFFFFFFF))
    if streams % 64:
        masks[-1] = np.uint64((1 << (streams % 64)) - 1)
    common = (
        graph.out, graph.table, graph.offsets, graph.fan_in, graph.data, graph.inverted, graph.q_register, graph.q_net,
        graph.q_inverted, graph.clear, graph.clear_low, graph.preset, graph.preset_low,
    )  # fmt: skip
    out, toggles, ones = plain_cycles(words, nets, masks, out_nets, netlist.n_nets, warmup, *common)
    glitch = None
    if timing:
        delays = _ticks(timing, tick_ps)
        glitch = glitch_cycles(words, nets, masks, netlist.n_nets, warmup, *common, *delays, float(inertia))
    outputs = _unpacked(out, netlist, streams)
    return Activity(outputs, toggles, glitch, ones, (cycles - warmup) * streams, graph)


def _packed(
    netlist: CellNetlist, graph: Graph, inputs: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, int, int]:
    """(uint64 [cycles, input bits, words], their nets, cycles, streams)."""
    ports = {name: nets for name, nets in netlist.inputs.items() if graph.clock not in nets.tolist()}
    read = set(netlist.nets.tolist()).union(*(nets.tolist() for nets in netlist.outputs.values()))
    ports = {name: nets for name, nets in ports.items() if name in inputs or not read.isdisjoint(nets.tolist())}
    if set(inputs) != set(ports):
        raise UsageError.of("input ports", sorted(inputs), sorted(ports), "Give every port but the clock.")
    arrays = {name: _bits(name, np.asarray(inputs[name]), len(nets)) for name, nets in ports.items()}
    sizes = {array.shape[:2] for array in arrays.values()}
    if len(sizes) != 1 or 0 in next(iter(sizes)):
        raise ShapeError.of("cycles and streams of the inputs", sorted(sizes), "one common size", "Broadcast them.")
    cycles, streams = next(iter(sizes))
    bits = np.concatenate(list(arrays.values()), axis=2)
    padded = np.zeros((cycles, bits.shape[2], -(-streams // 64) * 64), dtype=np.uint8)
    padded[:, :, :streams] = bits.transpose(0, 2, 1)
    words = np.packbits(padded, axis=2, bitorder="little").view("<u8").astype(np.uint64)
    return words, np.concatenate(list(ports.values())), cycles, streams


def _bits(name: str, values: np.ndarray, width: int) -> np.ndarray:
    """Bits uint8 [cycles, streams, width]."""
    if values.ndim == 3 and values.shape[2] == width and values.dtype.kind in "bui":
        if values.size and (values.min() < 0 or values.max() > 1):
            raise ShapeError.of(f"bits of port {name}", f"{values.min()}..{values.max()}", "0 and 1", "Unpack them.")
        return values.astype(np.uint8)
    if values.ndim == 2 and values.dtype.kind in "bui" and width <= 64:
        wide = values.astype(np.int64) if values.dtype.kind != "u" else values.astype(np.uint64)
        low, high = (-(1 << (width - 1)), (1 << width) - 1)
        if values.size and (int(values.min()) < low or int(values.max()) > high):
            got = f"{values.min()}..{values.max()}"
            raise ShapeError.of(f"port {name}", got, f"{low}..{high} ({width} bits)", "Clip the values.")
        return ((wide[..., None] >> np.arange(width).astype(wide.dtype)) & wide.dtype.type(1)).astype(np.uint8)
    want = f"integers [cycles, streams] or bits [cycles, streams, {width}]"
    raise ShapeError.of(f"port {name}", f"{values.dtype} {list(values.shape)}", want, "Reshape it.")


def _unpacked(out: np.ndarray, netlist: CellNetlist, streams: int) -> dict[str, np.ndarray]:
    """Bits by port from words uint64 [cycles, output bits, words]."""
    cycles, total, words = out.shape
    bits = np.unpackbits(out.astype("<u8").view(np.uint8), axis=2, bitorder="little") if total else np.zeros(
        (cycles, 0, words * 64), np.uint8)  # fmt: skip
    bits = bits[:, :, :streams].transpose(0, 2, 1)
    outputs, at = {}, 0
    for name, nets in netlist.outputs.items():
        outputs[name] = bits[:, :, at : at + len(nets)]
        at += len(nets)
    return outputs


def _ticks(timing: Timing, tick_ps: float | None) -> tuple[np.ndarray, np.ndarray, int]:
    """(delay of every gate input, of every register output, arrival of the inputs) in ticks, at least 1 a gate.

    Inputs change when the median register does: they are taken to come from registers outside.
    """
    edges, launch = timing.edge_delay_ps, timing.q_delay_ps
    positive = edges[edges > 0]
    tick = tick_ps or (float(positive.mean()) / 16.0 if len(positive) else 1.0)
    if not tick > 0:
        raise UsageError.of("tick_ps", tick_ps, "a positive time", "Leave it out.")
    gates = np.maximum(np.rint(edges / tick), 1).astype(np.int32)
    registers = np.maximum(np.rint(launch / tick), 0).astype(np.int32)
    return gates, registers, int(np.median(registers)) if len(registers) else 0
