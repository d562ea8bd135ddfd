"""Runs a paper's bench and writes its result.

A paper is a folder ``benches/<slug>/`` with `paper.toml` (`benches.registry`) and `bench.py`::

    @dataclass(frozen=True)
    class Config:                       # what --set can change; any frozen dataclass or msgspec struct
        trials: int = 1000

    PROFILES = {"smoke": Config(trials=10), "quick": Config(), "full": Config(trials=10**6)}

    def run(ctx: Context[Config]) -> None:
        with ctx.stage("count") as stage:
            if stage.todo:              # False when a killed attempt got through it: its records stand
                heads = sum(ctx.rng("coin").integers(0, 2, ctx.config.trials))
                stage.outcome = {"heads": int(heads)}
        ctx.metric("heads_rate", stats.binomial(stage.outcome["heads"], ctx.config.trials), "1")

    def verilog(out: Path, *, lanes: int = 4) -> list[Path]:    # only with RTL; --set lanes=8
        ...

Optional: ``SAMPLES_VERSION = 2`` disowns all samples stored by an earlier meaning of the bench.

What `ctx` gives:

``ctx.profile, ctx.seed, ctx.config, ctx.folder, ctx.paper``
    the settings; `folder` is the run's own, kept over a resume (put checkpoints there).
``ctx.rng(name)``, ``ctx.seeds(n)``
    a generator of its own for every name; `n` recorded seeds.
``ctx.metric(name, value_or_figure, unit="", low=None, high=None, n=None, method="")``
    a figure, optionally with interval; `benches.stats` makes figures (binomial, mean, median, ratio, rate).
    The unit must be paper.toml's. Claims and bars are judged from metrics by themselves (`benches.verdicts`).
``ctx.not_comparable(claim_id_or_metric, reason)``
    a claim that cannot be measured here (data or tool missing).
``ctx.kept()`` or ``ctx.kept("metric", …)``
    figures of the kept full run, for what this run does not measure; always marked as kept.
``with ctx.stage(name) as stage``
    times a part and shows progress; ``stage.todo``, ``stage.outcome`` (JSON-able), ``stage.progress(done, total,
    note)``. After a kill, ``--resume`` replays finished stages with everything recorded inside them.
``ctx.samples.get(**key)``, ``.add(values, **key)``, ``.once(compute, **key)``
    single results, each on the disk as soon as it is there (`benches.samples`).
``ctx.sweep(work, points)``
    ``work(**point)`` for all points in parallel, through `ctx.samples` (`benches.sweep`).
``with ctx.plot(name, caption, width, height) as figure``
    a matplotlib figure, saved as PNG and SVG.
``ctx.file(path, kind, caption)``, ``ctx.artifact(path, name)``, ``ctx.record_data(name, source, note)``,
``ctx.note(text)``, ``ctx.say(text)``
    further files (kind ``verilog`` and ``netlist`` are shown in the report), IR ids, data sources, remarks for
    the report, a line on stderr.
"""

from __future__ import annotations

import datetime
import fcntl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from benches import environment, loader, results
from benches.context import Context, kept_file
from benches.files import digest, make_folder, plain, storing, write_atomic
from benches.journal import Request, read_request, read_state, write_state
from benches.progress import Quiet, Reporter
from benches.registry import PROFILES, Paper, Profile, paper, unknown
from benches.report import markdown
from benches.results import Result
from benches.samples import Samples
from benches.verdicts import bar_outcome, claim_outcome
from hwsim.ir.errors import UsageError

LIMITS_S: dict[Profile, float] = {"smoke": 60, "quick": 15 * 60}


@dataclass(frozen=True)
class Run:
    """A finished run and its folder."""

    result: Result
    folder: Path


def profile_named(name: str) -> Profile:
    """`name` as a profile; raises `UsageError` when it is none."""
    for profile in PROFILES:
        if profile == name:
            return profile
    raise unknown("profile", name, list(PROFILES))


