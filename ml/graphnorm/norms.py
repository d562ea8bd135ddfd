"""Normalisation layers for graph networks (Cai et al., ICML 2021, arXiv 2009.03294, section 4).

Per graph g with n nodes and per channel j, over h [n, d] (equation 6 of the paper):

    μ = mean h_i         u_i = h_i − α_j·μ         σ² = mean u_i²         out_i = γ_j·u_i/√(σ² + ε) + β_j

| symbol | here |
|---|---|
| α, γ, β | `alpha`, `weight`, `bias`: [channels], 1, 1 and 0 at the start |
| ε | `eps`, inside the root |

α = 1 is InstanceNorm on graphs; α = 0 divides by the root mean square. There are no running statistics: training and
evaluation are the same. By σ² = E[h²] − (2α − α²)·μ² one pass with two sums a channel gives all statistics; here σ² is
the mean of u², which does not cancel in float32.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from hwsim.ir.errors import ShapeError, UsageError
from ml.graphnorm.kernels import kernels
from ml.graphnorm.segments import segment_mean, spread

NORMS = ("graph", "instance", "batch", "layer", "none")


def normalised(h: Tensor, alpha: Tensor, graph: Tensor, counts: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """(û, μ, 1/√(σ² + ε)) by scatter operations, on any device."""
    mean = segment_mean(h, graph, counts)
    u = h - spread(alpha * mean, graph)
    root = torch.rsqrt(segment_mean(u * u, graph, counts) + eps)
    return u.mul_(spread(root, graph)), mean, root


def gradients(
    gradient: Tensor, out: Tensor, mean: Tensor, root: Tensor, alpha: Tensor, graph: Tensor, counts: Tensor
) -> tuple[Tensor, Tensor]:
    """(∂L/∂h, ∂L/∂α) for ∂L/∂û by scatter operations, on any device; formulas at `_Normalise`."""
    inner = segment_mean(gradient * out, graph, counts)
    du = torch.addcmul(gradient, out, spread(inner, graph), value=-1).mul_(spread(root, graph))
    du_mean = segment_mean(du, graph, counts)
    return du.sub_(spread(alpha * du_mean, graph)), -(mean * du_mean * counts).sum(0)


class _Normalise(torch.autograd.Function):
    """u/√(mean u² + ε) with u = h − α·μ; the gradient in closed form.

    With g = ∂L/∂out, û the output and r = 1/√(σ² + ε):

        ∂L/∂u = r·(g − û·mean(g·û))      ∂L/∂h = ∂L/∂u − α·mean(∂L/∂u)      ∂L/∂α = −Σ_graphs μ·Σ_nodes ∂L/∂u
    """

    @staticmethod
    def forward(ctx: Any, h: Tensor, alpha: Tensor, graph: Tensor, counts: Tensor, eps: float) -> Tensor:
        counts = counts.to(h.dtype)
        if h.device.type == "cpu":
            h, out = h.contiguous(), torch.empty_like(h, memory_format=torch.contiguous_format)
            mean, root = h.new_zeros(len(counts), h.shape[1]), h.new_zeros(len(counts), h.shape[1])
            arrays = [t.detach().numpy() for t in (h, graph, counts, alpha, out, mean, root)]
            kernels()[0](*arrays[:4], arrays[0].dtype.type(eps), *arrays[4:])
        else:
            out, mean, root = normalised(h, alpha, graph, counts, eps)
        ctx.save_for_backward(out, root, mean, alpha, graph, counts)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        out, root, mean, alpha, graph, counts = ctx.saved_tensors
        if out.device.type == "cpu":
            dh, inner, total = torch.empty_like(out), torch.zeros_like(mean), torch.zeros_like(mean)
            dalpha = torch.zeros_like(alpha)
            arrays = (gradient.contiguous(), out, graph, counts, alpha, mean, root, dh, inner, total, dalpha)
            kernels()[1](*(t.detach().numpy() for t in arrays))
            return dh, dalpha if ctx.needs_input_grad[1] else None, None, None, None
        return *gradients(gradient, out, mean, root, alpha, graph, counts), None, None, None


class GraphNorm(nn.Module):
    """GraphNorm with learnable shift α.

    Args:
        channels: d.
        eps: ε; 1e-6 in the authors' code (1e-5 in PyG).
        alpha: start value.
        learn_alpha: False keeps α: InstanceNorm for α = 1.

    Raises:
        UsageError: a size or ε out of range.

    Example (a graph of one node is its own mean; two nodes at ±1 stay there):
        >>> h = torch.tensor([[5.0], [-1.0], [1.0]])
        >>> GraphNorm(1)(h, torch.tensor([0, 1, 1]), torch.tensor([[1.0], [2.0]])).detach().round(decimals=4).T.abs()
        tensor([[0., 1., 1.]])
    """

    def __init__(self, channels: int, eps: float = 1e-6, alpha: float = 1.0, learn_alpha: bool = True) -> None:
        super().__init__()
        if channels < 1 or not eps > 0:
            raise UsageError.of("GraphNorm", f"{channels} channels, eps {eps}", "1 or more, eps > 0", "Change them.")
        self.eps = eps
        self.alpha = nn.Parameter(torch.full((channels,), float(alpha)), requires_grad=learn_alpha)
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, h: Tensor, graph: Tensor, counts: Tensor) -> Tensor:
        """Normalise [nodes, channels].

        Args:
            graph: int64 [nodes], the graph of each node.   counts: [graphs, 1], nodes of each, 1 or more.

        Raises:
            ShapeError: another number of channels, or of nodes.
        """
        if h.ndim != 2 or h.shape[1] != len(self.weight) or len(graph) != len(h):
            want = f"[nodes, {len(self.weight)}] and [nodes]"
            got = f"{list(h.shape)} and {list(graph.shape)}"
            raise ShapeError.of("h and graph have the wrong shapes", got, want, "Match channels and nodes.")
        return torch.addcmul(self.bias, _Normalise.apply(h, self.alpha, graph, counts, self.eps), self.weight)


class RowNorm(nn.Module):
    """A layer that knows nothing of graphs (BatchNorm over all nodes of a batch, LayerNorm over channels, none)."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, h: Tensor, graph: Tensor, counts: Tensor) -> Tensor:
        """Normalise [nodes, channels]; graph and counts are not looked at."""
        return self.layer(h)


def norm(name: str, channels: int) -> nn.Module:
    """A layer called as ``layer(h, graph, counts)``.

    Args:
        name: ``"graph"``, ``"instance"`` (α fixed at 1), ``"batch"``, ``"layer"`` or ``"none"``.

    Raises:
        UsageError: another name.
    """
    if name in ("graph", "instance"):
        return GraphNorm(channels, learn_alpha=name == "graph")
    if name == "batch":
        return RowNorm(nn.BatchNorm1d(channels))
    if name == "layer":
        return RowNorm(nn.LayerNorm(channels))
    if name == "none":
        return RowNorm(nn.Identity())
    raise UsageError.of("norm", repr(name), f"one of {', '.join(NORMS)}", "Choose one of them.")
