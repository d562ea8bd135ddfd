"""MSAM from the optimiser to the hardware models: what runs in which profile, in order.

quick: equality with torch, cost of a step, accuracy over ρ, the mechanism over training, the digits study with its
hand-over to encoded MAC arrays and spiking neurons, LUT networks. full adds the CIFAR-10 subset.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benches.msam import cifar, exact, handover, lut, mechanism, plots, rho, study
from benches.runner import Context


@dataclass(frozen=True)
class Config:
    """What --set can change.

    Attributes:
        digits_seeds, digits_epochs: networks a method in the digits study; length of training.
        draws: random errors a network, level and kind.
        rho_seeds: networks a value of ρ.
        mechanism_seeds, probe_every: networks a method; epochs from one probe to the next.
        lut_seeds, lut_epochs: LUT networks a method, length of training; no seeds to leave them out.
        timing_rounds, timing_batch: timed steps a method, images a step.
        cifar_seeds, cifar_epochs: networks a method on the CIFAR-10 subset; no seeds to leave it out.
        train_dir: where full training runs are kept and taken from.
    """

    digits_seeds: int = 12
    digits_epochs: int = 120
    draws: int = 10
    rho_seeds: int = 6
    mechanism_seeds: int = 3
    probe_every: int = 10
    lut_seeds: int = 3
    lut_epochs: int = 40
    timing_rounds: int = 60
    timing_batch: int = 64
    cifar_seeds: int = 0
    cifar_epochs: int = 25
    train_dir: str = "build/train/msam"


PROFILES = {
    "smoke": Config(
        digits_seeds=1, digits_epochs=30, draws=1, rho_seeds=1, mechanism_seeds=1, lut_seeds=0,
        timing_rounds=10, timing_batch=16,
    ),
    "quick": Config(),
    "full": Config(cifar_seeds=6),
}  # fmt: skip


def run(ctx: Context[Config]) -> None:
    """Measure every claim and bar that this profile can."""
    ctx.record_data("digits", "embedded", "scikit-learn's 8×8 digits, 400 for training, 1397 for the test, by seed")
    with ctx.stage("equality with torch") as stage:
        if stage.todo:
            exact.equality(ctx)
    with ctx.stage("cost of a step") as stage:
        if stage.todo:
            exact.cost(ctx)
    with ctx.stage("accuracy over rho") as stage:
        if stage.todo:
            stage.outcome = rho.measure(ctx)
        plots.over_rho(ctx, stage.outcome)
    with ctx.stage("mechanism over training") as stage:
        if stage.todo:
            stage.outcome = mechanism.measure(ctx)
        plots.angles(ctx, stage.outcome)
        plots.sharpness(ctx, stage.outcome)
    with ctx.stage("digits under hardware errors") as stage:
        if stage.todo:
            stage.outcome = study.measure(ctx, stage.progress)
        plots.robustness(ctx, stage.outcome)
        plots.pareto(ctx, stage.outcome)
    with ctx.stage("artifacts") as stage:
        if stage.todo:
            handover.measure(ctx)
    _larger(ctx)
    ctx.kept()
    for claim in ("wrn-16-4", "vit-s-32"):
        ctx.not_comparable(claim, "needs CIFAR-100 or ImageNet, a large network and days on a GPU")


def _larger(ctx: Context[Any]) -> None:
    """LUT networks and the CIFAR-10 subset, where the profile asks for them."""
    if ctx.config.lut_seeds:
        with ctx.stage("LUT networks") as stage:
            if stage.todo:
                stage.outcome = lut.measure(ctx)
            plots.tables(ctx, stage.outcome)
    if ctx.config.cifar_seeds:
        with ctx.stage("CIFAR-10 subset") as stage:
            if stage.todo:
                stage.outcome = cifar.measure(ctx)
            if stage.outcome:
                plots.cifar(ctx, stage.outcome)
