"""`hwsim compare A B`: the metrics of two runs side by side, with ratios and whether they differ."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from benches import results
from benches.registry import paper
from benches.report import figure
from benches.results import Metric, Result
from benches.text import table
from benches.verdicts import number
from hwsim.ir.errors import UsageError

Difference = Literal["differs", "not told apart", "no interval", "equal", "only in A", "only in B", "units differ"]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of two runs; `ratio` is B / A."""

    name: str
    unit: str
    a: float | None
    b: float | None
    ratio: float | None
    difference: Difference


def find_run(text: str, out: Path) -> Result:
    """The result that `text` names: a run's folder, a result.json, ``slug@run_id`` or ``slug@latest``.

    Raises:
        UsageError: none of these, or no such run.
    """
    path = Path(text)
    if path.exists():
        return results.read(path)
    slug, at, run_id = text.partition("@")
    if not at:
        expected = "a run's folder, a result.json, slug@run_id or slug@latest"
        raise UsageError.of("no such run", repr(text), expected, "See the folders under results/.")
    paper(slug)
    if run_id != "latest":
        return results.read(out / slug / run_id)
    newest = results.latest(out, slug)
    if newest is None:
        mend = f"Run it: hwsim bench {slug}"
        raise UsageError.of(f"no finished run of {slug} under {out}", "none", "at least one", mend)
    return results.read(newest)


def difference(a: Metric | None, b: Metric | None) -> Difference:
    """Whether two figures differ: intervals that do not overlap differ; those that do are not told apart."""
    if a is None or b is None:
        return "only in B" if a is None else "only in A"
    if a.unit != b.unit:
        return "units differ"
    if a.value == b.value:
        return "equal"
    if a.low is None or a.high is None or b.low is None or b.high is None:
        return "no interval"
    return "differs" if a.high < b.low or b.high < a.low else "not told apart"


def rows(a: Result, b: Result) -> list[Row]:
    """Every metric of either run, in A's order and then B's."""
    names = list(dict.fromkeys(m.name for m in [*a.metrics, *b.metrics]))
    return [_row(name, a.metric(name), b.metric(name)) for name in names]


def _row(name: str, a: Metric | None, b: Metric | None) -> Row:
    unit = a.unit if a else b.unit if b else ""
    same = a is not None and b is not None and a.unit == b.unit and a.value != 0
    return Row(
        name=name,
        unit=unit,
        a=a.value if a else None,
        b=b.value if b else None,
        ratio=b.value / a.value if same and a and b else None,
        difference=difference(a, b),
    )


def compare_runs(first: str, second: str, out: Path, as_json: bool) -> str:
    """What ``hwsim compare`` prints."""
    a, b = find_run(first, out), find_run(second, out)
    found = rows(a, b)
    if as_json:
        return msgspec.json.encode(found).decode()
    lines = [(r.name, _of(a, r.name), _of(b, r.name), number(r.ratio), r.difference) for r in found]
    changed = [
        f"{what}: {x} → {y}"
        for what, x, y in [
            ("paper", a.slug, b.slug),
            ("profile", a.profile, b.profile),
            ("seed", a.seed, b.seed),
            ("code", a.git_sha[:12], b.git_sha[:12]),
            ("cpu", a.machine.cpu, b.machine.cpu),
            *(("setting " + k, a.config.get(k), b.config.get(k)) for k in sorted({*a.config, *b.config})),
        ]
        if x != y
    ]
    head = f"A  {a.slug} {a.run_id}\nB  {b.slug} {b.run_id}"
    return "\n\n".join([head, *(["\n".join(changed)] if changed else []), _told(lines)])


def _of(result: Result, name: str) -> str:
    metric = result.metric(name)
    if metric is None:
        return "–"
    return figure(metric.value, metric.unit, metric.low, metric.high) + ("*" if metric.kept else "")


def _told(lines: Sequence[Sequence[str]]) -> str:
    text = table(("metric", "A", "B", "B/A", "difference"), lines)
    kept = any(cell.endswith("*") for line in lines for cell in line[1:3])
    return text + ("\n\n* kept from an earlier full run" if kept else "")
