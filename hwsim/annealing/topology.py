"""Qubits and couplers of an annealer's graph, with yield."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import combinations
from typing import TYPE_CHECKING

from hwsim.ir.errors import UsageError

if TYPE_CHECKING:
    import networkx

LENGTHS = {"chimera": (1, 3), "pegasus": (1, 1), "zephyr": (1, 2), "complete": (1, 1)}  # numbers in a shape


def lattice(kind: str, shape: Sequence[int], nodes: list | None = None, edges: list | None = None) -> networkx.Graph:
    """The graph ``kind`` of that shape, with D-Wave's linear labels; "complete" is all-to-all on shape[0] qubits.

    Raises:
        UsageError: unknown kind, or a shape that it does not have.
    """
    if kind not in LENGTHS:
        raise UsageError.of("topology type", repr(kind), f"one of {', '.join(LENGTHS)}", "Choose one of them.")
    low, high = LENGTHS[kind]
    if not low <= len(shape) <= high or any(size < 1 for size in shape):
        want = f"{low} positive numbers" if low == high else f"{low} to {high} positive numbers"
        raise UsageError.of(f"shape of topology {kind}", list(shape), want, "For example pegasus [16].")
    if kind == "complete":
        import networkx

        graph = networkx.Graph(family="complete", rows=shape[0])
        graph.add_nodes_from(range(shape[0]) if nodes is None else nodes)
        graph.add_edges_from(combinations(range(shape[0]), 2) if edges is None else edges)
        return graph
    import dwave.graphs

    make = getattr(dwave.graphs, f"{kind}_graph")
    return make(*shape, node_list=nodes, edge_list=edges)


@lru_cache(maxsize=16)
def _full(kind: str, shape: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
    graph = lattice(kind, shape)
    return tuple(sorted(graph.nodes)), tuple(sorted((min(e), max(e)) for e in graph.edges))


def working_graph(
    kind: str, shape: Sequence[int], dead_qubits: Iterable[int] = (), dead_couplers: Iterable[tuple[int, int]] = ()
) -> tuple[list[int], list[tuple[int, int]]]:
    """Sorted qubits and couplers (u < v) without the dead ones.

    Raises:
        UsageError: a dead qubit or coupler that the graph does not have.
    """
    nodes, edges = _full(kind, tuple(shape))
    lost, cut = set(dead_qubits), {(min(e), max(e)) for e in dead_couplers}
    if strange := (lost - set(nodes)) or (cut - set(edges)):
        raise UsageError.of("dead qubits or couplers", sorted(strange)[:5], "members of the graph", "Check the labels.")
    alive = [q for q in nodes if q not in lost]
    return alive, [e for e in edges if e[0] not in lost and e[1] not in lost and e not in cut]


def num_qubits(kind: str, shape: Sequence[int]) -> int:
    """D-Wave's ``num_qubits``: labels run below it, working or not."""
    if kind == "pegasus":
        return 24 * shape[0] * (shape[0] - 1)
    return max(_full(kind, tuple(shape))[0], default=-1) + 1
