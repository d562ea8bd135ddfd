"""Handshake, reset and cycles of the statistics unit, checked by cocotb under Verilator; and the exported folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from exported import check_folder, same_bytes
from test_graphnorm import SHAPES, drawn

from hwsim.ir.arch.graphnorm import GraphnormArch
from hwsim.ir.errors import UsageError
from hwsim.testing.strategies_graph import unit_inputs
from rtl.cosim.harness import run
from rtl.cosim.toolchain import lint
from rtl.graphnorm import build, export
from rtl.lib.verilog import to_verilog

pytestmark = pytest.mark.rtl
TESTS = ["order_and_loss_under_back_pressure", "first_in_to_last_out", "reset_in_every_state",
         "a_graph_that_nobody_takes_holds_the_next_one"]  # fmt: skip


def packed(rows: np.ndarray, bits: int) -> list[int]:
    """Beats as numbers, lane k at bit k·bits."""
    return [sum((int(v) & ((1 << bits) - 1)) << (k * bits) for k, v in enumerate(row)) for row in rows]


def test_protocol():
    unit, arch = drawn(4, 12, lo=-128, hi=127), GraphnormArch(2)
    a, sizes = unit_inputs(unit, np.random.default_rng(21), 4)
    beats = a.reshape(-1, 2)
    control = np.full((len(beats), 1), 2)  # layer 1
    control[np.cumsum(sizes) * 2 - 1] = 3
    begins = np.concatenate(([0], np.cumsum(arch.intervals(sizes, 4))))[:-1]
    data = {
        "inputs": packed(np.concatenate((beats, control), axis=1), unit.in_bits),
        "outputs": packed(unit.reference(a, sizes, 1).reshape(-1, 2), unit.out_bits),
        "starts": ((np.cumsum(sizes) - sizes) * 2).tolist(), "begins": begins.tolist(),
        "cycles": arch.cycles(sizes, 4),
    }  # fmt: skip
    outcome = run(
        to_verilog(build(unit, arch), "dut"), "cocotb_graphnorm", data=data, python_path=Path(__file__).parent,
        testcase=",".join(TESTS),
    )  # fmt: skip
    assert outcome.messages == {}
    assert sorted(outcome.passed) == sorted(TESTS)


@pytest.mark.parametrize("name", SHAPES)
def test_lints_in_silence(name):
    channels, lanes, max_nodes = SHAPES[name]
    assert lint(to_verilog(build(drawn(channels, max_nodes), GraphnormArch(lanes)), "dut")) == ""


def test_exported_folder(tmp_path):
    unit = drawn(8, 20)
    written = export(unit, GraphnormArch(4), tmp_path / "first", name="gn", clock_ns=4)
    check_folder(tmp_path / "first", written, "gn", "4", set())
    assert "first beat in to its last beat out: 2 * 2 * nodes + 13." in (tmp_path / "first" / "README.txt").read_text()
    export(unit, GraphnormArch(4), tmp_path / "again", name="gn", clock_ns=4)
    assert same_bytes(tmp_path / "first", tmp_path / "again")
    with pytest.raises(UsageError, match="clock_ns: got 0"):
        export(unit, None, tmp_path, clock_ns=0)
