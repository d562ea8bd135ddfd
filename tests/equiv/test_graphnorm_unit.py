"""Statistics unit and graph networks: reference = naive twin = compiled model; how near all are to GraphNorm."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.graphnorm import GraphRunner, simulate
from hwsim.ir import io
from hwsim.ir.arch.graphnorm import GraphnormArch
from hwsim.ir.graph_norm import GraphNormUnit
from hwsim.testing import naive_graph
from hwsim.testing.strategies import generators
from hwsim.testing.strategies_graph import graph_batches, graph_networks, statistics_units, unit_inputs
from ml.graphnorm import GraphNorm


class Exact:
    """Products by tables, free of charge."""

    def __init__(self, network):
        self.network = network

    def __call__(self, x, w, unit):
        return self.network.table_mac(x, w, unit)

    def take(self):
        return 7, {"array": 1.0}, {"macs": 3}


@settings(max_examples=150, deadline=None, derandomize=True)
@given(unit=statistics_units(), rng=generators(), graphs=st.integers(0, 3))
def test_reference_naive_twin_and_kernel_agree(unit, rng, graphs):
    a, sizes = unit_inputs(unit, rng, graphs)
    layer = int(rng.integers(unit.layers))
    got = unit.reference(a, sizes, layer)
    ends = np.cumsum(sizes)
    naive = [row for n, end in zip(sizes, ends, strict=True)
             for row in naive_graph.normalise(unit, a[end - n : end].tolist(), layer)]  # fmt: skip
    assert got.tolist() == naive
    assert simulate(unit, a, sizes, layer, GraphnormArch(1)).outputs.tolist() == naive


@settings(max_examples=40, deadline=None, derandomize=True)
@given(data=st.data())
def test_networks(data):
    network = data.draw(graph_networks())
    graphs = data.draw(graph_batches(network.input.shape[0], network.max_nodes, network.max_degree))
    want = network.reference(graphs)
    assert want.tolist() == naive_graph.graph_mac(network, graphs)
    run = GraphRunner(network, Exact(network), GraphnormArch(1), vector_lanes=3)(graphs)
    assert run.outputs.tolist() == want.tolist()
    assert run.classes.tolist() == want.argmax(1).tolist()
    again = io.from_bytes(io.to_bytes(network))
    assert io.artifact_id(again) == io.artifact_id(network)
    assert again.reference(graphs).tolist() == want.tolist()


@settings(max_examples=30, deadline=None, derandomize=True)
@given(rng=generators(), scale=st.floats(0.05, 1.0))
def test_codes_are_graphnorm_within_a_code(rng, scale):
    """Bound of |y − GraphNorm| in output codes, with 12-bit codes in, T = R = 10, P = 10 and |û| ≤ 4.

    Table: half an interval of v, 2^−9 relative, and half a unit of r ≥ 2^9, 2^−10; gain 2^−11: |û|·γ/Δ·(…) ≤ 0.5 for
    γ/Δ ≤ 32. D is cut to 2^−10·γ/Δ = 0.03. Output rounding 0.5. α is a multiple of 2^−8 already. Sum below 1.1.
    """
    n, c, delta = int(rng.integers(2, 60)), 5, 1 / 16
    alpha = rng.integers(128, 385, (1, c)) / 256
    gamma, beta = rng.uniform(0.5, 2, (1, c)), rng.normal(0, 1, (1, c))
    unit = GraphNormUnit.from_real(
        alpha, gamma / delta, beta / delta, in_bits=12, max_nodes=64, table_bits=10, root_bits=10, keep=10
    )
    u = rng.uniform(-1, 1, (n, c))  # bounded: |û| ≤ √3·2 for most, checked below
    a = np.rint(2047 * scale * (u + rng.uniform(-1, 1, c)) / 2).astype(np.int64)
    layer = GraphNorm(c, eps=1e-12).double()
    with torch.no_grad():
        for p, value in ((layer.alpha, alpha), (layer.weight, gamma), (layer.bias, beta)):
            p.copy_(torch.from_numpy(value[0]))
        want = layer(torch.from_numpy(a).double(), torch.zeros(n, dtype=torch.int64), torch.tensor([[n]])).numpy()
    normal = np.abs((want - beta) / gamma).max(axis=0) <= 4
    error = np.abs(unit.reference(a, np.array([n])) - want / delta)
    assert error[:, normal].max(initial=0) < 1.1


def test_cycles_of_a_network_by_hand():
    """Three graphs of 2, 1, 3 nodes, one channel, one lane: intervals 2n + 1 + 6 + 1, 36 in all, + 4 at the end."""
    arch = GraphnormArch(1)
    assert arch.intervals([2, 1, 3], 1).tolist() == [12, 10, 14]
    assert arch.cycles([2, 1, 3], 1) == 40
    assert arch.cycles([], 1) == 0
    ones = np.ones((1, 1), np.int64)
    unit = GraphNormUnit(ones << 8, ones, ones, max_nodes=4)
    run = simulate(unit, np.arange(6)[:, None], np.array([2, 1, 3]), arch=arch)
    assert run.cycles == 40
    assert dict(run.counters) == {
        "square_mults": 6, "sum_adds": 12, "buffer_writes": 6, "buffer_reads": 6, "settle_mults": 15, "out_mults": 12,
        "out_adds": 12,
    }  # fmt: skip
    assert run.energy is not None
    assert run.energy.total_pj > 0


def test_the_array_waits_for_the_slower_unit():
    from hypothesis import find

    network = find(graph_networks(), lambda n: n.unit.layers == 1)
    graphs = find(graph_batches(network.input.shape[0], network.max_nodes, network.max_degree), lambda g: True)
    run = GraphRunner(network, Exact(network), GraphnormArch(1))(graphs)
    each = GraphnormArch(1).cycles(graphs.sizes, network.unit.channels)
    assert (run.gemm_cycles, run.unit_cycles, run.wait_cycles) == (21, 2 * each, 2 * max(each - 7, 0))
    assert run.cycles == run.gemm_cycles + run.wait_cycles + run.vector_cycles
    assert run.energy_pj["array"] == 3.0
    assert run.counters["macs"] == 9
    assert [name for name, _ in run.op_cycles] == [op.type for op in network.ops]