def run(
    slug: str,
    profile: str = "quick",
    seed: int = 0,
    out: Path = Path("results"),
    sets: Mapping[str, str] | None = None,
    resume: bool | str = False,
    reporter: Reporter | None = None,
) -> Run:
    """Run the bench of `slug`, or go on with a killed run of it.

    Args:
        out: results folder; the run gets ``out/slug/<run_id>/``.
        sets: texts that override the profile's configuration.
        resume: True for the newest unfinished run with the same settings (a new run when there is none),
            or the id of a run, which then brings its own settings.

    Raises:
        UsageError: an unknown slug, profile, setting or run, or a folder that cannot be written.
        StorageError: the disk is full; `resume` goes on once there is room.
    """
    one = paper(slug)
    bench = loader.load(one)
    reporter = reporter or Quiet()
    config = bench.config(profile_named(profile), sets or {})
    request = _request(one, bench, profile_named(profile), seed, config)
    if isinstance(resume, str):
        folder, request, config = _named(out, slug, resume, bench)
    else:
        folder = (_newest_like(out, request) if resume else None) or _new_folder(out, request)
        if resume and not (folder / "run.json").exists():
            reporter.say(f"{slug}: nothing to resume with these settings, a new run begins")
    with _locked(folder):
        if (folder / "run.json").exists():
            _say_resumed(one, folder, request, reporter)
            request = read_request(folder)
        else:
            write_atomic(folder / "run.json", msgspec.json.encode(request))
        return Run(_measure(one, bench, request, config, folder, reporter), folder)


def _request(one: Paper, bench: loader.Bench, profile: Profile, seed: int, config: Any) -> Request:
    now = datetime.datetime.now(datetime.UTC)
    settings = plain(config)
    depends = {"slug": one.slug, "profile": profile, "config": settings, "seed": seed, "version": bench.samples_version}
    problem = digest(depends)
    return Request(
        slug=one.slug,
        run_id=f"{now:%Y%m%dT%H%M%SZ}-{problem[:6]}",
        profile=profile,
        seed=seed,
        config=settings,
        started=now.isoformat(timespec="seconds"),
        command=environment.command_line(),
        code=environment.code_digest(one.slug, Path(one.folder)),
        problem=problem,
    )


def _new_folder(out: Path, request: Request) -> Path:
    parent = make_folder(out / request.slug)
    for attempt in range(1000):  # two runs of one problem may begin in the same second
        folder = parent / (request.run_id + (f"-{attempt + 1}" if attempt else ""))
        try:
            with storing(folder):
                folder.mkdir()
            return folder
        except UsageError:
            if not folder.exists():
                raise
    raise UsageError.of("run folder", f"1000 runs in one second under {parent}", "a free name", "Wait a second.")


def _newest_like(out: Path, request: Request) -> Path | None:
    """The newest unfinished run of the same problem."""
    for folder in reversed(results.unfinished(out, request.slug)):
        try:
            if read_request(folder).problem == request.problem:
                return folder
        except UsageError:  # a run of another version: not ours to resume
            continue
    return None


def _named(out: Path, slug: str, run_id: str, bench: loader.Bench) -> tuple[Path, Request, Any]:
    folder = out / slug / run_id
    open_runs = [f.name for f in results.unfinished(out, slug)]
    if run_id not in open_runs:
        if (folder / "result.json").exists():
            mend = f"Read it with: hwsim compare {slug}@{run_id} {slug}@latest, or start a new run."
            raise UsageError.of(f"run {run_id} cannot be resumed", "a finished run", "an unfinished one", mend)
        raise unknown(f"unfinished run of {slug}", run_id, open_runs)
    request = read_request(folder)
    base = bench.profiles[request.profile]
    try:
        config = msgspec.convert(request.config, type(base))
    except msgspec.ValidationError as error:
        mend = "The bench has changed since; start a new run."
        raise UsageError.of(f"run {run_id}: configuration", error, "the bench's fields", mend) from error
    return folder, request, config


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the run's folder, so that two processes never write one run."""
    with storing(folder):
        handle = (folder / ".lock").open("w")
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            mend = "Wait for it, or start another run without --resume."
            raise UsageError.of(f"run {folder.name}", "in use by another process", "a free run", mend) from error
        yield


