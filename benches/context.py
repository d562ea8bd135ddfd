"""`Context`: what a paper's ``run(ctx)`` gets to measure with. The API is described in `benches.runner`."""

from __future__ import annotations

import math
import shutil
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from benches import results
from benches.environment import cpu_seconds
from benches.files import file_sha256, make_folder, storing
from benches.journal import FinishedStage, Ledger, State, write_state
from benches.progress import STOPPED, Reporter
from benches.registry import HERE, REPOSITORY, Paper, Profile, unknown
from benches.results import ArtifactRecord, DataRecord, FileRecord, Metric
from benches.samples import Samples
from benches.stats import Figure
from hwsim.ir.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure as Drawing

C = TypeVar("C")
FileKind = Literal["plot", "verilog", "netlist", "table", "other"]


class Stage:
    """A part of a run between ``with ctx.stage(name) as stage:`` and its end.

    Attributes:
        todo: False when an earlier, killed attempt of this run finished the stage; skip the work then.
        outcome: JSON-able data that the stage hands on; set it before the block ends.
        progress: callback ``(done, total, note="")`` for long work.
    """

    def __init__(self, name: str, finished: FinishedStage | None, reporter: Reporter) -> None:
        self.name = name
        self.todo = finished is None
        self.outcome: Any = finished.outcome if finished else None
        self._reporter = reporter

    def progress(self, done: float, total: float, note: str = "") -> None:
        """Report `done` of `total` parts."""
        self._reporter.advance(done, total, note)


