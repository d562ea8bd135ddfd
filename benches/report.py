"""`report.md`: one run for reading, claims beside measurements first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benches.registry import Paper
from benches.results import ClaimOutcome, Metric, Result
from benches.verdicts import number, sign


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; bars and line breaks inside cells are made harmless."""
    lines = [_row(head), _row(["---"] * len(head)), *(_row(row) for row in rows)]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(c.replace("|", "\\|").replace("\n", " ") for c in cells) + " |"


def figure(value: float | None, unit: str, low: float | None = None, high: float | None = None, kept: str = "") -> str:
    """A figure with unit, interval and mark, as every table shows it."""
    if value is None:
        return "–"
    text = f"{number(value)} {unit}".strip() if unit != "1" else number(value)
    if low is not None and high is not None and (low, high) != (value, value):
        text += f" [{number(low)}, {number(high)}]"
    return f"{text} — kept ({kept})" if kept else text


def markdown(paper: Paper, result: Result) -> str:
    """The whole report of one run."""
    parts = [_head(paper, result), _claims(result), _bars(result), _metrics(result), _deviations(paper)]
    parts += [_plots(result), _sources(result), _environment(result)]
    return "\n".join(part for part in parts if part)


def _head(paper: Paper, result: Result) -> str:
    by = f"{', '.join(paper.authors)} — {paper.venue} {paper.year}"
    link = f" — <{paper.link}>" if paper.link else ""
    what = f"Profile **{result.profile}**, seed {result.seed}, {result.started}, {result.wall_s:.0f} s"
    what += f" ({result.cpu_s:.0f} s CPU) on {result.machine.cpu}, {result.machine.cores} cores."
    notes = "".join(f"\n> {note}\n" for note in result.notes)
    run = f"Run `{result.run_id}`: `{result.command}`"
    return f"# {paper.title}\n\n{by}{link}\n\n{paper.summary}\n\n{what}\n{run}\n{notes}"


def _claims(result: Result) -> str:
    head = ("claim", "where", "paper", "ours", "verdict", "why")
    rows = [
        (c.text, c.where, c.said, figure(c.ours, c.unit, c.low, c.high, c.kept), c.verdict, _why(c))
        for c in result.claims
    ]
    return f"## Claims\n\n{table(head, rows)}" if rows else ""


def _why(claim: ClaimOutcome) -> str:
    return f"{claim.reason} (with {claim.substitution})" if claim.substitution else claim.reason


def _bars(result: Result) -> str:
    head = ("metric", "bar", "aim", "ours", "state", "note")
    rows = [
        (
            f"`{b.metric}`",
            f"{sign(b.op)} {figure(b.bar, b.unit)}",
            "–" if b.aim is None else figure(b.aim, b.unit) + (" ✓" if b.aim_met else ""),
            figure(b.ours, b.unit, b.low, b.high, b.kept),
            b.state,
            b.note,
        )
        for b in result.bars
    ]
    return f"## Bars\n\n{table(head, rows)}" if rows else ""


def _metrics(result: Result) -> str:
    def row(m: Metric) -> tuple[str, str, str, str]:
        value = figure(m.value, m.unit, m.low, m.high, m.kept)
        return f"`{m.name}`", value, "–" if m.n is None else str(m.n), m.method

    rows = [row(m) for m in result.metrics]
    return f"## Metrics\n\n{table(('metric', 'value', 'n', 'method'), rows)}" if rows else ""


def _deviations(paper: Paper) -> str:
    rows = [(d.where, d.paper, d.ours, d.why) for d in paper.deviations]
    return f"## Deviations from the paper\n\n{table(('where', 'paper', 'ours', 'why'), rows)}" if rows else ""


def _plots(result: Result) -> str:
    shown = [f for f in result.files if f.kind in ("plot", "netlist") and f.path.endswith(".png")]
    text = "\n".join(f"![{f.caption or f.path}]({f.path})\n\n{f.caption}\n" for f in shown)
    return f"## Plots\n\n{text}" if shown else ""


def _sources(result: Result) -> str:
    data = [(d.name, d.source, d.note) for d in result.data]
    made = [(a.name, f"`{a.id[:16]}…`", a.path) for a in result.artifacts]
    text = f"## Data\n\n{table(('data', 'source', 'note'), data)}" if data else ""
    return text + (f"\n## Artifacts\n\n{table(('artifact', 'id', 'path'), made)}" if made else "")


def _environment(result: Result) -> str:
    stages = [
        (s.name, f"{s.wall_s:.1f}", f"{s.cpu_s:.1f}", "from an earlier attempt" if s.resumed else "")
        for s in result.stages
    ]
    versions = ", ".join(f"{name} {version}" for name, version in result.versions.items())
    dirty = " with local changes" if result.git_dirty else ""
    text = f"## Stages\n\n{table(('stage', 'wall s', 'CPU s', ''), stages)}\n" if stages else ""
    return f"{text}## Versions\n\nCode {result.git_sha[:12]}{dirty}; {versions}; {result.machine.system}.\n"
