"""Networks on the array: outputs of the reference, cycles of the closed form, vector work counted by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.encodingnet.encodings import booth, exact, truncated
from hwsim.encodingnet.moving import with_constants_folded
from hwsim.encodingnet.network import NetworkRunner
from hwsim.encodingnet.recoded import recoded
from hwsim.ir.arch.encodingnet import EncodingnetArch
from hwsim.ir.errors import ShapeError, UsageError
from hwsim.ir.mac import EncodedMac, Input
from hwsim.ir.mac_ops import Conv, Linear, MatMul, Requant
from hwsim.ir.mac_vector import Add, Pool, Reshape
from hwsim.testing.strategies_mac import encoded_macs, mac_inputs


def small(*encodings: object) -> EncodedMac:
    """Grouped convolution, residual, pool, product of activations, linear: 5 classes."""
    rng = np.random.default_rng(0)

    def codes(*shape: int) -> np.ndarray:
        return rng.integers(-8, 8, shape).astype(np.int16)

    def requant(n: int, lo: int = 0) -> Requant:
        return Requant(rng.integers(40, 200, n), 11, lo, 7)

    units = encodings or (truncated(4, 4, 2), booth(4, 4))
    return EncodedMac(
        (Input((2, 6, 6), -8, 7),),
        units,  # type: ignore[arg-type]
        (
            Conv((0,), codes(4, 1, 3, 3), rng.integers(-9, 9, 4), requant(4), (1, 1), (1, 1), 2),
            Conv((1,), codes(4, 4, 1, 1), rng.integers(-9, 9, 4), requant(4)),
            Add((1, 2), (3, 5), 3, -8, 7),
            Pool((3,), "max", (2, 2), (2, 2)),
            Reshape((4,), (4, 9)),
            MatMul((5, 5), requant(1, -8), True, 1),
            Reshape((6,), (-1,)),
            Linear((7,), codes(5, 16), rng.integers(-9, 9, 5), requant(5, -8)),
        ),
        5,
    )


INPUT = np.random.default_rng(1).integers(-8, 8, (7, 2, 6, 6))


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_outputs_are_those_of_the_reference(data: st.DataObject) -> None:
    network = data.draw(encoded_macs(max_inputs=2))
    x = data.draw(mac_inputs(network))
    run = NetworkRunner(network)(x, detail="none", block=2)
    np.testing.assert_array_equal(run.outputs, network.reference(x))


@pytest.mark.parametrize("style", ["heap", "popcount"])
def test_cycles_are_those_of_the_closed_form(style: str) -> None:
    network, arch = small(), EncodingnetArch(4, 3, style=style)  # type: ignore[arg-type]
    run = NetworkRunner(network, arch)(INPUT)
    np.testing.assert_array_equal(run.outputs, network.reference(INPUT))
    cycles = {
        0: 2 * arch.gemm_cycles(7 * 36, 9, 2), 1: arch.gemm_cycles(7 * 36, 4, 4), 5: 7 * arch.gemm_cycles(4, 9, 4),
        7: arch.gemm_cycles(7, 16, 5),
    }  # fmt: skip
    assert {op: result.cycles - result.stall_cycles for op, result in run.layers} == cycles
    assert run.gemm_cycles == sum(result.cycles for _, result in run.layers)
    # Add 4·36 and Pool 4·36 inputs a sample on three lanes
    assert run.vector_cycles == 2 * (-(-7 * 144 // 3))
    assert run.cycles == run.gemm_cycles + run.vector_cycles
    assert run.counters["macs"] == 7 * network.cost().values["macs"]
    assert run.classes is not None
    np.testing.assert_array_equal(run.classes, run.outputs.argmax(axis=1))
    assert run.energy is not None
    assert run.energy.total_pj == pytest.approx(sum(run.energy_pj.values()))


def test_counted_toggles_come_with_the_same_values_and_cycles() -> None:
    network, arch = small(), EncodingnetArch(4, 4, style="heap")
    runner = NetworkRunner(network, arch)
    expected, counted = runner(INPUT), runner(INPUT, detail="sums")
    np.testing.assert_array_equal(expected.outputs, counted.outputs)
    assert expected.cycles == counted.cycles
    assert counted.counters["activation_toggles"] == pytest.approx(expected.counters["activation_toggles"], rel=0.1)


def test_blocks_change_cycles_and_not_outputs() -> None:
    runner = NetworkRunner(small(), EncodingnetArch(8, 8, style="heap"))
    whole, parts = runner(INPUT, block=7), runner(INPUT, block=2)
    np.testing.assert_array_equal(whole.outputs, parts.outputs)
    assert parts.cycles > whole.cycles
    assert parts.counters["macs"] == whole.counters["macs"]


def test_folded_constants_leave_outputs_and_spare_energy() -> None:
    network = small(recoded(4, 4), exact(4, 4))
    arch = EncodingnetArch(8, 8, style="heap")
    one, two = NetworkRunner(network, arch)(INPUT), NetworkRunner(with_constants_folded(network), arch)(INPUT)
    np.testing.assert_array_equal(one.outputs, two.outputs)
    assert one.cycles == two.cycles
    assert sum(two.energy_pj.values()) < sum(one.energy_pj.values())


def test_other_weights_behind_the_same_address_are_prepared_again() -> None:
    network = small()
    runner = NetworkRunner(network)
    first = runner(INPUT, detail="none").outputs
    linear = network.ops[-1]
    assert isinstance(linear, Linear)
    linear.weights[:] = -linear.weights.clip(-7)
    try:
        second = runner(INPUT, detail="none").outputs
        np.testing.assert_array_equal(second, network.reference(INPUT))
        assert (first != second).any()
    finally:
        linear.weights[:] = small().ops[-1].weights  # type: ignore[attr-defined]


def test_an_empty_batch() -> None:
    run = NetworkRunner(small(), EncodingnetArch(4, 4))(INPUT[:0])
    assert run.outputs.shape == (0, 5)
    assert run.cycles == 0


def test_bad_calls() -> None:
    runner = NetworkRunner(small())
    with pytest.raises(UsageError, match=r"detail: got 'statistics' without an array"):
        runner(INPUT)
    with pytest.raises(UsageError, match=r"block: got 0, expected 1 or more samples"):
        runner(INPUT, detail="none", block=0)
    with pytest.raises(ShapeError, match=r"input 0 has the wrong shape"):
        runner(INPUT[:, :1], detail="none")
    with pytest.raises(UsageError, match=r"detail: got 'everything'"):
        NetworkRunner(dataclasses.replace(small()), EncodingnetArch(4, 4))(INPUT, detail="everything")  # type: ignore[arg-type]
