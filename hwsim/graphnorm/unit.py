"""The statistics unit cycle by cycle in closed form: codes, cycles and events of a batch of graphs.

Codes come from a compiled kernel that equals `GraphNormUnit.reference`; cycles from `GraphnormArch`, which the RTL
confirms. Events are what moves for each code of a channel:

| event | times | what |
|---|---|---|
| square_mults, sum_adds | n · C, 2 · n · C | while a graph is loaded |
| buffer_writes, buffer_reads | n · C | one code each |
| settle_mults | 5 · C a graph | S₁², n·S₂, κ·S₁², α·S₁, r·gain |
| out_mults, out_adds | 2 · n · C | n·a and the factor; two subtractions and additions |
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hwsim.core.counters import Counters
from hwsim.core.energy import energy_of
from hwsim.core.result import SimResult
from hwsim.graphnorm.kernels import normalise
from hwsim.ir.arch.graphnorm import GraphnormArch
from hwsim.ir.graph_norm import GraphNormUnit

TECH = "cmos45"
PRICES = {
    "square_mults": "mul_int16", "sum_adds": "add_int32", "settle_mults": "mul_int32", "out_mults": "mul_int32",
    "out_adds": "add_int32",
}  # fmt: skip


def codes(unit: GraphNormUnit, a: Any, sizes: Any, layer: int = 0) -> np.ndarray:
    """y int64 [nodes, channels], as `GraphNormUnit.reference`, compiled.

    Raises:
        ShapeError: codes, sizes or a layer that do not fit the unit.
    """
    a, sizes = unit.check_codes(a, sizes, layer)
    y = np.empty_like(a)
    formats = np.array([unit.alpha_fraction, unit.table_bits, unit.keep, unit.shift, unit.lo, unit.hi], np.int64)
    alpha, kappa, gain, offset = (
        np.ascontiguousarray(part[layer]) for part in (unit.alpha, unit.kappa, unit.gain, unit.offset)
    )
    normalise(np.ascontiguousarray(a), sizes, alpha, kappa, gain, offset, unit.table, formats, y)
    return y


def simulate(unit: GraphNormUnit, a: Any, sizes: Any, layer: int = 0, arch: GraphnormArch | None = None) -> SimResult:
    """Graphs sent back to back through the unit, nobody waiting.

    Args:
        unit: parameters.   a: codes [nodes, channels].   sizes: nodes of each graph.   layer: whose parameters.
        arch: lanes; default `GraphnormArch()`.

    Returns:
        Codes, cycles from the first beat in to the last one out, events; `latency_cycles` of a graph's first beat, and
        `initiation_interval` of graphs, are those of the first graph (0 without graphs).

    Raises:
        ShapeError: codes that do not fit.   UsageError: lanes that do not divide the channels.

    Example:
        >>> one = np.ones((1, 1), np.int64)
        >>> unit = GraphNormUnit(one << 8, one * 16, one * 0, in_bits=8, max_nodes=4, shift=12)
        >>> run = simulate(unit, np.array([[-3], [5], [7]]), np.array([2, 1]), arch=GraphnormArch(1))
        >>> run.outputs.ravel().tolist(), run.cycles
        ([-255, 255, 0], 26)
    """
    arch = arch or GraphnormArch()
    y = codes(unit, a, sizes, layer)
    sizes, channels = np.asarray(sizes, np.int64), unit.channels
    intervals, total, graphs = arch.intervals(sizes, channels), y.size, len(sizes) * channels
    counters = Counters(
        square_mults=total, sum_adds=2 * total, buffer_writes=total, buffer_reads=total, settle_mults=5 * graphs,
        out_mults=2 * total, out_adds=2 * total,
    )  # fmt: skip
    first = int(intervals[0]) if len(sizes) else 0
    latency = first - int(sizes[0]) * arch.groups(channels) + 4 if len(sizes) else 0
    return SimResult(
        y, arch.cycles(sizes, channels), latency, first, counters, "numba",
        energy=energy_of({k: v for k, v in counters.items() if v}, TECH, PRICES),
    )  # fmt: skip
