"""What columns cost on standard cells and on an FPGA: savings against the plain systolic column, and the fronts.

The claim is judged on the lower of two libraries. Truncation, exact and Booth trees stand in the same table, with the
same freedoms: constants of the weight outside the column, and complemented bits where they are smaller.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benches.encodingnet.columns import CLOCK_MHZ, DESIGNS, ROWS, column_cost, errors
from benches.runner import Context

LIBRARIES = ("sky130hd", "sg13g2")
BASE, CLAIM = "systolic", "recoded 5 (uniform)"
MAX_BITS, MAX_RMSE = 48, 14.1  # what the claim's encoding must keep: wide bits, and the authors' error
RIVALS = {"exact_heap": "exact heap", "booth_heap": "Booth heap", "truncated": "truncated 5"}
RIVAL_FAMILIES = ("truncated", "truncated_relu")
KINDS = {"area": "area_um2", "power": "quiet_mw", "power_with_glitches": "power_mw"}
Row = dict[str, Any]


def libraries(asked: str) -> list[str]:
    """Those of `asked` (names, separated by spaces) whose Liberty files are found."""
    from rtl.synth.cells import library_files

    found = library_files()
    return [name for name in asked.split() if name in found]


def measure(ctx: Context[Any]) -> dict[str, Any] | None:
    """Costs of all columns on all libraries; None without a library."""
    names = libraries(ctx.config.libraries)
    designs = [d for d in DESIGNS if ctx.config.columns in ("all", "") or d in ctx.config.columns.split(",")]
    if not names:
        for metric in _NEEDED:
            ctx.not_comparable(metric, "no Liberty file: set HWSIM_LIBERTY, or apt install qflow-tech-osu018")
        return None
    points = [
        {"library": library, "design": design, "complement": complement, "seed": ctx.seed}
        for library in names
        for design in designs
        for complement in ((False, True) if DESIGNS[design].arch.style == "heap" else (False,))
    ]
    rows = ctx.sweep(column_cost, points)
    table = _table(points, rows, {design: errors(design) for design in designs})
    _write(ctx, table)
    if set(LIBRARIES) <= set(names):
        savings(ctx, table)
        against_truncation(ctx, table)
    else:
        missing = ", ".join(sorted(set(LIBRARIES) - set(names)))
        for metric in _NEEDED:
            ctx.not_comparable(metric, f"no Liberty file of {missing}")
    return {"table": table}


_NEEDED = (
    "area_saving_vs_systolic", "power_saving_vs_systolic", "critical_path_ratio_vs_systolic",
    "pipeline_registers_ratio_vs_systolic", "area_ratio_vs_truncation", "power_ratio_vs_truncation",
)  # fmt: skip


def _table(points: Sequence[Row], rows: Sequence[Row], seen: Mapping[str, Mapping[str, float]]) -> list[Row]:
    """One row a library and design: the polarity with the smaller area × power."""
    best: dict[tuple[str, str], Row] = {}
    for point, row in zip(points, rows, strict=True):
        key = point["library"], point["design"]
        made = {**point, **row, **seen[point["design"]], "family": DESIGNS[point["design"]].family}
        if key not in best or row["area_um2"] * row["power_mw"] < best[key]["area_um2"] * best[key]["power_mw"]:
            best[key] = made
    return list(best.values())


def pick(table: Sequence[Row], library: str, design: str) -> Row:
    """The row of one design."""
    return next(row for row in table if row["library"] == library and row["design"] == design)


def savings(ctx: Context[Any], table: Sequence[Row]) -> None:
    """The claim, and the same figures for every rival: the lower of both libraries."""
    claim = pick(table, LIBRARIES[0], CLAIM)
    if claim["wide_bits"] > MAX_BITS or claim["rmse_uniform"] > MAX_RMSE:
        ctx.note(f"{CLAIM} breaks its own limits: M {claim['wide_bits']}, uniform RMSE {claim['rmse_uniform']:.2f}")
    detail = f"M = {claim['wide_bits']:.0f}, uniform RMSE {claim['rmse_uniform']:.1f}"
    where = f"{ROWS}-row column; {', '.join(LIBRARIES)}; {CLOCK_MHZ:.0f} MHz"
    for slug, design in {"": CLAIM, **{f"_{slug}": design for slug, design in RIVALS.items()}}.items():
        for kind, column in KINDS.items():
            each = {n: 100 * (1 - pick(table, n, design)[column] / pick(table, n, BASE)[column]) for n in LIBRARIES}
            split = ", ".join(f"{name} {value:.2f} %" for name, value in each.items())
            method = f"{design}{f' ({detail})' if not slug else ''}: {split}; {where}"
            ctx.metric(f"{_saving(kind)}{slug}", min(each.values()), "%", method=method)
    path = {n: pick(table, n, CLAIM)["critical_ps"] / pick(table, n, BASE)["critical_ps"] for n in LIBRARIES}
    split = ", ".join(f"{name} {value:.3f}" for name, value in path.items())
    ctx.metric(
        "critical_path_ratio_vs_systolic", max(path.values()), "×",
        method=f"{split}; paths from stationary weights left out; mapped for area, before layout",
    )  # fmt: skip
    operands = 2 * ROWS * 8
    extra = {n: [pick(table, n, d)["flip_flops"] - operands for d in (CLAIM, BASE)] for n in LIBRARIES}
    ratio = max(ours / base for ours, base in extra.values())
    method = (
        f"flip-flops behind the {operands} of the operands: {extra[LIBRARIES[0]][0]} against {extra[LIBRARIES[0]][1]}"
    )
    ctx.metric("pipeline_registers_ratio_vs_systolic", ratio, "×", method=method)


def _saving(kind: str) -> str:
    """Name of a saving's metric."""
    return "power_saving_with_glitches_vs_systolic" if kind == "power_with_glitches" else f"{kind}_saving_vs_systolic"


