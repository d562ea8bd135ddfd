"""Whole layers and networks of L-LUTs: dead L-LUTs dropped, every table mapped and proved, layers joined."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from hwsim.ir.errors import UsageError
from hwsim.ir.gates import GateNetlist
from hwsim.ir.lut import LutLayer, LutNetwork
from rtl.synth.lutmap.builder import Builder
from rtl.synth.lutmap.check import Checker
from rtl.synth.lutmap.options import MapOptions
from rtl.synth.lutmap.table import map_alone

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, eq=False)
class LayerMap:
    """One mapped layer.

    Attributes:
        netlist: inputs ``x<i>_<b>`` = bit b of input code i (all of the layer's inputs), outputs ``y<k>_<b>``;
            bit 0 is the lowest. Outputs of L-LUTs that were not mapped are constant 0.
        luts: int64 [n_out], LUTs each L-LUT needs by itself (before sharing with others); 0 when not mapped.
        mapped: bool [n_out].
    """

    netlist: GateNetlist
    luts: np.ndarray
    mapped: np.ndarray

    @property
    def total(self) -> int:
        """LUT6 of the layer after sharing."""
        return self.netlist.n_nodes

    @property
    def levels(self) -> int:
        """LUT levels of the layer, the portable measure of its delay."""
        return self.netlist.depth


@dataclass(frozen=True, eq=False)
class NetworkMap:
    """A mapped network.

    Attributes:
        layers: one map a layer, in order.
        live: bool [n_out] for every layer: read by something that reaches an output.
        luts: LUT6 of all live L-LUTs.
        luts_with_dead: the same with the dead ones, None when they were not mapped.
        seconds: CPU seconds of this thread.
    """

    layers: tuple[LayerMap, ...]
    live: tuple[np.ndarray, ...]
    luts: int
    luts_with_dead: int | None
    seconds: float

    @property
    def levels(self) -> tuple[int, ...]:
        """LUT levels of every layer."""
        return tuple(layer.levels for layer in self.layers)

    @property
    def dead(self) -> int:
        """L-LUTs that nothing reads."""
        return int(sum((~live).sum() for live in self.live))

    def joined(self) -> GateNetlist:
        """All layers as one combinational netlist from network input bits to output bits."""
        first = self.layers[0].netlist
        builder = Builder(first.n_inputs)
        signals = [2 * i for i in range(first.n_inputs)]
        for layer in self.layers:
            signals = absorb_netlist(builder, layer.netlist, signals)
        return builder.netlist(signals, first.input_names, self.layers[-1].netlist.output_names)


def absorb_netlist(builder: Builder, netlist: GateNetlist, inputs: list[int]) -> list[int]:
    """Copy `netlist` onto literals `inputs`; returns the literals of its outputs."""
    here = list(inputs)
    for i in range(netlist.n_nodes):
        sources = netlist.fan_in[netlist.offsets[i] : netlist.offsets[i + 1]]
        here.append(builder.add([here[s] for s in sources.tolist()], int(netlist.tables[i])))
    return [here[o] if o >= 0 else -1 - int(o == -1) for o in netlist.outputs.tolist()]


def live_luts(network: LutNetwork) -> tuple[np.ndarray, ...]:
    """For every layer, which of its outputs reach a network output, bool [n_out]."""
    live = [np.ones(network.n_outputs, dtype=bool)]
    for layer, below in zip(network.layers[:0:-1], network.widths[-2:0:-1], strict=True):
        wanted = np.zeros(below, dtype=bool)
        if isinstance(layer, LutLayer):
            wanted[layer.connections[live[0]]] = True
        else:
            for k in np.flatnonzero(live[0]):
                wanted[layer.sources[layer.offsets[k] : layer.offsets[k + 1]]] = True
        live.insert(0, wanted)
    return tuple(live)


def address_inputs(layer: LutLayer, k: int) -> list[int]:
    """Input bit of the layer behind every address bit of L-LUT k, lowest first (bit b of code i: i·bits + b)."""
    beta = layer.bits_in
    codes = layer.connections[k][::-1].tolist()  # the first connection is the most significant
    return [code * beta + b for code in codes for b in range(beta)]


def merge_repeats(table: np.ndarray, inputs: list[int]) -> tuple[np.ndarray, list[int]]:
    """Drop address bits that repeat an earlier one: addresses in which they differ can not happen."""
    for v in range(len(inputs) - 1, -1, -1):
        first = inputs.index(inputs[v])
        if first < v:
            address = np.arange(len(table) // 2)
            low = (1 << v) - 1
            table = table[((address & ~low) << 1) | (address & low) | ((address >> first & 1) << v)]
            inputs = inputs[:v] + inputs[v + 1 :]
    return table, inputs


def map_layer(
    layer: LutLayer,
    n_in: int,
    *,
    which: np.ndarray | None = None,
    options: MapOptions | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
) -> LayerMap:
    """Map and prove the L-LUTs of one layer.

    Args:
        layer: the layer.
        n_in: codes it can read.
        which: bool [n_out], L-LUTs to map; None = all.
        options: see `MapOptions`.
        jobs: processes (joblib); the netlist does not depend on it.
        progress: called after every L-LUT with (done, total, note).

    Raises:
        EquivalenceError: a mapped table differs from the layer's (never expected).
        UsageError: not a `LutLayer`.
    """
    if not isinstance(layer, LutLayer):
        raise UsageError.of("layer kind", type(layer).__name__, "LutLayer", "Count adders with rtl.synth.adders.")
    options = options or MapOptions()
    which = np.ones(layer.n_out, dtype=bool) if which is None else which
    beta = layer.bits_in
    builder = Builder(n_in * beta)
    outputs, luts = [-2] * (layer.n_out * layer.bits_out), np.zeros(layer.n_out, np.int64)
    todo = np.flatnonzero(which).tolist()
    for done, (k, local, kept, found) in enumerate(_map_each(layer, todo, options, jobs), 1):
        found = builder.absorb(local, [2 * i for i in kept], found)
        outputs[k * layer.bits_out : (k + 1) * layer.bits_out] = found
        luts[k] = builder.cost(found)
        if progress is not None:
            progress(done, len(todo), f"{len(builder)} LUT6")
    names = tuple(f"x{i}_{b}" for i in range(n_in) for b in range(beta))
    out_names = tuple(f"y{k}_{b}" for k in range(layer.n_out) for b in range(layer.bits_out))
    netlist = builder.netlist(outputs, names, out_names)
    prove_layer(netlist, layer, todo)
    return LayerMap(netlist, luts, which.copy())


def _map_each(
    layer: LutLayer, todo: list[int], options: MapOptions, jobs: int
) -> Iterator[tuple[int, Builder, list[int], list[int]]]:
    """(L-LUT, its network, layer input of every network input, output literals), one after the other."""
    merged = ((k, *merge_repeats(layer.table[k].astype(np.uint16), address_inputs(layer, k))) for k in todo)
    if jobs == 1:
        for k, table, inputs in merged:
            local, kept, found = map_alone(table, layer.bits_out, options)
            yield k, local, [inputs[v] for v in kept], found
        return
    from joblib import Parallel, delayed

    work = list(merged)
    calls = (delayed(map_alone)(table, layer.bits_out, options) for _, table, _ in work)
    results = Parallel(n_jobs=jobs, return_as="generator")(calls)
    for (k, _, inputs), (local, kept, found) in zip(work, results, strict=True):
        yield k, local, [inputs[v] for v in kept], found


def prove_layer(netlist: GateNetlist, layer: LutLayer, which: list[int]) -> None:
    """Exhaustive proof of L-LUTs `which` against the layer's netlist; raises `EquivalenceError`."""
    checker = Checker(netlist)
    for k in which:
        table, inputs = merge_repeats(layer.table[k].astype(np.uint16), address_inputs(layer, k))
        bits = netlist.outputs[k * layer.bits_out : (k + 1) * layer.bits_out]
        checker.check(bits, inputs, table, where=f"L-LUT {k}")


def map_network(
    network: LutNetwork,
    *,
    options: MapOptions | None = None,
    map_dead: bool = False,
    jobs: int = 1,
    progress: Progress | None = None,
) -> NetworkMap:
    """Map and prove every layer of a network of lookup tables, layer after layer.

    Args:
        network: LUT layers only (adder layers: see `rtl.synth.adders`).
        options: see `MapOptions`.
        map_dead: also map L-LUTs that nothing reads, to report both totals.
        jobs: see `map_layer`; `NetworkMap.seconds` counts this process only.
        progress: called with (done, total, note) over all L-LUTs.
    """
    started = time.thread_time()
    live = live_luts(network)
    total = sum(int(flags.sum()) if not map_dead else len(flags) for flags in live)
    done = 0
    maps: list[LayerMap] = []
    dead_luts = 0
    for i, layer in enumerate(network.layers):

        def report(step: int, _: int, note: str, i: int = i, before: int = done) -> None:
            if progress is not None:
                progress(before + step, total, f"layer {i}: {note}")

        maps.append(map_layer(layer, network.widths[i], which=live[i], options=options, jobs=jobs, progress=report))
        done += int(live[i].sum())
        if map_dead and not live[i].all():
            rest = map_layer(layer, network.widths[i], which=~live[i], options=options, jobs=jobs, progress=report)
            done += int((~live[i]).sum())
            dead_luts += rest.total
    luts = sum(layer.total for layer in maps)
    return NetworkMap(tuple(maps), live, luts, luts + dead_luts if map_dead else None, time.thread_time() - started)