def _say_resumed(one: Paper, folder: Path, request: Request, reporter: Reporter) -> None:
    reporter.say(f"{one.slug}: resuming {folder.name}")
    now = environment.code_digest(one.slug, Path(one.folder))
    if read_request(folder).code != now:
        reporter.say(f"{one.slug}: the code has changed since this run began; figures from before are kept as they are")


def _measure(
    one: Paper, bench: loader.Bench, request: Request, config: Any, folder: Path, reporter: Reporter
) -> Result:
    state = read_state(folder)
    samples = Samples(folder / "samples.csv", request.problem)
    if samples.dropped:
        reporter.say(f"{one.slug}: dropped {samples.dropped} bytes that a kill left at the end of samples.csv")
    ctx = Context(one, request.profile, request.seed, config, folder, samples, state, reporter)
    before = state.wall_s, state.cpu_s
    start, cpu = time.perf_counter(), environment.cpu_seconds()
    bench.run(ctx)
    spent = before[0] + time.perf_counter() - start, before[1] + environment.cpu_seconds() - cpu
    result = _result(ctx, request, folder, spent)
    write_atomic(folder / "report.md", markdown(one, result))
    results.write(result, folder)
    write_state(folder, state)
    if spent[0] > LIMITS_S.get(request.profile, float("inf")):
        limit = LIMITS_S[request.profile]
        reporter.say(f"{one.slug}: {spent[0]:.0f} s is over the {limit:.0f} s of profile {request.profile}")
    return result


def _result(ctx: Context[Any], request: Request, folder: Path, spent: tuple[float, float]) -> Result:
    ledger, metrics, one = ctx.recorded(), ctx.all_metrics(), ctx.paper
    by_claim = {c.id: ledger.reasons[c.metric] for c in one.claims if c.metric in ledger.reasons}
    reasons = by_claim | {name: why for name, why in ledger.reasons.items() if name in {c.id for c in one.claims}}
    sha, dirty = environment.git_state()
    code_now = environment.code_digest(one.slug, Path(one.folder))
    notes = list(ledger.notes)
    if code_now != request.code:
        notes.append("The code changed between the beginning and the end of this run (it was resumed).")
    return Result(
        slug=one.slug,
        run_id=folder.name,
        profile=request.profile,
        seed=request.seed,
        seeds=tuple(ledger.seeds),
        config=request.config,
        command=request.command,
        git_sha=sha,
        git_dirty=dirty,
        started=request.started,
        wall_s=round(spent[0], 3),
        cpu_s=round(spent[1], 3),
        machine=environment.machine(),
        versions=environment.versions(),
        metrics=tuple(metrics.values()),
        claims=tuple(claim_outcome(c, metrics, reasons, request.profile) for c in one.claims),
        bars=tuple(bar_outcome(b, metrics, ledger.reasons, request.profile) for b in one.bars),
        artifacts=tuple(ledger.artifacts.values()),
        data=tuple(ledger.data.values()),
        stages=tuple(ctx.stages),
        files=tuple(ledger.files.values()),
        notes=tuple(notes),
    )


def keep(done: Run) -> Path:
    """Copy a run's result, report and plots (PNG) to where its paper's full figures are kept; returns the result."""
    one = paper(done.result.slug)
    path = kept_file(one)
    for record in done.result.files:
        if record.kind == "plot" and record.path.endswith(".png"):
            write_atomic(path.parent / record.path, (done.folder / record.path).read_bytes())
    write_atomic(path.with_name("report.md"), markdown(one, done.result))
    write_atomic(path, results.encode(done.result))
    return path
