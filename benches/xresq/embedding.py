"""Six disjoint copies of the 4 × 6, 16-QAM problem on a chip: qubits, chains, and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from benches.runner import Context
from hwsim.annealing.tiling import Embedding, disjoint_cliques, qubits_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SPINS, LEVELS = 16, 6  # four users, two axes, two spins an axis; the paper's fully parallel setting
CHIPS = {"pegasus": 16, "zephyr": 12}  # Advantage and Advantage2


def chip(family: str) -> Any:
    """The working graph of an Advantage or Advantage2 chip without missing qubits."""
    from dwave import graphs

    make = {"pegasus": graphs.pegasus_graph, "zephyr": graphs.zephyr_graph}[family]
    return make(CHIPS[family])


def measure(ctx: Context[Any]) -> None:
    """Qubits of `LEVELS` copies on both topologies, the longest chain, and a clique template's count beside it."""
    from minorminer.busclique import find_clique_embedding

    for family in CHIPS:
        graph = chip(family)
        copies = disjoint_cliques(graph, SPINS, LEVELS, seed=ctx.seed)
        qubits = sum(len(qubits_of(copy)) for copy in copies)
        longest = max(len(chain) for copy in copies for chain in copy.values())
        template = LEVELS * len(qubits_of(find_clique_embedding(SPINS, graph)))
        suffix = "" if family == "pegasus" else f"_{family}"
        method = f"{LEVELS} disjoint K{SPINS} on {family} {CHIPS[family]}, chains of at most {longest}"
        ctx.metric(f"xresq_qubits_4x6_p6{suffix}", qubits, "qubits", method=method)
        ctx.metric(f"template_qubits_4x6_p6{suffix}", template, "qubits", method="the same from clique templates")


def draw(axes: Axes, graph: Any, copies: Sequence[Embedding]) -> None:
    """The part of the chip that the copies use: couplers grey, every copy in a colour, its chains as thick lines."""
    from dwave import graphs
    from matplotlib.collections import LineCollection

    layout = graphs.pegasus_layout(graph)
    used = np.array([layout[q] for copy in copies for q in qubits_of(copy)])
    low, high = used.min(axis=0) - 0.01, used.max(axis=0) + 0.01
    inside = {q for q, place in layout.items() if (place >= low).all() and (place <= high).all()}
    axes.add_collection(LineCollection(_segments(layout, graph, inside), colors="0.85", linewidths=0.3))
    axes.plot(*np.array([layout[q] for q in inside]).T, "o", color="0.75", markersize=2)
    for i, copy in enumerate(copies):
        colour = f"C{i}"
        for chain in copy.values():
            axes.add_collection(LineCollection(_segments(layout, graph, set(chain)), colors=colour, linewidths=2.0))
        places = np.array([layout[q] for q in qubits_of(copy)])
        axes.plot(*places.T, "o", color=colour, markersize=4, label=f"level {i + 1}")
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), xticks=[], yticks=[], aspect="equal")
    axes.legend(ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.01))


def _segments(layout: Any, graph: Any, nodes: set[int]) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(layout[p], layout[q]) for p, q in graph.subgraph(nodes).edges]
