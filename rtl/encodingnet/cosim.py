"""The array in simulation: folds in as operands, sums and cycles out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hwsim.ir.arch.encodingnet import EncodingnetArch
from hwsim.ir.encoding import Encoding
from hwsim.ir.errors import check_shape
from rtl.cosim.verilate import CosimRun, Verilated
from rtl.encodingnet.array import lanes

Fold = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What the RTL gave for a row of folds.

    Attributes:
        sums: int64 [T, C] of each fold, T(0, 0) of unused rows included.
        cycles: of each fold, from its first weight to the cycle that writes its last sum, both included.
        run: the ports, cycle by cycle.
    """

    sums: list[np.ndarray]
    cycles: list[int]
    run: CosimRun


def beats(encoding: Encoding, arch: EncodingnetArch, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Input beats uint16 [R + T, lanes] of a fold: activation codes x [T, ≤ R], weight codes w [≤ C, ≤ R].

    Raises:
        ShapeError: more than R products or C outputs, or codes out of range.
    """
    x, w = encoding.check_codes(x, "x"), encoding.check_codes(w, "w")
    check_shape("w", w.shape, "[outputs, products]", (None, x.shape[1]))
    n, k = w.shape
    if k > arch.rows or n > arch.cols:
        check_shape("w", w.shape, "[≤ C, ≤ R]", (arch.cols, arch.rows))
    rows = np.zeros((arch.rows + len(x), lanes(arch)), np.uint16)
    rows[:k, :n] = w.T
    rows[: arch.rows, -1] = 1
    rows[arch.rows :, :k] = x
    return rows


def stream(
    dut: Verilated,
    encoding: Encoding,
    arch: EncodingnetArch,
    folds: Sequence[Fold],
    rates: tuple[float, float] = (1.0, 1.0),
    seed: int = 0,
    trace: str | None = None,
) -> Outcome:
    """Run folds (x, w) back to back.

    Args:
        dut: the Verilated `rtl.encodingnet.build(encoding, arch)`.
        rates: chances, in a cycle, of offering a beat and of taking one; 1 is always.
        seed: of these chances.   trace: VCD file to write.

    Raises:
        ShapeError: operands that do not fit.
    """
    parts = [beats(encoding, arch, x, w) for x, w in folds]
    total = sum(arch.fold_cycles(len(x)) for x, _ in folds) + arch.array_latency + 1
    limit = int(2 * total / min(rates)) + 50
    rng = np.random.default_rng(seed)
    offers, takes = (rng.random(limit) < rate for rate in rates)
    run = dut.run(np.concatenate(parts), in_valid=offers, out_ready=takes, trace=trace, trace_cycles=limit)
    entered, left = np.flatnonzero(run.in_fire), np.flatnonzero(run.out_fire)
    width = arch.width(encoding)
    y = run.outputs.astype(np.int64)
    y -= (y >> (width - 1)) << width
    ends = np.cumsum([len(x) for x, _ in folds])
    starts = entered[np.cumsum([0, *map(len, parts[:-1])])]
    cycles = left[ends - 1] - starts  # the last sum is shown one cycle after it was written
    return Outcome(np.split(y, ends[:-1]), cycles.tolist(), run)