def ratio_at(table: Sequence[Row], library: str, row: Row, column: str) -> float:
    """`column` of a row over truncation's at the same operand-weighted RMSE; NaN outside truncation's range.

    Truncated columns are interpolated between neighbours, linear in the logarithm of the error. Products of activations
    ≥ 0 are held against truncation of the same operands.
    """
    rival = "truncated_relu" if row["family"].endswith("_relu") else "truncated"
    line = sorted((r["rmse"], r[column]) for r in table if r["library"] == library and r["family"] == rival)
    if len(line) < 2 or not line[0][0] <= row["rmse"] <= line[-1][0]:
        return math.nan
    rmse, cost = np.array(line).T
    return float(row[column] / np.interp(np.log(row["rmse"]), np.log(rmse), cost))


@dataclass(frozen=True)
class Ratio:
    """A design against truncation of equal error: a ratio a library, the power without and with glitches."""

    design: str
    rmse: float
    area: tuple[float, ...]
    power: tuple[float, ...]


def against_truncation(ctx: Context[Any], table: Sequence[Row]) -> None:
    """The encoding with the best area of those that cost no more power; if all do, the one with the best power."""
    found = []
    for design in sorted({r["design"] for r in table if r["family"] not in (*RIVAL_FAMILIES, "systolic")}):
        rows = [pick(table, n, design) for n in LIBRARIES]
        pairs = list(zip(LIBRARIES, rows, strict=True))
        area = tuple(ratio_at(table, n, row, "area_um2") for n, row in pairs)
        power = tuple(ratio_at(table, n, row, column) for column in ("quiet_mw", "power_mw") for n, row in pairs)
        if not np.isnan(area + power).any():
            found.append(Ratio(design, rows[0]["rmse"], area, power))
    if not found:
        for metric in ("area_ratio_vs_truncation", "power_ratio_vs_truncation"):
            ctx.not_comparable(metric, "no encoding within truncation's range of errors was measured")
        return
    saving = [ratio for ratio in found if max(ratio.power) <= 1]
    best = min(saving, key=lambda r: max(r.area)) if saving else min(found, key=lambda r: max(r.power))
    for name, each in (("area", best.area), ("power", best.power)):
        split = ", ".join(f"{n} {v:.3f}" for n, v in zip(LIBRARIES * 2, each, strict=False))
        split += " (without, then with glitches)" * (name == "power")
        method = f"{best.design}, operand-weighted RMSE {best.rmse:.1f}: {split}; truncation with fitted constants"
        ctx.metric(f"{name}_ratio_vs_truncation", max(each), "×", method=method)


def _write(ctx: Context[Any], table: Sequence[Row]) -> None:
    """columns.csv: every column on every library."""
    names = (
        "library", "design", "complement", "wide_bits", "moving_bits", "rmse", "rmse_uniform", "mean", "area_um2",
        "critical_ps", "flip_flops", "power_mw", "quiet_mw", "clock_mw", "register_mw", "combinational_mw",
        "leakage_mw",
    )  # fmt: skip
    lines = [",".join(names)]
    for row in table:
        cells = (row[name] for name in names)
        lines.append(
            ",".join(f"{c:.6g}" if isinstance(c, float) else f'"{c}"' if "," in str(c) else str(c) for c in cells)
        )
    path = ctx.folder / "columns.csv"
    path.write_text("\n".join(lines) + "\n")
    ctx.file(path, "table", "Columns of 64 rows on cell libraries.")


def trained_operands(ctx: Context[Any], network: str) -> None:
    """The claim's power on operands of a trained network instead of drawn ones."""
    from ml.common.data import UnreachableError

    names = [n for n in LIBRARIES if n in libraries(ctx.config.libraries)]
    points = [
        {"library": n, "design": d, "complement": False, "seed": ctx.seed, "source": network}
        for n in names
        for d in (BASE, CLAIM)
    ]
    try:
        rows = ctx.sweep(column_cost, points) if names else []
    except UnreachableError as error:
        ctx.note(f"no power on trained operands: {error}")
        return
    for kind, column in (("power", "quiet_mw"), ("power_with_glitches", "power_mw")):
        each = [100 * (1 - ours[column] / base[column]) for base, ours in zip(rows[::2], rows[1::2], strict=True)]
        if each:
            method = f"{CLAIM}, operands of {network}'s largest layer; {', '.join(names)}: "
            method += ", ".join(f"{value:.1f} %" for value in each)
            ctx.metric(f"{kind}_saving_trained_operands", min(each), "%", method=method)


def fpga(ctx: Context[Any]) -> None:
    """LUTs and flip-flops of columns on an UltraScale+ device, by yosys; needs no library."""
    from hwsim.encodingnet.moving import moving
    from rtl.encodingnet import column_verilog
    from rtl.synth.yosys import synthesize

    for slug, name in {"systolic": "systolic, fused cells", "exact_heap": "exact heap", "recoded": CLAIM}.items():
        design = DESIGNS[name]
        encoding = moving(design.make()) if design.free else design.make()
        verilog, top = column_verilog(encoding, replace(design.arch, rows=ctx.config.fpga_rows))
        report = synthesize(verilog, top, "xcup", timeout_s=900)
        blocks = sum(count for cell, count in report.cells.items() if cell.startswith("DSP"))
        method = (
            f"{name}, {ctx.config.fpga_rows} rows; {report.tool} {report.version}, {report.device}, {blocks} DSP blocks"
        )
        ctx.metric(f"fpga_lut_{slug}", report.lut_total or 0, "", method=method)
        ctx.metric(f"fpga_ff_{slug}", report.ff or 0, "", method=method)
