"""Handshake, reset and latency of the detector, checked by cocotb under Verilator; and the exported folder."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest
from exported import check_folder, same_bytes
from xresq_problems import ARCHS, random_problem

from hwsim.ir.arch.xresq import XresqArch
from hwsim.ir.errors import UsageError
from hwsim.ir.mimo_ising import MimoIsing
from hwsim.xresq.chip import simulate
from rtl.cosim.harness import run
from rtl.cosim.toolchain import lint
from rtl.lib.verilog import to_verilog
from rtl.xresq import build, export

pytestmark = pytest.mark.rtl
TESTS = ["order_and_loss_under_back_pressure", "latency_and_interval", "reset_in_mid_run",
         "a_result_nobody_takes_holds_the_next_run"]  # fmt: skip


def result_words(problem: MimoIsing, arch: XresqArch) -> list[str]:
    """Beats of the result as `docs/xresq-chip.md` puts them, built here bit by bit, as hexadecimal numbers."""
    want = simulate(problem, arch)
    lanes, k = arch.lanes, arch.bits_per_axis
    spins = (want.spins > 0).astype(int).reshape(lanes, arch.contexts, k, arch.n)
    pairs = "".join(
        f"{accept:032b}{int(energy) % 2**32:032b}"[::-1]
        for energy, accept in zip(want.energies, want.accepts, strict=True)
    )
    planes = ""
    for i in range(arch.n):
        for c in range(arch.contexts):
            planes += "".join(str(spins[lane, c, j, i]) for lane in range(lanes) for j in range(k)).ljust(
                arch.plane_bits, "0"
            )
    record = f"{want.winner:032b}{int(want.energies[want.winner]) % 2**32:032b}"[::-1]
    record += "".join("1" if spin > 0 else "0" for spin in want.spins[want.winner])
    size, words = arch.beat_bits, []
    for part in (pairs, planes, record):
        words += [f"{int(part[at : at + size][::-1], 2):x}" for at in range(0, len(part), size)]
    return words


def test_protocol():
    arch, rng = ARCHS["one bit"], np.random.default_rng(21)
    problems = [random_problem(arch, rng, sweeps) for sweeps in (3, 0, 9)]
    beats = [arch.pack(problem) for problem in problems]
    data = {
        "inputs": [row[::-1].astype(">u4").tobytes().hex() for part in beats for row in part],
        "outputs": [word for problem in problems for word in result_words(problem, arch)],
        "starts": [0, *accumulate(map(len, beats))][:-1],
        "ends": [arch.result_beats * (k + 1) - 1 for k in range(3)],
        "cycles": [arch.cycles(problem.sweeps) for problem in problems],
    }
    outcome = run(
        to_verilog(build(arch), "dut"), "cocotb_xresq", data=data, python_path=Path(__file__).parent,
        testcase=",".join(TESTS),
    )  # fmt: skip
    assert outcome.messages == {}
    assert sorted(outcome.passed) == sorted(TESTS)
    assert outcome.report["intervals"] == [arch.interval(problem.sweeps) for problem in problems[:2]]


@pytest.mark.parametrize("name", ARCHS)
def test_lints_in_silence(name):
    assert lint(to_verilog(build(ARCHS[name]), "dut")) == ""


def test_exported_folder(tmp_path):
    arch = ARCHS["4x6 16-QAM"]
    written = export(arch, tmp_path / "first", name="chip", clock_ns=4)
    check_folder(tmp_path / "first", written, "chip", "4", {"chip_lane5.v"})
    assert f"50 sweeps: {arch.cycles(50)}." in (tmp_path / "first" / "README.txt").read_text()
    export(arch, tmp_path / "again", name="chip", clock_ns=4)
    assert same_bytes(tmp_path / "first", tmp_path / "again")
    with pytest.raises(UsageError, match="clock_ns: got 0"):
        export(arch, tmp_path, clock_ns=0)
