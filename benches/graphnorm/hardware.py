"""The statistics unit's RTL beside its model, on drawn units and on the trained network's own codes; what it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benches.graphnorm.folds import train_dir, trained
from benches.graphnorm.handover import CALIBRATION, encoding_named
from benches.graphnorm.studies import studies
from benches.runner import Context
from hwsim.graphnorm import simulate
from hwsim.ir.arch.graphnorm import GraphnormArch
from hwsim.ir.errors import ToolMissingError
from hwsim.ir.graph_norm import GraphNormUnit

ALPHA, OUT_STEP = 0.2, 4 / 127  # spread of drawn α; real value of an output code


def drawn_unit(rng: np.random.Generator, channels: int, max_nodes: int, layers: int = 2) -> GraphNormUnit:
    """A unit with random parameters; ReLU at its end in half of the cases."""
    shape = (layers, channels)
    real = rng.normal(1, ALPHA, shape), rng.normal(1, 0.3, shape) / OUT_STEP, rng.normal(0, 0.3, shape) / OUT_STEP
    return GraphNormUnit.from_real(*real, in_bits=12, max_nodes=max_nodes, lo=int(rng.choice([-128, 0])), hi=127)


def drawn_graphs(rng: np.random.Generator, unit: GraphNormUnit, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Codes and sizes of graphs, among them one of one node, one of the most, and one of equal nodes."""
    sizes = rng.integers(1, unit.max_nodes + 1, count)
    sizes[: min(2, count)] = (1, unit.max_nodes)[:count]
    top = 1 << (unit.in_bits - 1)
    scale, shift = rng.uniform(1, top, unit.channels), rng.uniform(-top, top, unit.channels)
    a = np.clip(np.rint(rng.normal(0, 1, (sizes.sum(), unit.channels)) * scale + shift), -top, top - 1)
    if count > 2:
        a[sizes[:2].sum() : sizes[:3].sum()] = a[sizes[:2].sum()]
    return a.astype(np.int64), sizes


def measure(ctx: Context[Any], progress: Any) -> None:
    """Graphs whose codes and cycles agree, or why there are none."""
    try:
        _compare(ctx, progress)
    except ToolMissingError as error:
        ctx.not_comparable("rtl_equal_runs", f"a tool is missing: {error}")


def _compare(ctx: Context[Any], progress: Any) -> None:
    equal = runs = nodes = 0
    designs = [(8, 4, 24), (6, 6, 9), (4, 1, 60)][: ctx.config.rtl_designs]
    for i, (channels, lanes, max_nodes) in enumerate(designs):
        rng = ctx.rng(f"unit {i}")
        unit, arch = drawn_unit(rng, channels, max_nodes), GraphnormArch(lanes)
        batches = [(*drawn_graphs(rng, unit, 8), int(rng.integers(2))) for _ in range(ctx.config.rtl_runs)]
        found = count_equal(unit, arch, batches)
        equal, runs, nodes = equal + found, runs + len(batches), nodes + sum(len(a) for a, _, _ in batches)
        progress(i + 1, len(designs) + 1, f"{channels} channels on {lanes} lanes")
    if ctx.config.rtl_network:
        unit, batches = network_batches(ctx)
        found = count_equal(unit, GraphnormArch(4), batches)
        equal, runs, nodes = equal + found, runs + len(batches), nodes + sum(len(a) for a, _, _ in batches)
    progress(len(designs) + 1, len(designs) + 1, "trained network")
    method = f"codes and cycles of whole batches, {nodes} nodes; drawn units and the trained GIN's layers"
    ctx.metric("rtl_equal_runs", equal, "", n=runs, method=method)
    ctx.metric("rtl_runs", runs, "")


def count_equal(unit: GraphNormUnit, arch: GraphnormArch, batches: list[Any]) -> int:
    """Batches (codes, sizes, layer) in which RTL and model agree in every code, and in cycles where nobody waits."""
    from rtl.cosim.verilate import Verilated
    from rtl.graphnorm import build
    from rtl.graphnorm.cosim import stream

    dut, equal = Verilated(build(unit, arch), optimise="-O1"), 0
    for seed, (a, sizes, layer) in enumerate(batches):
        want = simulate(unit, a, sizes, layer, arch)
        got = stream(dut, unit, arch, a, sizes, layer)
        paused = stream(dut, unit, arch, a, sizes, layer, (0.6, 0.5), seed)
        same = np.array_equal(got.outputs, want.outputs) and np.array_equal(paused.outputs, want.outputs)
        equal += same and got.cycles == want.cycles
    return equal


