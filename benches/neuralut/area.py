"""Area and depth without a vendor's tool: LUT6 mapping, calibration on routed designs, placed clock, don't-cares."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from benches import stats
from benches.neuralut import networks, plots
from benches.neuralut.networks import Trained
from benches.runner import Context
from hwsim.ir.errors import UsageError
from hwsim.ir.lut import LutNetwork, SumLayer
from hwsim.neuralut import simulate


@dataclass(frozen=True)
class Area:
    """A mapped network: LUT6 of the live L-LUTs, LUT levels from input to output, the map itself.

    Where votes are counted, LUT6 and levels include the counters, `map` does not.
    """

    lut6: int
    levels: int
    map: Any


def mapped(network: LutNetwork, max_levels: int | None = None, progress: Any = None) -> Area:
    """`network` as LUT6, every table proved equivalent (an `EquivalenceError` otherwise).

    `max_levels` bounds the LUT levels of every layer; None maps for area alone.
    """
    from rtl.synth.lutmap import MapOptions, map_network

    luts = levels = 0
    if isinstance(votes := network.layers[-1], SumLayer):
        luts, levels = _counters(votes)
        network = LutNetwork(network.n_inputs, network.input_bits, network.layers[:-1])
    found = map_network(network, options=MapOptions(max_levels=max_levels), progress=progress)
    return Area(found.luts + luts, sum(found.levels) + levels, found)


def _counters(votes: SumLayer) -> tuple[int, int]:
    """LUT6 and levels of the counters behind one-bit L-LUTs, one a class.

    Raises:
        UsageError: sums of anything but the votes of each class.
    """
    from rtl.synth.counters import count_ones

    widths = np.diff(votes.offsets).tolist()
    if votes.bits_in != 1 or votes.bias.any() or votes.lo > -max(widths) or votes.hi < 0:
        got = f"{votes.bits_in}-bit terms, bias {votes.bias.tolist()}, {votes.lo}..{votes.hi}"
        raise UsageError.of(
            "sums behind the L-LUTs", got, "counts of one-bit votes", "Count them with rtl.synth.adders."
        )
    counters = [count_ones(width) for width in widths]
    return sum(c.n_nodes for c in counters), max(c.depth for c in counters)


def measure(ctx: Context[Any], digits: Trained, hdr: Trained) -> None:
    """Every area figure that this profile measures."""
    with ctx.stage("map and place the small network") as stage:
        if stage.todo:
            small = mapped(digits.network, progress=stage.progress)
            ctx.metric("lut6_digits", small.lut6, "LUT6", method="live L-LUTs, every table proved equivalent")
            ctx.metric("levels_digits", small.levels, "levels", method="LUT levels, sum over layers")
            if ctx.config.place:
                _placed(ctx, small)
    before: int | None = None
    if ctx.config.hdr5l_area:
        with ctx.stage("LUT6 mapping of HDR-5L") as stage:
            if stage.todo:
                stage.outcome = _hdr5l(ctx, hdr, stage.progress)
            before = stage.outcome
    with ctx.stage("calibration on KANELÉ's routed design") as stage:
        if stage.todo:
            _calibrate(ctx)
    if ctx.config.dontcare:
        with ctx.stage("don't-care compression of HDR-5L") as stage:
            if stage.todo:
                _dontcare(ctx, hdr, before, stage.progress)


def _hdr5l(ctx: Context[Any], hdr: Trained, progress: Any) -> int:
    """Count, levels, time and memory; the proof is part of the mapping. Returns the LUT6 count."""
    from benches.neuralut.speed import fresh_peak_mib
    from rtl.synth.lutmap import map_network

    start = time.process_time()
    found = map_network(hdr.network, map_dead=True, progress=progress)
    spent = time.process_time() - start
    method = f"{found.dead} dead L-LUTs dropped, as any synthesis does; every table proved equivalent"
    ctx.metric("lut6_hdr5l", found.luts, "LUT6", method=method)
    assert found.luts_with_dead is not None
    ctx.metric("lut6_hdr5l_with_dead", found.luts_with_dead, "LUT6", method="all 566 L-LUTs")
    ctx.metric("levels_hdr5l", max(found.levels), "levels", method="LUT levels of the deepest layer")
    ctx.metric(
        "map_seconds_hdr5l", spent, "s", method="CPU seconds, one thread, dead L-LUTs mapped too, proof included"
    )
    growth, whole = fresh_peak_mib(
        "from hwsim.neuralut import pretrained; n = pretrained('hdr5l'); import rtl.synth.lutmap as m",
        "m.map_network(n)",
    )
    method = f"peak resident size of a fresh process, {growth:.0f} MiB of it by the mapping"
    ctx.metric("map_peak_mib_hdr5l", whole, "MiB", method=method)
    if ctx.config.shallow:
        shallow = mapped(hdr.network, max_levels=ctx.config.shallow)
        ctx.metric("lut6_hdr5l_shallow", shallow.lut6, "LUT6", method=f"at most {ctx.config.shallow} levels a layer")
        ctx.metric("levels_hdr5l_shallow", max(shallow.map.levels), "levels", method="as lut6_hdr5l_shallow")
    plots.tables(ctx, hdr.network, [layer.luts[layer.mapped] for layer in found.layers])
    plots.pipeline(ctx, placements(found.levels))
    return found.luts


def placements(levels: tuple[int, ...]) -> list[dict[str, Any]]:
    """Latency and LUT levels between registers for a register every k layers."""
    from hwsim.ir.arch.neuralut import NeuralutArch

    rows = []
    for every in range(1, len(levels) + 1):
        arch = NeuralutArch(register_every=every)
        cuts = [*arch.boundaries(len(levels)), len(levels)]
        between = [sum(levels[a:b]) for a, b in pairwise(cuts)]
        name = "every layer" if every == 1 else f"every {every} layers"
        rows.append({"name": name, "latency": arch.latency(len(levels)), "levels": max(between)})
    return rows


def _placed(ctx: Context[Any], small: Area) -> None:
    """The small network as mapped, a register before every layer and after the last, on an ECP5-85k."""
    from rtl.synth.netlist_verilog import pipeline_verilog
    from rtl.synth.nextpnr import place

    verilog = pipeline_verilog([layer.netlist for layer in small.map.layers], "digits", style="cell")
    path = ctx.folder / "digits_mapped.v"
    path.write_text(verilog)
    ctx.file(path, "netlist", "The small network, mapped to LUT6 and proved equivalent, as placed.")
    report = place({"digits.v": verilog}, "digits", mapped=True)
    method = f"{report.tool} {report.version}, {report.device}, placed and routed"
    for name, value, unit in (
        ("fmax_digits_ecp5", report.fmax_mhz, "MHz"),
        ("lut4_digits_ecp5", report.lut_total, "LUT4"),
        ("ff_digits_ecp5", report.ff, "FF"),
    ):
        if value is not None:
            ctx.metric(name, value, unit, method=method)


def _calibrate(ctx: Context[Any]) -> None:
    """KANELÉ's published tables: replayed on real jets, and counted beside their routed Vivado figures."""
    from hwsim.interop.kanele import from_tables
    from hwsim.ir.errors import DataError
    from ml.common.data import load
    from rtl.synth.calibration import KANELE_OPENML_FF, KANELE_OPENML_LUT, count_network

    try:
        tables, jets = load("kanele_openml_tables"), load("jsc_openml_test1000")
    except DataError as error:
        for metric in ("calibration_error_kanele_openml", "kanele_jets_accuracy"):
            ctx.not_comparable(metric, f"the published tables or the real jets are not here: {error}")
        return
    for data in (tables, jets):
        ctx.record_data(data.name, data.source, data.variant)
    network = from_tables(tables.extras)
    result = simulate(network, jets.x_test.astype(np.float64))
    networks.require_equal("simulate and reference", result.outputs, network.reference(network.quantise(jets.x_test)))
    assert result.classes is not None
    right = int((result.classes == jets.y_test).sum())
    ctx.metric("kanele_jets_accuracy", stats.binomial(right, len(jets.y_test)).scaled(100), "%")
    count = count_network(network)
    split = f"tables {sum(count.table_lut.values())}, adders {sum(count.adder_lut.values())}"
    method = f"paired count against {KANELE_OPENML_LUT}; {split}"
    ctx.metric("calibration_error_kanele_openml", count.error_percent(), "%", method=method)
    ctx.metric("kanele_openml_lut6_paired", count.paired, "LUT6", method="LUTs of ≤ 5 inputs paired, adders included")
    ctx.metric("kanele_openml_lut_unpaired", count.unpaired, "LUT", method="every LUT counted once")
    ctx.metric("kanele_openml_ff", count.ff, "FF", method=f"{count.stages} stages; Vivado: {KANELE_OPENML_FF}")


