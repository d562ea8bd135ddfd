"""Pictures of EncodingNet's bench."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benches.encodingnet.cost import BASE, pick
from benches.runner import Context

Row = dict[str, Any]
_MARKS = {
    "truncated": ("0.45", "s", "truncated"), "recoded": ("C0", "o", "recoded"), "exact": ("C1", "^", "exact heap"),
    "booth": ("C2", "v", "Booth heap"), "popcount": ("C3", "D", "exact popcount"),
    "truncated_relu": ("0.45", "s", "truncated, x ≥ 0"), "recoded_relu": ("C0", "o", "recoded, x ≥ 0"),
    "searched_relu": ("C4", "P", "searched, x ≥ 0"),
}  # fmt: skip
_EXACT = 0.5  # where designs without error are drawn on a logarithmic axis


def fronts(ctx: Context[Any], table: Sequence[Row]) -> None:
    """Area and power against operand-weighted error, a pair of panels a library."""
    libraries = sorted({row["library"] for row in table})
    caption = "Columns of 64 rows: area and power relative to plain systolic cells, against the error of a product."
    with ctx.plot("fronts", caption, 8.6, 3.3 * len(libraries) + 0.4) as figure:
        panels = figure.subplots(len(libraries), 2, squeeze=False)
        for line, library in zip(panels, libraries, strict=True):
            base = pick(table, library, BASE)
            for axes, column, name in zip(line, ("area_um2", "power_mw"), ("area", "power"), strict=True):
                _front(axes, [r for r in table if r["library"] == library], column, base[column])
                axes.set(xlabel="RMSE of a product (exact designs at the left)", ylabel=f"{name} / systolic, {library}")
        figure.legend(*panels[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=4, fontsize=8)


def _front(axes: Any, rows: Sequence[Row], column: str, base: float) -> None:
    for family, (colour, mark, label) in _MARKS.items():
        points = sorted((max(r["rmse"], _EXACT), r[column] / base) for r in rows if r["family"] == family)
        if points:
            style = ":" if family.endswith("_relu") else "-" if family in ("truncated", "recoded") else ""
            axes.semilogx(*zip(*points, strict=True), style, color=colour, marker=mark, ms=4, lw=1, label=label)


def split(ctx: Context[Any], table: Sequence[Row], designs: Sequence[str]) -> None:
    """Power of some columns by what draws it."""
    parts = {"clock_mw": "clock", "register_mw": "registers", "combinational_mw": "logic", "leakage_mw": "leakage"}
    libraries = sorted({row["library"] for row in table})
    with ctx.plot("power", "Power of 64-row columns, split.", 8.6, 3.4) as figure:
        for axes, library in zip(figure.subplots(1, len(libraries), squeeze=False)[0], libraries, strict=True):
            shown = [d for d in designs if any(r["design"] == d and r["library"] == library for r in table)]
            left = [0.0] * len(shown)
            for i, (part, label) in enumerate(parts.items()):
                values = [pick(table, library, d)[part] for d in shown]
                axes.barh(shown, values, left=left, label=label, color=f"C{i}")
                left = [a + b for a, b in zip(left, values, strict=True)]
            axes.set(xlabel=f"mW, {library}")
            axes.invert_yaxis()
            axes.tick_params(labelleft=library == libraries[0])
        figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=4, fontsize=8)


def energy(ctx: Context[Any], parts: Mapping[str, Mapping[str, float]]) -> None:
    """Energy of ResNet-18 by part of the array."""
    with ctx.plot("resnet18", "ResNet-18 on 64 × 64 arrays: energy by part, array model.", 7.2, 2.4) as figure:
        axes = figure.subplots()
        left = [0.0] * len(parts)
        names = [name for name in next(iter(parts.values())) if any(p[name] > 0 for p in parts.values())]
        for i, name in enumerate(names):
            values = [p[name] for p in parts.values()]
            axes.barh(list(parts), values, left=left, label=name, color=f"C{i}")
            left = [a + b for a, b in zip(left, values, strict=True)]
        axes.set(xlabel="µJ an image")
        axes.invert_yaxis()
        figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=len(names), fontsize=8)


def accuracy(ctx: Context[Any], runs: Mapping[str, Mapping[str, Sequence[float]]]) -> None:
    """Test accuracy of every arm before and after fine-tuning."""
    with ctx.plot("accuracy", "Integer networks on test images, before and after fine-tuning.", 7.2, 3.0) as figure:
        for axes, (slug, arms) in zip(figure.subplots(1, len(runs), squeeze=False)[0], runs.items(), strict=True):
            for shift, (label, which) in enumerate((("before", 0), ("after", 1))):
                places = [i + 0.36 * (shift - 0.5) for i in range(len(arms))]
                axes.bar(places, [values[which] for values in arms.values()], 0.34, color=f"C{shift}", label=label)
            low = min(min(values) for values in arms.values())
            axes.set(ylim=(low - 0.4 * (100 - low) - 0.1, 100), ylabel="accuracy, %", title=slug)
            axes.set_xticks(range(len(arms)), [arm.replace("-", "\n") for arm in arms])
        figure.legend(*axes.get_legend_handles_labels(), loc="outside right center", fontsize=8)


def search(ctx: Context[Any], lines: Mapping[str, Sequence[Sequence[float]]]) -> None:
    """Error against the number of wide bits."""
    with ctx.plot("bits", "8 × 8, uniform operands: error against the number of wide bits M.", 5.6, 3.8) as figure:
        axes = figure.subplots()
        for i, (label, points) in enumerate(lines.items()):
            kept = sorted((m, rmse) for m, rmse in points if rmse > 0)
            if kept:
                axes.semilogy(*zip(*kept, strict=True), "-o", ms=4, lw=1, color=f"C{i}", label=label)
        axes.set(xlabel="wide bits M", ylabel="RMSE of a product")
        axes.legend(fontsize=8)