def network_batches(ctx: Context[Any]) -> tuple[GraphNormUnit, list[tuple[np.ndarray, np.ndarray, int]]]:
    """The trained network's unit, and what enters each of its layers for some test graphs."""
    from hwsim.ir.graph_ops import Normalise
    from ml.graphnorm.export import graph_codes, to_ir

    name = ctx.config.handover_sets.split()[0]
    model, graphs, train, test = trained(name, "graph", 0, 0, studies(ctx.config)[name].options, train_dir(ctx))
    network = to_ir(model, graphs, train[:CALIBRATION], encoding_named("exact"))
    codes = graph_codes(graphs, test[: ctx.config.rtl_graphs])
    values = [codes.x, *network.evaluate(codes, _exact)]
    batches = [
        (values[op.inputs[0]], codes.sizes, op.layer) for op in network.ops if isinstance(op, Normalise)
    ]  # fmt: skip
    assert network.unit is not None
    return network.unit, batches


def _exact(x: np.ndarray, w: np.ndarray, unit: int) -> np.ndarray:
    return x.astype(np.int64) @ w.T.astype(np.int64)


def default_unit(channels: int = 64, max_nodes: int = 128, layers: int = 8) -> GraphNormUnit:
    """The unit of a four-layer GIN with parameters as they are before training: what the synthesis report measures."""
    return drawn_unit(np.random.default_rng(0), channels, max_nodes, layers)


def synthesis(ctx: Context[Any]) -> None:
    """LUTs, flip-flops, DSPs and block RAMs of the unit; clock of a small one, placed and routed on an ECP5."""
    from rtl.graphnorm import build
    from rtl.lib.verilog import to_verilog
    from rtl.synth.nextpnr import place
    from rtl.synth.yosys import synthesize

    unit = default_unit(channels=ctx.config.hidden)
    for lanes in (1, 4):
        sources = to_verilog(build(unit, GraphnormArch(lanes)), "graphnorm").sources
        report = synthesize(sources, "graphnorm", "xcup", timeout_s=1800)
        method = f"{report.tool} {report.version}, {report.device}; {unit.channels} channels, 8 layers, 128 nodes"
        dsp = sum(count for cell, count in report.cells.items() if cell.startswith("DSP"))
        for name, value in (("lut", report.lut_total), ("ff", report.ff), ("dsp", dsp), ("bram", report.bram)):
            if value is not None:
                ctx.metric(f"unit_{name}_lanes{lanes}", value, "", method=method)
    if not ctx.config.place:
        return
    small = place(to_verilog(build(unit, GraphnormArch(1)), "graphnorm").sources, "graphnorm", timeout_s=1200)
    if small.fmax_mhz is not None:
        method = f"{small.tool} {small.version}, {small.device}, one lane"
        ctx.metric("unit_fmax_lanes1_ecp5", small.fmax_mhz, "MHz", method=method)


def verilog(
    out: Path, *, channels: int = 64, lanes: int = 4, max_nodes: int = 128, layers: int = 8, network: str = "",
    clock_ns: float = 5.0,
) -> list[Path]:  # fmt: skip
    """Verilog of the statistics unit.

    Args:
        channels, lanes, max_nodes, layers: sizes of a unit with drawn parameters.
        network: a `graph_mac` file to take the unit from instead.   clock_ns: period of the constraints.
    """
    from hwsim.ir import io
    from hwsim.ir.errors import UsageError
    from hwsim.ir.graph_mac import GraphMac
    from rtl.graphnorm import export

    unit = default_unit(channels, max_nodes, layers)
    if network:
        loaded = io.load(network)
        if not isinstance(loaded, GraphMac) or loaded.unit is None:
            raise UsageError.of("network", network, "a graph_mac file with a statistics unit", "Export one.")
        unit = loaded.unit
    return export(unit, GraphnormArch(lanes), out, clock_ns=clock_ns)
