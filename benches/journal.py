"""What a run has recorded so far, and its finished stages: `state.json`, rewritten whole after each stage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from benches.files import jsonable, write_atomic
from benches.registry import Profile
from benches.results import ArtifactRecord, DataRecord, FileRecord, Metric
from hwsim.ir.errors import UsageError


class Ledger(msgspec.Struct):
    """Records by name, in order; one for every stage and one for what lies outside stages."""

    metrics: dict[str, Metric] = {}
    reasons: dict[str, str] = {}
    artifacts: dict[str, ArtifactRecord] = {}
    data: dict[str, DataRecord] = {}
    files: dict[str, FileRecord] = {}
    notes: list[str] = []
    seeds: list[int] = []

    def update(self, other: Ledger) -> None:
        """Take in everything that `other` holds."""
        self.metrics |= other.metrics
        self.reasons |= other.reasons
        self.artifacts |= other.artifacts
        self.data |= other.data
        self.files |= other.files
        self.notes += [note for note in other.notes if note not in self.notes]
        self.seeds += [seed for seed in other.seeds if seed not in self.seeds]


class FinishedStage(msgspec.Struct):
    """A stage that ran to its end: what it cost, gave and recorded."""

    wall_s: float
    cpu_s: float
    outcome: Any
    ledger: Ledger


class State(msgspec.Struct):
    """Content of state.json. `wall_s` and `cpu_s` are those of earlier attempts up to their last stage."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    stages: dict[str, FinishedStage] = {}

    def finish(self, name: str, done: FinishedStage) -> None:
        """Take in a stage that ran to its end."""
        self.stages[name] = done
        self.wall_s += done.wall_s
        self.cpu_s += done.cpu_s


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Content of run.json: what was asked for when the run began.

    `code` is a digest of the sources then, `problem` a digest of all that the samples depend on.
    """

    slug: str
    run_id: str
    profile: Profile
    seed: int
    config: dict[str, Any]
    started: str
    command: str
    code: str
    problem: str


def read_state(folder: Path) -> State:
    """State of the run in `folder`; empty when it has none yet."""
    path = folder / "state.json"
    if not path.exists():
        return State()
    return _decode(path, State)


def write_state(folder: Path, state: State) -> None:
    """Replace state.json; raises as `benches.files.write_atomic`."""
    write_atomic(folder / "state.json", msgspec.json.encode(state, enc_hook=jsonable))


def read_request(folder: Path) -> Request:
    """Request of the run in `folder`; raises `UsageError` when there is none."""
    return _decode(folder / "run.json", Request)


def _decode(path: Path, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError) as error:
        mend = "Start a new run without --resume."
        raise UsageError.of(f"{path} cannot be resumed from", error, "a run's own file", mend) from error
