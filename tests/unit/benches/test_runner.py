"""A run from start to result.json: the documented example, settings, stages, resuming, kept figures."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benches import results, runner
from benches.registry import paper
from hwsim.ir.errors import UsageError

Paper = Callable[..., Path]


def bench_with(body: str, head: str = "") -> str:
    return f"{head}\ndef run(ctx):\n" + "\n".join("    " + line for line in body.strip().splitlines()) + "\n"


def test_the_documented_example_runs(coins: str, out: Path) -> None:
    done = runner.run(coins, "smoke", seed=3, out=out, sets={"tosses": "5000"})
    verdicts = {claim.id: claim.verdict for claim in done.result.claims}
    assert verdicts["half"] == "reproduced"
    assert verdicts["gold"] == "not comparable"
    assert done.result.config == {"tosses": 5000, "coins": 16}
    assert done.result.seeds == tuple(range(3, 19))
    assert [stage.name for stage in done.result.stages] == ["toss", "speed"]
    assert done.folder == results.latest(out, coins)
    assert os.readlink(out / coins / "latest") == done.result.run_id
    names = {path.name for path in done.folder.iterdir()}
    assert names >= {"result.json", "report.md", "samples.csv", "state.json", "run.json", "plots"}
    assert (done.folder / "plots" / "rates.svg").read_bytes().startswith(b"<?xml")
    assert "| Golden coins are fair as well | Figure 2 | 0.5 | – | not comparable |" in (
        done.folder / "report.md"
    ).read_text(encoding="utf-8")


def test_equal_seeds_give_equal_figures_and_plots(coins: str, out: Path) -> None:
    runs = [runner.run(coins, "smoke", seed=seed, out=out) for seed in (1, 1, 2)]
    rates = [run.result.metric("heads_rate") for run in runs]
    assert rates[0] == rates[1] != rates[2]
    plots = [(run.folder / "plots" / "rates.png").read_bytes() for run in runs]
    assert plots[0] == plots[1] != plots[2]
    assert len({run.result.run_id for run in runs}) == 3


def test_the_result_is_read_back_as_written(coins: str, out: Path) -> None:
    done = runner.run(coins, "smoke", out=out)
    assert results.read(done.folder) == done.result
    assert results.read(done.folder / "result.json") == done.result


@pytest.mark.parametrize(
    ("change", "message"),
    [(lambda d: d.pop("slug"), "missing required field `slug`"), (lambda d: d.update(x=1), "unknown field `x`"),
     (lambda d: d.update(schema="hwbench/2"), "hwbench/2"), (lambda d: d["claims"][0].update(verdict="fine"), "fine")],
)  # fmt: skip
def test_a_wrong_result_is_refused(make_paper: Paper, out: Path, change: Callable, message: str) -> None:
    make_paper()
    done = runner.run("toy", out=out)
    data = json.loads((done.folder / "result.json").read_text())
    change(data)
    (done.folder / "result.json").write_text(json.dumps(data))
    with pytest.raises(UsageError, match=rf"is not a result: got .*{message}.*expected schema hwbench/1"):
        results.read(done.folder)


def test_the_schema_file_is_fresh() -> None:
    kept = Path(__file__).parents[3] / "docs" / "hwbench-1.schema.json"
    assert kept.read_bytes() == results.schema(), "python -m benches.results > docs/hwbench-1.schema.json"


# ---- settings ----------------------------------------------------------------------------------------------


def test_settings_are_typed(make_paper: Paper, out: Path) -> None:
    make_paper()
    done = runner.run("toy", out=out, sets={"value": "3", "many": "[4, 5]", "loud": "true"})
    assert done.result.config == {"value": 3.0, "many": [4, 5], "loud": True}
    assert done.result.claims[0].verdict == "not reproduced"


@pytest.mark.parametrize(
    ("sets", "message"),
    [({"valu": "3"}, r"unknown setting: got 'valu', expected one of value, many, loud\. Did you mean 'value'"),
     ({"value": "much"}, r"setting 'value': got 'much', expected .*float"),
     ({"many": "[1,"}, r"setting 'many': got '\[1,'"),
     ({"loud": "maybe"}, r"setting 'loud': got 'maybe', expected .*bool")],
)  # fmt: skip
def test_bad_settings_name_the_key(make_paper: Paper, out: Path, sets: dict[str, str], message: str) -> None:
    make_paper()
    with pytest.raises(UsageError, match=message):
        runner.run("toy", out=out, sets=sets)
    assert not out.exists()


def test_an_unknown_profile_lists_the_profiles(make_paper: Paper, out: Path) -> None:
    make_paper()
    with pytest.raises(UsageError, match=r"unknown profile: got 'quik', expected one of smoke, quick, full\. Did"):
        runner.run("toy", "quik", out=out)


def test_a_bench_without_run_or_profile_is_named(make_paper: Paper, out: Path) -> None:
    make_paper("bare", bench="x = 1\n")
    with pytest.raises(UsageError, match=r"bench\.py lacks run"):
        runner.run("bare", out=out)
    make_paper("part", bench="PROFILES = {'quick': None}\ndef run(ctx): ...\n")
    with pytest.raises(UsageError, match=r"PROFILES: got \['quick'\], expected smoke, quick, full"):
        runner.run("part", out=out)
    make_paper("none", bench=None)
    with pytest.raises(UsageError, match=r"paper 'none' has no bench"):
        runner.run("none", out=out)


# ---- what ctx refuses --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "message"),
    [("ctx.metric('sum', float('nan'), 'apples')", r"metric 'sum'.*never NaN"),
     ("ctx.metric('sum', 1, 'pears')", r"metric 'sum': unit: got 'pears', expected 'apples'"),
     ("ctx.metric('x', 1, low=2, high=3)", r"finite low ≤ value ≤ high"),
     ("ctx.metric('x', 1)\nctx.metric('x', 1)", r"metric 'x': got a second value"),
     ("ctx.not_comparable('tow', 'no data')", r"unknown claim or metric: got 'tow'.*Did you mean 'two'"),
     ("ctx.not_comparable('two', ' ')", r"no reason"),
     ("with ctx.stage('a'):\n    with ctx.stage('b'):\n        pass", r"stage 'b'.*inside another"),
     ("for i in range(2):\n    with ctx.stage('a'):\n        pass", r"stage 'a'.*twice")],
)  # fmt: skip
def test_ctx_refuses(make_paper: Paper, out: Path, body: str, message: str) -> None:
    make_paper(bench=bench_with(body))
    with pytest.raises(UsageError, match=message):
        runner.run("toy", out=out)
    assert results.finished(out, "toy") == []
    assert results.latest(out, "toy") is None


def test_numpy_figures_and_outcomes_are_stored(make_paper: Paper, out: Path) -> None:
    body = """
