"""GIN and GCN with a normalisation layer after every linear one (paper, section 5 and appendix A; authors' code).

GIN:   z_i = (1 + ξ)·h_i + Σ_{j ∈ N(i) ∪ {i}} h_j        h' = ReLU(Norm(W₂·ReLU(Norm(W₁·z))))  (+ h, from layer 2 on)
GCN:   z_i = Σ_{j ∈ N(i) ∪ {i}} h_j/√(d_i·d_j)            h' = ReLU(Norm(W·z))                    (+ h, from layer 2 on)

The authors add self loops to the graphs, so that GIN counts a node itself twice. The readout is a sum or a mean over
the last layer, then a linear layer. The authors' dropout acts on the scores: it belongs to the loss, see
`ml.graphnorm.train`.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from hwsim.ir.errors import UsageError
from ml.common.seed import torch_generator
from ml.graphnorm.graphs import Batch
from ml.graphnorm.norms import norm
from ml.graphnorm.segments import neighbour_sum, segment_mean, segment_sum


class GinLayer(nn.Module):
    """One GIN layer; `epsilon` is ξ."""

    def __init__(self, n_in: int, n_out: int, norm_name: str, learn_epsilon: bool = True) -> None:
        super().__init__()
        self.epsilon = nn.Parameter(torch.zeros(1), requires_grad=learn_epsilon)
        self.linear1, self.norm1 = nn.Linear(n_in, n_out), norm(norm_name, n_out)
        self.linear2, self.norm2 = nn.Linear(n_out, n_out), norm(norm_name, n_out)

    def aggregate(self, h: Tensor, batch: Batch) -> Tensor:
        """z [nodes, n_in]; twice the node itself, see the module."""
        return neighbour_sum(h, batch.adjacency) + (2.0 + self.epsilon) * h

    def forward(self, h: Tensor, batch: Batch) -> Tensor:
        """h' [nodes, n_out] without the residual."""
        h = torch.relu_(self.norm1(self.linear1(self.aggregate(h, batch)), batch.graph, batch.counts))
        return torch.relu_(self.norm2(self.linear2(h), batch.graph, batch.counts))


class GcnLayer(nn.Module):
    """One GCN layer with symmetric normalisation, self loops included."""

    def __init__(self, n_in: int, n_out: int, norm_name: str, learn_epsilon: bool = True) -> None:
        super().__init__()
        self.linear, self.norm = nn.Linear(n_in, n_out), norm(norm_name, n_out)

    def aggregate(self, h: Tensor, batch: Batch) -> Tensor:
        """z [nodes, n_in]."""
        scale = torch.rsqrt(batch.degree.to(h.dtype) + 1.0)
        scaled = h * scale
        return (neighbour_sum(scaled, batch.adjacency) + scaled) * scale

    def forward(self, h: Tensor, batch: Batch) -> Tensor:
        """h' [nodes, n_out] without the residual."""
        return torch.relu_(self.norm(self.linear(self.aggregate(h, batch)), batch.graph, batch.counts))


LAYERS: dict[str, type[GinLayer] | type[GcnLayer]] = {"gin": GinLayer, "gcn": GcnLayer}


class GraphNetwork(nn.Module):
    """Layers, readout, classifier.

    Args:
        n_features, n_classes: width of x, number of scores.
        hidden: channels of every layer.   depth: layers.
        layer: ``"gin"`` or ``"gcn"``.   norm_name: see `ml.graphnorm.norms.norm`.
        readout: ``"sum"`` or ``"mean"``.   learn_epsilon: train ξ.   seed: of the start values.

    Raises:
        UsageError: a value out of range.
    """

    def __init__(
        self, n_features: int, n_classes: int, *, hidden: int = 64, depth: int = 4, layer: str = "gin",
        norm_name: str = "graph", readout: str = "sum", learn_epsilon: bool = True, seed: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        if layer not in LAYERS or readout not in ("sum", "mean"):
            got = f"layer {layer!r}, readout {readout!r}"
            raise UsageError.of("graph network", got, "'gin' or 'gcn', 'sum' or 'mean'", "Choose one of them.")
        if min(n_features, n_classes, hidden, depth) < 1:
            got = f"{n_features} features, {n_classes} classes, hidden {hidden}, depth {depth}"
            raise UsageError.of("graph network", got, "1 or more of each", "Change them.")
        self.readout = readout
        with torch.random.fork_rng(devices=[]):
            widths = [n_features, *[hidden] * depth]
            self.layers = nn.ModuleList(LAYERS[layer](a, b, norm_name, learn_epsilon) for a, b in pairwise(widths))
            self.head = nn.Linear(hidden, n_classes)
        initialise(self, seed)

    def nodes(self, batch: Batch) -> Tensor:
        """Last layer's node features [nodes, hidden]."""
        h = batch.x
        for i, layer in enumerate(self.layers):
            h = layer(h, batch) + h if i else layer(h, batch)
        return h

    def pooled(self, h: Tensor, batch: Batch) -> Tensor:
        """Readout [graphs, hidden]."""
        if self.readout == "sum":
            return segment_sum(h, batch.graph, batch.n_graphs)
        return segment_mean(h, batch.graph, batch.counts)

    def forward(self, batch: Batch) -> Tensor:
        """Scores [graphs, classes]."""
        return self.head(self.pooled(self.nodes(batch), batch))


def initialise(model: nn.Module, seed: int) -> None:
    """Draw all linear layers from U(±1/√fan_in), torch's rule, by the stream "weights" of `seed`."""
    generator = torch_generator(seed, "weights")
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Linear):
                bound = module.in_features**-0.5
                module.weight.uniform_(-bound, bound, generator=generator)
                module.bias.uniform_(-bound, bound, generator=generator)
