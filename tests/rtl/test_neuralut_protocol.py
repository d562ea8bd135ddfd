"""Handshake, reset and latency of the pipelines, checked by cocotb under Verilator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rtl_networks import four_by_64, mixed

from hwsim.ir.arch.neuralut import NeuralutArch
from hwsim.ir.errors import ToolFailedError
from rtl.cosim.harness import cocotb_rate, run
from rtl.cosim.verilate import Verilated
from rtl.lib.verilog import to_verilog
from rtl.neuralut import build

pytestmark = pytest.mark.rtl


def bus(codes: np.ndarray, bits: int) -> list[int]:
    return [sum(int(c) << (k * bits) for k, c in enumerate(row)) for row in codes]


def job(ports: str, n: int = 60):
    network, arch = mixed(), NeuralutArch(ports=ports)
    x = np.random.default_rng(11).integers(0, 1 << network.input_bits, (n, network.n_inputs))
    data = {
        "inputs": bus(x, network.input_bits),
        "outputs": bus(network.reference(x), network.output_bits),
        "latency": arch.latency(len(network.layers)),
    }
    return to_verilog(build(network, arch), "dut"), data


@pytest.fixture(scope="module")
def builds(tmp_path_factory):
    """One build folder a design, so that a second run compiles nothing."""
    return {ports: tmp_path_factory.mktemp(ports) for ports in ("plain", "stream")}


def start(ports: str, builds: dict[str, Path], testcase: str):
    design, data = job(ports)
    return run(
        design,
        "cocotb_neuralut",
        data=data,
        python_path=Path(__file__).parent,
        build_dir=builds[ports],
        testcase=testcase,
    )


def test_stream_protocol(builds):
    names = ["stream_order_and_loss_under_back_pressure", "stream_latency_and_interval", "stream_reset_in_mid_stream"]
    outcome = start("stream", builds, ",".join(names))
    assert outcome.messages == {}
    assert sorted(outcome.passed) == sorted(names)
    assert outcome.report == {"latency": 3, "samples": 60}


def test_plain_ports(builds):
    outcome = start("plain", builds, "plain_codes_latency_and_reset")
    assert outcome.messages == {}
    assert outcome.report == {"latency": 3, "samples": 60}


def test_a_wrong_expectation_fails(builds):
    design, data = job("plain", n=20)
    data["outputs"][7] ^= 1
    outcome = run(
        design, "cocotb_neuralut", data=data, python_path=Path(__file__).parent, build_dir=builds["plain"],
        testcase="plain_codes_latency_and_reset",
    )  # fmt: skip
    assert outcome.failed == ("plain_codes_latency_and_reset",)
    assert "wrong code or latency" in outcome.messages["plain_codes_latency_and_reset"]


def test_missing_module_is_a_tool_error(builds):
    design, _ = job("plain", n=4)
    with pytest.raises(ToolFailedError, match="cocotb on dut"):
        run(design, "no_such_module", build_dir=builds["plain"])


def test_rate_beside_the_batch_driver():
    network = four_by_64()
    design = to_verilog(build(network), "dut")
    x = np.random.default_rng(3).integers(0, 2, (5000, 64)).astype(np.uint8)
    want = network.reference(x)
    slow = cocotb_rate(design, x, want)
    fast = Verilated(design).run(x)
    assert np.array_equal(fast.outputs, want)
    assert slow > 0
    print(f"cocotb {slow:.0f} cycles/s, batch driver {fast.cycles_per_s:.0f} cycles/s")
