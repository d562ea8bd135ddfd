"""What a run leaves behind: `result.json`, schema ``hwbench/1``, and where runs lie on the disk.

``<out>/<slug>/<run_id>/`` holds `result.json` (present only when the run finished), `samples.csv`,
`state.json` (finished stages, for `--resume`), `report.md` and `plots/`; ``<out>/<slug>/latest`` points at
the newest finished run. `python -m benches.results` prints the JSON schema.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

from benches.files import link_atomic, write_atomic
from benches.registry import Profile
from hwsim.ir.errors import UsageError

SCHEMA: Literal["hwbench/1"] = "hwbench/1"

Verdict = Literal["reproduced", "trend only", "not reproduced", "not comparable", "not run"]
BarState = Literal["met", "missed", "not measured"]
VERDICTS: tuple[Verdict, ...] = ("reproduced", "trend only", "not reproduced", "not comparable", "not run")


class Metric(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One measured figure; `low`..`high` is the interval that `method` says, over `n` samples.

    `kept` is empty for a figure of this run; otherwise it says where and when an earlier run measured it.
    """

    name: str
    value: float
    unit: str = ""
    low: float | None = None
    high: float | None = None
    n: int | None = None
    method: str = ""
    kept: str = ""


class ClaimOutcome(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A claim of the paper beside our figure.

    `paper` is None when the paper claims only a trend, `ours` when nothing was measured; `said` is the paper's
    side in words (``"96 %"``, ``"at most 5 cycles"``, ``"below 1 ×"``); `substitution` says what stood in for
    the paper's data or tool.
    """

    id: str
    where: str
    text: str
    metric: str
    unit: str
    paper: float | None
    said: str
    ours: float | None
    low: float | None
    high: float | None
    verdict: Verdict
    reason: str
    substitution: str = ""
    kept: str = ""


class BarOutcome(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One of our own bars, and whether the figure reaches it."""

    metric: str
    op: str
    bar: float | None
    ours: float | None
    low: float | None
    high: float | None
    state: BarState
    unit: str = ""
    aim: float | None = None
    aim_met: bool | None = None
    profile: Profile = "quick"
    note: str = ""
    kept: str = ""


class ArtifactRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An IR file that the run made or read; `id` is the SHA-256 of its bytes."""

    name: str
    id: str
    path: str = ""


class DataRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A data set and the place it came from."""

    name: str
    source: str
    note: str = ""


class StageRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of the run and what it cost; `resumed` when its outcome was taken from a killed run."""

    name: str
    wall_s: float
    cpu_s: float
    resumed: bool = False


class FileRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A file of the run, with its path relative to the run's folder."""

    path: str
    kind: Literal["plot", "verilog", "netlist", "table", "other"]
    caption: str = ""


class Machine(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the run ran on."""

    cpu: str
    cores: int
    memory_gib: float
    system: str


class Result(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole of result.json."""

    schema: Literal["hwbench/1"] = SCHEMA
    slug: str
    run_id: str
    profile: Profile
    seed: int
    seeds: tuple[int, ...]
    config: dict[str, Any]
    command: str
    git_sha: str
    git_dirty: bool
    started: str
    wall_s: float
    cpu_s: float
    machine: Machine
    versions: dict[str, str]
    metrics: tuple[Metric, ...]
    claims: tuple[ClaimOutcome, ...]
    bars: tuple[BarOutcome, ...]
    artifacts: tuple[ArtifactRecord, ...]
    data: tuple[DataRecord, ...]
    stages: tuple[StageRecord, ...]
    files: tuple[FileRecord, ...]
    notes: tuple[str, ...] = ()

    def metric(self, name: str) -> Metric | None:
        """The metric called `name`, or None."""
        return next((m for m in self.metrics if m.name == name), None)

    @property
    def kept_mark(self) -> str:
        """How a figure of this run is marked in a later run's report."""
        return f"{self.profile}, {self.machine.cpu} ({self.machine.cores} cores), {self.started[:10]}"


def encode(result: Result) -> bytes:
    """Indented JSON of a result, ending in a newline."""
    return msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n"


def decode(data: bytes, where: str) -> Result:
    """Inverse of `encode`, validated against the schema.

    Raises:
        UsageError: not JSON, another schema, or a missing, unknown or wrong field.
    """
    try:
        return msgspec.json.decode(data, type=Result)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        mend = "Run the bench again with this version."
        raise UsageError.of(f"{where} is not a result", error, f"schema {SCHEMA}", mend) from error


def read(path: Path) -> Result:
    """Read a result.json, or the one in a run's folder; raises `UsageError` as `decode`."""
    file = path / "result.json" if path.is_dir() else path
    try:
        return decode(file.read_bytes(), str(file))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        mend = "Finish the run with --resume, or name another one."
        raise UsageError.of(f"no result at {file}", reason, "a finished run", mend) from error


def write(result: Result, folder: Path) -> Path:
    """Write `folder`/result.json whole, then point ``latest`` beside `folder` at it."""
    path = folder / "result.json"
    write_atomic(path, encode(result))
    link_atomic(folder.parent / "latest", folder.name)
    return path


def finished(out: Path, slug: str) -> list[Path]:
    """Folders of the finished runs of `slug` under `out`, oldest first."""
    return sorted(p.parent for p in (out / slug).glob("*/result.json") if p.parent.name != "latest")


def unfinished(out: Path, slug: str) -> list[Path]:
    """Folders of the runs of `slug` that began and did not finish, oldest first."""
    begun = (p.parent for p in (out / slug).glob("*/run.json") if p.parent.name != "latest")
    return sorted(folder for folder in begun if not (folder / "result.json").exists())


def latest(out: Path, slug: str) -> Path | None:
    """Folder of the newest finished run of `slug` under `out`, or None."""
    link = out / slug / "latest"
    if (link / "result.json").is_file():
        return link.resolve()
    runs = finished(out, slug)
    return runs[-1] if runs else None


def schema() -> bytes:
    """JSON schema of result.json, indented."""
    return (
        msgspec.json.format(msgspec.json.encode(msgspec.json.schema(Result), order="deterministic"), indent=2) + b"\n"
    )


if __name__ == "__main__":
    print(schema().decode(), end="")
