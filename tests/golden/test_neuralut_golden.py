"""Tiny networks counted by hand (``neuralut.json``).

half_adder
    Two 1-bit inputs, one layer of two L-LUTs: XOR = 0110 and AND = 0001 by address 2a + b.
    4 samples · 2 L-LUTs = 8 lookups of 1 bit. The input register goes 00 → 00 → 01 → 10 → 11, which flips
    0 + 1 + 2 + 1 = 4 bits. With one register the last result is seen in cycle 4 (counted from 0): 5 cycles.

difference_of_squares
    Layer 0 gives offset-binary codes (value + 8) of min(a², 7) = 0, 1, 4, 7 and of −min(b², 7).
    Layer 1 adds: k0 = min(a², 7) − min(b², 7), k1 = 2 − min(b², 7), both cut to −4..5 and emitted as value + 4.
        a b   k0 → code            k1 → code
        0 0    0 → 4                2 → 6        class 1
        2 1    4 − 1 = 3 → 7        1 → 5        class 0
        3 0    7 → cut to 5 → 9     2 → 6        class 0
        1 3    1 − 7 = −6 → −4 → 0  −5 → −4 → 0  tie: class 0
        3 3    0 → 4               −5 → −4 → 0   class 0
    5 · 2 lookups of 4 bits = 40 table bits; 5 · (2 + 1) adder terms.
    Registers (reset 0): a = 0 2 3 1 3 flips 0+1+1+1+1 = 4, b = 0 1 0 3 3 flips 0+1+1+2+0 = 4 bits;
    codes of a = 8 12 15 9 15 flip 1+1+2+2+2 = 8, codes of b = 8 7 8 1 1 flip 1+4+4+2+0 = 11; together 27.
    Cuts before layers 0 and 1: latency 2, so 5 samples take 7 cycles.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hwsim.ir.arch.neuralut import NeuralutArch
from hwsim.ir.lut import LutLayer, LutNetwork, SumLayer
from hwsim.neuralut import simulate, simulate_stream
from hwsim.neuralut.codegen import unsupported

CASES = json.loads(Path(__file__).with_name("neuralut.json").read_text())["cases"]
BACKENDS = ["numba", "reference", "auto"] if unsupported() else ["numba", "reference", "vector", "auto"]


def network_of(case: dict) -> LutNetwork:
    layers = []
    for spec in case["layers"]:
        spec = dict(spec)
        if spec.pop("type") == "lut":
            arrays = {"connections": np.int32, "table": np.uint8}
            layers.append(LutLayer(**{k: np.array(v, arrays[k]) if k in arrays else v for k, v in spec.items()}))
        else:
            arrays = dict.fromkeys(("offsets", "sources", "bias"), np.int32)
            layers.append(SumLayer(**{k: np.array(v, arrays[k]) if k in arrays else v for k, v in spec.items()}))
    return LutNetwork(case["n_inputs"], case["input_bits"], tuple(layers), n_classes=case["n_classes"])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_codes_classes_and_events(case, backend):
    result = simulate(network_of(case), np.array(case["codes"]), backend=backend, toggles=True)
    assert result.outputs.tolist() == case["outputs"]
    assert dict(result.counters) == case["counters"]
    assert (None if result.classes is None else result.classes.tolist()) == case.get("classes")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_cycles_of_each_register_placement(case):
    network, codes = network_of(case), np.array(case["codes"])
    for expected in case["cycles"]:
        arch = NeuralutArch(**expected["arch"])
        result = simulate(network, codes, arch)
        assert (result.latency_cycles, result.cycles) == (expected["latency"], expected["cycles"]), arch
        assert result.initiation_interval == 1


def test_the_priced_events():
    """15 adder terms of at most 8 bits at 0.03 pJ (45 nm) = 0.45 pJ; lookups have no figure and stay unpriced."""
    network = network_of(CASES[1])
    energy = simulate(network, np.array(CASES[1]["codes"])).energy
    assert energy.total_pj == pytest.approx(0.45)
    assert energy.unpriced == ("lookups", "table_bits_read")
    assert "Horowitz" in energy.priced[0].source
    half_adder = network_of(CASES[0])
    assert simulate(half_adder, np.array([[0, 1]])).energy is None
    assert simulate(network, np.array([[0, 1]]), tech=None).energy is None


def test_a_stalled_stream_by_hand():
    """Latency 2, four samples, the sink is away in cycles 2 and 3.

    cycle       0  1  2  3  4  5  6  7
    in_valid    1  1  1  1  1  .  1  1
    out_ready   1  1  .  .  1  1  1  1
    register 0  -  0  1  1  1  2  -  3    sample number, - for a bubble
    register 1  -  -  0  0  0  1  2  -
    in_fire     0  1  .  .  2  .  3  .    sample 3 is the last one
    out_fire    .  .  .  .  0  1  2  .    latencies 4 − 0, 5 − 1, 6 − 4; sample 3 is still inside
    """
    network = network_of(CASES[1])
    codes = np.array(CASES[1]["codes"][:4])
    in_valid = np.array([1, 1, 1, 1, 1, 0, 1, 1], bool)
    out_ready = np.array([1, 1, 0, 0, 1, 1, 1, 1], bool)
    run = simulate_stream(network, codes, NeuralutArch(ports="stream"), in_valid, out_ready, trace=True)
    assert run.in_fire.astype(int).tolist() == [1, 1, 0, 0, 1, 0, 1, 0]
    assert run.out_valid.astype(int).tolist() == [0, 0, 1, 1, 1, 1, 1, 0]
    assert run.out_fire.astype(int).tolist() == [0, 0, 0, 0, 1, 1, 1, 0]
    assert run.latency.tolist() == [4, 4, 2]
    assert run.outputs.tolist() == CASES[1]["outputs"][:3]
    assert run.accepted == 4
    assert run.trace.signals["stage1.code0"].values.tolist() == [-1, -1, 8, 8, 8, 12, 15, -1]
