"""The scorer in simulation: queries and documents in, neighbours and cycles out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hwsim.ir.arch.semsearch import HammingArch
from rtl.cosim.verilate import CosimRun, Verilated

FINAL = 1 << 31


@dataclass(frozen=True, eq=False)
class Outcome:
    """What the RTL gave for a row of runs.

    Attributes:
        numbers, distances: int64 [≤ k] of each run, nearest first.
        cycles: of each, from its first beat to its last result, both included.
        run: the ports, cycle by cycle.
    """

    numbers: list[np.ndarray]
    distances: list[np.ndarray]
    cycles: list[int]
    run: CosimRun


def stream(
    dut: Verilated,
    arch: HammingArch,
    runs: Sequence[tuple[np.ndarray, np.ndarray]],
    rates: tuple[float, float] = (1.0, 1.0),
    seed: int = 0,
    trace: str | None = None,
) -> Outcome:
    """Send runs back to back.

    Args:
        dut: the Verilated `rtl.semsearch.build(arch)`.
        runs: (query 0/1 [D], documents 0/1 [n, D]).
        rates: chances, in a cycle, of offering a beat and of taking one; 1 is always.
        seed: of these chances.   trace: VCD file to write.

    Raises:
        ShapeError, UsageError: codes that do not fit `arch`.
    """
    parts = [arch.beats(query, documents) for query, documents in runs]
    limit = int(2 * sum(arch.cycles(len(documents)) + 4 for _, documents in runs) / min(rates)) + 50
    rng = np.random.default_rng(seed)
    offers, takes = (rng.random(limit) < rate for rate in rates)
    run = dut.run(np.concatenate(parts), in_valid=offers, out_ready=takes, trace=trace, trace_cycles=limit)
    entered, left = np.flatnonzero(run.in_fire), np.flatnonzero(run.out_fire)
    numbers, marked = run.outputs.astype(np.int64).T
    ends = np.flatnonzero(marked & FINAL)
    starts = entered[np.cumsum([0, *map(len, parts[:-1])])]
    cuts = ends[:-1] + 1
    cycles = left[ends] - starts[: len(ends)] + 1
    return Outcome(np.split(numbers, cuts), np.split(marked & ~FINAL, cuts), cycles.tolist(), run)
