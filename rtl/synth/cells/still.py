"""Nets that hold still while a design works: what is loaded once, such as weights, and logic of it alone."""

from __future__ import annotations

from collections.abc import Sequence

import numba as nb
import numpy as np

from hwsim.ir.errors import UsageError
from rtl.synth.cells.graph import Graph


def still_nets(graph: Graph, ports: Sequence[str]) -> np.ndarray:
    """bool [n_nets]: `ports`, registers that load from them and otherwise hold, and gates of such nets alone.

    A register is taken to hold when its data depends on still nets and on itself only, and a port in `ports` reaches it
    (so that counters, which no port loads, are not). One that accumulates a still value would be taken for still too.

    Raises:
        UsageError: a port that is no input.
    """
    netlist = graph.netlist
    if unknown := [port for port in ports if port not in netlist.inputs]:
        raise UsageError.of("still port", unknown[0], f"one of {sorted(netlist.inputs)}", "Name inputs.")
    moving, reached = np.zeros(netlist.n_nets, bool), np.zeros(netlist.n_nets, bool)
    for port, nets in netlist.inputs.items():
        (reached if port in ports else moving)[nets] = True
    arguments = (graph.out, graph.offsets, graph.fan_in, graph.data, graph.q_register, graph.q_net)
    _spread(moving, *arguments)
    _spread(reached, *arguments)
    return reached & ~moving


@nb.njit(cache=True)
def _spread(mark, out, offsets, fan_in, data, q_register, q_net):
    """Marks every net that a marked one reaches, through gates and registers."""
    changed = True
    while changed:
        changed = False
        for g in range(len(out)):
            if not mark[out[g]]:
                for e in range(offsets[g], offsets[g + 1]):
                    if mark[fan_in[e]]:
                        mark[out[g]] = True
                        break
        for q in range(len(q_net)):
            if mark[data[q_register[q]]] and not mark[q_net[q]]:
                mark[q_net[q]] = changed = True
