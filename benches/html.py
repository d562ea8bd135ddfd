"""`results/index.html`: every paper's newest run on one self-contained page (no script, no outside asset).

Each claim has a strip that shows where our figure lies: grey tick = the paper's value, green band = what
agrees with it, dashed line = the value of no effect, blue dot and whiskers = our figure and its interval.
"""

from __future__ import annotations

import base64
import datetime
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from benches.files import write_atomic
from benches.registry import Claim, Paper, papers
from benches.report import figure
from benches.results import VERDICTS, BarOutcome, ClaimOutcome, FileRecord, Metric, Result
from benches.show import newest
from benches.verdicts import baseline_of, number, region, said, sign

CSS = Path(__file__).with_name("report.css")
SVG_LIMIT = 400_000  # bytes; a figure with more marks than that is embedded as PNG
SOURCE_LINES = 120  # of a Verilog file; the whole file lies beside the result

_CHIP = {"reproduced": "good", "met": "good", "trend only": "part", "not reproduced": "bad", "missed": "bad"}

_LEGEND = (
    '<p class="soft small">Strips, each to its own scale: grey tick = the paper, green = what agrees with it, '
    "dashed = no effect, blue = ours with its interval.</p>"
)


def write_page(out: Path, to: Path) -> Path:
    """Write the page about the newest runs under `out` to `to`; returns `to`."""
    write_atomic(to, page(out))
    return to


def page(out: Path) -> str:
    """The whole page as text."""
    known = papers()
    runs = {slug: newest(one, out) for slug, one in known.items()}
    body = [_header(known, runs), _overview(known, runs)]
    body += [_section(one, *runs[slug]) for slug, one in known.items()]
    title = "hwsim — papers, claims and measurements"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>\n{CSS.read_text(encoding='utf-8')}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


# ---- small pieces ------------------------------------------------------------------------------------------