import numpy as np
with ctx.stage("s") as stage:
    stage.outcome = {"a": np.arange(2), "b": np.float32(0.5)}
    ctx.metric("sum", np.float64(2), "apples", low=np.float32(1), high=np.int64(3), n=np.int64(7))
assert ctx.samples.once(lambda: {"x": np.int64(3)}, k=np.int32(1)) == {"x": 3}
assert ctx.samples.get(k=1) == {"x": 3}
"""
    make_paper(bench=bench_with(body))
    done = runner.run("toy", out=out)
    assert results.read(done.folder) == done.result
    assert json.loads((done.folder / "state.json").read_text())["stages"]["s"]["outcome"] == {"a": [0, 1], "b": 0.5}


def test_not_comparable_by_metric_reaches_its_claims(make_paper: Paper, out: Path) -> None:
    make_paper(bench=bench_with("ctx.not_comparable('sum', 'no scales')"))
    claim = runner.run("toy", out=out).result.claims[0]
    assert (claim.verdict, claim.reason) == ("not comparable", "no scales")


def test_named_generators_are_independent_of_each_other(make_paper: Paper, out: Path) -> None:
    body = "a = ctx.rng('a').random()\nb = ctx.rng('b').random()\nassert a != b and a == ctx.rng('a').random()"
    make_paper(bench=bench_with(body))
    runner.run("toy", out=out)


def test_a_file_from_elsewhere_is_copied_in(make_paper: Paper, out: Path, tmp_path: Path) -> None:
    (tmp_path / "top.v").write_text("module top; endmodule\n")
    make_paper(bench=bench_with(f"from pathlib import Path\nctx.file(Path('{tmp_path}/top.v'), 'verilog', 'the top')"))
    done = runner.run("toy", out=out)
    assert done.result.files[0].path == "files/top.v"
    assert (done.folder / "files" / "top.v").exists()


# ---- resuming ----------------------------------------------------------------------------------------------

TWO_STAGES = bench_with(
    """
