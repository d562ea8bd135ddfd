"""Plots: convergence (figure 4), singular values (figure 2), batch noise (figure 3), regular graphs, hardware."""

from __future__ import annotations

from typing import Any

import numpy as np

from benches.runner import Context

LABELS = {"graph": "GraphNorm", "batch": "BatchNorm", "instance": "InstanceNorm", "layer": "LayerNorm"}
COLORS = {"graph": "C0", "batch": "C1", "instance": "C2", "layer": "C3"}
PAPER = {  # GIN with GraphNorm, table 1: mean and standard deviation
    "mutag": (91.6, 6.5), "ptc": (64.9, 7.5), "proteins": (77.4, 4.9), "nci1": (81.4, 2.4), "imdb_binary": (76.0, 3.7),
}  # fmt: skip
TITLES = {"mutag": "MUTAG", "ptc": "PTC", "proteins": "PROTEINS", "nci1": "NCI1", "imdb_binary": "IMDB-B"}


def convergence(ctx: Context[Any], name: str, curves: dict[str, list[list[float]]]) -> None:
    """Training accuracy over epochs."""
    caption = f"Training accuracy on {TITLES.get(name, name)} without dropout, one line a seed (the paper's figure 4)."
    with ctx.plot("convergence", caption) as figure:
        axes = figure.subplots()
        for norm, runs in curves.items():
            for i, run in enumerate(runs):
                epochs = np.arange(1, len(run) + 1)
                axes.plot(epochs, 100 * np.array(run), color=COLORS[norm], lw=1, label=None if i else LABELS[norm])
        axes.axhline(90, color="0.6", lw=0.8, ls="--")
        axes.set(xlabel="epoch", ylabel="training accuracy, %", xlim=(0, None))
        axes.legend(loc="lower right")


def accuracy(ctx: Context[Any], found: dict[str, dict[str, Any]]) -> None:
    """Cross-validated accuracy of each norm beside the paper's GIN + GraphNorm."""
    caption = (
        "Accuracy at the best epoch of the mean curve, ± one standard deviation of folds; black: the paper's "
        "GIN + GraphNorm."
    )
    with ctx.plot("accuracy", caption, width=8.0) as figure:
        axes = figure.subplots()
        names = list(found)
        for place, name in enumerate(names):
            norms = [n for n in LABELS if n in found[name]]
            for i, norm in enumerate(norms):
                values = np.array(found[name][norm]["at_best"])
                x = place + (i - (len(norms) - 1) / 2) * 0.16
                label = LABELS[norm] if place == 0 else None
                axes.bar(x, values.mean(), 0.15, yerr=values.std(), color=COLORS[norm], label=label, capsize=2,
                         error_kw={"lw": 0.8})  # fmt: skip
            if name in PAPER:
                mean, spread = PAPER[name]
                axes.errorbar(place + 0.42, mean, spread, fmt="D", color="k", ms=4, lw=0.8, capsize=2,
                              label="paper, GraphNorm" if place == 0 else None)  # fmt: skip
        axes.set_xticks(range(len(names)), [TITLES.get(n, n) for n in names])
        axes.set(ylabel="accuracy, %", ylim=(40, 100), xlim=(-0.55, len(names) - 0.3))
        figure.legend(loc="outside upper center", ncols=5)


def test_curves(ctx: Context[Any], found: dict[str, dict[str, Any]]) -> None:
    """Mean training and test curves of the folds."""
    names = list(found)
    caption = "Mean over folds: accuracy on training batches (thin) and on held-out graphs (thick)."
    with ctx.plot("curves", caption, width=3.0 * len(names) + 0.6, height=3.2) as figure:
        for axes, name in zip(np.ravel(figure.subplots(1, len(names))), names, strict=True):
            for norm, rows in found[name].items():
                axes.plot(rows["train"], color=COLORS[norm], lw=0.8, alpha=0.7)
                axes.plot(rows["test"], color=COLORS[norm], lw=1.6, label=LABELS[norm])
            axes.set(title=TITLES.get(name, name), xlabel="epoch")
            if name == names[0]:
                axes.legend(loc="lower right", fontsize="small")
        figure.axes[0].set_ylabel("accuracy, %")


def spectrum(ctx: Context[Any], name: str, rows: list[dict[str, list[float]]]) -> None:
    """Singular values before and after the shift."""
    caption = (
        f"Singular values of Q = A + I before and after InstanceNorm's shift, {len(rows)} graphs of "
        f"{TITLES.get(name, name)} (figure 2): the shift cuts the top."
    )
    with ctx.plot("singular_values", caption, width=8.0, height=3.4) as figure:
        left, right = figure.subplots(1, 2)
        lam, mu = (np.concatenate([row[key] for row in rows]) for key in ("lam", "mu"))
        bins = np.linspace(0, max(lam.max(), mu.max()), 50)
        left.hist(lam, bins, alpha=0.6, label="Q", color="C1")
        left.hist(mu, bins, alpha=0.6, label="Q·N", color="C0")
        left.set(xlabel="singular value", ylabel="count", yscale="log")
        left.legend()
        top = np.array([[row["lam"][0], row["mu"][0], row["lam"][1]] for row in rows])
        order = top[:, 0].argsort()
        for column, label, color in ((0, "λ₁ of Q", "C1"), (1, "μ₁ of Q·N", "C0"), (2, "λ₂ of Q", "0.6")):
            right.plot(top[order, column], ".", ms=4, label=label, color=color)
        right.set(xlabel="graph, sorted by λ₁", ylabel="largest singular values")
        right.legend()


