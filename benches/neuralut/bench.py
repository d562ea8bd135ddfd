"""NeuraLUT from training to verdict: what runs in which profile, in order.

quick: train a small network on the spot → tables → every model equal, in codes and in cycles → speed, area and
depth of the shipped HDR-5L → placed clock → plots. full adds the trainings whose figures are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from benches import stats
from benches.neuralut import area, equality, networks, plots, speed
from benches.runner import Context

Ports = Literal["plain", "stream"]


@dataclass(frozen=True)
class Config:
    """What --set can change.

    Attributes:
        digits_epochs, digits_warmup: training epochs of the small network, and of the warm-up that learns its masks.
        equality_samples: samples compared by every model; 0 for all.
        archs: 1 to compare every pipelining option with RTL, 0 for the default one only.
        stall_cycles: cycles of random handshakes for each stream option.
        speed_batch, numpy_batch, slow_batch: samples a call for our kernels, numpy, the dense torch comparison.
        rounds: timed rounds.
        hdr5l_area: map the shipped HDR-5L to LUT6.
        hdr5l_rtl: build and run HDR-5L's RTL under Verilator (minutes for the first build).
        cocotb: measure the cocotb rate beside the batch driver.
        place: place the small network on an ECP5.
        dontcare: compress HDR-5L with don't-cares (needs MNIST).
        shallow: bound on a layer's LUT levels in a second mapping of HDR-5L; 0 for none.
        train_dir: where full training runs are kept and taken from.
        train: run them.
    """

    digits_epochs: int = 120
    digits_warmup: int = 30
    equality_samples: int = 0
    archs: int = 1
    stall_cycles: int = 2000
    speed_batch: int = 16384
    numpy_batch: int = 4096
    slow_batch: int = 8
    rounds: int = 9
    hdr5l_area: bool = True
    hdr5l_rtl: bool = True
    cocotb: bool = True
    place: bool = True
    dontcare: bool = True
    shallow: int = 0
    train_dir: str = "build/train/neuralut"
    train: bool = False


PROFILES = {
    "smoke": Config(
        digits_epochs=20,
        digits_warmup=10,
        equality_samples=256,
        archs=0,
        rounds=3,
        speed_batch=8192,
        hdr5l_area=False,
        hdr5l_rtl=False,
        cocotb=False,
        place=False,
        dontcare=False,
    ),
    "quick": Config(),
    "full": Config(train=True, shallow=4),
}


def run(ctx: Context[Config]) -> None:
    """Measure every claim and bar that this profile can."""
    config = ctx.config
    with ctx.stage("train a small network") as stage:
        if stage.todo:
            _train(ctx, stage)
    digits = networks.load_digits(ctx)
    hdr = networks.load_hdr5l(ctx)
    with ctx.stage("codes of every model") as stage:
        if stage.todo:
            _codes(ctx, digits, hdr, stage.progress)
    with ctx.stage("cycles of every pipelining option") as stage:
        if stage.todo:
            assert digits.x_test is not None
            x = digits.network.quantise(digits.x_test[:64])
            equal, all_runs = equality.cycles(ctx, digits.network, x, stage.progress)
            ctx.metric("cycle_equal_runs", equal, "", method="latency, interval, cycles, handshakes under stalls")
            ctx.metric("cycle_runs", all_runs, "")
    with ctx.stage("speed") as stage:
        if stage.todo:
            speed.measure(ctx, hdr)
            speed.enumeration(ctx, hdr)
            speed.startup(ctx)
    if config.cocotb:
        with ctx.stage("batch driver beside cocotb") as stage:
            if stage.todo:
                speed.drivers(ctx, digits)
    area.measure(ctx, digits, hdr)
    if config.train:
        from benches.neuralut.training import train_all

        train_all(ctx)
    ctx.kept()
    _missing(ctx)
    plots.all_of(ctx)


def _train(ctx: Context[Config], stage: Any) -> None:
    summary = networks.train_digits(ctx, stage.progress)
    n = summary["codes_equal_on"]
    figure = stats.binomial(round(summary["test_accuracy_of_tables"] * n), n).scaled(100)
    ctx.metric("acc_digits", figure, "%", method=f"test part, tables; {figure.method}; epoch chosen on validation")
    ctx.record_data("digits", "embedded", "scikit-learn's 8×8 digits")
    ctx.artifact(ctx.folder / "digits" / "network.hwir.safetensors", "digits")


def _codes(ctx: Context[Config], digits: networks.Trained, hdr: networks.Trained, progress: Any) -> None:
    """All digits, and all MNIST test images when they are here and HDR-5L's RTL is built."""
    equal, count = equality.codes(ctx, digits, progress)
    if hdr.x_test is not None and ctx.config.hdr5l_rtl:
        more, n = equality.codes(ctx, hdr, progress)
        ctx.metric("code_equal_samples_hdr5l", more, "", n=n, method="MNIST test images")
        equal, count = equal + more, count + n
    ctx.metric("code_equal_samples", equal, "", n=count, method="torch = reference = kernels = Verilated RTL")
    ctx.metric("code_samples", count, "")


def _missing(ctx: Context[Config]) -> None:
    """Say what this machine or this project can not measure."""
    ctx.not_comparable(
        "hdr5l-clock", "a placed xcvu9p clock needs Vivado; LUT levels and an ECP5 clock stand beside it"
    )
    for claim in ("jsc2l-accuracy", "jsc5l-accuracy"):
        ctx.not_comparable(claim, "the CERNBox jet set is not here; distilled jets are a set of their own")


def verilog(out: Path, *, network: str = "hdr5l", clock_ns: float = 2.0, ports: Ports = "plain", every: int = 1) -> Any:
    """Verilog of a shipped network, or of the `lut_network` in a file: sources, constraints, vendor Tcl."""
    from hwsim.ir import io
    from hwsim.ir.arch.neuralut import NeuralutArch
    from hwsim.ir.lut import LutNetwork
    from hwsim.neuralut import pretrained
    from rtl.neuralut.export import export

    artifact = io.load_as(LutNetwork, network) if network.endswith(io.SUFFIX) else pretrained(network)
    return export(artifact, NeuralutArch(register_every=every, ports=ports), out, clock_ns=clock_ns)
