"""Sets of graphs in CSR form, and batches of them as one graph of separate parts.

>>> from ml.common.data import load
>>> graphs = GraphSet.of(load("motif_graphs"))
>>> len(graphs), graphs.n_features, graphs.n_classes
(240, 6, 2)
>>> batch = graphs.batch([0, 3])
>>> batch.n_graphs, batch.x.shape[0] == int(graphs.sizes[0] + graphs.sizes[3])
(2, True)
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwsim.ir.errors import DataError, ShapeError, UsageError
from ml.common.data import Dataset

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Batch:
    """Graphs side by side.

    Attributes:
        x: float32 [nodes, features].
        adjacency: sparse CSR [nodes, nodes], symmetric, ones, no self loops.
        graph: int64 [nodes], ascending: the graph of each node.
        counts: float32 [graphs, 1]: nodes of each graph, 1 or more.
        degree: float32 [nodes, 1]: neighbours of each node.
    """

    x: Tensor
    adjacency: Tensor
    graph: Tensor
    counts: Tensor
    degree: Tensor

    @property
    def n_graphs(self) -> int:
        return len(self.counts)

    def __len__(self) -> int:
        return self.n_graphs

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on another device."""
        names = ("x", "adjacency", "graph", "counts", "degree")
        return self if self.x.device == torch.device(device) else replace(
            self, **{name: getattr(self, name).to(device) for name in names}
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class GraphSet:
    """Labelled graphs.

    Attributes:
        first, sizes: int64 [n]: first node and number of nodes of each graph.
        start, neighbour: CSR over all nodes, neighbours counted over all graphs.
        feature: int64 [nodes]: which of the `n_features` one-hot features a node has.
        labels: int64 [n].
        n_features, n_classes: numbers of features and classes.
    """

    first: Ints
    sizes: Ints
    start: Ints
    neighbour: Ints
    feature: Ints
    labels: Ints
    n_features: int
    n_classes: int

    @classmethod
    def of(cls, data: Dataset, feature: str = "tag") -> GraphSet:
        """All graphs of a data set in the layout of `ml.common.datasets.graphs`.

        Args:
            feature: ``"tag"`` one-hot node labels; ``"degree"`` one-hot degrees, for sets without labels.

        Raises:
            UsageError: another feature.   DataError: a data set of no graphs.
        """
        if feature not in ("tag", "degree"):
            raise UsageError.of("node feature", repr(feature), "'tag' or 'degree'", "Choose one of them.")
        if "neighbour" not in data.extras:
            raise DataError.of(f"data set {data.name}", "no graphs", "a set of graphs", "Choose another data set.")
        arrays = {name: np.asarray(data.extras[name], np.int64) for name in ("start", "neighbour", "tag")}
        degree = np.diff(arrays["start"])
        picked = arrays["tag"] if feature == "tag" else degree
        count = max(len(data.feature_names), 1) if feature == "tag" else int(degree.max(initial=0)) + 1
        x = np.asarray(data.x_train, np.int64)
        sizes = x[:, 1] - x[:, 0]
        if sizes.size and sizes.min() < 1:
            raise DataError.of(f"graph {int(sizes.argmin())}", "no nodes", "at least one", "Leave it out.")
        return cls(
            x[:, 0], sizes, arrays["start"], arrays["neighbour"], picked, data.y_train, count, data.n_classes
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def degrees(self) -> Ints:
        """int64 [nodes]."""
        return np.diff(self.start)

    def nodes(self, indices: Sequence[int] | Ints) -> Ints:
        """Numbers of all nodes of the chosen graphs, in order."""
        index = np.asarray(indices, np.int64)
        return ranges(self.first[index], self.sizes[index])

    def parts(self, indices: Sequence[int] | Ints) -> tuple[Ints, Ints, Ints, Ints]:
        """(feature [nodes], start [nodes + 1], neighbour, sizes) of the chosen graphs, nodes counted from 0.

        Raises:
            ShapeError: no graph.
        """
        index = np.asarray(indices, np.int64)
        if not len(index):
            raise ShapeError.of("a batch", "no graphs", "at least one", "Pass indices.")
        sizes, nodes = self.sizes[index], self.nodes(index)
        degrees = self.start[nodes + 1] - self.start[nodes]
        places = ranges(self.start[nodes], degrees)
        shift = np.repeat(self.first[index] - (np.cumsum(sizes) - sizes), sizes)
        start = np.concatenate(([0], np.cumsum(degrees)))
        return self.feature[nodes], start, self.neighbour[places] - np.repeat(shift, degrees), sizes

    def batch(self, indices: Sequence[int] | Ints) -> Batch:
        """The chosen graphs as one; raises `ShapeError` for none."""
        feature, start, neighbour, sizes = self.parts(indices)
        n = len(feature)
        x = torch.zeros(n, self.n_features)
        x[torch.arange(n), torch.from_numpy(feature)] = 1.0
        graph = torch.from_numpy(np.repeat(np.arange(len(sizes)), sizes))
        degree = torch.from_numpy(np.diff(start)).to(torch.float32)[:, None]
        return Batch(x, csr(start, neighbour), graph, torch.from_numpy(sizes).to(torch.float32)[:, None], degree)


def ranges(first: Ints, lengths: Ints) -> Ints:
    """first[0], first[0] + 1, …, first[0] + lengths[0] − 1, first[1], …"""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) + np.repeat(first - (ends - lengths), lengths)


def csr(start: Ints, neighbour: Ints) -> Tensor:
    """Adjacency as a sparse CSR tensor of ones."""
    n = len(start) - 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "beta state", "invariant checks": indices come from a checked set
        return torch.sparse_csr_tensor(
            torch.from_numpy(start), torch.from_numpy(neighbour), torch.ones(len(neighbour)), (n, n)
        )
