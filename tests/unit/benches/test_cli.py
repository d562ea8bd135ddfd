"""The command line: exit codes, what goes to which stream, and no traceback for a user's mistake."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from benches import cli
from hwsim.ir import io as ir_io
from hwsim.ir.gates import GateNetlist
from hwsim.ir.lut import LutLayer, LutNetwork

from .conftest import Shell

Paper = Callable[..., Path]


@pytest.fixture
def network(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    layers = (
        LutLayer(rng.integers(0, 6, (8, 3)).astype(np.int32), rng.integers(0, 4, (8, 64)).astype(np.uint8), 2, 2),
        LutLayer(rng.integers(0, 8, (3, 2)).astype(np.int32), rng.integers(0, 4, (3, 16)).astype(np.uint8), 2, 2),
    )
    path = tmp_path / "net.hwir.safetensors"
    ir_io.save(LutNetwork(6, 2, layers, n_classes=3), path)
    return path


@pytest.fixture
def netlist(tmp_path: Path) -> Path:
    path = tmp_path / "xor.hwir.safetensors"
    arrays = [np.array(x, t) for x, t in [((0, 2), "i4"), ((0, 1), "i4"), ((6,), "u8"), ((2,), "i4")]]
    ir_io.save(GateNetlist(2, *arrays), path)
    return path


# ---- bench -------------------------------------------------------------------------------------------------


def test_a_finished_run_exits_0_with_results_on_stdout(make_paper: Paper, shell: Shell) -> None:
    make_paper(bench="def run(ctx):\n    with ctx.stage('count'):\n        ctx.metric('sum', 2, 'apples')\n")
    assert shell.bench("toy") == 0
    assert re.search(r"two +2 apples +2 apples +reproduced", shell.out)
    assert "report.md" in shell.out
    assert "toy · count" in shell.err
    assert "toy · count" not in shell.out


def test_quiet_says_nothing_on_stderr(make_paper: Paper, shell: Shell) -> None:
    make_paper(bench="def run(ctx):\n    with ctx.stage('count'):\n        ctx.metric('sum', 2, 'apples')\n")
    assert shell.bench("toy", "--quiet") == 0
    assert shell.err == ""


def test_json_is_the_result(make_paper: Paper, shell: Shell) -> None:
    make_paper()
    assert shell.bench("toy", "--json", "--set", "value=3", "--seed", "7") == 0
    result = json.loads(shell.out)
    assert (result["schema"], result["seed"], result["config"]["value"]) == ("hwbench/1", 7, 3.0)


def test_strict_exits_1_only_when_a_claim_is_not_reproduced(make_paper: Paper, shell: Shell) -> None:
    make_paper()
    assert shell.bench("toy", "--set", "value=3") == 0
    assert shell.bench("toy", "--set", "value=3", "--strict") == 1
    assert shell.bench("toy", "--strict") == 0
    make_paper("idle", bench="def run(ctx): ...\n")
    assert shell.bench("idle", "--strict") == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["bench", "toyy"], r"^error: unknown paper: got 'toyy'.*Did you mean 'toy'"),
     (["bench", "toy", "--profile", "fast"], r"^error: unknown profile: got 'fast', expected one of"),
     (["bench", "toy", "--set", "value"], r"^error: --set: got 'value', expected key=value"),
     (["bench", "toy", "--set", "value=1", "--set", "value=2"], r"'value' twice"),
     (["bench", "toy", "--set", "valeu=1"], r"unknown setting.*Did you mean 'value'"),
     (["bench", "toy@x"], r"expected --resume beside it"),
     (["bench", "toy@x", "--resume"], r"unknown unfinished run"),
     (["show", "nothing"], r"^error: unknown paper"),
     (["verilog", "toy"], r"^error: paper 'toy' has no RTL: got toy, expected one of .*neuralut"),
     (["compare", "x", "y"], r"^error: no such run: got 'x'"),
     (["compare", "toy@latest", "toy@latest"], r"no finished run of toy.*hwsim bench toy"),
     (["ir", "check", "none.safetensors"], r"^error: no artifact file"),
     (["sim", "none.safetensors", "--in", "x.npy"], r"^error: no artifact file"),
     (["bench", "toy", "--no-such"], r"No such option"), (["bench"], r"Missing argument"),
     (["bench", "toy", "--seed", "-1"], r"Invalid value for '--seed'"), (["nonsense"], r"No such command")],
)  # fmt: skip
def test_a_user_s_mistake_exits_2_without_traceback(make_paper, shell: Shell, arguments: list[str], message) -> None:
    make_paper()
    assert shell(*arguments) == 2
    assert re.search(message, shell.err, re.MULTILINE | re.DOTALL), shell.err
    assert "Traceback" not in shell.err
    assert shell.out == ""


def test_all_names_are_checked_before_the_first_run(make_paper: Paper, shell: Shell) -> None:
    make_paper()
    assert shell.bench("toy", "nothing") == 2
    assert not shell.results.exists()


def test_one_paper_s_error_does_not_stop_the_others(make_paper: Paper, shell: Shell) -> None:
    make_paper("bad", bench="def run(ctx):\n    ctx.metric('sum', 1, 'pears')\n")
    make_paper("toy")
    assert shell.bench("bad", "toy", "-q") == 2
    assert "error: bad: metric 'sum': unit" in shell.err
    assert "reproduced" in shell.out


def test_a_missing_tool_exits_3(make_paper: Paper, shell: Shell) -> None:
    body = "raise ToolMissingError.of('no yosys', 'nothing', 'yosys on PATH', 'Install it.')"
    make_paper(bench=f"from hwsim.ir.errors import ToolMissingError\ndef run(ctx):\n    {body}\n")
    assert shell.bench("toy", "-q") == 3


def test_an_internal_error_exits_4_and_names_a_log(make_paper: Paper, shell: Shell) -> None:
    make_paper(bench="def run(ctx):\n    return 1 / 0\n")
    assert shell.bench("toy", "-q") == 4
    assert "Traceback (most" not in shell.err
    log = re.search(r"internal error: ZeroDivisionError: division by zero\nTraceback in (\S+);", shell.err)
    assert log
    assert "1 / 0" in Path(log[1]).read_text()
    Path(log[1]).unlink()
    assert shell.bench("toy", "-q", "--debug") == 4
    assert "Traceback (most recent call last)" in shell.err


def test_ctrl_c_says_how_to_go_on(make_paper: Paper, shell: Shell) -> None:
    make_paper(bench="def run(ctx):\n    raise KeyboardInterrupt\n")
    assert shell.bench("toy", "-q") == 130
    assert "--resume" in shell.err


def test_a_results_folder_that_is_a_file_exits_2(make_paper: Paper, shell: Shell) -> None:
    make_paper()
    shell.results.write_text("mine")
    assert shell.bench("toy", "-q") == 2
    assert "cannot write" in shell.err
    assert shell.results.read_text() == "mine"


def test_a_disk_that_fills_up_exits_4_and_keeps_what_was_there(make_paper: Paper, tmp_path: Path) -> None:
    body = "for i in range(2000):\n        ctx.samples.add({'text': 'x' * 50}, i=i)"
    make_paper(bench=f"def run(ctx):\n    {body}\n")

    def small_files() -> None:  # stands for a full disk: writes beyond 20 kB fail (EFBIG)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    command = [sys.executable, "-m", "benches.cli", "bench", "toy", "-q", "--out", str(tmp_path / "r")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, preexec_fn=small_files)
    assert done.returncode == 4
    assert re.search(r"error: cannot write .*samples\.csv: got File too large.*--resume", done.stderr), done.stderr
    rows = next((tmp_path / "r").glob("toy/*/samples.csv")).read_text().splitlines()
    assert len(rows) > 100
    assert all(row.count(",") >= 3 for row in rows)


# ---- the rest ----------------------------------------------------------------------------------------------


def test_typer_s_own_runner_sees_every_command() -> None:
    found = CliRunner().invoke(cli.app, ["--help"])
    assert found.exit_code == 0
    for command in ("list", "show", "bench", "report", "compare", "doctor", "verilog", "sim", "ir"):
        assert re.search(rf"^  {command} ", found.output, re.MULTILINE)


def test_version(shell: Shell) -> None:
    assert shell("--version") == 0
    assert re.fullmatch(r"hwsim \d+\.\d+\.\d+\n", shell.out)


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from benches import cli; cli.main(['--help']); "
        "print([m for m in ('numpy', 'numba', 'torch', 'rich', 'matplotlib', 'amaranth', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_reader_that_leaves_is_no_error(make_paper: Paper) -> None:
    make_paper()
    command = f"{sys.executable} -m benches.cli list | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_list_and_show(make_paper: Paper, shell: Shell) -> None:
    make_paper()
    shell.bench("toy", "-q")
    assert shell("list", "--out", shell.results) == 0
    assert re.search(r"toy +Toy +V 2024 +benches +1 reproduced +quick, \d{4}-", shell.out)
    assert re.search(r"neuralut +NeuraLUT", shell.out)
    assert shell("show", "toy", "--out", shell.results) == 0
    assert re.search(r"two +Table 1 +2 apples +2 apples +reproduced", shell.out)
    assert shell("list", "--json") == 0
    slugs = [p["slug"] for p in json.loads(shell.out)]
    assert slugs == sorted(slugs)
    assert {"neuralut", "toy", "xresq"} <= set(slugs)


def test_verilog_takes_typed_options(make_paper: Paper, shell: Shell, tmp_path: Path) -> None:
    text = (
        "def run(ctx): ...\n"
        "def verilog(out, *, lanes: int = 4, flat: bool = False):\n"
        "    (out / 'top.v').write_text(f'{lanes} {flat}')\n"
        "    return [out / 'top.v']\n"
    )
    folder = make_paper(bench=text)
    toml = (folder / "paper.toml").read_text().replace('["benches"]', '["rtl", "benches"]')
    (folder / "paper.toml").write_text(toml)
    out = tmp_path / "build"
    assert shell("verilog", "toy", "--out", out, "--set", "lanes=8", "--set", "flat=true") == 0
    assert shell.out == f"{out / 'top.v'}\n"
    assert (out / "top.v").read_text() == "8 True"
    assert shell("verilog", "toy", "--out", out, "--set", "lane=8") == 2
    assert "unknown option of verilog: got 'lane', expected one of lanes, flat" in shell.err
    assert shell("verilog", "toy", "--out", out, "--set", "lanes=many") == 2


def test_sim_equals_the_reference(network: Path, shell: Shell, tmp_path: Path) -> None:
    artifact = ir_io.load(network)
    x = np.random.default_rng(1).integers(0, 4, (20, 6))
    np.save(tmp_path / "x.npy", x)
    files = ["--in", tmp_path / "x.npy", "--out", tmp_path / "y.npy", "--vcd", tmp_path / "waves.vcd"]
    assert shell("sim", network, *files, "--json") == 0
    facts = json.loads(shell.out)
    assert np.array_equal(np.load(tmp_path / "y.npy"), artifact.reference(x))
    assert (facts["kind"], facts["samples"], facts["latency_cycles"]) == ("lut_network", 20, 2)
    assert sum(facts["classes"]) == 20
    assert "$enddefinitions" in (tmp_path / "waves.vcd").read_text()
    assert shell("sim", network, "--in", tmp_path / "x.npy") == 0
    assert re.search(r"cycles +22\b", shell.out)


def test_sim_of_a_netlist_is_its_reference(netlist: Path, shell: Shell, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([[0, 0], [0, 1], [1, 0], [1, 1]]))
    assert shell("sim", netlist, "--in", tmp_path / "x.npy", "--json") == 0
    assert json.loads(shell.out)["outputs"] == [[0], [1], [1], [0]]
    assert shell("sim", netlist, "--in", tmp_path / "x.npy", "--vcd", tmp_path / "w.vcd") == 2
    assert "has no clock" in shell.err


def test_sim_refuses_bad_input(network: Path, shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "x.npy").write_text("no array")
    assert shell("sim", network, "--in", tmp_path / "x.npy") == 2
    assert "expected a .npy file" in shell.err
    np.save(tmp_path / "x.npy", np.zeros((3, 5), np.int64))
    assert shell("sim", network, "--in", tmp_path / "x.npy") == 2
    assert "[batch, n_inputs]" in shell.err or "wrong shape" in shell.err


def test_ir_dump_and_check(network: Path, netlist: Path, shell: Shell) -> None:
    for path, kind in ((network, "lut_network"), (netlist, "gate_netlist")):
        assert shell("ir", "dump", path) == 0
        assert kind in shell.out
        assert "formula" in shell.out
        assert shell("ir", "dump", path, "--json") == 0
        assert json.loads(shell.out)["kind"] == kind
        assert shell("ir", "check", path, "--samples", "9") == 0
        assert f"{kind} ok" in shell.out


def test_ir_check_finds_a_tampered_file(network: Path, shell: Shell) -> None:
    data = bytearray(network.read_bytes())
    data[-1] ^= 1
    network.write_bytes(data)
    assert shell("ir", "check", network) == 2
    assert "was changed after export" in shell.err


def test_compare(make_paper: Paper, shell: Shell) -> None:
    bench = "def run(ctx):\n    s = ctx.seed\n    ctx.metric('sum', 2 + s, 'apples', low=1.9 + s, high=2.1 + s)\n"
    make_paper(bench=bench + "    ctx.metric('n', 4)\n    if s: ctx.metric('extra', 1)\n")
    for seed in ("0", "2"):
        assert shell.bench("toy", "--seed", seed, "-q") == 0
    first, second = sorted((shell.results / "toy").glob("2*"), key=lambda p: p.stat().st_mtime)
    arguments = ["compare", first, "toy@latest", "--out", shell.results]
    assert shell(*arguments) == 0
    assert re.search(r"sum +2 apples \[1.9, 2.1\] +4 apples \[3.9, 4.1\] +2 +differs", shell.out)
    assert re.search(r"n +4 +4 +1 +equal", shell.out)
    assert re.search(r"extra +– +1 +– +only in B", shell.out)
    assert "seed: 0 → 2" in shell.out
    assert shell(*arguments, "--json") == 0
    assert json.loads(shell.out)[0] == {
        "name": "sum", "unit": "apples", "a": 2.0, "b": 4.0, "ratio": 2.0, "difference": "differs",
    }  # fmt: skip
    assert shell("compare", f"toy@{first.name}", second / "result.json", "--out", shell.results) == 0


def test_doctor_with_an_empty_path(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert shell("doctor") == 3
    assert re.search(r"g\+\+ +missing +required +Verilator builds +apt install g\+\+", shell.out)
    assert re.search(r"missing: .*g\+\+, make, perl", shell.out)
    assert re.search(r"numpy +\d+\.\d+", shell.out)
    assert shell("doctor", "--json") == 3
    assert {t["name"]: t["version"] for t in json.loads(shell.out)}["perl"] is None


def test_doctor_runs_what_it_finds(shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, prints in [("g++", "g++ 12.2.0"), ("make", "GNU Make 4.3"), ("perl", "nothing useful")]:
        (tmp_path / name).write_text(f"#!/bin/sh\necho '{prints}'\n")
        os.chmod(tmp_path / name, 0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shell("doctor") == 0
    assert re.search(r"g\+\+ +12\.2\.0 \(g\+\+\)", shell.out)
    assert re.search(r"perl +found \(perl\)", shell.out)
    assert re.search(r"opensta +missing +optional", shell.out)
