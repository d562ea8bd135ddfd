"""Time to a bit error rate: how long each detector takes until it is as good as exact ML, or as a fixed target.

A detector has one knob (survivors, reads, sweeps) and a point for every setting of it, all on the same channels. Its
time to BER is that of the cheapest setting that reaches the target; on the annealer's stand-in the knob is the number
of reads, and the time that of their anneals. Where exact ML is affordable the target is `FACTOR` times its rate.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benches.runner import Context
from benches.xresq import qpu
from benches.xresq.counts import Counts
from benches.xresq.links import Link, Options, merged, run_links

FACTOR = 1.1  # times exact ML's bit error rate
TARGET_64 = 1e-3  # exact ML is out of reach at 64 × 64
QPU_DB = 14.0
QPU_READS = (1, 2, 3, 5, 8, 12, 20, 30, 50, 100)
_ONE_ROUND: Options = {"detector": "xresq", "rounds": 1}
KNOBS: dict[str, tuple[Options, str, tuple[int, ...]]] = {  # series: options, knob, settings
    "kbest": ({"detector": "kbest"}, "k", (2, 4, 8, 16, 32, 64)),
    "quamax": ({"detector": "quamax"}, "reads", (6, 24, 96)),
    "paramax": ({"detector": "paramax"}, "sweeps", (12, 50, 200)),
    "ra1": ({"detector": "resq", "seeds": "mmse", "rounds": 1}, "reads", (4, 12, 24, 48, 96)),
    "xresq": (_ONE_ROUND, "reads", (1, 2, 4, 8, 16)),
    "xresq_rounds": ({"detector": "xresq"}, "reads", (1, 2, 4, 8)),
}
SINGLE: dict[str, Options] = {"mmse": {}, "fsd": {}, "ep": {}}

Series = dict[str, list[list[float]]]  # [time, bit error rate, setting of the knob] by detector, settings in order


@dataclass(frozen=True)
class Panel:
    """One system: what was asked for, and what each detector gave.

    Attributes:
        name: of the system, as in metrics.   title: for readers.   unit: of times.
        target: bit error rate.   rule: where it comes from.
        series: points by detector.
    """

    name: str
    title: str
    unit: str
    target: float
    rule: str
    series: Series


def settings(exact: bool) -> dict[str, Options]:
    """Detectors of a link: every knob's settings, those without a knob, and exact ML where it is affordable."""
    tuned = {
        f"{series} {value}": {**options, knob: value} for series, (options, knob, values) in KNOBS.items()
        for value in values
    }  # fmt: skip
    return {**SINGLE, **tuned, **({"sphere": {}} if exact else {})}


def digital(ctx: Context[Any]) -> list[Panel]:
    """Detectors in software at three sizes, CPU milliseconds a vector on one thread."""
    systems = (
        (Link(4, 6, "16qam", 16.0), 250, True),
        (Link(16, 16, "16qam", 18.0), 125, True),
        (Link(64, 64, "16qam", 19.0), 25, False),
    )
    panels = []
    for (link, vectors, exact), chunks in zip(systems, ctx.config.effort_chunks, strict=False):
        detectors = settings(exact)
        [counts] = run_links(ctx, [link], detectors, vectors=vectors, enough=lambda _: False, max_chunks=chunks)
        panel = _panel(link, counts)
        _report(ctx, panel, "ttb_ms", counts["mmse"].vectors)
        panels.append(panel)
    return panels


def _panel(link: Link, counts: Mapping[str, Counts]) -> Panel:
    series: Series = {name: [[counts[name].ms, counts[name].ber().value, 0]] for name in (*SINGLE, "sphere")
                      if name in counts}  # fmt: skip
    for name, (_, _, values) in KNOBS.items():
        rows = [(counts[f"{name} {value}"], value) for value in values]
        series[name] = [[count.ms, count.ber().value, value] for count, value in rows]
    target, rule = TARGET_64, "fixed"
    if "sphere" in counts:
        ml = counts["sphere"].ber().value
        target, rule = FACTOR * ml, f"{FACTOR:g} × exact ML's {ml:.2e}"
    size = f"{link.users}x{link.antennas}"
    title = f"{link.users} × {link.antennas}, {link.snr_db:g} dB"
    return Panel(size, title, "ms", target, rule, series)


