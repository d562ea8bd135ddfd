"""What the paper proves and shows about the shift: singular values, noise of batch statistics, graphs that collapse.

Aggregation is a matrix Q on a graph's nodes, Q_GIN = A + (1 + ξ)·I; InstanceNorm's shift multiplies it by
N = I − 11ᵀ/n from the right (paper, section 3). With singular values λ of Q and μ of Q·N, both falling,

    λ_1 ≥ μ_1 ≥ λ_2 ≥ μ_2 ≥ … ≥ λ_n ≥ μ_n = 0            (theorem 3.1)

On an r-regular graph with equal features, and on a complete graph with any, Q·H·N = ξ·H·N or 0: InstanceNorm erases the
structure (propositions 4.1 and 4.2); a learned α ≠ 1 keeps the mean, and with it the degree.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hwsim.ir.errors import UsageError
from ml.common.datasets.toy_graphs import circulant
from ml.common.seed import torch_generator
from ml.graphnorm.graphs import GraphSet
from ml.graphnorm.norms import GraphNorm

Array = NDArray[np.floating]


def singular_values(adjacency: Array, xi: float = 0.0) -> tuple[Array, Array]:
    """(λ of Q, μ of Q·N), each [n], falling.

    Args:
        adjacency: [n, n], without self loops.   xi: ξ.

    Raises:
        UsageError: no square matrix.

    Example (two linked nodes: Q is all ones, and its shift leaves nothing):
        >>> [v.round(6).tolist() for v in singular_values(np.array([[0.0, 1.0], [1.0, 0.0]]))]
        [[2.0, 0.0], [0.0, 0.0]]
    """
    if adjacency.ndim != 2 or adjacency.shape[0] != adjacency.shape[1] or not len(adjacency):
        raise UsageError.of("adjacency", list(adjacency.shape), "[n, n], n ≥ 1", "Pass one graph.")
    n = len(adjacency)
    q = adjacency + (1 + xi) * np.eye(n)
    shift = np.eye(n) - 1 / n
    return np.linalg.svd(q, compute_uv=False), np.linalg.svd(q @ shift, compute_uv=False)


def interlaces(lam: Array, mu: Array, slack: float = 1e-9) -> bool:
    """Whether λ_i ≥ μ_i ≥ λ_{i+1} for all i, and μ_n = 0, up to rounding."""
    below = (lam + slack >= mu).all() and (mu[:-1] + slack >= lam[1:]).all()
    return bool(below and mu[-1] <= slack * max(1.0, lam[0]))


@torch.no_grad()
def regular_pair(alpha: float, mixed: bool = True, seed: int = 0, n: int = 24, channels: int = 64) -> float:
    """How far a GIN layer with shift α tells two regular graphs apart: largest difference of their mean readouts.

    The graphs are circulants of degree 2 and 4 with a self loop a node.

    Args:
        alpha: of the norm, fixed.   mixed: two random feature vectors by turns, or one on all nodes.
        seed: of features and weights.   n: nodes, even.   channels: of the layer.
    """
    generator = torch_generator(seed, "regular pair")
    weight = torch.randn(channels, channels, generator=generator, dtype=torch.float64) / channels**0.5
    kinds = torch.randn(2, channels, generator=generator, dtype=torch.float64)
    h = kinds[torch.arange(n) % 2] if mixed else kinds[:1].expand(n, -1)
    layer = GraphNorm(channels, alpha=alpha).double()
    graph, counts = torch.zeros(n, dtype=torch.int64), torch.tensor([[float(n)]], dtype=torch.float64)
    sums = []
    for steps in ((1,), (1, 2)):
        q = torch.eye(n, dtype=torch.float64)
        for a, b in circulant(n, steps):
            q[a, b] = q[b, a] = 1.0
        sums.append(torch.relu(layer(q @ h @ weight.T, graph, counts)).sum(0) / n)
    return float((sums[0] - sums[1]).abs().max())


def batch_noise(rows: Sequence[Tensor]) -> tuple[float, float]:
    """How much the statistics of batches differ from those of all data.

        mean over channels of √E_b[(μ_b − μ)²]/σ    and of    √E_b[(σ_b/σ − 1)²]

    Args:
        rows: activations [samples or nodes, channels] of each batch.

    Raises:
        UsageError: fewer than two batches.
    """
    if len(rows) < 2:
        raise UsageError.of("batches", len(rows), "2 or more", "Use smaller batches.")
    every = torch.cat(list(rows)).double()
    mean, std = every.mean(0), every.std(0).clamp(min=1e-9)
    means = torch.stack([r.double().mean(0) for r in rows])
    stds = torch.stack([r.double().std(0) for r in rows])
    used = std > 1e-6 * std.max()
    of_means = (((means - mean) / std) ** 2).mean(0).sqrt()[used].mean()
    of_stds = ((stds / std - 1) ** 2).mean(0).sqrt()[used].mean()
    return float(of_means), float(of_stds)


@torch.no_grad()
def first_layer_rows(graphs: GraphSet, order: NDArray[np.int64], size: int, layer: nn.Module) -> list[Tensor]:
    """What enters the first norm of a GIN (``model.layers[0]``), batch by batch of `size` graphs."""
    found = []
    for at in range(0, len(order) - size + 1, size):
        batch = graphs.batch(order[at : at + size])
        found.append(layer.linear1(layer.aggregate(batch.x, batch)))  # type: ignore[operator]
    return found
