"""The detector in simulation: problems in as words, records and cycles out.

A run's cycles count from its first input word to its last output word, both included, as `XresqArch.cycles` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hwsim.ir.arch.xresq import ChipRecord, XresqArch
from hwsim.ir.mimo_ising import MimoIsing
from rtl.cosim.verilate import CosimRun, Verilated


@dataclass(frozen=True, eq=False)
class Outcome:
    """What the RTL gave for a row of problems.

    Attributes:
        records: result of each problem.
        cycles: of each.
        gaps: cycles from one problem's first word to the next one's.
        run: the ports, cycle by cycle.
    """

    records: list[ChipRecord]
    cycles: list[int]
    gaps: list[int]
    run: CosimRun


def stream(
    dut: Verilated,
    arch: XresqArch,
    problems: Sequence[MimoIsing],
    rates: tuple[float, float] = (1.0, 1.0),
    seed: int = 0,
    trace: str | None = None,
) -> Outcome:
    """Send problems back to back.

    Args:
        dut: the Verilated `rtl.xresq.build(arch)`.
        arch: its sizes.
        problems: at least one; they must fit `arch`.
        rates: chances, in a cycle, of offering a word and of taking one; 1 is always.
        seed: of these chances.
        trace: VCD file to write.

    Raises:
        ArtifactError: a problem does not fit `arch`.
    """
    beats = [arch.pack(problem) for problem in problems]
    words = sum(map(len, beats)) + arch.result_beats * len(problems)
    limit = int(sum(arch.cycles(p.sweeps) for p in problems) + 2 * words / min(rates))
    rng = np.random.default_rng(seed)
    offers, takes = (rng.random(limit + 50) < rate for rate in rates)
    run = dut.run(np.concatenate(beats), in_valid=offers, out_ready=takes, trace=trace, trace_cycles=limit)
    entered, left = np.flatnonzero(run.in_fire), np.flatnonzero(run.out_fire)
    size = arch.result_beats
    records = [arch.unpack(run.outputs[k * size : (k + 1) * size]) for k in range(len(problems))]
    starts = entered[np.cumsum([0, *map(len, beats[:-1])])]
    cycles = left[size - 1 :: size] - starts + 1
    return Outcome(records, cycles.tolist(), np.diff(starts).tolist(), run)
