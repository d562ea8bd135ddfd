"""How a `Dataset` holds graphs: nodes of all graphs in a row, neighbours in CSR form.

x is int64 [n, 2]: a graph's first node and the one after its last. In `extras`, over the nodes of all graphs:

| array | dtype, shape | meaning |
|---|---|---|
| tag | int64 [nodes] | 0-based node label; 0 … n_tags − 1 |
| start | int64 [nodes + 1] | neighbours of node i stand in places start[i] … start[i + 1] − 1 |
| neighbour | int64 [2 · edges] | node numbers, counted over all graphs; every edge stands in both directions |

No self loops, no double edges.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hwsim.ir.errors import DataError

from .dataset import Array

Ints = NDArray[np.int64]
Edges = Sequence[tuple[int, int]]


def pack(tags: Sequence[Sequence[int]], edges: Sequence[Edges]) -> tuple[Ints, dict[str, Array]]:
    """(x, extras) of graphs given by their tags and undirected edges (each once, in either direction)."""
    sizes = np.array([len(t) for t in tags], np.int64)
    last = np.cumsum(sizes)
    pairs = [np.array(e, np.int64).reshape(-1, 2) + first for e, first in zip(edges, last - sizes, strict=True)]
    ends = np.concatenate([np.zeros((0, 2), np.int64), *pairs])
    both = np.concatenate((ends, ends[:, ::-1]))
    both = both[np.lexsort((both[:, 1], both[:, 0]))]
    start = np.concatenate(([0], np.cumsum(np.bincount(both[:, 0], minlength=int(sizes.sum())))))
    extras: dict[str, Array] = {
        "tag": np.array([tag for one in tags for tag in one], np.int64),
        "start": start.astype(np.int64),
        "neighbour": both[:, 1].copy(),
    }
    return np.stack((last - sizes, last), axis=1), extras


def check(name: str, x: Ints, extras: dict[str, Array]) -> None:
    """Raise `DataError` for an empty graph, a neighbour outside the graph, a self loop or a one-way edge."""
    sizes = x[:, 1] - x[:, 0]
    if sizes.size and sizes.min() < 1:
        raise DataError.of(f"{name}: graph {int(sizes.argmin())}", "no nodes", "at least one", "Mend the file.")
    start, other = extras["start"].astype(np.int64), extras["neighbour"].astype(np.int64)
    node = np.repeat(np.arange(len(start) - 1), np.diff(start))
    graph = np.repeat(np.arange(len(x)), sizes)
    inside = (other >= 0) & (other < len(graph))
    wrong = ~inside | (graph[np.where(inside, other, 0)] != graph[node]) | (other == node)
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        got = f"neighbour {int(other[at]) - int(x[graph[node[at]], 0])} of node {int(node[at] - x[graph[node[at]], 0])}"
        what = f"{name}: graph {int(graph[node[at]])}"
        raise DataError.of(what, got, f"another node, 0…{int(sizes[graph[node[at]]]) - 1}", "Mend the file.")
    forth, back = np.stack((node, other), 1), np.stack((other, node), 1)
    order = [side[np.lexsort((side[:, 1], side[:, 0]))] for side in (forth, back)]
    differs = (order[0] != order[1]).any(axis=1)
    if differs.any():
        at = int(order[0][np.flatnonzero(differs)[0], 0])
        got = f"an edge at node {at - int(x[graph[at], 0])} in one direction only"
        raise DataError.of(f"{name}: graph {int(graph[at])}", got, "both directions", "Mend the file.")
