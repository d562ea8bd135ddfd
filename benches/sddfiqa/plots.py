"""Pictures of SDD-FIQA's bench, from what the stages hand on. Faces in them are generated ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from benches.runner import Context
from benches.sddfiqa.study import FMR_NAMES, GRID, METHODS

COLORS = {
    "label": "0.25", "predicted": "C3", "gate": "C1", "head": "C4", "pair": "C5", "ser_fiq": "C2", "norm": "C0",
    "laplacian": "#8c564b", "strength": "0.55", "random": "0.8",
}  # fmt: skip
DASHED = ("label", "strength", "random")
Row = dict[str, Any]
FMR_TEXT = {"fmr1e2": "FMR 1e-2", "fmr1e3": "FMR 1e-3", "fmr1e4": "FMR 1e-4"}


def curves(ctx: Context[Any], found: dict[str, Any], name: str) -> None:
    """Figure 5 of the paper: error versus discard at three FMRs."""
    caption = f"Error versus discard: FNMR of {found['judge']} when the worst images are left out ({found['title']})."
    x = 100 * np.linspace(0, 0.95, GRID)
    with ctx.plot(name, caption, 10.4, 3.9) as figure:
        for axes, fmr in zip(figure.subplots(1, 3), FMR_NAMES.values(), strict=True):
            for method, y in found["curves"][fmr].items():
                style = "--" if method in DASHED else "-"
                axes.step(x, y, style, where="post", color=COLORS[method], lw=1.3, label=METHODS[method])
            axes.set(title=FMR_TEXT[fmr], xlabel="images discarded, %", xlim=(0, 95))
            axes.set_ylim(bottom=0)
        figure.axes[0].set_ylabel("FNMR, %")
        handles = figure.axes[0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside upper center", ncols=5, fontsize=7.5)


def areas(ctx: Context[Any], found: dict[str, Any], name: str) -> None:
    """AOC of every method with its interval."""
    caption = f"AOC with 95 % intervals over identities; higher is better ({found['title']}, {found['judge']})."
    methods = [m for m in METHODS if m in found["aoc"] and m != "random"]
    with ctx.plot(name, caption, 8.4, 3.9) as figure:
        axes = figure.subplots()
        for k, fmr in enumerate(FMR_NAMES.values()):
            values = np.array([found["aoc"][m][k] for m in methods])
            errors = np.abs(values[:, 1:] - values[:, :1]).T
            places = np.arange(len(methods)) + 0.24 * (k - 1)
            axes.errorbar(places, values[:, 0], errors, fmt="o", ms=4, capsize=2, label=FMR_TEXT[fmr], color=f"C{k}")
        names = [METHODS[m].replace(", ", ",\n").replace(" (", "\n(") for m in methods]
        axes.set_xticks(range(len(methods)), names, fontsize=6.2)
        axes.axhline(0, color="0.8", lw=0.8)
        axes.set(ylabel="AOC")
        axes.legend(fontsize=8)


def labels(ctx: Context[Any], found: dict[str, Any]) -> None:
    """Label against the strength of every degradation, and the histogram of labels."""
    quality, strength = np.array(found["labels"]), np.array(found["strength"])
    kind = np.array(found["kind"])
    kinds = sorted(set(kind) - {"clean"})
    with ctx.plot("labels", "Pseudo-labels against the strength of what was done to the image.", 9.6, 4.6) as figure:
        for axes, one in zip(figure.subplots(2, 4).flat, [*kinds, "clean", "all"], strict=True):
            if one in kinds:
                axes.plot(strength[kind == one], quality[kind == one], ".", ms=3, color="C0")
                axes.set(title=one, xlim=(0, 1), ylim=(0, 100))
                continue
            part = quality if one == "all" else quality[kind == one]
            axes.hist(part, bins=24, range=(0, 100), color="0.6")
            axes.set(title=f"{one}: histogram")
        for axes in figure.axes[::4]:
            axes.set_ylabel("label")
        for axes in figure.axes[4:6]:
            axes.set_xlabel("strength")


def hardware(
    ctx: Context[Any], gates: list[dict[str, Any]], teacher: list[float], engine: list[dict[str, Any]]
) -> None:
    """AOC of L-LUT gates over LUT6, and the three label circuits."""
    caption = "Left: AOC of L-LUT gates over their size, dashed the float head. Right: circuits of the label engine."
    with ctx.plot("hardware", caption, 8.8, 3.6) as figure:
        left, right = figure.subplots(1, 2)
        for k, text in enumerate(FMR_TEXT.values()):
            left.plot([row["lut6"] for row in gates], [row["aoc"][k] for row in gates], "o-", color=f"C{k}", label=text)
            left.axhline(teacher[k], ls="--", lw=0.8, color=f"C{k}")
        left.set(xlabel="LUT6, counter included", ylabel="AOC", xscale="log")
        left.legend(fontsize=8, loc="center right")
        for row, color in zip(engine, ("C3", "C0", "C2"), strict=True):
            text = f"{row['name']}: ρ = {row['rank']:.5f}"
            right.plot(row["lut6"], row["cycles"], "o", ms=7, color=color, label=text)
        right.set(xlabel="LUT6 (formula)", ylabel="cycles a label and round", xscale="log", yscale="log")
        right.legend(fontsize=8, title="rank correlation with float labels", title_fontsize=8)


def faces(ctx: Context[Any], chips: np.ndarray, quality: np.ndarray, kind: np.ndarray) -> None:
    """Generated faces in the order of predicted quality."""
    rows, columns = 4, 14
    chosen = np.argsort(quality)[np.linspace(0, len(quality) - 1, rows * columns).round().astype(int)]
    with ctx.plot("faces", "Generated faces, from the lowest predicted quality to the highest.", 9.8, 3.4) as figure:
        for axes, i in zip(figure.subplots(rows, columns).flat, chosen, strict=True):
            axes.imshow(chips[i], cmap="gray", vmin=0, vmax=255)
            axes.set_title(f"{quality[i]:.0f} {kind[i][:5]}", fontsize=6, pad=2)
            axes.set_axis_off()
