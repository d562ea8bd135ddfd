"""A sweep on a local Dask cluster: the same results as in this process, each stored as it arrives."""

import pytest

from benches.samples import Samples
from benches.sweep import sweep


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
