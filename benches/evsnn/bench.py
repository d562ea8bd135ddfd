"""Event-driven learning from exact gradients to a chip that learns: what runs in which profile, in order.

quick: gradients → Loihi's recordings and camera events → kernels beside frameworks → shipped networks on their test
images → learning on the chip → MPD-ED beside time-step surrogates → energy of a learning step → RTL equal to the
model → plots. full adds seeds, convolutions and duels on the CIFAR-10 subset.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from benches.evsnn import accuracy, energy, gradients, hardware, onchip, plots, recorded, speed, training
from benches.evsnn.inputs import mnist_test, shipped_events
from benches.runner import Context


@dataclass(frozen=True)
class Config:
    """What --set can change.

    Attributes:
        nets: random networks of each gradient check.
        rounds: timed rounds.   speed_batch: samples of the timed network.
        test_images: images that a shipped network classifies at most.
        onchip_epochs: of learning on the chip, MNIST and Fashion-MNIST; 0 for neither.   digit_epochs: on digits.
        onchip_images: training images of an epoch at most.
        onchip_ticks: T of the chips that learn MNIST, separated by spaces.
        onchip_skip: smallest error that changes weights; learning from every error is measured beside it.
        train: MPD-ED and time-step surrogates on MNIST, both rules on event data.
        conv_seeds: convolutional networks a data set, a quarter of an hour each.   duel_seeds: networks a method of the
            comparisons on CIFAR-10's subset. 0 for none.
        step_counts: T of the step methods, separated by spaces.   seeds: of the trainings.
        train_dir: where finished trainings lie.
        lessons: training images whose MPD-ED lessons are counted.
        rtl_net: shipped network that goes through RTL; "" for none.
        rtl_samples, rtl_lessons: samples answered, and learned from, in RTL.   rtl_area: synthesise the cores too.
    """

    nets: int = 30
    rounds: int = 5
    speed_batch: int = 64
    test_images: int = 10_000
    onchip_epochs: int = 10
    digit_epochs: int = 30
    onchip_images: int = 60_000
    onchip_ticks: str = "4 8 16"
    onchip_skip: int = 4
    train: bool = True
    conv_seeds: int = 0
    duel_seeds: int = 0
    step_counts: str = "1 2 4"
    seeds: int = 1
    train_dir: str = "~/.cache/hwsim/train-evsnn"
    lessons: int = 1000
    rtl_net: str = "mnist_std"
    rtl_samples: int = 1000
    rtl_lessons: int = 100
    rtl_area: bool = False


PROFILES = {
    "smoke": Config(
        nets=4, rounds=2, speed_batch=16, test_images=1000, onchip_epochs=0, digit_epochs=10, train=False,
        rtl_net="digits_std", rtl_samples=100, rtl_lessons=20,
    ),
    "quick": Config(),
    "full": Config(
        nets=100, rounds=9, onchip_epochs=15, onchip_ticks="4 8 16 32", conv_seeds=1, duel_seeds=3,
        step_counts="1 2 4 8", seeds=3, rtl_area=True,
    ),
}  # fmt: skip


def run(ctx: Context[Config]) -> None:
    """Measure every claim and bar that this profile can."""
    config = ctx.config
    with ctx.stage("gradients") as stage:
        if stage.todo:
            gradients.measure(ctx, stage.progress)
    with ctx.stage("Loihi's recordings and camera events") as stage:
        if stage.todo:
            recorded.measure(ctx)
    with ctx.stage("kernels beside frameworks") as timed:
        if timed.todo:
            timed.outcome = speed.measure(ctx)
    with ctx.stage("shipped networks") as shown:
        if shown.todo:
            accuracy.measure(ctx)
            shown.outcome = _raster()
    with ctx.stage("learning on the chip") as learned:
        if learned.todo:
            learned.outcome = onchip.measure(ctx)
    made = _trainings(ctx)
    with ctx.stage("energy of a learning step") as priced:
        if priced.todo:
            priced.outcome = energy.measure(ctx, learned.outcome, made["steps"])
    if config.rtl_net:
        with ctx.stage("RTL beside its model") as stage:
            if stage.todo:
                hardware.measure(ctx, stage.progress)
    ctx.kept()
    plots.energy(ctx, priced.outcome["table"])
    plots.tradeoff(ctx, priced.outcome["points"])
    plots.backward(ctx, made["backward"])
    plots.raster(ctx, shown.outcome)
    plots.speed(ctx, timed.outcome)
    plots.learning(ctx, learned.outcome)


def _raster() -> dict[str, Any]:
    """Spikes of the first image in the MNIST network."""
    from ml.evsnn import shipped

    net = shipped.load("mnist_std")
    return recorded.raster(net, shipped_events(net, mnist_test(1).x))


def _trainings(ctx: Context[Config]) -> dict[str, Any]:
    """Trainings in torch; backward operations to draw, and accuracies by number of steps."""
    with ctx.stage("MPD-ED beside time-step surrogates: digits") as stage:
        if stage.todo:
            stage.outcome = training.digits(ctx)
    made = {"backward": stage.outcome, "steps": None}
    if ctx.config.train:
        with ctx.stage("MPD-ED beside time-step surrogates: MNIST") as stage:
            if stage.todo:
                stage.outcome = {"pair": training.pair(ctx), "steps": training.by_steps(ctx)}
        if stage.outcome["pair"]:
            made = {"backward": stage.outcome["pair"], "steps": stage.outcome["steps"]}
        with ctx.stage("event data") as stage:
            if stage.todo:
                training.events(ctx)
    for name, seeds, work in (
        ("convolutions", ctx.config.conv_seeds, training.convolutions), ("duels", ctx.config.duel_seeds, training.duels)
    ):  # fmt: skip
        if seeds:
            with ctx.stage(name) as stage:
                if stage.todo:
                    work(ctx)
    return made


def verilog(
    out: Path,
    *,
    net: Literal["mnist_std", "fashion_std", "digits_std", "digits_mpd"] = "mnist_std",
    lanes: int = 16,
    clock_ns: float = 5.0,
) -> list[Path]:
    """Verilog of the core for a shipped network that goes on learning: sources, constraints, vendor Tcl."""
    from hwsim.ir.arch.evsnn import EvsnnArch
    from rtl.evsnn import export

    chosen = hardware.learning_net(net, lanes)
    return export(chosen, EvsnnArch.fitting(chosen), out, clock_ns=clock_ns)
