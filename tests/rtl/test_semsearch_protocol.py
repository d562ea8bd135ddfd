"""Back-pressure, order, cycles and reset of the Hamming scorer, checked by cocotb; and the exported folder."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest
from exported import check_folder, same_bytes

from hwsim.ir.arch.semsearch import HammingArch
from hwsim.ir.errors import UsageError
from hwsim.semsearch.scorer import scan
from rtl.cosim.agents import pack
from rtl.cosim.harness import run
from rtl.lib.verilog import to_verilog
from rtl.semsearch import build, export
from rtl.semsearch.cosim import FINAL

pytestmark = pytest.mark.rtl
TESTS = ["order_and_loss_under_back_pressure", "cycles_of_every_run", "documents_wait_until_results_are_taken",
         "reset_in_mid_run"]  # fmt: skip
ARCH = HammingArch(64, 32, k=3, index_bits=8)


def test_protocol():
    rng = np.random.default_rng(3)
    runs = [(rng.integers(0, 2, 64), rng.integers(0, 2, (n, 64))) for n in (9, 1, 20, 2)]
    parts = [ARCH.beats(query, documents) for query, documents in runs]
    found = [scan(query[None], documents, ARCH) for query, documents in runs]
    outputs = [
        pack([n, d | (FINAL if i == len(one.outputs[0]) - 1 else 0)], 32)
        for one in found
        for i, (n, d) in enumerate(zip(one.outputs[0].tolist(), one.distances[0].tolist(), strict=True))
    ]
    data = {
        "inputs": [pack(row.tolist(), 32) for part in parts for row in part], "outputs": outputs,
        "starts": [0, *accumulate(map(len, parts))][:-1],
        "ends": [end - 1 for end in accumulate(one.outputs.shape[1] for one in found)],
    }  # fmt: skip
    outcome = run(
        to_verilog(build(ARCH), "dut"), "cocotb_semsearch", data=data, python_path=Path(__file__).parent,
        testcase=",".join(TESTS),
    )  # fmt: skip
    assert outcome.messages == {}
    assert sorted(outcome.passed) == sorted(TESTS)
    assert outcome.report["cycles"] == [one.cycles for one in found]


def test_exported_folder(tmp_path):
    written = export(ARCH, tmp_path / "first", name="hamming", clock_ns=4)
    check_folder(tmp_path / "first", written, "hamming", "4", {"hamming_tree.v"})
    text = (tmp_path / "first" / "README.txt").read_text()
    assert f"10000 documents: {ARCH.cycles(10_000)}." in text
    export(ARCH, tmp_path / "again", name="hamming", clock_ns=4)
    assert same_bytes(tmp_path / "first", tmp_path / "again")
    with pytest.raises(UsageError, match="clock_ns: got -1"):
        export(ARCH, tmp_path, clock_ns=-1)
