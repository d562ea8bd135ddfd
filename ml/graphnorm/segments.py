"""Sums over neighbours and over graphs: the scatter operations that a graph network needs.

neighbour_sum(h)[i] = Σ_{j ∈ N(i)} h[j]          segment_sum(h)[g] = Σ_{i ∈ g} h[i]
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _NeighbourSum(torch.autograd.Function):
    """A·h with a constant symmetric A: the gradient is A·g."""

    @staticmethod
    def forward(ctx: Any, h: Tensor, adjacency: Tensor) -> Tensor:
        ctx.adjacency = adjacency
        return adjacency.to(h.dtype) @ h

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return ctx.adjacency.to(gradient.dtype) @ gradient.contiguous(), None


def neighbour_sum(h: Tensor, adjacency: Tensor) -> Tensor:
    """Sum over each node's neighbours.

    Args:
        h: [nodes, channels].   adjacency: sparse CSR [nodes, nodes], symmetric.
    """
    return _NeighbourSum.apply(h, adjacency)


def segment_sum(h: Tensor, graph: Tensor, n_graphs: int) -> Tensor:
    """Sum over each graph's nodes: [n_graphs, channels].

    Args:
        h: [nodes, channels].   graph: int64 [nodes], the graph of each node.   n_graphs: rows of the result.
    """
    return h.new_zeros(n_graphs, h.shape[1]).index_add_(0, graph, h)


def segment_mean(h: Tensor, graph: Tensor, counts: Tensor) -> Tensor:
    """Mean over each graph's nodes; `counts` [n_graphs, 1]."""
    return segment_sum(h, graph, len(counts)) / counts


def spread(per_graph: Tensor, graph: Tensor) -> Tensor:
    """Each node gets its graph's row: [nodes, channels]."""
    return torch.index_select(per_graph, 0, graph)