def chip(state: str) -> str:
    """A verdict or a bar's state as a coloured label."""
    return f'<span class="chip {_CHIP.get(state, "")}">{escape(state)}</span>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    """A table; cells are HTML already, heads are text. `kind` is its CSS class."""
    lines = ["<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows]
    heads = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    inside = f"<thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody>"
    return f'<div class="scroll"><table class="{kind}">{inside}</table></div>'


def prose(text: str) -> str:
    """Text as HTML in which a number does not part from its unit, nor its thousands from each other."""
    return re.sub(r"(?<=\d) (?=[\d%×])", "\u00a0", escape(text))


def value_cell(value: float | None, unit: str, low: float | None, high: float | None, kept: str) -> str:
    """A figure with its interval below, and the mark of a kept one."""
    text = f'<span class="number">{escape(figure(value, unit))}</span>'
    if value is not None and low is not None and high is not None and (low, high) != (value, value):
        text += f'<span class="interval">{escape(number(low))} … {escape(number(high))}</span>'
    return text + (f'<span class="kept">kept: {escape(kept)}</span>' if kept else "")


def strip(claim: Claim, outcome: ClaimOutcome) -> str:
    """Where our figure lies beside the paper's, drawn to scale; empty when one of them is missing."""
    if outcome.ours is None:
        return ""
    lowest, highest = region(claim)
    base = baseline_of(claim)
    ours = [x for x in (outcome.low, outcome.ours, outcome.high) if x is not None]
    marks = [x for x in (*ours, claim.value, base, lowest, highest) if x is not None and math.isfinite(x)]
    left, right = min(marks), max(marks)
    margin = 0.08 * (right - left) or abs(left) * 0.1 or 1.0
    left, right = left - margin, right + margin

    def at(x: float) -> float:
        return round(150 * (min(max(x, left), right) - left) / (right - left), 1)

    band = f'<rect class="band" x="{at(lowest)}" y="3" width="{at(highest) - at(lowest):.1f}" height="16"/>'
    lines = [band, '<line class="axis" x1="0" x2="150" y1="11" y2="11"/>']
    if base is not None:
        lines.append(f'<line class="none" x1="{at(base)}" x2="{at(base)}" y1="1" y2="21"/>')
    if claim.value is not None:
        lines.append(f'<line class="paper" x1="{at(claim.value)}" x2="{at(claim.value)}" y1="3" y2="19"/>')
    lines.append(f'<line class="whisker" x1="{at(ours[0])}" x2="{at(ours[-1])}" y1="11" y2="11"/>')
    lines.append(f'<circle class="ours" cx="{at(outcome.ours)}" cy="11" r="4.5"/>')
    label = f"paper {said(claim)}, ours {figure(outcome.ours, outcome.unit)}"
    return f'<svg class="strip" viewBox="0 0 150 22" role="img" aria-label="{escape(label)}">{"".join(lines)}</svg>'


# ---- the page's parts --------------------------------------------------------------------------------------


def _header(known: dict[str, Paper], runs: dict[str, tuple[Result | None, Path | None]]) -> str:
    claims = sum(len(one.claims) for one in known.values())
    ran = sum(run is not None for run, _ in runs.values())
    now = datetime.datetime.now(datetime.UTC)
    return (
        "<header><h1>Papers, claims and measurements</h1>"
        f'<p class="soft">{len(known)} {"paper" if len(known) == 1 else "papers"}, {claims} claims, {ran} with a run '
        f"— written {now:%Y-%m-%d %H:%M} UTC "
        "by <code>hwsim report</code></p></header>"
    )


def _counts(one: Paper, result: Result | None) -> str:
    found = Counter(c.verdict for c in result.claims) if result else Counter({"not run": len(one.claims)})
    chips = [f'<span class="chip {_CHIP.get(v, "")}">{found[v]} {v}</span>' for v in VERDICTS if found[v]]
    return f'<div class="chips">{"".join(chips)}</div>'


def _bars_met(result: Result | None) -> str:
    states = Counter(b.state for b in result.bars) if result else Counter()
    judged = states["met"] + states["missed"]
    return f'<span class="number">{states["met"]} of {judged}</span>' if judged else "–"


def _overview(known: dict[str, Paper], runs: dict[str, tuple[Result | None, Path | None]]) -> str:
    def row(one: Paper) -> tuple[str, str, str, str]:
        result = runs[one.slug][0]
        name = f'<a href="#{one.slug}">{escape(one.title)}</a><br><span class="soft small">{_venue(one)}</span>'
        when = f'{result.profile}<br><span class="number">{result.started[:10]}</span>' if result else "–"
        return name, _counts(one, result), _bars_met(result), f'<span class="small">{when}</span>'

    rows = [row(one) for one in known.values()]
    return f"<section>{table(('paper', 'claims', 'bars met', 'run'), rows)}</section>"


def _venue(one: Paper) -> str:
    return f"{escape(', '.join(one.authors))} — {escape(one.venue)} {one.year}"


def _section(one: Paper, result: Result | None, folder: Path | None) -> str:
    link = f' · <a href="{escape(one.link)}">{escape(one.link.split("//")[-1])}</a>' if one.link else ""
    parts = [
        f'<h2>{escape(one.title)}</h2><p class="soft small">{_venue(one)}{link}</p><p>{prose(one.summary)}</p>',
        _claims(one, result),
        _plots(result, folder),
        _bars(result),
        _sources(result, folder),
        _deviations(one),
        _metrics(result),
        _environment(result),
    ]
    return f'<section id="{one.slug}">{"".join(parts)}</section>'


def _claims(one: Paper, result: Result | None) -> str:
    known = {c.id: c for c in result.claims} if result else {}

    def row(claim: Claim) -> tuple[str, ...]:
        text = f'{prose(claim.text)}<br><span class="soft small">{prose(claim.where)}</span>'
        value, bracket, side = said(claim).partition(" (")
        theirs = f'<span class="number">{escape(value)}</span>'
        theirs += f'<span class="interval">{escape(side.rstrip(")"))}</span>' if bracket else ""
        ours = known.get(claim.id)
        if ours is None:
            return text, theirs, "–", "", chip("not run")
        if ours.substitution:
            text += f'<span class="with">with {prose(ours.substitution)}</span>'
        figures = value_cell(ours.ours, ours.unit, ours.low, ours.high, ours.kept)
        why = f'{chip(ours.verdict)}<span class="interval">{prose(ours.reason)}</span>'
        return text, theirs, figures, strip(claim, ours), why

    rows = [row(claim) for claim in one.claims]
    listed = table(("claim", "paper", "ours", "", "verdict"), rows, "claims")
    return f"<h3>Claims</h3>{listed}{_LEGEND if result else ''}" if rows else ""


def _bars(result: Result | None) -> str:
    if result is None or not result.bars:
        return ""

    def row(b: BarOutcome) -> tuple[str, ...]:
        name = f"<code>{escape(b.metric)}</code>" + (
            f'<br><span class="soft small">{prose(b.note)}</span>' * bool(b.note)
        )
        note = f'<br><span class="soft small">{prose(b.note)}</span>' if b.note else ""
        limit = f'<span class="number">{escape(sign(b.op))} {escape(figure(b.bar, b.unit))}</span>'
        aim = "–" if b.aim is None else escape(figure(b.aim, b.unit) + (" ✓" if b.aim_met else ""))
        name, value = f"<code>{escape(b.metric)}</code>{note}", value_cell(b.ours, b.unit, b.low, b.high, b.kept)
        return name, limit, f'<span class="number">{aim}</span>', value, chip(b.state)

    rows = [row(bar) for bar in result.bars]
    return f"<h3>Bars we set ourselves</h3>{table(('metric', 'bar', 'aim', 'ours', 'state'), rows)}"


def _plots(result: Result | None, folder: Path | None) -> str:
    if result is None or folder is None:
        return ""
    names = list(dict.fromkeys(f.path.rpartition(".")[0] for f in result.files if f.kind in ("plot", "netlist")))
    captions = {f.path.rpartition(".")[0]: f.caption for f in result.files}
    shown = [(name, source) for name in names if (source := _image(folder, name))]
    figures = "".join(
        f'<figure class="figure"><img alt="{escape(captions[name] or name)}" src="{source}">'
        f"<figcaption>{prose(captions[name])}</figcaption></figure>"
        for name, source in shown
    )
    return f'<h3>Plots</h3><div class="plots">{figures}</div>' if figures else ""


def _image(folder: Path, name: str) -> str:
    """The figure `name` as a data URI: SVG unless it is large or missing, then PNG; empty when both are missing."""
    choices = ((".svg", "svg+xml", SVG_LIMIT), (".png", "png", math.inf), (".svg", "svg+xml", math.inf))
    for suffix, kind, limit in choices:
        path = folder / f"{name}{suffix}"
        if path.is_file() and path.stat().st_size <= limit:
            return f"data:image/{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
    return ""


def _sources(result: Result | None, folder: Path | None) -> str:
    if result is None or folder is None:
        return ""
    shown = [f for f in result.files if f.kind == "verilog" and (folder / f.path).is_file()]
    return f"<h3>Verilog</h3>{''.join(_source(f, folder) for f in shown)}" if shown else ""


def _source(record: FileRecord, folder: Path) -> str:
    lines = (folder / record.path).read_text(encoding="utf-8", errors="replace").splitlines()
    text = "\n".join(line[:200] for line in lines[:SOURCE_LINES])
    rest = f"\n… {len(lines) - SOURCE_LINES} more lines" if len(lines) > SOURCE_LINES else ""
    name = f"<code>{escape(Path(record.path).name)}</code> {escape(record.caption)}"
    return f"<details><summary>{name}, {len(lines)} lines</summary><pre>{escape(text + rest)}</pre></details>"


def _deviations(one: Paper) -> str:
    rows = [tuple(map(prose, (d.where, d.paper, d.ours, d.why))) for d in one.deviations]
    return (
        _folded(f"Deviations from the paper ({len(rows)})", table(("where", "paper", "ours", "why"), rows))
        if rows
        else ""
    )


def _metrics(result: Result | None) -> str:
    def row(m: Metric) -> tuple[str, ...]:
        count = "–" if m.n is None else number(m.n)
        value = value_cell(m.value, m.unit, m.low, m.high, m.kept)
        return f"<code>{escape(m.name)}</code>", value, count, f'<span class="small">{escape(m.method)}</span>'

    rows = [row(m) for m in result.metrics] if result else []
    return _folded(f"All metrics ({len(rows)})", table(("metric", "value", "n", "method"), rows)) if rows else ""


def _environment(result: Result | None) -> str:
    if result is None:
        return ""
    versions = ", ".join(f"{name} {version}" for name, version in result.versions.items())
    facts = [
        ("run", f"<code>{result.run_id}</code>, profile {result.profile}, seed {result.seed}, {result.started}"),
        ("command", f"<code>{escape(result.command)}</code>"),
        ("time", f"{result.wall_s:.1f} s wall, {result.cpu_s:.1f} s CPU"),
        ("machine", escape(f"{result.machine.cpu}, {result.machine.cores} cores, {result.machine.memory_gib} GiB")),
        ("code", result.git_sha[:12] + (" with local changes" if result.git_dirty else "")),
        ("settings", escape(", ".join(f"{k} = {v}" for k, v in result.config.items()) or "–")),
        ("data", "<br>".join(escape(f"{d.name}: {d.source} {d.note}") for d in result.data) or "–"),
        ("artifacts", "<br>".join(f"{escape(a.name)} <code>{a.id[:16]}…</code>" for a in result.artifacts) or "–"),
        ("stages", escape(", ".join(f"{s.name} {s.wall_s:.1f} s" for s in result.stages) or "–")),
        ("versions", f'<span class="small">{escape(versions)}</span>'),
        *(("note", escape(note)) for note in result.notes),
    ]
    return _folded("Run, machine, data and versions", table(("", ""), facts))


def _folded(title: str, content: str) -> str:
    return f"<details><summary>{escape(title)}</summary>{content}</details>"
