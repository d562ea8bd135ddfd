"""Pictures of NeuraLUT's bench."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benches.neuralut.curves import front
from benches.neuralut.runs import CURVES, TWELVE_BIT, VOTES
from benches.runner import Context

_PUBLISHED = Path(__file__).with_name("published.toml")


def published(dataset: str) -> list[dict[str, Any]]:
    """Published points of one data set variant; never mix variants."""
    points = tomllib.loads(_PUBLISHED.read_text(encoding="utf-8"))["point"]
    return [point for point in points if point["dataset"] == dataset]


def pareto(ctx: Context[Any], ours: Sequence[tuple[str, float, float]]) -> None:
    """MNIST accuracy against LUT6: ours (name, accuracy in percent, LUT6) beside published points."""
    with ctx.plot("pareto", "MNIST accuracy against LUTs: ours and published points.", 7.6, 4.6) as figure:
        draw_pareto(figure, ours)


def draw_pareto(figure: Any, ours: Sequence[tuple[str, float, float]]) -> None:
    """Draw `pareto` into a matplotlib figure."""
    axes = figure.subplots()
    points = sorted(published("MNIST"), key=lambda point: (point["accuracy"], point["lut"]))
    for marker, counted in (("^", False), ("s", True)):
        chosen = [p for p in points if ("not counted" not in p["encoder"]) == counted]
        label = f"published, input encoder {'counted or trivial' if counted else 'not counted'}"
        axes.plot([p["lut"] for p in chosen], [p["accuracy"] for p in chosen], marker, color="0.55", ms=5, label=label)
    rows = [0] * len(points)
    for k in range(1, len(points)):  # neighbours on one height take turns above and below
        before, here = points[k - 1], points[k]
        close = here["lut"] / before["lut"] < 4 and abs(here["accuracy"] - before["accuracy"]) < 0.1
        rows[k] = (rows[k - 1] + 1) % 3 if close else 0
    for point, row in zip(points, rows, strict=True):
        axes.annotate(
            point["name"], (point["lut"], point["accuracy"]), xytext=(4, (-9, 5, -18)[row]), **_SMALL, color="0.45"
        )
    axes.plot([x for _, _, x in ours], [y for _, y, _ in ours], "o", color="C0", ms=7, label="hwsim, LUT6 proved")
    for k, (name, accuracy, lut6) in enumerate(ours):
        again = any(abs(accuracy - before) < 0.1 for _, before, _ in ours[:k])  # on one height: to the other side
        place: dict[str, Any] = {"xytext": (-6, -3), "ha": "right"} if again else {"xytext": (5, 5)}
        axes.annotate(name, (lut6, accuracy), **place, **_SMALL, color="C0")
    axes.set_xscale("log")
    axes.set_xlim(right=9e5)
    axes.set(xlabel="LUTs (ours: LUT6 mapped here; published: Vivado)", ylabel="test accuracy, %")
    axes.legend(loc="lower left", fontsize=7)


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


def curves(ctx: Context[Any], metrics: Mapping[str, Any]) -> None:
    """Accuracy against LUT6 and against LUT levels for both methods, with the efficient fronts that are compared."""
    caption = "NeuraLUT and LogicNets on MNIST: accuracy against cost, and each method's efficient front."
    with ctx.plot("curves", caption, 8.4, 3.8) as figure:
        for axes, (cost, label) in zip(figure.subplots(1, 2, sharey=True), _COSTS, strict=True):
            for kind, name, color in (("neuralut", "NeuraLUT", "C0"), ("logicnets", "LogicNets", "C1")):
                for plans, marker, what in ((VOTES, "o", "one-bit codes"), (TWELVE_BIT, "s", "12-bit addresses")):
                    x, y = _points(metrics, [plan.name for plan in plans if plan.kind == kind], cost)
                    axes.plot(x, y, marker, color=color, ms=5, label=f"{name}, {what}")
                x, y = _points(metrics, [plan.name for plan in CURVES if plan.kind == kind], cost)
                y, x = front(y, x)
                axes.plot(x, y, "-", color=color, lw=1)
            axes.set(xlabel=label)
        left = figure.axes[0]
        left.set_xscale("log")
        left.set(ylabel="test accuracy, %")
        figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=4, fontsize=7)


def _points(metrics: Mapping[str, Any], plans: Sequence[str], cost: str) -> tuple[np.ndarray, np.ndarray]:
    """Costs and accuracies of the plans that are among the metrics."""
    known = [name for name in plans if f"acc_{name}" in metrics]
    return (
        np.array([metrics[f"{cost}_mean_{name}"].value for name in known]),
        np.array([metrics[f"acc_{name}"].value for name in known]),
    )


_COSTS = (("lut6", "LUT6"), ("levels", "LUT levels, input to output"))
_SMALL: dict[str, Any] = {"textcoords": "offset points", "fontsize": 7}


def own_points(metrics: Mapping[str, Any]) -> list[tuple[str, float, float]]:
    """(name, accuracy, LUT6) of our networks among the metrics of a run."""
    found = [(name, metrics.get(accuracy), metrics.get(cost)) for accuracy, cost, name in _OURS]
    return [(name, accuracy.value, cost.value) for name, accuracy, cost in found if accuracy and cost]


def all_of(ctx: Context[Any]) -> None:
    """The pictures that need nothing but the run's metrics, measured or kept."""
    metrics = ctx.all_metrics()
    if ours := own_points(metrics):
        pareto(ctx, ours)
    if any(f"acc_{plan.name}" in metrics for plan in CURVES):
        curves(ctx, metrics)
    found = [(label, metrics[name].value) for label, name in _RATES if name in metrics]
    if found:
        speed(ctx, found)


_OURS = (
    ("acc_hdr5l", "lut6_hdr5l", "HDR-5L"),
    ("acc_hdr5l", "dontcare_lut6_hdr5l", "HDR-5L, don't-cares"),
    ("acc_hdr5l_learned_masks", "lut6_mean_hdr5l_learned_masks", "HDR-5L, learned masks"),
    ("acc_mnist_votes1800", "lut6_mean_mnist_votes1800", "1800 one-bit tables, votes counted"),
    ("acc_mnist_votes900", "lut6_mean_mnist_votes900", "900 one-bit tables"),
)
_RATES = (
    ("hwsim, registers", "sim_samples_per_s_hdr5l"),
    ("hwsim, portable", "sim_samples_per_s_hdr5l_numba"),
    ("Verilator, batch driver", "verilator_samples_per_s_hdr5l"),
    ("numpy", "numpy_samples_per_s_hdr5l"),
    ("torch, dense compare", "torch_compare_samples_per_s_hdr5l"),
)
