"""Generated pipelines under Verilator equal the reference in codes and the architecture in cycles."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from rtl_networks import CASES, mixed, single, wide

from hwsim.ir.arch.neuralut import NeuralutArch
from hwsim.ir.errors import UsageError
from hwsim.ir.lut import LutNetwork
from hwsim.neuralut.pipeline import simulate_stream
from hwsim.testing.strategies import lut_networks, neuralut_archs
from rtl.cosim.toolchain import lint
from rtl.cosim.verilate import Verilated
from rtl.lib.verilog import to_verilog
from rtl.neuralut import build
from rtl.neuralut.layers import planes

pytestmark = pytest.mark.rtl


def codes_for(network: LutNetwork, n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 1 << network.input_bits, (n, network.n_inputs))


def every_code(network: LutNetwork) -> np.ndarray:
    """All input codes of a small network."""
    bits = network.n_inputs * network.input_bits
    shifts = network.input_bits * np.arange(network.n_inputs)
    return (np.arange(1 << bits)[:, None] >> shifts) & ((1 << network.input_bits) - 1)


def assert_equal(network: LutNetwork, arch: NeuralutArch, x: np.ndarray | None = None, **options: str) -> Verilated:
    dut = Verilated(build(network, arch, **options))
    x = codes_for(network, 300) if x is None else x
    run, latency = dut.run(x), arch.latency(len(network.layers))
    assert np.array_equal(run.outputs, network.reference(x))
    assert set(run.latency.tolist()) == {latency}
    assert (run.interval, run.cycles, run.accepted) == (1, len(x) + latency, len(x))
    return dut


@pytest.mark.parametrize(("make", "arch"), CASES, ids=lambda case: getattr(case, "__name__", None))
def test_codes_and_cycles(make, arch):
    assert_equal(make(), arch)


@pytest.mark.parametrize(
    "options",
    [{}, {"hierarchy": "flat"}, {"rom": "amaranth"}, {"rom": "memory"}, {"rom": "amaranth", "hierarchy": "flat"}],
)
def test_rom_styles_and_hierarchies_agree_on_every_input(options):
    assert_equal(mixed(), NeuralutArch(ports="stream"), every_code(mixed()), **options)


def test_memory_roms_of_wide_and_one_bit_tables():
    assert_equal(wide(), NeuralutArch(), rom="memory")
    assert_equal(single(), NeuralutArch(), rom="memory")


@settings(max_examples=4, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(lut_networks(max_address_bits=10), neuralut_archs())
def test_drawn_networks(network: LutNetwork, arch: NeuralutArch):
    outputs = network.reference(codes_for(network, 64))
    assume(arch.ports == "stream" or (outputs != outputs[0]).any())  # a constant shows no latency
    dut = assert_equal(network, arch)
    if arch.ports == "stream":
        assert_same_cycles(dut, network, arch, 0.6, 0.7)


def assert_same_cycles(dut: Verilated, network: LutNetwork, arch: NeuralutArch, offer: float, take: float) -> None:
    """Every handshake of every cycle as in the cycle model, for random patterns of these densities."""
    rng, x = np.random.default_rng(7), codes_for(network, 400)
    in_valid, out_ready = rng.random(500) < offer, rng.random(500) < take
    run = dut.run(x, in_valid=in_valid, out_ready=out_ready)
    model = simulate_stream(network, x, arch, in_valid, out_ready)
    for name in ("in_fire", "out_fire", "out_valid", "outputs", "latency", "accepted", "cycles"):
        assert np.array_equal(getattr(run, name), getattr(model, name)), (name, offer, take)


@pytest.mark.parametrize("register_every", [1, 4])
def test_back_pressure_cycle_for_cycle_with_the_cycle_model(register_every: int):
    network, arch = mixed(), NeuralutArch(ports="stream", register_every=register_every)
    dut = Verilated(build(network, arch))
    for offer, take in ((0.5, 0.5), (0.9, 0.2), (0.2, 0.9), (1.0, 1.0), (1.0, 0.0)):
        assert_same_cycles(dut, network, arch, offer, take)


def test_one_changed_table_entry_is_seen():
    network = mixed()
    x = every_code(network)
    addresses = network.layers[2].address(network.reference_layers(x)[1])[:, 0]
    table, address = network.layers[2].table.copy(), addresses[0]
    table[0, address] ^= 1
    dut = Verilated(build(replace(network, layers=(*network.layers[:2], replace(network.layers[2], table=table)))))
    wrong = (dut.run(x).outputs != network.reference(x)).any(axis=1)
    assert np.array_equal(wrong, addresses == address)


def test_same_network_same_bytes():
    for ports in ("plain", "stream"):
        first, second = (to_verilog(build(mixed(), NeuralutArch(ports=ports)), "net") for _ in range(2))
        assert first.sources == second.sources
        assert first.digest() == second.digest()


def test_same_bytes_in_another_process():
    code = (
        "from rtl_networks import mixed; from rtl.neuralut import build; from rtl.lib.verilog import to_verilog;"
        "print(to_verilog(build(mixed()), 'net').digest())"
    )
    here = Path(__file__).parent
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(here), str(here.parents[1])]), "PYTHONHASHSEED": "12345"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == to_verilog(build(mixed()), "net").digest()


@pytest.mark.parametrize("options", [{}, {"hierarchy": "flat"}, {"rom": "amaranth"}, {"rom": "memory"}])
@pytest.mark.parametrize("ports", ["plain", "stream"])
def test_lint_is_silent(ports, options):
    assert lint(to_verilog(build(mixed(), NeuralutArch(ports=ports), **options), "net")) == ""


def test_one_module_a_layer_or_flat():
    layered = to_verilog(build(mixed()), "net")
    assert list(layered.sources) == ["net.v", "net_layer0.v", "net_layer1.v", "net_layer2.v"]
    flat = to_verilog(build(mixed(), rom="amaranth", hierarchy="flat"), "net")
    assert list(flat.sources) == ["net.v"]
    assert flat.sources["net.v"].count("endmodule") == 1


def test_packing_of_ports_as_documented():
    # neuron k at bits [k·β + β − 1 : k·β]; 2-bit codes 1, 2, 3 pack to 0b111001
    design = to_verilog(build(mixed()), "net")
    assert [(p.name, p.lanes, p.bits) for p in design.ports] == [("codes_in", 6, 2), ("codes_out", 3, 2)]
    assert "input [11:0] codes_in;" in design.sources["net.v"]
    assert planes(np.array([1, 2, 3, 0], np.uint8), 2) == [0b0101, 0b0110]


def test_no_clock_without_registers():
    design = to_verilog(build(single(), NeuralutArch(register_input=False)), "net")
    assert (design.clock, design.reset) == (None, None)


def test_reset_clears_plain_registers():
    # while reset is held, every register reads 0, so the outputs are the last layers' answer to code 0
    network = mixed()
    dut = Verilated(build(network, NeuralutArch(register_output=True)))
    x = codes_for(network, 40)
    reset = np.zeros(40, bool)
    reset[20:24] = True
    out = dut.ports({"codes_in": x}, reset=reset)["codes_out"]
    assert (out[21:25] == 0).all()
    want = network.reference(x)
    assert np.array_equal(out[4:21], want[:17])
    # samples that enter after the reset come out untouched
    assert np.array_equal(out[28:40], want[24:36])


def test_bad_arguments():
    with pytest.raises(UsageError, match=r"hierarchy: got 'tree', expected 'layers' or 'flat'"):
        build(mixed(), hierarchy="tree")
    with pytest.raises(UsageError, match=r"rom: got 'bram'"):
        build(mixed(), rom="bram")
    component = build(mixed())
    to_verilog(component, "net")
    with pytest.raises(UsageError, match="module name"):
        to_verilog(component, "1net")
