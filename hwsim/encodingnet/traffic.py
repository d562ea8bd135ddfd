"""Cycles and memory traffic of matrix products on an array, fold by fold.

Order of folds as in SCALE-Sim: columns of outputs outside, products of a sum inside, so that the sums of one group of
C outputs are finished before the next group starts. One *word* is one operand code or one accumulator.

| traffic | weight stationary, a fold | output stationary, a fold |
|---|---|---|
| activations read | T · used rows | systolic: used rows · K; encoded: T · K |
| weights read | used rows · used columns | systolic: K · used columns; encoded: T · K · used columns |
| sums written (read) | T · used columns (again, but for the first fold of a group) | outputs, once (never) |

DRAM: every operand once, activations once a group of columns where they exceed their memory, weights likewise where
they are read again (output stationary), unfinished sums out and in where T · C accumulators exceed theirs. Half of
each memory is being filled while the other half is read.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from hwsim.encodingnet.shapes import GemmShape
from hwsim.ir.arch.encodingnet import EncodingnetArch
from hwsim.ir.encoding import Encoding

(CYCLES, STALLS, FOLDS, USED, X_READS, W_READS, Y_READS, Y_WRITES, DRAM_READ, DRAM_WRITE, FULL_ROWS, PART_ROWS,
 IDLE_COLS, IDLE_PART, STEPS) = range(15)  # fmt: skip


@dataclass(frozen=True)
class Traffic:
    """Totals of a layer, all groups and repeats.

    Attributes:
        cycles: waits for DRAM included; `stall_cycles` of them.
        folds: fold count.
        mapped: Σ over folds of cells that hold a product; of R·C·folds this is the mapping efficiency.
        x_reads, w_reads, y_reads, y_writes: words at the three memories.
        dram_read_bytes, dram_write_bytes: bytes behind them.
        columns: int64 [2, 2], column·folds: first index full or partial rows, second used or idle columns.
    """

    cycles: int
    stall_cycles: int
    folds: int
    mapped: int
    x_reads: int
    w_reads: int
    y_reads: int
    y_writes: int
    dram_read_bytes: int
    dram_write_bytes: int
    columns: np.ndarray


@njit(cache=True, nogil=True)
def _weight_stationary(t, k, n, rows, cols, fold_cycles, widths, fits, rate, out):
    """widths: bytes of an activation, weight, accumulator; fits: activations, sums; rate: DRAM bytes a cycle or 0."""
    for first in range(0, n, cols):
        used_cols = min(cols, n - first)
        for at in range(0, k, rows):
            used_rows = min(rows, k - at)
            read = used_rows * used_cols * widths[1]
            if first == 0 or not fits[0]:
                read += t * used_rows * widths[0]
            written = 0.0
            if not fits[1] and at > 0:
                read += t * used_cols * widths[2]
            if not fits[1] or at + rows >= k:
                written = t * used_cols * widths[2]
            wait = max(0, int(np.ceil((read + written) / rate)) - fold_cycles) if rate > 0 else 0
            out[CYCLES] += fold_cycles + wait
            out[STALLS] += wait
            out[FOLDS] += 1
            out[USED] += used_rows * used_cols
            out[X_READS] += t * used_rows
            out[W_READS] += used_rows * used_cols
            out[Y_READS] += t * used_cols if at else 0
            out[Y_WRITES] += t * used_cols
            out[DRAM_READ] += int(read)
            out[DRAM_WRITE] += int(written)
            part = 1 if used_rows < rows else 0
            out[FULL_ROWS + part] += used_cols
            out[IDLE_COLS + part] += cols - used_cols


@njit(cache=True, nogil=True)
def _output_stationary(t, k, n, rows, cols, systolic, fold_cycles, widths, fits, rate, out):
    """As `_weight_stationary`; fits: activations, weights."""
    step = rows if systolic else t
    for first in range(0, n, cols):
        used_cols = min(cols, n - first)
        for at in range(0, t, step):
            used = min(step, t - at)
            read = 0.0
            if first == 0 or not fits[0]:
                read += used * k * widths[0]
            if at == 0 or not fits[1]:
                read += k * used_cols * widths[1]
            written = used * used_cols * widths[2]
            wait = max(0, int(np.ceil((read + written) / rate)) - fold_cycles) if rate > 0 else 0
            out[CYCLES] += fold_cycles + wait
            out[STALLS] += wait
            out[FOLDS] += 1
            out[USED] += (used if systolic else min(rows, k)) * used_cols
            out[X_READS] += used * k
            out[W_READS] += k * used_cols * (1 if systolic else t)
            out[Y_WRITES] += used * used_cols
            out[DRAM_READ] += int(read)
            out[DRAM_WRITE] += int(written)
            out[FULL_ROWS] += used_cols
            out[IDLE_COLS] += cols - used_cols


def traffic(shape: GemmShape, encoding: Encoding, arch: EncodingnetArch) -> Traffic:
    """Cycles and words of one layer.

    Example (SCALE-Sim: 27 954 cycles, 1 679 616 activations and 36 864 weights read):
        >>> from hwsim.encodingnet.encodings import exact
        >>> from hwsim.encodingnet.shapes import conv
        >>> total = traffic(conv("conv2", 56, 64, 64, 3), exact(8, 8), EncodingnetArch(style="systolic"))
        >>> total.cycles, total.x_reads, total.w_reads, total.y_writes
        (27954, 1679616, 36864, 1679616)
    """
    t, k, n = shape.t, shape.k, shape.n
    widths = np.array([encoding.x_bits / 8, encoding.w_bits / 8, arch.accumulator_bits / 8])
    room = np.array([arch.x_kib, arch.w_kib, arch.y_kib]) * 512.0  # half of each
    out = np.zeros(STEPS, np.int64)
    cycles, rate = arch.fold_cycles(t, k), arch.dram_bytes_per_cycle or 0.0
    if arch.dataflow == "ws":
        fits = np.array([t * k * widths[0] <= room[0], t * min(n, arch.cols) * widths[2] <= room[2]])
        _weight_stationary(t, k, n, arch.rows, arch.cols, cycles, widths, fits, rate, out)
    else:
        fits = np.array([t * k * widths[0] <= room[0], k * min(n, arch.cols) * widths[1] <= room[1]])
        _output_stationary(t, k, n, arch.rows, arch.cols, arch.style == "systolic", cycles, widths, fits, rate, out)
    out *= shape.groups * shape.repeats
    columns = np.array([[out[FULL_ROWS], out[IDLE_COLS]], [out[PART_ROWS], out[IDLE_PART]]])
    cycles, stalls, folds, used, x, w, y_in, y_out, dram_in, dram_out = (int(value) for value in out[:FULL_ROWS])
    return Traffic(cycles, stalls, folds, used, x, w, y_in, y_out, dram_in, dram_out, columns)
