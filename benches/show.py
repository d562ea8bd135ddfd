"""`hwsim list` and `hwsim show`: the registry, with the figures of each paper's newest run."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import msgspec

from benches import results
from benches.context import kept_file
from benches.registry import Bar, Claim, Paper, paper, papers
from benches.report import figure
from benches.results import VERDICTS, Result
from benches.text import clipped, table
from benches.verdicts import said, sign
from hwsim.ir.errors import UsageError


def newest(one: Paper, out: Path) -> tuple[Result | None, Path | None]:
    """The newest finished run of a paper under `out` and its folder, else the kept full result, else None.

    A result that cannot be read counts as none and is named on stderr: it must not cost the other papers' view.
    """
    folder, kept = results.latest(out, one.slug), kept_file(one)
    try:
        if folder is not None:
            return results.read(folder), folder
        return (results.read(kept), kept.parent) if kept.exists() else (None, None)
    except UsageError as error:
        print(f"warning: {error}", file=sys.stderr)
        return None, None


def listing(out: Path, as_json: bool) -> str:
    """All papers, one line each."""
    known = papers()
    if as_json:
        return msgspec.json.encode(list(known.values())).decode()
    rows = []
    for slug, one in known.items():
        result, _ = newest(one, out)
        when = f"{result.profile}, {result.started[:10]}" if result else ""
        rows.append((slug, clipped(one.title, 60), f"{one.venue} {one.year}", " ".join(one.has), _tally(result), when))
    return table(("slug", "paper", "venue", "has", "verdicts", "run"), rows)


def _tally(result: Result | None) -> str:
    """``3 reproduced, 1 not run``; claims without any run are ``not run``."""
    if result is None:
        return "not run"
    counts = Counter(claim.verdict for claim in result.claims)
    return ", ".join(f"{counts[v]} {v}" for v in VERDICTS if counts[v]) or "no claims"


def one_paper(slug: str, out: Path, as_json: bool) -> str:
    """Everything the registry knows about a paper."""
    one = paper(slug)
    if as_json:
        return msgspec.json.encode(one).decode()
    result, _ = newest(one, out)
    parts = [_head(one), _claims(one, result), _bars(one, result), _map(one), _deviations(one)]
    if result is not None:
        parts.append(f"figures: run {result.run_id}, profile {result.profile}, {result.started[:10]}")
    return "\n\n".join(part for part in parts if part)


def _head(one: Paper) -> str:
    by = f"{', '.join(one.authors)} — {one.venue} {one.year}"
    return "\n".join(filter(None, [one.title, by, one.link, one.summary, f"packages: {', '.join(one.has)}"]))


def _claims(one: Paper, result: Result | None) -> str:
    known = {c.id: c for c in result.claims} if result else {}

    def row(claim: Claim) -> tuple[str, str, str, str, str]:
        ours = known.get(claim.id)
        mark = "*" if ours and ours.kept else ""
        value = figure(ours.ours, ours.unit, ours.low, ours.high) + mark if ours else "–"
        return claim.id, claim.where, said(claim), value, ours.verdict if ours else "not run"

    rows = [row(claim) for claim in one.claims]
    return table(("claim", "where", "paper", "ours", "verdict"), rows) if rows else ""


def _bars(one: Paper, result: Result | None) -> str:
    known = {b.metric: b for b in result.bars} if result else {}

    def row(bar: Bar) -> tuple[str, str, str, str, str]:
        ours = known.get(bar.metric)
        limit = bar.of or figure(bar.value, bar.unit)
        value = figure(ours.ours, ours.unit) + ("*" if ours.kept else "") if ours else "–"
        return bar.metric, f"{sign(bar.op)} {limit}", value, ours.state if ours else "not measured", bar.profile

    rows = [row(bar) for bar in one.bars]
    return table(("metric", "bar", "ours", "state", "profile"), rows) if rows else ""


def _map(one: Paper) -> str:
    rows = [(m.where, m.target, m.what) for m in one.implements]
    return table(("in the paper", "in the code", "what"), rows) if rows else ""


def _deviations(one: Paper) -> str:
    rows = [(d.where, clipped(d.paper, 60), clipped(d.ours, 60)) for d in one.deviations]
    return table(("deviation", "paper", "ours"), rows) if rows else ""
