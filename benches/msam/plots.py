"""Pictures of MSAM's bench, drawn from what the stages hand on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benches.msam import lut, mac, mechanism, spiking, weights
from benches.msam.methods import BY_NAME, METHODS
from benches.runner import Context

Rows = dict[str, list[dict[str, float]]]


def over_rho(ctx: Context[Any], found: dict[str, Any]) -> None:
    """Figure 2 of the paper: test accuracy and training loss over ρ, against SGD and Nesterov."""
    grid, msam = np.array(found["grid"]), np.array(found["msam"])
    n = msam.shape[1]
    caption = f"Accuracy over ρ, negative and positive, against SGD and Nesterov (digits, {n} seeds, ± standard error)."
    with ctx.plot("rho", caption, 8.4, 3.4) as figure:
        left, right = figure.subplots(1, 2)
        for axes, k in ((left, 0), (right, 2)):
            mean, error = msam[:, :, k].mean(1), msam[:, :, k].std(1, ddof=1) / n**0.5 if n > 1 else 0.0
            axes.errorbar(grid, mean, error, fmt="o-", color="C0", ms=4, label="MSAM")
            for name, label in (("sgd", "SGD"), ("nag", "Nesterov")):
                style = "--" if name == "sgd" else ":"
                axes.axhline(np.array(found[name])[:, k].mean(), ls=style, color="0.35", lw=1.4, label=label)
            axes.axvline(0, color="0.8", lw=0.8)
            axes.set_xscale("symlog", linthresh=0.1, linscale=0.4)
            axes.set_xticks([-1, -0.1, 0.1, 1], ["−1", "−0.1", "0.1", "1"])
            axes.set_xlabel("ρ (> 0: Nesterov's side)")
        top = max(msam[:, :, 0].mean(1).max(), np.array(found["sgd"])[:, 0].mean())
        left.set_ylim(top - 5, top + 0.6)
        left.set(ylabel="test accuracy, %")
        right.set(ylabel="training loss, nat")
        left.legend(loc="lower right", fontsize=8)


def angles(ctx: Context[Any], found: dict[str, Any]) -> None:
    """Figure 2C and appendices A.5, A.10: cosine, rise of the loss, sharpness and curvature over training."""
    caption = "Over training: angle of gradient and momentum, loss rise by MSAM's shift, sharpness, curvature (digits)."
    panels = (
        ("cosine", "cos(gradient, momentum)"),
        ("rise", "L(w − ρv/‖v‖) − L(w), ρ = 1"),
        ("sharp_random", "rise along random directions"),
        ("top", "largest Hessian eigenvalue"),
    )
    with ctx.plot("mechanism", caption, 8.4, 5.4) as figure:
        for axes, (name, label) in zip(figure.subplots(2, 2, sharex=True).flat, panels, strict=True):
            for m in mechanism.METHODS:
                over = found[m]["over"]
                axes.plot(over["epoch"], over[name], color=BY_NAME[m].color, label=BY_NAME[m].label)
            axes.set_ylabel(label)
            if name == "cosine":
                axes.axhline(0, color="0.8", lw=0.8)
        for axes in figure.axes[2:]:
            axes.set_xlabel("epoch")
        figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4, fontsize=8)


def sharpness(ctx: Context[Any], found: dict[str, Any]) -> None:
    """Figure 4: loss around the trained network along three directions."""
    caption = "Loss around trained networks along the gradient, the momentum and random filter-normalised directions."
    with ctx.plot("sharpness", caption, 8.8, 3.4) as figure:
        for axes, (name, radii) in zip(figure.subplots(1, 3), mechanism.RADII.items(), strict=True):
            for m in mechanism.METHODS:
                axes.plot(radii, found[m]["shape"][name], color=BY_NAME[m].color, label=BY_NAME[m].label)
            axes.set(xlabel=f"ρ along the {name}" if name != "random" else "ρ, random direction")
            axes.set_ylim(bottom=min(-0.02, axes.get_ylim()[0]))
        mark = {"gradient": mechanism.RHO_SAM, "momentum": -mechanism.RHO_MSAM}
        for axes, name in zip(figure.axes, mechanism.RADII, strict=True):
            if name in mark:
                axes.axvline(mark[name], color="0.8", lw=0.8)
        figure.axes[0].set_ylabel("L(w + ρe) − L(w), nat")
        figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4, fontsize=8)


def robustness(ctx: Context[Any], rows: Rows) -> None:
    """Accuracy against bits, noise, bit flips, and the error of encoded products."""
    caption = "The same network by each optimiser under what hardware does to weights and products (digits)."
    panels: tuple[tuple[str, Sequence[float], Sequence[str], str], ...] = (
        ("weight bits", weights.BITS, [weights.key("q", b) for b in weights.BITS], "linear"),
        ("weight noise σ / max|W|", weights.SIGMAS, [weights.key("noise", s) for s in weights.SIGMAS], "linear"),
        ("bit-flip rate, 8-bit weights", weights.RATES, [weights.key("flip", r) for r in weights.RATES], "log"),
        ("product error, % of the largest (truncated)", *_mac_axis("truncated", mac.TRUNCATED), "linear"),
        ("product error, % of the largest (Booth)", *_mac_axis("booth", mac.BOOTH), "linear"),
        ("weight bits, spiking neurons", spiking.BITS, [f"snn_q{b}" for b in spiking.BITS], "linear"),
    )
    with ctx.plot("robustness", caption, 9.6, 5.8) as figure:
        for axes, (label, x, names, scale) in zip(figure.subplots(2, 3).flat, panels, strict=True):
            for m in METHODS:
                y = [np.mean([row[name] for row in rows[m.name]]) for name in names]
                axes.plot(x, y, "o-", color=m.color, ms=3, lw=1.3, label=m.label)
            axes.set_xscale(scale)
            axes.set_xlabel(label, fontsize=8)
            axes.set_ylim(max(axes.get_ylim()[0], 30), 99)
            if "bits" in label:
                axes.invert_xaxis()
        for axes in figure.axes[::3]:
            axes.set_ylabel("test accuracy, %")
        figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4, fontsize=8)


def _mac_axis(kind: str, columns: Sequence[int]) -> tuple[list[float], list[str]]:
    names = [f"{kind}{column}" for column in columns]
    return [mac.error_of(name) for name in names], [f"mac_{name}" for name in names]


def pareto(ctx: Context[Any], rows: Rows) -> None:
    """Gain over SGD against gradient passes: what an optimiser gives for what it takes."""
    caption = "Gain over SGD against gradient passes, relative to SGD (digits, mean ± standard error)."
    with ctx.plot("cost", caption, 8.4, 3.4) as figure:
        figures = figure.subplots(1, 3)
        columns = (("acc", "clean"), ("noise0.2", "noise σ = 0.2"), ("flip0.01", "1 % bit flips"))
        for axes, (name, label) in zip(figures, columns, strict=True):
            for m in METHODS:
                if m.name == "sgd":
                    continue
                pairs = zip(rows[m.name], rows["sgd"], strict=True)
                gains = np.array([a[name] - b[name] for a, b in pairs])
                error = gains.std(ddof=1) / len(gains) ** 0.5 if len(gains) > 1 else 0.0
                passes = rows[m.name][0]["gradients"] / rows["sgd"][0]["gradients"]
                axes.errorbar(passes, gains.mean(), error, fmt="o", color=m.color, label=m.label)
            axes.axhline(0, color="0.7", lw=0.8)
            axes.set(xlabel="gradient passes, SGD = 1", title=label, xlim=(0.8, 2.2))
        figures[0].set_ylabel("gain over SGD, points")
        figure.legend(*figures[0].get_legend_handles_labels(), loc="outside upper center", ncols=4, fontsize=8)


def tables(ctx: Context[Any], rows: Rows) -> None:
    """LUT networks: accuracy against flipped table bits."""
    with ctx.plot("lut", "LUT networks by optimiser: flipped table bits (digits).", 5.2, 3.4) as figure:
        axes = figure.subplots()
        for m, found in rows.items():
            y = [np.mean([row[f"flip{rate:g}"] for row in found]) for rate in lut.RATES]
            axes.plot(lut.RATES, y, "o-", color=BY_NAME[m].color, label=BY_NAME[m].label)
            axes.axhline(float(np.mean([row["acc"] for row in found])), color=BY_NAME[m].color, lw=0.8, ls=":")
        axes.set_xscale("log")
        axes.set(xlabel="bit-flip rate of the tables", ylabel="test accuracy, %")
        axes.legend(loc="lower left", fontsize=8)


def cifar(ctx: Context[Any], rows: dict[str, list[dict[str, Any]]]) -> None:
    """Learning curves of the convolutional network, by epoch and by gradient passes."""
    with ctx.plot("cifar", "CIFAR-10 subset: test accuracy over gradient passes, mean over seeds.", 7.6, 3.4) as figure:
        axes, right = figure.subplots(1, 2)
        for m, found in rows.items():
            curve = [row for row in found[0]["history"] if "accuracy" in row]
            epochs = np.array([row["epoch"] + 1 for row in curve])
            accuracies = [[h["accuracy"] for h in row["history"] if "accuracy" in h] for row in found]
            passes = epochs / epochs[-1] * found[0]["gradients"]
            y = 100 * np.mean(accuracies, axis=0)
            axes.plot(passes, y, "o-", ms=3, color=BY_NAME[m].color, label=BY_NAME[m].label)
            loss = np.mean([[h["loss"] for h in row["history"]] for row in found], axis=0)
            right.plot(np.arange(1, len(loss) + 1), loss, color=BY_NAME[m].color)
        axes.set(xlabel="gradient passes", ylabel="test accuracy, %")
        right.set(xlabel="epoch", ylabel="training loss, nat")
        axes.legend(loc="lower right", fontsize=8)
