"""Plots of the bench."""

from __future__ import annotations

from typing import Any

import numpy as np

from benches.occnet.handover import MAIN
from benches.runner import Context

NAMES = ("truth", "network, float32", "network on the array, 8 bits")


def reconstructions(ctx: Context[Any], n: int) -> None:
    """Truth, float32 and hardware side by side, one column a shape."""
    caption = f"Truth, the network in float32, and the same network on the encoded-MAC array ({MAIN}, 8 bits)."
    pictures = [np.load(ctx.folder / f"mesh-{k}.npy") for k in range(n)]
    with ctx.plot("reconstructions", caption, 1.7 * n + 0.3, 5.4) as figure:
        axes = figure.subplots(3, n, squeeze=False)
        for k, column in enumerate(pictures):
            for row in range(3):
                axes[row, k].imshow(column[row], cmap="gray", vmin=0, vmax=1)
                axes[row, k].set(xticks=[], yticks=[])
                axes[row, k].grid(False)
                for spine in axes[row, k].spines.values():
                    spine.set_visible(False)
        for row, name in enumerate(NAMES):
            axes[row, 0].set_ylabel(name, fontsize=8)


def levels(ctx: Context[Any], rounds: list[Any]) -> None:
    """Figure 2 of the paper: where MISE asks, level by level; and what a round costs."""
    level = np.load(ctx.folder / "known.npy")
    step = 1 << int(level.max())  # slices with coarse points
    middle = step * int(np.argmax((level[::step] == level.max()).sum((1, 2))))
    caption = "Points that MISE evaluates in one slice of the grid, by level; cycles of each round on the array."
    with ctx.plot("mise", caption, 9.0, 3.2) as figure:
        left, right = figure.subplots(1, 2, width_ratios=[1, 1.25])
        for k, colour in enumerate(("#b8c4ce", "#e69f00", "#b2182b")):
            a, b = np.nonzero(level[middle] == k)
            left.scatter(a, b, s=(6, 3, 1)[k], c=colour, label=f"level {k}", linewidths=0)
        left.set(aspect="equal", xticks=[], yticks=[], title=f"slice {middle} of {len(level)}")
        left.grid(False)
        left.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), markerscale=2)
        first = rounds[0]
        right.bar(range(len(first)), [row[1] + row[2] for row in first])
        right.set(yscale="log", xlabel="round", ylabel="cycles", xticks=range(len(first)), title="queries above bars")
        for i, row in enumerate(first):
            right.annotate(f"{row[0]:,}", (i, row[1] + row[2]), ha="center", va="bottom", fontsize=8)


def curves(ctx: Context[Any], found: dict[str, list[list[float]]], levels_of: dict[str, float]) -> None:
    """Validation IoU over training, beside the baselines."""
    with ctx.plot("curves", "IoU over training; dashed: methods that do not learn.", 6.4, 3.6) as figure:
        axes = figure.subplots()
        for name, rows in found.items():
            axes.plot([r[0] for r in rows], [r[1] for r in rows], "o-", label=name)
        for i, (name, value) in enumerate(levels_of.items()):
            axes.axhline(value, ls="--", color=f"C{i + len(found)}", label=name)
        axes.set(xlabel="epoch of 50 steps", ylabel="IoU on validation shapes")
        axes.legend()
