"""Layers against independent references: loops over graphs, finite differences, torch's and PyG's own, networkx."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from hwsim.ir.errors import ShapeError, UsageError
from ml.common.data import load
from ml.graphnorm import GraphNetwork, GraphNorm, GraphSet, norm
from ml.graphnorm.models import GcnLayer, GinLayer
from ml.graphnorm.norms import gradients, normalised
from ml.graphnorm.segments import neighbour_sum, segment_mean, segment_sum, spread


def random_graphs(seed: int, sizes: list[int], channels: int = 5) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    h = 3 * torch.randn(sum(sizes), channels, generator=generator, dtype=torch.float64) + 1
    graph = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    return h, graph, torch.tensor(sizes, dtype=torch.float64)[:, None]


def naive(h: np.ndarray, graph: np.ndarray, layer: GraphNorm) -> np.ndarray:
    """Equation (6), one number after the other."""
    alpha, gamma, beta = (p.detach().numpy() for p in (layer.alpha, layer.weight, layer.bias))
    out = np.empty_like(h)
    for g in set(graph.tolist()):
        rows = np.flatnonzero(graph == g)
        for j in range(h.shape[1]):
            mean = sum(h[i, j] for i in rows) / len(rows)
            u = {i: h[i, j] - alpha[j] * mean for i in rows}
            sigma = (sum(v * v for v in u.values()) / len(rows) + layer.eps) ** 0.5
            for i in rows:
                out[i, j] = gamma[j] * u[i] / sigma + beta[j]
    return out


def drawn_layer(seed: int, channels: int = 5) -> GraphNorm:
    generator = torch.Generator().manual_seed(seed)
    layer = GraphNorm(channels).double()
    with torch.no_grad():
        for p in layer.parameters():
            p.copy_(torch.randn(channels, generator=generator))
    return layer


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=st.integers(0, 999), sizes=st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_graphnorm_is_the_equation(seed, sizes):
    h, graph, counts = random_graphs(seed, sizes)
    layer = drawn_layer(seed + 1)
    assert np.allclose(layer(h, graph, counts).detach().numpy(), naive(h.numpy(), graph.numpy(), layer), atol=1e-9)


def test_gradients_are_those_of_finite_differences():
    h, graph, counts = random_graphs(3, [4, 1, 6], 3)
    layer = drawn_layer(4, 3)
    inputs = (h.requires_grad_(), layer.alpha, layer.weight, layer.bias)

    def run(h, alpha, weight, bias):
        return torch.func.functional_call(layer, {"alpha": alpha, "weight": weight, "bias": bias}, (h, graph, counts))

    assert torch.autograd.gradcheck(run, inputs, eps=1e-6, atol=1e-5)


def test_compiled_loops_are_the_scatter_operations_of_other_devices():
    h, graph, counts = random_graphs(11, [4, 1, 6, 2])
    alpha, eps = torch.tensor([0.5, 1.0, 0.0, 1.5, -0.3], dtype=torch.float64), 1e-6
    layer = GraphNorm(5, eps).double()
    layer.alpha.data.copy_(alpha)
    h.requires_grad_()
    weight = torch.randn(h.shape, generator=torch.Generator().manual_seed(12), dtype=torch.float64)
    out = layer(h, graph, counts)
    got = torch.autograd.grad((out * weight).sum(), (h, layer.alpha))
    plain, mean, root = normalised(h.detach(), alpha, graph, counts, eps)
    assert torch.allclose(out, plain)
    for a, b in zip(got, gradients(weight, plain, mean, root, alpha, graph, counts), strict=True):
        assert torch.allclose(a, b)


def test_parity_with_pyg():
    pyg = pytest.importorskip("torch_geometric.nn.norm")
    h, graph, counts = random_graphs(5, [3, 1, 8, 2])
    h = h.float().requires_grad_()
    ours, theirs = drawn_layer(6).float(), pyg.GraphNorm(5, eps=1e-6)
    with torch.no_grad():
        theirs.mean_scale.copy_(ours.alpha), theirs.weight.copy_(ours.weight), theirs.bias.copy_(ours.bias)
    a, b = ours(h, graph, counts.float()), theirs(h, graph, 4)
    assert float((a - b).abs().max()) <= 1e-6
    da, db = (torch.autograd.grad((y**2).sum(), h, retain_graph=True)[0] for y in (a, b))
    assert torch.allclose(da, db, rtol=1e-4, atol=1e-4)


def test_alpha_one_is_instance_norm_and_one_node_gives_beta():
    h, graph, counts = random_graphs(7, [6])
    want = nn.InstanceNorm1d(5, eps=1e-6)(h.T[None])[0].T
    assert torch.allclose(norm("instance", 5).double()(h, graph, counts), want)
    layer = norm("graph", 5).double()
    with torch.no_grad():
        layer.bias.fill_(0.25)
    h, graph, counts = random_graphs(8, [1])
    assert torch.allclose(layer(h, graph, counts), torch.full((1, 5), 0.25, dtype=torch.float64))


def test_the_identity_behind_two_accumulators():
    h, graph, counts = random_graphs(9, [7, 3])
    alpha = torch.tensor(0.7, dtype=torch.float64)
    mean = segment_mean(h, graph, counts)
    u = h - spread(alpha * mean, graph)
    one_pass = segment_mean(h * h, graph, counts) - (2 * alpha - alpha**2) * mean**2
    assert torch.allclose(segment_mean(u * u, graph, counts), one_pass)


def test_alpha_is_learned_in_graph_norm_only():
    assert norm("graph", 2).alpha.requires_grad
    assert not norm("instance", 2).alpha.requires_grad


def test_segments_against_loops():
    graphs = GraphSet.of(load("motif_graphs"))
    batch = graphs.batch([1, 2, 3])
    h = torch.randn(len(batch.x), 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    dense = batch.adjacency.to_dense()
    assert torch.allclose(neighbour_sum(h, batch.adjacency), dense @ h, atol=1e-6)
    rows = torch.stack([h[batch.graph == g].sum(0) for g in range(3)])
    assert torch.allclose(segment_sum(h, batch.graph, 3), rows, atol=1e-5)
    weight = torch.randn(dense.shape[0], 4, generator=torch.Generator().manual_seed(1))
    (got,) = torch.autograd.grad((neighbour_sum(h, batch.adjacency) * weight).sum(), h)
    assert torch.allclose(got, dense.T @ weight, atol=1e-6)


def test_gcn_aggregates_by_networkx_laplacian():
    graphs = GraphSet.of(load("motif_graphs"))
    batch = graphs.batch([4])
    made = nx.from_numpy_array(batch.adjacency.to_dense().numpy() + np.eye(int(graphs.sizes[4])))
    degree = np.array(made.adj and [sum(1 for _ in made[i]) for i in made])  # self loop counted once
    want = nx.to_numpy_array(made) / np.sqrt(np.outer(degree, degree))
    h = torch.randn(len(batch.x), 3, generator=torch.Generator().manual_seed(2))
    layer = GcnLayer(3, 3, "none")
    assert np.allclose(layer.aggregate(h, batch).numpy(), want @ h.numpy(), atol=1e-6)


def test_gin_counts_a_node_twice():
    batch = GraphSet.of(load("csl")).batch([0])
    layer = GinLayer(1, 2, "none")
    with torch.no_grad():
        layer.epsilon.fill_(0.5)
    assert layer.aggregate(batch.x, batch).detach().unique().tolist() == [4 + 2.5]


@pytest.mark.parametrize("name", ["graph", "instance", "batch", "layer", "none"])
@pytest.mark.parametrize("kind", ["gin", "gcn"])
def test_order_of_nodes_and_graphs_does_not_matter(name, kind):
    graphs = GraphSet.of(load("motif_graphs"))
    model = GraphNetwork(6, 2, hidden=6, depth=3, layer=kind, norm_name=name, readout="mean", seed=3).eval()
    one, two = model(graphs.batch([3, 8])), model(graphs.batch([8, 3]))
    assert torch.allclose(one, two[[1, 0]], atol=1e-5)
    if name in ("graph", "instance", "layer"):  # no statistics across graphs, none that run
        assert torch.allclose(model.train()(graphs.batch([3])), one[:1], atol=1e-5)


def test_wrong_calls():
    with pytest.raises(UsageError, match="norm: got 'power', expected one of graph"):
        norm("power", 3)
    with pytest.raises(UsageError, match="GraphNorm: got 0 channels"):
        GraphNorm(0)
    with pytest.raises(ShapeError, match=r"got \[4, 3\] and \[4\], expected \[nodes, 5\]"):
        GraphNorm(5)(torch.zeros(4, 3), torch.zeros(4, dtype=torch.int64), torch.ones(1, 1))
    with pytest.raises(UsageError, match="graph network: got layer 'gat'"):
        GraphNetwork(3, 2, layer="gat")
    with pytest.raises(UsageError, match="graph network: got 3 features, 2 classes, hidden 0"):
        GraphNetwork(3, 2, hidden=0)