def _dontcare(ctx: Context[Any], hdr: Trained, before: int | None, progress: Any) -> None:
    """Addresses that no training image reaches are filled so that tables shrink; loss on the test images.

    `before` is the network's LUT6 count where it is known.
    """
    from hwsim.neuralut.dontcare import compress
    from rtl.synth.lutmap import live_luts
    from rtl.synth.lutmap.complete import complete_table

    data = networks.mnist(ctx)
    if data is None:
        ctx.note("Don't-care figures are kept ones: the training images are not here.")
        return
    network = hdr.network
    codes = network.quantise(data.x_train)
    found = compress(network, codes, complete_table, live=live_luts(network), progress=progress)
    before = mapped(network).lut6 if before is None else before
    after = mapped(found.network).lut6
    right = [simulate(n, data.x_test.astype(np.float64)).classes == data.y_test for n in (network, found.network)]
    loss = 100 * float(right[0].mean() - right[1].mean())
    method = f"{before} → {after} LUT6; every address that one of {len(codes)} training images reaches is kept"
    ctx.metric("dontcare_lut6_saving", 100 * (1 - after / before), "%", method=method)
    ctx.metric("dontcare_lut6_hdr5l", after, "LUT6", method="same networks as dontcare_lut6_saving")
    changed = int((right[0] != right[1]).sum())
    spread = 1.96 * 100 * float(np.std(right[0].astype(int) - right[1].astype(int))) / np.sqrt(len(data.y_test))
    method = f"{len(data.y_test)} test images, {changed} change sides, paired normal 95 %"
    ctx.metric("dontcare_accuracy_loss", loss, "points", loss - spread, loss + spread, len(data.y_test), method)
