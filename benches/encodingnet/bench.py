"""EncodingNet from search to silicon: what runs in which profile, in order.

quick: errors of the encodings that ship, one searched again → emulation beside a float product → the array model beside
SCALE-Sim → RTL equal to the model → columns on two cell libraries → shipped networks on their test images → plots.
full has more columns, all libraries, the paper's genetic search for longer.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from benches.encodingnet import arrays, cost, emulation, equality, plots, searching, training
from benches.runner import Context


@dataclass(frozen=True)
class Config:
    """What --set can change.

    Attributes:
        rounds: timed rounds.
        research: name of the shipped encoding that is searched again; "" for none.
        generations: of the paper's genetic search; 0 leaves it out.
        rtl_designs: arrays in RTL.   rtl_pairs: all pairs of codes through each.   rtl_folds: random folds of each.
        libraries: cell libraries, separated by spaces; those found are used.
        columns: designs of `benches.encodingnet.columns`, separated by commas, or "all"; "-" for none.
        fpga_rows: rows of the columns that are mapped to LUTs; 0 for none.
        test_images: images a network classifies at most.
    """

    rounds: int = 3
    research: str = "uniform-m48"
    generations: int = 4
    rtl_designs: int = 8
    rtl_pairs: bool = True
    rtl_folds: int = 20
    libraries: str = "sky130hd sg13g2"
    columns: str = (
        "systolic,exact heap,Booth heap,truncated 4,truncated 5,truncated 6,truncated 7,recoded 6,recoded 7,"
        "recoded 5 (uniform)"
    )
    fpga_rows: int = 16
    test_images: int = 10_000


PROFILES = {
    "smoke": Config(
        rounds=1, research="", generations=0, rtl_designs=3, rtl_pairs=False, rtl_folds=6, columns="-", fpga_rows=0,
        test_images=200,
    ),
    "quick": Config(),
    "full": Config(rounds=5, generations=30, libraries="sky130hd sg13g2 osu018", columns="all", rtl_folds=100),
}  # fmt: skip


def run(ctx: Context[Config]) -> None:
    """Measure every claim and bar that this profile can."""
    config = ctx.config
    ctx.record_data("operands", "embedded", "uniform codes; x ~ ReLU N(0, 40), w ~ N(0, 32); numpy's PCG64")
    with ctx.stage("search") as searched:
        if searched.todo:
            searched.outcome = searching.measure(ctx, searched.progress)
    if config.generations:
        with ctx.stage("genetic search") as stage:
            if stage.todo:
                searching.genetic(ctx)
    with ctx.stage("emulation") as stage:
        if stage.todo:
            emulation.measure(ctx, stage.progress)
    with ctx.stage("array model") as modelled:
        if modelled.todo:
            modelled.outcome = arrays.measure(ctx)
    with ctx.stage("RTL beside the array model") as stage:
        if stage.todo:
            equality.measure(ctx, stage.progress)
    with ctx.stage("networks") as learned:
        if learned.todo:
            learned.outcome = training.measure(ctx, learned.progress)
    costed = _cost(ctx)
    ctx.kept()
    plots.search(ctx, searched.outcome)
    plots.energy(ctx, modelled.outcome)
    if learned.outcome:
        plots.accuracy(ctx, learned.outcome)
    if costed:
        plots.fronts(ctx, costed["table"])
        plots.split(ctx, costed["table"], ["systolic", "exact heap", "Booth heap", "truncated 6", "recoded 7"])


def _cost(ctx: Context[Config]) -> dict[str, Any] | None:
    """Columns on cells and LUTs."""
    costed = None
    if ctx.config.columns != "-":
        with ctx.stage("columns on cell libraries") as stage:
            if stage.todo:
                stage.outcome = cost.measure(ctx)
        costed = stage.outcome
        with ctx.stage("power on trained operands") as stage:
            if stage.todo:
                cost.trained_operands(ctx, "mnist-lenet")
    if ctx.config.fpga_rows:
        with ctx.stage("columns on LUTs") as stage:
            if stage.todo:
                cost.fpga(ctx)
    return costed


def verilog(
    out: Path,
    *,
    rows: int = 8,
    cols: int = 8,
    style: Literal["systolic", "popcount", "heap"] = "heap",
    product: Literal["exact", "booth", "truncated", "recoded"] = "recoded",
    column: int = 5,
    clock_ns: float = 5.0,
) -> list[Path]:
    """Verilog of an array: sources, constraints, vendor Tcl. `column`: lowest column kept of a cut product."""
    from hwsim.encodingnet import encodings
    from hwsim.encodingnet.recoded import recoded
    from hwsim.ir.arch.encodingnet import EncodingnetArch
    from rtl.encodingnet import export

    encoding = {
        "exact": lambda: encodings.exact(8, 8), "booth": lambda: encodings.booth(8, 8),
        "truncated": lambda: encodings.truncated(8, 8, column),
        "recoded": lambda: recoded(8, 8, column, fit="stationary"),
    }[product]()  # fmt: skip
    return export(encoding, EncodingnetArch(rows, cols, style=style), out, clock_ns=clock_ns)
