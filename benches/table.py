"""The tables and reports that the registry writes into Markdown files, and whether they are fresh.

``python -m benches.registry --table`` prints paper → claim → ours → verdict from the kept results. ``--write`` puts it
into docs/results/README.md, its sums into README.md, the list of papers into docs/README.md, each between markers, and
writes every kept result's report.md; ``--check`` exits 1 when a file is stale.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from benches import results
from benches.context import kept_file
from benches.files import write_atomic
from benches.registry import HERE, REPOSITORY, Claim, Paper, papers
from benches.report import figure, markdown, table
from benches.results import VERDICTS, ClaimOutcome, Result
from benches.verdicts import said
from hwsim.ir.errors import HwsimError, UsageError


def own_papers() -> list[Paper]:
    """The papers of this repository, without those of ``HWSIM_PAPERS``."""
    return [one for one in papers().values() if Path(one.folder).parent == HERE]


def claims_table(chosen: Sequence[Paper]) -> str:
    """Paper → claim → ours → verdict, from the kept results."""
    rows, marks = [], []
    for one in chosen:
        path = kept_file(one)
        result = results.read(path) if path.exists() else None
        if result is not None:
            marks.append(f"{one.slug}: {result.kept_mark}, `{result.command}`")
        rows += [_row(one, claim, result) for claim in one.claims]
    text = table(("paper", "claim", "paper says", "ours", "verdict"), rows)
    return text + (f"\nKept results — {'; '.join(marks)}.\n" if marks else "")


def _row(one: Paper, claim: Claim, result: Result | None) -> tuple[str, ...]:
    ours: ClaimOutcome | None = None
    if result is not None:
        ours = next((c for c in result.claims if c.id == claim.id), None)
    name = f"[{one.slug}]({one.link})" if one.link else one.slug
    if ours is None:
        return name, claim.text, said(claim), "–", "not run"
    return name, claim.text, said(claim), figure(ours.ours, ours.unit, ours.low, ours.high), f"**{ours.verdict}**"


def verdicts_table(chosen: Sequence[Paper]) -> str:
    """How many claims of each paper came out how, and how many bars of our own are met, from the kept results."""
    rows = []
    for one in chosen:
        path = kept_file(one)
        result = results.read(path) if path.exists() else None
        said_of = {c.id: c.verdict for c in result.claims} if result else {}
        counts = Counter(said_of.get(claim.id, "not run") for claim in one.claims)
        bars = Counter(bar.state for bar in result.bars) if result else Counter()
        judged = bars["met"] + bars["missed"]
        title = one.title.split(":")[0]
        name = f"[{title}]({path.with_name('report.md').relative_to(REPOSITORY)})" if result else title
        shown = [str(counts[verdict] or "") for verdict in VERDICTS]
        rows.append((name, *shown, f"{bars['met']} of {judged}" if judged else ""))
    return table(("paper", *VERDICTS, "own bars met"), rows)


def papers_table(chosen: Sequence[Paper]) -> str:
    """The list of papers for the docs index."""
    rows = [(f"`{p.slug}`", p.title, f"{p.venue} {p.year}", " ".join(p.has), p.summary) for p in chosen]
    return table(("slug", "paper", "venue", "packages", "idea"), rows)


TABLES: dict[str, Callable[[Sequence[Paper]], str]] = {
    "claims": claims_table,
    "verdicts": verdicts_table,
    "papers": papers_table,
}
FILES = ("README.md", "docs/README.md", "docs/results/README.md")


def filled(text: str, where: str) -> str:
    """`text` with every marked table written anew.

    Raises:
        UsageError: no markers ``<!-- claims:begin -->`` … ``<!-- claims:end -->`` (or another table's name).
    """
    found = 0
    for name, make in TABLES.items():
        pattern = re.compile(rf"(<!-- {name}:begin[^>]*-->\n).*?(<!-- {name}:end -->)", re.DOTALL)
        if pattern.search(text):
            found += 1
            content = make(own_papers())
            text = pattern.sub(lambda m, c=content: f"{m[1]}{c}{m[2]}", text)  # type: ignore[misc]
    if not found:
        mend = "Put <!-- claims:begin --> and <!-- claims:end --> around the table's place."
        raise UsageError.of(f"{where} has no marked table", "no markers", "a pair of markers", mend)
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line of ``python -m benches.registry``."""
    parser = argparse.ArgumentParser(prog="python -m benches.registry", description=__doc__)
    parser.add_argument("--table", action="store_true", help="print paper → claim → ours → verdict")
    parser.add_argument("--check", nargs="*", metavar="FILE", help=f"exit 1 when stale ({', '.join(FILES)})")
    parser.add_argument("--write", nargs="*", metavar="FILE", help="write the tables between the markers")
    given = parser.parse_args(arguments)
    try:
        if given.check is None and given.write is None:
            print(claims_table(own_papers()), end="")
            return 0
        return _files(given.check if given.write is None else given.write, given.write is not None)
    except HwsimError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def _files(names: list[str], write: bool) -> int:
    stale: list[Path] = []
    for path in [Path(name) for name in names] or [REPOSITORY / name for name in FILES]:
        if not path.is_file():
            raise UsageError.of("no such file", path, "a Markdown file with a marked table", "Check the path.")
        text = path.read_text(encoding="utf-8")
        stale += _stale(path, text, filled(text, str(path)), write)
    for one in own_papers() if not names else ():
        kept = kept_file(one)
        if kept.exists():
            path = kept.with_name("report.md")
            text = path.read_text(encoding="utf-8") if path.exists() else ""
            stale += _stale(path, text, markdown(one, results.read(kept)), write)
    for path in stale:
        print(f"{path} is stale: python -m benches.registry --write", file=sys.stderr)
    return 1 if stale else 0


def _stale(path: Path, text: str, fresh: str, write: bool) -> list[Path]:
    """[path] when it must be written anew and `write` does not do so."""
    if fresh != text and write:
        write_atomic(path, fresh)
    return [path] if fresh != text and not write else []
