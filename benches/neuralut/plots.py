"""Pictures of NeuraLUT's bench."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benches.runner import Context

_PUBLISHED = Path(__file__).with_name("published.toml")


def published(dataset: str) -> list[dict[str, Any]]:
    """Published points of one data set variant; never mix variants."""
    points = tomllib.loads(_PUBLISHED.read_text(encoding="utf-8"))["point"]
    return [point for point in points if point["dataset"] == dataset]


def pareto(ctx: Context[Any], ours: Sequence[tuple[str, float, float]]) -> None:
    """MNIST accuracy against LUT6: ours (name, accuracy in percent, LUT6) beside published points."""
    with ctx.plot("pareto", "MNIST accuracy against LUTs: ours and published points.", 7.2, 4.4) as figure:
        axes = figure.subplots()
        for point in published("MNIST"):
            marker = "^" if "not counted" in point["encoder"] else "s"
            axes.plot(point["lut"], point["accuracy"], marker, color="0.55", markersize=5)
            axes.annotate(point["name"], (point["lut"], point["accuracy"]), xytext=(4, -9), **_SMALL, color="0.45")
        for name, accuracy, lut6 in ours:
            axes.plot(lut6, accuracy, "o", color="C0", markersize=7)
            axes.annotate(name, (lut6, accuracy), xytext=(5, 5), **_SMALL, color="C0")
        axes.set_xscale("log")
        axes.set(xlabel="LUTs (ours: LUT6 mapped here; published: Vivado)", ylabel="test accuracy, %")


def tables(ctx: Context[Any], network: Any, luts: Sequence[np.ndarray]) -> None:
    """Per-layer statistics: LUT6 of each L-LUT, and how many distinct codes its table holds."""
    with ctx.plot("tables", "LUT6 per L-LUT and codes in use, layer by layer (HDR-5L).", 7.2, 3.2) as figure:
        left, right = figure.subplots(1, 2)
        names = [f"{i + 1}" for i in range(len(luts))]
        left.boxplot([np.asarray(x) for x in luts], tick_labels=names, showfliers=False)
        left.set(xlabel="layer", ylabel="LUT6 per L-LUT")
        used = [[len(np.unique(row)) for row in layer.table] for layer in network.layers]
        right.boxplot(used, tick_labels=names)
        right.set(xlabel="layer", ylabel="distinct output codes")


def pipeline(ctx: Context[Any], rows: Sequence[dict[str, Any]]) -> None:
    """Register placement: cycles of latency against LUT levels between registers."""
    with ctx.plot("pipeline", "Register placement: latency against LUT levels between registers (HDR-5L).") as figure:
        axes = figure.subplots()
        for row in rows:
            axes.plot(row["latency"], row["levels"], "o", color="C0")
            axes.annotate(row["name"], (row["latency"], row["levels"]), xytext=(5, 4), **_SMALL)
        axes.set(xlabel="latency, cycles", ylabel="LUT levels between registers")
        axes.set_ylim(bottom=0)


def speed(ctx: Context[Any], rates: Sequence[tuple[str, float]]) -> None:
    """Samples a second of each evaluator on HDR-5L, logarithmic."""
    with ctx.plot("speed", "Evaluators of HDR-5L, one thread, same run.", 6.4, 2.8) as figure:
        axes = figure.subplots()
        names, values = [name for name, _ in rates], [value for _, value in rates]
        axes.barh(names, values, color=["C0" if name.startswith("hwsim") else "0.65" for name in names])
        axes.set_xscale("log")
        axes.set(xlabel="samples a second")
        axes.invert_yaxis()


_SMALL: dict[str, Any] = {"textcoords": "offset points", "fontsize": 7}


def all_of(ctx: Context[Any]) -> None:
    """The pictures that need nothing but the run's metrics, measured or kept."""
    metrics = ctx.all_metrics()
    ours = []
    for accuracy, cost, name in _OURS:
        if accuracy in metrics and cost in metrics:
            ours.append((name, metrics[accuracy].value, metrics[cost].value))
    if ours:
        pareto(ctx, ours)
    found = [(label, metrics[name].value) for label, name in _RATES if name in metrics]
    if found:
        speed(ctx, found)


_OURS = (
    ("acc_hdr5l", "lut6_hdr5l", "HDR-5L"),
    ("acc_hdr5l_learned_masks", "lut6_mean_hdr5l_learned_masks", "HDR-5L, learned masks"),
)
_RATES = (
    ("hwsim, registers", "sim_samples_per_s_hdr5l"),
    ("hwsim, portable", "sim_samples_per_s_hdr5l_numba"),
    ("Verilator, batch driver", "verilator_samples_per_s_hdr5l"),
    ("numpy", "numpy_samples_per_s_hdr5l"),
    ("torch, dense compare", "torch_compare_samples_per_s_hdr5l"),
)