import os, pathlib
log = pathlib.Path(os.environ["TOY_LOG"])
with ctx.stage("first") as first:
    if first.todo:
        log.write_text(log.read_text() + "first ")
        ctx.metric("sum", 2, "apples")
        ctx.note("measured")
        first.outcome = {"x": [1, 2]}
assert first.outcome == {"x": [1, 2]}
for i in range(4):
    def compute():
        log.write_text(log.read_text() + f"{i} ")
        return {"square": i * i}
    assert ctx.samples.once(compute, i=i) == {"square": i * i}
    if i == 2 and os.environ.get("TOY_FAIL"):
        raise RuntimeError("boom")
"""
)


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "log.txt"
    path.write_text("")
    monkeypatch.setenv("TOY_LOG", str(path))
    return path


def broken_run(make_paper: Paper, out: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a run that died after its first stage and three samples."""
    make_paper(bench=TWO_STAGES)
    monkeypatch.setenv("TOY_FAIL", "1")
    with pytest.raises(RuntimeError, match="boom"):
        runner.run("toy", out=out)
    monkeypatch.delenv("TOY_FAIL")
    return results.unfinished(out, "toy")[0]


def test_resume_computes_nothing_twice(make_paper: Paper, out: Path, log: Path, monkeypatch) -> None:
    folder = broken_run(make_paper, out, monkeypatch)
    done = runner.run("toy", out=out, resume=True)
    assert done.folder == folder
    assert log.read_text() == "first 0 1 2 3 "
    assert done.result.claims[0].verdict == "reproduced"
    assert done.result.stages[0].resumed
    assert done.result.notes == ("measured",)


def test_resume_by_id_brings_its_own_settings(make_paper: Paper, out: Path, log: Path, monkeypatch) -> None:
    folder = broken_run(make_paper, out, monkeypatch)
    done = runner.run("toy", "full", seed=9, out=out, resume=folder.name)
    assert (done.folder, done.result.profile, done.result.seed) == (folder, "quick", 0)


def test_resume_with_other_settings_begins_a_new_run(make_paper: Paper, out: Path, log: Path, monkeypatch) -> None:
    folder = broken_run(make_paper, out, monkeypatch)
    done = runner.run("toy", seed=1, out=out, resume=True)
    assert done.folder != folder
    assert log.read_text() == "first 0 1 2 first 0 1 2 3 "


