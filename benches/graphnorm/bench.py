"""GraphNorm from the layer to the statistics unit: what runs in which profile, in order.

smoke and quick train on generated motif graphs; full runs the paper's sets, and takes trainings from `train_dir`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benches.graphnorm import convergence, crossval, handover, hardware, plots, theory
from benches.graphnorm.hardware import verilog
from benches.graphnorm.studies import studies
from benches.runner import Context
from hwsim.ir.errors import DataError

__all__ = ["PROFILES", "run", "verilog"]


@dataclass(frozen=True)
class Config:
    """What --set can change.

    Attributes:
        sets: what is cross-validated, see `benches.graphnorm.studies`.
        hidden: channels.   epochs, folds: of sets that do not say.
        curve_set, curve_norms, curve_epochs, curve_seeds: of the convergence study.
        theory_set, spectrum_graphs: of singular values and batch noise.
        handover_sets: trained networks that go onto the array.
        rtl_designs, rtl_runs, rtl_network, rtl_graphs: drawn units, batches each; the trained network's unit, graphs.
        synthesis, place: yosys on the unit; nextpnr on one of one lane.
        train_dir: where trained networks are kept and taken from; empty: in the run's folder.
    """

    sets: str = "motif_graphs"
    hidden: int = 16
    epochs: int = 40
    folds: int = 10
    curve_set: str = "motif_graphs"
    curve_norms: str = "graph batch instance layer"
    curve_epochs: int = 60
    curve_seeds: int = 3
    theory_set: str = "motif_graphs"
    spectrum_graphs: int = 100
    handover_sets: str = "motif_graphs"
    rtl_designs: int = 3
    rtl_runs: int = 20
    rtl_network: bool = True
    rtl_graphs: int = 16
    synthesis: bool = False
    place: bool = False
    train_dir: str = ""


PROFILES = {
    "smoke": Config(
        hidden=8, epochs=6, folds=2, curve_epochs=6, curve_seeds=1, spectrum_graphs=20, rtl_designs=1, rtl_runs=3,
        rtl_network=False,
    ),
    "quick": Config(),
    "full": Config(
        sets="mutag:::200 ptc:::200 proteins nci1:graph::60 imdb_binary", hidden=32, epochs=100,
        curve_set="proteins", curve_epochs=300, theory_set="proteins",
        handover_sets="mutag ptc proteins imdb_binary", rtl_graphs=19, synthesis=True, place=True,
        train_dir="build/train/graphnorm",
    ),
}  # fmt: skip
OUT_OF_REACH = {
    "rdt-b": "REDDIT-BINARY is in no source that this project can reach",
    "collab": "COLLAB is in no source that this project can reach",
    "molhiv": "needs OGB's scaffold split and days of training",
}


def run(ctx: Context[Config]) -> None:
    """Measure every claim and bar that this profile can."""
    _record_data(ctx)
    config = ctx.config
    with ctx.stage("equality with the equation and PyG") as stage:
        if stage.todo:
            theory.parity(ctx)
    with ctx.stage("regular graphs") as stage:
        if stage.todo:
            stage.outcome = theory.regular(ctx)
        plots.regular(ctx, stage.outcome)
    with ctx.stage("singular values and batch noise") as stage:
        if stage.todo:
            rows = theory.spectrum(ctx, config.theory_set, config.spectrum_graphs)
            stage.outcome = {"rows": rows, "noise": theory.noise(ctx, config.theory_set)}
        plots.spectrum(ctx, config.theory_set, stage.outcome["rows"])
        plots.noise(ctx, config.theory_set, stage.outcome["noise"])
    with ctx.stage("cross-validation") as stage:
        if stage.todo:
            stage.outcome = crossval.measure(ctx)
        plots.accuracy(ctx, stage.outcome)
        plots.test_curves(ctx, stage.outcome)
    with ctx.stage("convergence") as stage:
        if stage.todo:
            stage.outcome = convergence.measure(ctx, config.curve_set, tuple(config.curve_norms.split()))
        plots.convergence(ctx, config.curve_set, stage.outcome)
    _hardware(ctx)
    ctx.kept()
    for claim, reason in OUT_OF_REACH.items():
        ctx.not_comparable(claim, reason)


def _hardware(ctx: Context[Any]) -> None:
    """Hand-over, cycles, RTL, synthesis."""
    with ctx.stage("hand-over") as stage:
        if stage.todo:
            stage.outcome = handover.measure(ctx)
        plots.handover(ctx, stage.outcome)
    with ctx.stage("cycles and energy") as stage:
        if stage.todo:
            stage.outcome = handover.cost(ctx)
        plots.cycles(ctx, stage.outcome)
    with ctx.stage("RTL") as stage:
        if stage.todo:
            hardware.measure(ctx, stage.progress)
    if ctx.config.synthesis:
        with ctx.stage("synthesis") as stage:
            if stage.todo:
                hardware.synthesis(ctx)


def _record_data(ctx: Context[Any]) -> None:
    """Which copy of each set is used."""
    from ml.common.data import load

    config = ctx.config
    names = [*studies(config), config.curve_set, config.theory_set, *config.handover_sets.split()]
    for name in dict.fromkeys(names):
        try:
            data = load(name)
        except DataError as error:
            raise DataError.of(f"graph set {name}", error, "a copy of it", "Set HWSIM_DATA, or connect.") from error
        ctx.record_data(name, data.source, f"{data.variant}, {len(data.y_train)} graphs")
