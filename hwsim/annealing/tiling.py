"""Disjoint embeddings of one complete graph, side by side on one chip.

Parallel copies of a problem (X-ResQ's levels of parallelism) need as many embeddings that share no qubit. The
clique is embedded once in a small tile of the same topology by minorminer, and the smallest embedding found is
moved over the chip by the topology's own translations; copies that touch a missing qubit or coupler are left out.

On a P16 chip, K16 (four users, 16-QAM) takes 38 qubits with chains of at most 3; on a Z12 chip 32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hwsim.ir.errors import UsageError

Embedding = dict[int, tuple[int, ...]]

TRIES = 16  # seeds of the heuristic; its best of 16 varies by at most one qubit for K8 to K32
MAX_TILE = 8


def qubits_of(embedding: Mapping[Any, Iterable[int]]) -> list[int]:
    """Qubits of all chains, sorted."""
    return sorted(q for chain in embedding.values() for q in chain)


def disjoint_cliques(graph: Any, n: int, copies: int, seed: int = 0) -> list[Embedding]:
    """`copies` embeddings of the complete graph on 0…n−1 in `graph`, no two of which share a qubit.

    Args:
        graph: a Pegasus or Zephyr networkx graph (as `dwave.graphs` makes them); qubits and couplers may miss.
        n: variables of the clique, n ≥ 1.
        copies: how many; at least 1.
        seed: of the embedding heuristic.

    Returns:
        One dict a copy: variable → chain of qubits; all copies have the same chain lengths.

    Raises:
        UsageError: another topology, n or copies below 1, or fewer places on the chip than copies.

    Example:
        >>> from dwave.graphs import pegasus_graph
        >>> found = disjoint_cliques(pegasus_graph(6), 8, 6)
        >>> len(found), len(set().union(*map(qubits_of, found))) == sum(len(qubits_of(e)) for e in found)
        (6, True)
    """
    if n < 1 or copies < 1:
        raise UsageError.of("disjoint cliques", f"{copies} of {n} variables", "1 or more of each", "Ask for some.")
    make, mappings = _topology(graph)
    best: list[Embedding] = []
    for tile in range(2, MAX_TILE + 1):
        small = _smallest(make(tile), n, seed)
        if small is None:
            continue
        best = max(best, _placed(small, mappings(make(tile), graph), graph, copies), key=len)
        if len(best) >= copies:
            return best
        if tile >= graph.graph["rows"]:
            break
    raise UsageError.of(
        f"disjoint embeddings of a clique of {n}",
        f"{len(best)} places",
        f"{copies}",
        "Take a larger chip or fewer copies.",
    )


def _topology(graph: Any) -> tuple[Callable[[int], Any], Callable[[Any, Any], Iterable[Callable[[int], int]]]]:
    """The graph maker of the chip's topology and its translations from a tile to the chip."""
    from dwave import graphs

    known = {
        "pegasus": (graphs.pegasus_graph, graphs.pegasus_sublattice_mappings),
        "zephyr": (graphs.zephyr_graph, graphs.zephyr_sublattice_mappings),
    }
    family = getattr(graph, "graph", {}).get("family")
    if family not in known:
        raise UsageError.of("chip graph", f"family {family!r}", "'pegasus' or 'zephyr'", "Make it with dwave.graphs.")
    make, mappings = known[family]
    return make, mappings


def _smallest(tile: Any, n: int, seed: int) -> Embedding | None:
    """The embedding of K_n in `tile` with the fewest qubits (then the shortest longest chain) among `TRIES`."""
    import minorminer
    import networkx as nx

    if n > len(tile):
        return None
    edges = nx.complete_graph(n).edges if n > 1 else [(0, 0)]
    found: list[Embedding] = []
    for attempt in range(TRIES):
        chains = minorminer.find_embedding(
            edges, tile.edges, random_seed=seed + attempt, threads=1, tries=2, timeout=60
        )
        if chains:
            found.append({int(v): tuple(int(q) for q in chain) for v, chain in sorted(chains.items())})
    return min(found, key=_size, default=None)


def _size(embedding: Embedding) -> tuple[int, int]:
    return len(qubits_of(embedding)), max(map(len, embedding.values()))


def _placed(small: Embedding, moves: Iterable[Callable[[int], int]], chip: Any, copies: int) -> list[Embedding]:
    """Copies of `small` at the chip's places, in order, each with all its qubits and couplers and none used before."""
    used: set[int] = set()
    placed: list[Embedding] = []
    for move in moves:
        moved = {v: tuple(move(q) for q in chain) for v, chain in small.items()}
        qubits = set(qubits_of(moved))
        if qubits & used or not _holds(chip, moved):
            continue
        placed.append(moved)
        used |= qubits
        if len(placed) == copies:
            break
    return placed


def _holds(chip: Any, embedding: Embedding) -> bool:
    """Every chain is connected on the chip and every two chains are coupled."""
    if not all(q in chip for q in qubits_of(embedding)):
        return False
    if not all(_connected(chip, chain) for chain in embedding.values()):
        return False
    chains = list(embedding.values())
    return all(
        any(chip.has_edge(p, q) for p in chains[i] for q in chains[j])
        for i in range(len(chains))
        for j in range(i + 1, len(chains))
    )


def _connected(chip: Any, chain: tuple[int, ...]) -> bool:
    reached, front = {chain[0]}, [chain[0]]
    while front:
        q = front.pop()
        new = [p for p in chain if p not in reached and chip.has_edge(q, p)]
        reached.update(new)
        front += new
    return len(reached) == len(chain)
