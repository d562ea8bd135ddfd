"""The statistics unit's RTL against its model: codes and cycles, on drawn units and graphs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.graphnorm import simulate
from hwsim.ir.arch.graphnorm import GraphnormArch
from hwsim.ir.errors import UsageError
from hwsim.ir.graph_norm import GraphNormUnit
from hwsim.testing.naive_graph import normalise
from hwsim.testing.strategies import generators
from hwsim.testing.strategies_graph import unit_inputs
from rtl.cosim.verilate import Verilated
from rtl.graphnorm import build
from rtl.graphnorm.cosim import stream

pytestmark = pytest.mark.rtl
SHAPES = {"four lanes": (8, 4, 20), "one beat a node": (3, 3, 9), "one lane": (4, 1, 70)}


def drawn(channels: int, max_nodes: int, **formats: int) -> GraphNormUnit:
    rng = np.random.default_rng(channels)
    shape = (2, channels)
    return GraphNormUnit.from_real(
        rng.uniform(0, 2, shape), rng.normal(0, 32, shape), rng.normal(0, 20, shape), max_nodes=max_nodes, **formats
    )


@pytest.fixture(scope="module")
def duts() -> dict[str, tuple[Verilated, GraphNormUnit, GraphnormArch]]:
    made = {}
    for name, (channels, lanes, max_nodes) in SHAPES.items():
        formats = {"in_bits": 6, "alpha_fraction": 3, "lo": 0, "hi": 127} if lanes == 3 else {"lo": -128, "hi": 127}
        unit, arch = drawn(channels, max_nodes, **formats), GraphnormArch(lanes)
        made[name] = (Verilated(build(unit, arch), optimise="-O1"), unit, arch)
    return made


@pytest.mark.parametrize("name", SHAPES)
@settings(max_examples=30, deadline=None, derandomize=True)
@given(rng=generators(), graphs=st.integers(1, 6), layer=st.integers(0, 1))
def test_drawn_graphs(duts, name, rng, graphs, layer):
    dut, unit, arch = duts[name]
    a, sizes = unit_inputs(unit, rng, graphs)
    want, got = simulate(unit, a, sizes, layer, arch), stream(dut, unit, arch, a, sizes, layer)
    assert got.outputs.tolist() == want.outputs.tolist()
    assert got.cycles == want.cycles
    assert got.intervals == arch.intervals(sizes, unit.channels)[:-1].tolist()


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("rates", [(0.4, 1.0), (1.0, 0.3), (0.5, 0.5)])
def test_pauses_of_both_neighbours_change_nothing(duts, name, rates):
    dut, unit, arch = duts[name]
    a, sizes = unit_inputs(unit, np.random.default_rng(5), 9)
    got = stream(dut, unit, arch, a, sizes, 1, rates, seed=3)
    assert got.outputs.tolist() == unit.reference(a, sizes, 1).tolist()


def test_the_largest_graph_of_largest_codes_and_the_naive_twin(duts):
    dut, unit, arch = duts["one lane"]
    n, top = unit.max_nodes, 1 << (unit.in_bits - 1)
    graphs = [np.full((n, 4), top - 1), np.full((n, 4), -top), np.tile([[-top], [top - 1]], (n // 2, 4))]
    graphs[2][0] = 0
    got = stream(dut, unit, arch, np.concatenate(graphs), np.full(3, n)).outputs
    assert got.tolist() == [row for one in graphs for row in normalise(unit, one.tolist(), 0)]


def test_the_layer_is_read_in_the_last_beat(duts):
    dut, unit, arch = duts["four lanes"]
    a, sizes = unit_inputs(unit, np.random.default_rng(1), 1)
    first, second = (stream(dut, unit, arch, a, sizes, layer).outputs.tolist() for layer in (0, 1))
    assert first != second
    assert [first, second] == [unit.reference(a, sizes, layer).tolist() for layer in (0, 1)]


def test_wrong_sizes():
    with pytest.raises(UsageError, match=r"GraphnormArch.lanes: got 8 channels on 3 lanes, expected a divisor"):
        build(drawn(8, 4), GraphnormArch(3))
    with pytest.raises(UsageError, match=r"GraphnormArch.lanes: got 0, expected 1…256"):
        GraphnormArch(0)
    many = np.ones((5, 1), np.int64)
    with pytest.raises(UsageError, match="layers: got 5, expected at most 4 with codes of 3 bits"):
        build(GraphNormUnit(many, many, many, in_bits=3), GraphnormArch(1))