def test_a_resumed_stage_may_record_again(make_paper: Paper, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = (
        "import os\nwith ctx.stage('s'):\n    ctx.metric('sum', 2, 'apples')\nif os.environ.get('TOY_FAIL'):\n    1 / 0"
    )
    make_paper(bench=bench_with(body))
    monkeypatch.setenv("TOY_FAIL", "1")
    with pytest.raises(ZeroDivisionError):
        runner.run("toy", out=out)
    monkeypatch.delenv("TOY_FAIL")
    assert runner.run("toy", out=out, resume=True).result.metric("sum")


def test_changed_code_is_noted(make_paper: Paper, out: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken_run(make_paper, out, monkeypatch)
    make_paper(bench=TWO_STAGES + "# another line\n")
    notes = runner.run("toy", out=out, resume=True).result.notes
    assert any("The code changed" in note for note in notes)


def test_a_new_samples_version_disowns_old_samples(make_paper: Paper, out: Path, log: Path, monkeypatch) -> None:
    broken_run(make_paper, out, monkeypatch)
    make_paper(bench="SAMPLES_VERSION = 2\n" + TWO_STAGES)
    runner.run("toy", out=out, resume=True)
    assert log.read_text() == "first 0 1 2 first 0 1 2 3 "


def test_an_unknown_or_finished_run_is_refused(make_paper: Paper, out: Path) -> None:
    make_paper()
    with pytest.raises(UsageError, match=r"unknown unfinished run of toy: got 'x', expected one of \(none\)"):
        runner.run("toy", out=out, resume="x")
    done = runner.run("toy", out=out)
    with pytest.raises(UsageError, match=r"cannot be resumed: got a finished run"):
        runner.run("toy", out=out, resume=done.folder.name)


def test_a_run_of_another_version_is_not_resumed(make_paper: Paper, out: Path, log: Path, monkeypatch) -> None:
    folder = broken_run(make_paper, out, monkeypatch)
    (folder / "run.json").write_text("{}")
    assert runner.run("toy", out=out, resume=True).folder != folder


def test_a_damaged_state_is_an_error(make_paper: Paper, out: Path, log: Path, monkeypatch) -> None:
    folder = broken_run(make_paper, out, monkeypatch)
    (folder / "state.json").write_text("{")
    with pytest.raises(UsageError, match=r"state\.json cannot be resumed from"):
        runner.run("toy", out=out, resume=True)


SLOW = bench_with(
    """
import os, pathlib, time
log = pathlib.Path(os.environ["TOY_LOG"])
for i in range(6):
    def compute():
        with log.open("a") as file:
            file.write(f"{i} ")
        return {"i": i}
    ctx.samples.once(compute, i=i)
    if i == 2 and not os.environ.get("TOY_FAST"):
        time.sleep(60)
ctx.metric("sum", 2, "apples")
"""
)


def test_kill_9_and_resume(make_paper: Paper, out: Path, log: Path) -> None:
    make_paper(bench=SLOW)
    command = [sys.executable, "-m", "benches.cli", "bench", "toy", "--out", str(out), "--quiet"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while log.read_text() != "0 1 2 " and time.monotonic() < deadline:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    blocked = subprocess.run([*command, "--resume"], capture_output=True, text=True, timeout=60)
    assert blocked.returncode == 2
    assert "in use by another process" in blocked.stderr
    process.send_signal(signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL
    process.stderr.close()
    samples = next(out.glob("toy/*/samples.csv"))
    rows = samples.read_bytes()
    samples.write_bytes(rows + b'0123456789abcdef,"{""i')  # as if killed in the middle of a write
    environment = os.environ | {"TOY_FAST": "1"}
    done = subprocess.run([*command, "--resume"], capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 0, done.stderr
    assert log.read_text() == "0 1 2 3 4 5 "
    assert len(results.finished(out, "toy")) == 1
    assert results.unfinished(out, "toy") == []
    assert samples.read_bytes().startswith(rows)


# ---- kept figures ------------------------------------------------------------------------------------------

KEPT = bench_with(
    """
if ctx.profile == "full":
    ctx.metric("sum", 2, "apples")
    ctx.metric("other", 1)
else:
    ctx.kept()
    ctx.metric("other", 5)
"""
)


def test_kept_figures_are_marked_and_never_replace_measured_ones(make_paper: Paper, out: Path) -> None:
    make_paper(bench=KEPT)
    full = runner.run("toy", "full", out=out)
    assert full.result.metric("sum").kept == ""
    runner.keep(full)
    quick = runner.run("toy", out=out)
    claim = quick.result.claims[0]
    assert claim.verdict == "reproduced"
    assert claim.kept.startswith("full, ")
    assert claim.kept.endswith(full.result.started[:10])
    assert quick.result.metric("other").value == 5
    assert quick.result.metric("other").kept == ""
    assert "kept (full, " in (quick.folder / "report.md").read_text(encoding="utf-8")
    again = runner.run("toy", out=out)  # a kept figure keeps its first mark
    assert again.result.claims[0].kept == claim.kept


def test_keeping_copies_the_report_and_the_plots(coins: str, out: Path) -> None:
    done = runner.run(coins, "smoke", out=out)
    path = runner.keep(done)
    assert path.with_name("report.md").read_bytes() == (done.folder / "report.md").read_bytes()
    assert (path.parent / "plots" / "rates.png").read_bytes().startswith(b"\x89PNG")


def test_without_kept_figures_the_claim_is_not_run(make_paper: Paper, out: Path) -> None:
    make_paper(bench=KEPT)
    assert runner.run("toy", out=out).result.claims[0].verdict == "not run"


def test_where_a_paper_of_the_repository_is_kept() -> None:
    from benches.context import kept_file

    assert kept_file(paper("neuralut")).parts[-4:] == ("docs", "results", "neuralut", "result.json")