def on_annealer(ctx: Context[Any], s_p: Mapping[str, float]) -> list[Panel]:
    """The stand-in at 4 × 6: copies anneal at the same time, so a read takes as long with six copies as with one."""
    many = qpu.LEVELS
    methods = {
        "xresq": {"kind": "reverse", "levels": many, "s_p": s_p["few"], "seeds": "fsd"},
        "ra1": {"kind": "reverse", "levels": 1, "s_p": s_p["few"], "seeds": "mmse"},
        "quamax": {"kind": "forward", "levels": many, "s_p": s_p["forward"]},
    }
    point = {"snr_db": QPU_DB, "seed": ctx.seed, "vectors": 80, "methods": methods, "reads": list(QPU_READS)}
    points = [{**point, "chunk": chunk} for chunk in range(ctx.config.effort_qpu_chunks)]
    counts = merged(ctx.sweep(qpu.read_counts, points))
    ml = counts["ml"].ber().value
    series = {
        name: [[reads * qpu.ANNEAL_US, counts[f"{name} {reads}"].ber().value, reads] for reads in QPU_READS]
        for name in methods
    }
    title = f"annealer's stand-in, 4 × 6, {QPU_DB:g} dB"
    panel = Panel("4x6_annealer", title, "µs", FACTOR * ml, f"{FACTOR:g} × exact ML's {ml:.2e}", series)
    _report(ctx, panel, "ttb_us", counts["ml"].vectors)
    return [panel]


def reached(points: Iterable[Sequence[float]], target: float) -> Sequence[float] | None:
    """The cheapest point whose rate reaches `target`; None if there is none."""
    enough = [point for point in points if point[1] <= target]
    return min(enough, key=lambda point: point[0]) if enough else None


def _report(ctx: Context[Any], panel: Panel, prefix: str, vectors: int) -> None:
    """A metric for every detector that reaches the target; those that do not are named with X-ResQ's."""
    if not panel.target > 0:
        ctx.note(f"Time to BER, {panel.title}: exact ML made no error in {vectors} vectors of this profile.")
        return
    found = {name: reached(points, panel.target) for name, points in panel.series.items()}
    missed = ", ".join(name for name, point in found.items() if point is None) or "none"
    for name, point in found.items():
        if point is None:
            continue
        knob = f", {KNOBS[name][1]} = {point[2]:g}" if name in KNOBS else ""
        method = f"BER {point[1]:.2e}{knob}; target {panel.target:.2e} ({panel.rule}); {panel.title}"
        if name == "xresq":
            method += f"; not reached by: {missed}"
        ctx.metric(f"{prefix}_{panel.name}_{name}", point[0], panel.unit, n=vectors, method=method)


def tabulate(ctx: Context[Any], panels: Sequence[Panel]) -> None:
    """All points of all panels as a table beside the report."""
    path = ctx.folder / "time_to_ber.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["system", "detector", "setting", "time", "unit", "ber", "target", "reached"])
        for panel in panels:
            for name, points in panel.series.items():
                for time, ber, setting in points:
                    text = "" if not setting else f"{setting:g}"
                    row = [panel.title, name, text, f"{time:.6g}", panel.unit, f"{ber:.6g}", f"{panel.target:.6g}"]
                    writer.writerow([*row, int(ber <= panel.target)])
    ctx.file(path, "table", "Time and bit error rate of every detector and setting.")


def stored(panels: Sequence[Panel]) -> list[dict[str, Any]]:
    """Panels as a stage can keep them."""
    return [vars(panel) for panel in panels]


def least(panel: Panel) -> float:
    """Where a rate of zero stands in a logarithmic picture: a third of the lowest one."""
    rates = [ber for points in panel.series.values() for _, ber, _ in points if ber > 0]
    return 10 ** (math.floor(2 * math.log10(min([*rates, panel.target or 1.0]) / 3)) / 2)