def noise(ctx: Context[Any], name: str, found: dict[str, Any]) -> None:
    """Batch statistics around the data set's."""
    caption = (
        "Mean and standard deviation of batches, channel that varies most, in units of the data set's: graphs "
        f"of {TITLES.get(name, name)} against images (figure 3)."
    )
    with ctx.plot("batch_noise", caption, width=8.0, height=3.2) as figure:
        for axes, kind, title in zip(figure.subplots(1, 2, sharey=True), ("graphs", "images"),
                                     (TITLES.get(name, name), "digits"), strict=True):  # fmt: skip
            axes.plot(found[kind]["mean"], "o-", ms=3, lw=0.8, label="batch mean − mean")
            axes.plot(found[kind]["std"], "s-", ms=3, lw=0.8, label="batch std / std")
            axes.axhline(0, color="0.7", lw=0.8)
            axes.axhline(1, color="0.7", lw=0.8)
            axes.set(title=title, xlabel="batch")
        figure.axes[0].set_ylabel("in units of σ of all data")
        figure.axes[1].legend(loc="center right", fontsize="small")


def regular(ctx: Context[Any], rows: list[dict[str, float]]) -> None:
    """Readouts of two regular graphs over α."""
    caption = (
        "How far a GraphNorm layer tells two regular graphs apart (propositions 4.1 and 4.2): five seeds; α = "
        "1 is InstanceNorm."
    )
    with ctx.plot("regular_graphs", caption) as figure:
        axes = figure.subplots()
        for mixed, label in ((1.0, "two feature vectors by turns"), (0.0, "equal features")):
            part = [r for r in rows if r["mixed"] == mixed]
            alpha = [r["alpha"] for r in part]
            low, high = ([max(r[key], 1e-16) for r in part] for key in ("low", "high"))
            axes.fill_between(alpha, low, high, alpha=0.35, label=label)
            axes.plot(alpha, high, lw=1)
        axes.set(xlabel="α", ylabel="difference of readouts", yscale="log")
        axes.legend(loc="lower left")


def handover(ctx: Context[Any], found: dict[str, list[dict[str, float]]]) -> None:
    """Accuracy lost in each variant of the hand-over."""
    names = list(found)
    shown = ("exact", "recoded-m32-d1", "uniform-m48-d2", "uniform-m48", "w4", "w3", "in8", "root4", "folded")
    caption = (
        "Accuracy of the trained GIN on the array minus float, mean over folds: encodings at 8 bits, weight "
        "bits, codes into the statistics unit, bits of its rsqrt table, and GraphNorm folded with mean "
        "statistics."
    )
    with ctx.plot("handover", caption, width=8.0, height=3.6) as figure:
        axes = figure.subplots()
        for i, name in enumerate(names):
            loss = [np.mean([row[v] - row["float"] for row in found[name]]) for v in shown]
            x = np.arange(len(shown)) + (i - (len(names) - 1) / 2) * 0.8 / len(names)
            axes.bar(x, loss, 0.75 / len(names), label=TITLES.get(name, name))
        axes.axhline(0, color="k", lw=0.8)
        axes.axhline(-1, color="0.5", lw=0.8, ls="--")
        axes.set_xticks(range(len(shown)), shown, rotation=30, ha="right")
        axes.set_yscale("symlog", linthresh=1)
        axes.set_yticks(ticks := [-40, -20, -10, -5, -2, -1, 0, 1, 2, 5], [str(t) for t in ticks])
        axes.set(ylabel="change of accuracy, points")
        axes.legend(loc="upper right", ncols=4)


def cycles(ctx: Context[Any], found: dict[str, Any]) -> None:
    """Cycles a graph over lanes of the statistics unit."""
    caption = (
        "Cycles a graph on a 64×64 array over lanes of the statistics unit; dotted: the same GIN with "
        "BatchNorm, folded."
    )
    with ctx.plot("cycles", caption) as figure:
        axes = figure.subplots()
        lanes = list(found["lanes"])
        rows = [found["lanes"][k] for k in lanes]
        axes.plot(lanes, [row["cycles"] for row in rows], "o-", label="GraphNorm, all")
        for key, label in (("wait", "waiting for statistics"), ("vector", "vector unit"), ("gemm", "array")):
            axes.plot(lanes, [row[key] for row in rows], ".--", lw=1, label=label)
        axes.axhline(found["batchnorm"]["cycles"], color="k", lw=1, ls=":", label="BatchNorm, all")
        axes.set(xlabel="lanes of the statistics unit", ylabel="cycles a graph", yscale="log")
        axes.legend()