class Context(Generic[C]):
    """One run of one paper: its settings, and where its figures go."""

    def __init__(
        self,
        paper: Paper,
        profile: Profile,
        seed: int,
        config: C,
        folder: Path,
        samples: Samples,
        state: State,
        reporter: Reporter,
    ) -> None:
        self.paper = paper
        self.profile = profile
        self.seed = seed
        self.config = config
        self.folder = folder
        self.samples = samples
        self._state = state
        self._reporter = reporter
        self._units = paper.metric_units()
        self._outside = Ledger(seeds=[seed])
        self._ledger = self._outside
        self._replaying = False
        self._kept: dict[str, Metric] = {}
        self.stages: list[results.StageRecord] = []

    # ---- randomness ------------------------------------------------------------------------------------

    def rng(self, name: str) -> np.random.Generator:
        """A generator of its own for `name`, the same for the same run seed."""
        import numpy as np

        return np.random.default_rng([self.seed, zlib.crc32(name.encode())])

    def seeds(self, n: int) -> list[int]:
        """`n` seeds from the run's seed on, recorded in the result."""
        chosen = [self.seed + i for i in range(n)]
        self._ledger.seeds += [seed for seed in chosen if seed not in self._ledger.seeds]
        return chosen

    # ---- figures ---------------------------------------------------------------------------------------

    def metric(
        self,
        name: str,
        value: float | Figure,
        unit: str = "",
        low: float | None = None,
        high: float | None = None,
        n: int | None = None,
        method: str = "",
    ) -> Metric:
        """Record a measured figure; a `benches.stats.Figure` brings its own interval.

        Raises:
            UsageError: recorded before in this run, not finite, an interval that misses the value, or
                another unit than paper.toml gives this metric.
        """
        if isinstance(value, Figure):
            low, high, n, method = value.low, value.high, value.n, method or value.method
            value = value.value
        ends = [None if x is None else float(x) for x in (low, high)]
        count = None if n is None else int(n)
        made = Metric(name=name, value=float(value), unit=unit, low=ends[0], high=ends[1], n=count, method=method)
        self._check(made)
        self._ledger.metrics[name] = made
        return made

    def _check(self, made: Metric) -> None:
        numbers = [x for x in (made.low, made.value, made.high) if x is not None]
        what = f"metric '{made.name}'"
        if made.name in self.recorded().metrics and not self._replaying:
            raise UsageError.of(what, "a second value", "one value a run", "Give it another name.")
        if not all(math.isfinite(x) for x in numbers) or numbers != sorted(numbers):
            mend = "A figure that could not be measured is ctx.not_comparable(…), never NaN."
            raise UsageError.of(what, numbers, "finite low ≤ value ≤ high", mend)
        if (expected := self._units.get(made.name, made.unit)) != made.unit:
            raise UsageError.of(f"{what}: unit", repr(made.unit), f"{expected!r}, as in paper.toml", "Convert it.")

    def not_comparable(self, name: str, reason: str) -> None:
        """Say why a claim (by its id), or every claim on a metric (by its name), has no figure here.

        Raises:
            UsageError: neither a claim id nor a metric of paper.toml, or no reason.
        """
        ids = [c.id for c in self.paper.claims]
        metrics = {c.metric for c in self.paper.claims} | {b.metric for b in self.paper.bars}
        if name not in ids and name not in metrics:
            raise unknown("claim or metric", name, sorted({*ids, *metrics}))
        if not reason.strip():
            raise UsageError.of(f"not_comparable({name!r})", "no reason", "a reason", "Say what is missing.")
        self._ledger.reasons[name] = reason

    def kept(self, *names: str) -> list[Metric]:
        """Fill metrics that this run does not measure from the kept full result; all of them when no name is given.

        They stand in the report marked with profile, machine and date, never as measured now. Returns what
        the kept result offers; an empty list when nothing is kept.
        """
        path = kept_file(self.paper)
        if not path.exists():
            return []
        earlier = results.read(path)
        found = [m for m in earlier.metrics if not names or m.name in names]
        for metric in found:
            self._kept[metric.name] = _marked(metric, earlier)
        return found

    # ---- stages and progress ---------------------------------------------------------------------------

    @contextmanager
    def stage(self, name: str) -> Iterator[Stage]:
        """A named part of the run whose records and outcome survive a kill; not nested.

        Raises:
            UsageError: inside another stage, or a name used before.
        """
        if self._ledger is not self._outside or name in [s.name for s in self.stages]:
            mend = "Give every stage its own name, one after the other."
            raise UsageError.of(f"stage '{name}'", "begun inside another or twice", "a new stage", mend)
        earlier = self._state.stages.get(name)
        work = self._replayed(name, earlier) if earlier else self._measured(name)
        with work as stage:
            yield stage

    @contextmanager
    def _measured(self, name: str) -> Iterator[Stage]:
        """A stage that runs now; it counts as finished once its records are on the disk."""
        title, note = f"{self.paper.slug} · {name}", STOPPED
        stage, self._ledger = Stage(name, None, self._reporter), Ledger()
        start, cpu = time.perf_counter(), cpu_seconds()
        self._reporter.begin(title)
        try:
            yield stage
            done = FinishedStage(time.perf_counter() - start, cpu_seconds() - cpu, stage.outcome, self._ledger)
            self._state.finish(name, done)
            write_state(self.folder, self._state)
            self.stages.append(results.StageRecord(name=name, wall_s=done.wall_s, cpu_s=done.cpu_s))
            note = ""
        finally:
            self._ledger = self._outside
            self._reporter.end(title, time.perf_counter() - start, note)

    @contextmanager
    def _replayed(self, name: str, earlier: FinishedStage) -> Iterator[Stage]:
        """A stage that a killed attempt finished: its records stand, and the body sees `todo` False."""
        title = f"{self.paper.slug} · {name}"
        self._ledger, self._replaying = earlier.ledger, True
        self._reporter.begin(title)
        try:
            yield Stage(name, earlier, self._reporter)
        finally:
            self._ledger, self._replaying = self._outside, False
            self._reporter.end(title, earlier.wall_s, "finished before")
        cost = results.StageRecord(name=name, wall_s=earlier.wall_s, cpu_s=earlier.cpu_s, resumed=True)
        self.stages.append(cost)

    def sweep(self, work: Callable[..., dict[str, Any]], points: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """``work(**point)`` for every point in parallel, resumable; see `benches.sweep`."""
        from benches.sweep import sweep

        return sweep(work, points, self.samples, self._reporter.advance, getattr(work, "__name__", "sweep"))

    def say(self, message: str) -> None:
        """A line on stderr."""
        self._reporter.say(message)

    # ---- what the result lists ---------------------------------------------------------------------------

    @contextmanager
    def plot(self, name: str, caption: str = "", width: float = 6.4, height: float = 4.0) -> Iterator[Drawing]:
        """A matplotlib figure, saved as plots/`name`.png and .svg when the block ends; sizes in inches."""
        from benches.plots import figure

        with figure(self.folder / "plots" / name, width, height) as drawn:
            yield drawn
        self._add_file(f"plots/{name}.svg", "plot", caption)
        self._add_file(f"plots/{name}.png", "plot", caption)

    def file(self, path: Path, kind: FileKind = "other", caption: str = "") -> Path:
        """List a file with the result; one outside the run's folder is copied into it. Returns its place."""
        path = Path(path)
        inside = path if path.is_relative_to(self.folder) else make_folder(self.folder / "files") / path.name
        if inside != path:
            with storing(inside):
                shutil.copyfile(path, inside)
        self._add_file(str(inside.relative_to(self.folder)), kind, caption)
        return inside

    def _add_file(self, path: str, kind: FileKind, caption: str) -> None:
        self._ledger.files[path] = FileRecord(path=path, kind=kind, caption=caption)

    def artifact(self, path: Path, name: str = "") -> str:
        """Record an IR file that figures depend on; returns its id."""
        path = Path(path)
        made = ArtifactRecord(name=name or path.name, id=file_sha256(path), path=_short(path))
        self._ledger.artifacts[made.name] = made
        return made.id

    def record_data(self, name: str, source: str, note: str = "") -> None:
        """Record which copy of a data set was used (``embedded``, a path, an address)."""
        self._ledger.data[name] = DataRecord(name=name, source=source, note=note)

    def note(self, text: str) -> None:
        """A remark for the report."""
        self._ledger.notes.append(text)

    # ---- for the runner ----------------------------------------------------------------------------------

    def recorded(self) -> Ledger:
        """Everything recorded so far, stages first."""
        everything = Ledger()
        for stage in self.stages:
            everything.update(self._state.stages[stage.name].ledger)
        everything.update(self._outside)
        if self._ledger is not self._outside:
            everything.update(self._ledger)
        return everything

    def all_metrics(self) -> dict[str, Metric]:
        """Metrics of this run, then those kept from an earlier one that this run does not measure."""
        measured = self.recorded().metrics
        return measured | {name: m for name, m in self._kept.items() if name not in measured}


def kept_file(paper: Paper) -> Path:
    """Where a paper's full figures are kept in the repository."""
    if Path(paper.folder).parent == HERE:
        return REPOSITORY / "docs" / "results" / paper.slug / "result.json"
    return Path(paper.folder) / "kept" / "result.json"


def _marked(metric: Metric, earlier: results.Result) -> Metric:
    import msgspec

    return msgspec.structs.replace(metric, kept=metric.kept or earlier.kept_mark)


def _short(path: Path) -> str:
    """`path` relative to the repository where it lies inside it."""
    path = path.resolve()
    return str(path.relative_to(REPOSITORY)) if path.is_relative_to(REPOSITORY) else str(path)
