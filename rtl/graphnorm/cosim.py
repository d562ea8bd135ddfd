"""The unit in simulation: graphs in, codes and cycles out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwsim.ir.arch.graphnorm import GraphnormArch
from hwsim.ir.graph_norm import GraphNormUnit
from rtl.cosim.verilate import CosimRun, Verilated


@dataclass(frozen=True, eq=False)
class Outcome:
    """What the RTL gave for a row of graphs.

    Attributes:
        outputs: y int64 [nodes, channels].
        cycles: from the first beat in to the last one out, both counted.
        intervals: cycles from each graph's first beat to the next one's.
        run: the ports, cycle by cycle.
    """

    outputs: np.ndarray
    cycles: int
    intervals: list[int]
    run: CosimRun


def beats(unit: GraphNormUnit, arch: GraphnormArch, a: np.ndarray, sizes: np.ndarray, layer: int = 0) -> np.ndarray:
    """Input beats uint16 [nodes·Q, L + 1] of graphs; raises `ShapeError` when they do not fit."""
    a, sizes = unit.check_codes(a, sizes, layer)
    q = arch.groups(unit.channels)
    rows = np.empty((len(a) * q, arch.lanes + 1), np.uint16)
    rows[:, :-1] = a.reshape(len(a) * q, arch.lanes) & ((1 << unit.in_bits) - 1)
    rows[:, -1] = 2 * layer
    rows[np.cumsum(sizes) * q - 1, -1] += 1
    return rows


def stream(
    dut: Verilated,
    unit: GraphNormUnit,
    arch: GraphnormArch,
    a: np.ndarray,
    sizes: np.ndarray,
    layer: int = 0,
    rates: tuple[float, float] = (1.0, 1.0),
    seed: int = 0,
    trace: str | None = None,
) -> Outcome:
    """Send graphs back to back.

    Args:
        dut: the Verilated `rtl.graphnorm.build(unit, arch)`.
        a: codes [nodes, channels].   sizes: nodes of each graph.   layer: whose parameters.
        rates: chances, in a cycle, of offering a beat and of taking one; 1 is always.   seed: of these chances.
        trace: VCD file to write.

    Raises:
        ShapeError: codes that do not fit the unit.
    """
    rows = beats(unit, arch, a, sizes, layer)
    limit = int(2 * arch.cycles(sizes, unit.channels) / min(rates)) + 50
    rng = np.random.default_rng(seed)
    offers, takes = (rng.random(limit) < rate for rate in rates)
    run = dut.run(rows, in_valid=offers, out_ready=takes, trace=trace, trace_cycles=limit)
    entered, left = np.flatnonzero(run.in_fire), np.flatnonzero(run.out_fire)
    width = unit.out_bits
    y = run.outputs.astype(np.int64)
    y -= (y >> (width - 1)) << width
    q = arch.groups(unit.channels)
    starts = entered[(np.cumsum(sizes) - sizes) * q]
    return Outcome(y.reshape(-1, unit.channels), int(left[-1] - entered[0]) + 1, np.diff(starts).tolist(), run)
