"""A sweep over processes or on a local Dask cluster: the same results, in order, each stored as it arrives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benches import runner
from benches.samples import Samples
from benches.sweep import sweep
from hwsim.ir.errors import UsageError

Paper = Callable[..., Path]
SWEEP = """
import os

def square(x):
    return {"y": x * x, "pid": os.getpid()}

def run(ctx):
    rows = ctx.sweep(square, [{"x": x} for x in range(5)])
    assert [row["y"] for row in rows] == [0, 1, 4, 9, 16]
    ctx.metric("sum", 2, "apples")
    ctx.metric("processes", len({row["pid"] for row in rows} - {os.getpid()}))
"""


def square(x: int) -> dict[str, int]:
    return {"y": x * x}


def test_a_sweep_runs_on_a_cluster_and_resumes(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    distributed = pytest.importorskip("distributed")
    points = [{"x": x} for x in range(6)]
    path = tmp_path / "s.csv"
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with distributed.LocalCluster(**options, protocol="tcp", host="127.0.0.1") as cluster:
        monkeypatch.setenv("HWSIM_DASK", cluster.scheduler_address)
        found = sweep(square, points, Samples(path, "p"), lambda *_: None, "square")
        assert cluster.scheduler_info["workers"]  # the cluster was there, and it did the work:
        done = sum(w.state.executed_count for w in cluster.workers.values())
    assert found == [{"y": x * x} for x in range(6)]
    assert done >= 2  # joblib may pack several short tasks into one
    assert [Samples(path, "p").get(sweep="square", x=x) for x in range(6)] == found


@pytest.mark.parametrize(("jobs", "others"), [("1", 0), ("2", 1)])
def test_a_sweep_keeps_order_over_processes(make_paper: Paper, out: Path, monkeypatch, jobs: str, others: int) -> None:
    make_paper(bench=SWEEP)
    monkeypatch.setenv("HWSIM_JOBS", jobs)
    assert runner.run("toy", out=out).result.metric("processes").value >= others


def test_bad_sweep_settings(make_paper: Paper, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_paper(bench=SWEEP)
    monkeypatch.setenv("HWSIM_JOBS", "many")
    with pytest.raises(UsageError, match="HWSIM_JOBS: got 'many'"):
        runner.run("toy", out=out)
