"""The commands that run a paper's own code: `hwsim bench` and `hwsim verilog`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benches import loader, runner
from benches.files import make_folder
from benches.progress import reporter
from benches.registry import paper, papers
from benches.report import figure
from benches.results import Result
from benches.text import table
from benches.verdicts import sign
from hwsim.ir.errors import HwsimError, UsageError


@dataclass(frozen=True)
class BenchOptions:
    """Options of ``hwsim bench``, as `benches.cli` describes them."""

    profile: str
    seed: int
    sets: list[str]
    out: Path
    resume: bool
    keep: bool
    as_json: bool
    quiet: bool
    strict: bool


def run_benches(names: list[str], options: BenchOptions) -> int:
    """Run every named paper; returns the exit code. Names and profile are checked before the first run.

    With several papers, an error of one does not stop the others; the first error's code is returned.
    """
    runner.profile_named(options.profile)
    sets = loader.parse_sets(options.sets)
    wanted = [_target(name, options.resume) for name in names]
    code, refuted = 0, False
    for slug, run_id in wanted:
        resume = run_id or options.resume
        says = reporter(options.quiet)
        try:
            done = runner.run(slug, options.profile, options.seed, options.out, sets, resume, says)
        except HwsimError as error:
            if len(wanted) == 1:
                raise
            print(f"error: {slug}: {error}", file=sys.stderr)
            code = code or error.exit_code
            continue
        print(_as_json(done.result) if options.as_json else summary(done.result, done.folder))
        if options.keep:
            print(f"kept: {runner.keep(done)}", file=sys.stderr)
        refuted |= any(claim.verdict == "not reproduced" for claim in done.result.claims)
    return code or (1 if options.strict and refuted else 0)


def _target(name: str, resume: bool) -> tuple[str, str]:
    slug, _, run_id = name.partition("@")
    paper(slug)
    if run_id and not resume:
        raise UsageError.of(f"'{name}'", "a run id", "--resume beside it", f"hwsim bench {name} --resume")
    return slug, run_id


def _as_json(result: Result) -> str:
    return msgspec.json.encode(result).decode()


def summary(result: Result, folder: Path) -> str:
    """What a finished bench prints: claims, bars and where the rest is."""
    claims = [
        (c.id, c.said, figure(c.ours, c.unit, c.low, c.high), _mark(c.verdict, c.kept), c.reason) for c in result.claims
    ]
    bars = [
        (b.metric, f"{sign(b.op)} {figure(b.bar, b.unit)}", figure(b.ours, b.unit), _mark(b.state, b.kept), b.note)
        for b in result.bars
    ]
    parts = [f"{result.slug} — profile {result.profile}, seed {result.seed}, {result.wall_s:.1f} s"]
    if claims:
        parts.append(table(("claim", "paper", "ours", "verdict", "why"), claims))
    if bars:
        parts.append(table(("metric", "bar", "ours", "state", "note"), bars))
    if any(claim.kept for claim in result.claims) or any(bar.kept for bar in result.bars):
        parts.append("* kept from an earlier full run; the report says when and on which machine")
    return "\n\n".join([*parts, f"report: {folder / 'report.md'}"])


def _mark(state: str, kept: str) -> str:
    return state + ("*" if kept else "")


def write_verilog(slug: str, out: Path, sets: list[str]) -> list[Path]:
    """Call the paper's ``verilog(out, …)``; returns the files that it wrote.

    Raises:
        UsageError: the paper has no RTL (the message names those that have), or an unknown option.
    """
    one = paper(slug)
    have = [name for name, other in papers().items() if other.has_rtl]
    if not one.has_rtl:
        mend = "Choose one of them."
        raise UsageError.of(f"paper '{slug}' has no RTL", slug, f"one of {', '.join(have) or '(none)'}", mend)
    function = loader.load(one).verilog
    if function is None:
        mend = "Write it after docs/add-a-paper.md."
        raise UsageError.of(f"paper '{slug}': bench.py lacks verilog", None, "def verilog(out)", mend)
    options = loader.verilog_options(function, loader.parse_sets(sets))
    written: Iterable[Path] = function(make_folder(out), **options)
    return [Path(path) for path in written]
