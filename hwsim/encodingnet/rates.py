"""Toggle rates of an array from the statistics of its operands.

Operands of one layer are drawn from its distributions, independent from row to row; toggles of the column's wires are
counted on a few sampled folds (`ColumnActivity`), those of operand registers are exact expectations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from hwsim.encodingnet.activity import PARTS, ColumnActivity
from hwsim.encodingnet.operands import checked_distribution
from hwsim.ir.arch.encodingnet import EncodingnetArch
from hwsim.ir.arch.encodingnet_cells import cell_codes
from hwsim.ir.encoding import Encoding

SAMPLED_FOLDS, SAMPLED_ROWS = 3, 256


@dataclass(frozen=True, eq=False)
class OperandStats:
    """Probabilities of the bit patterns of activations p_x [2^a] and weights p_w [2^b]; None = uniform."""

    p_x: np.ndarray | None = None
    p_w: np.ndarray | None = None

    @classmethod
    def of(cls, x: np.ndarray, w: np.ndarray, encoding: Encoding) -> Self:
        """Histograms of codes.

        Raises:
            ShapeError: codes out of range.
        """
        counts = [
            np.bincount(encoding.check_codes(codes, side).ravel(), minlength=1 << bits).astype(np.float64)
            for codes, side, bits in ((x, "x", encoding.x_bits), (w, "w", encoding.w_bits))
        ]
        return cls(*(count if count.sum() else None for count in counts))


@dataclass(frozen=True, eq=False)
class Rates:
    """Expected toggles.

    Attributes:
        wires: float64 [2, 3, parts]: used or idle column; weights loaded once, first and last activation, one step
            between two activations; `PARTS`.
        activation: (first and last activation, one step), toggles of one row's register in one column.
        weight: toggles of one cell's register when its weight is replaced.
    """

    wires: np.ndarray
    activation: tuple[float, float]
    weight: float


def rates(activity: ColumnActivity, stats: OperandStats, used_rows: int, seed: int = 0) -> Rates:
    """Rates of a column with `used_rows` products.

    Raises:
        ShapeError: distributions of other lengths than the encoding's tables.
    """
    encoding, arch = activity.encoding, activity.arch
    p_x = checked_distribution(stats.p_x, encoding.x_bits, "x")
    p_w = checked_distribution(stats.p_w, encoding.w_bits, "w")
    rng = np.random.default_rng(seed)
    shape = (SAMPLED_FOLDS + 1, used_rows)
    w = np.zeros((SAMPLED_FOLDS + 1, arch.rows), np.uint16)
    x = np.zeros((SAMPLED_FOLDS, SAMPLED_ROWS, arch.rows), np.uint16)
    w[:, :used_rows] = rng.choice(len(p_w), shape, p=p_w)
    x[:, :, :used_rows] = rng.choice(len(p_x), (*x.shape[:2], used_rows), p=p_x)
    wires = np.zeros((2, 3, len(PARTS)))
    for column, weights in enumerate((w, np.zeros_like(w))):
        for old, new, rows in zip(weights[:-1], weights[1:], x, strict=True):
            xs, ws, phases = states(arch, old, new, rows)
            wires[column] += activity.toggles(xs, ws, phases).T
    wires /= SAMPLED_FOLDS
    wires[:, 2] /= SAMPLED_ROWS - 1
    cells = activity.cells
    x_codes = cell_codes(encoding, cells.x_code, "x")
    edge = 2 * float(np.bitwise_count(x_codes ^ x_codes[0]) @ p_x)
    step, weight = _change(x_codes, p_x), _change(cell_codes(encoding, cells.w_code, "w"), p_w)
    return Rates(wires, (edge, step), weight)


def states(
    arch: EncodingnetArch, old: np.ndarray, new: np.ndarray, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """States that a column's wires go through in one fold, weights `old` [R] to `new` [R], activations x [T, R].

    Code 0 stands at the activations while weights are loaded and after the last one. Encoded columns take new weights
    row by row. Down a systolic column every wave of partial sums meets old weights only or new ones only, because
    the weight of row r is written in the cycle in which the wave of the first one passes it.

    Returns:
        x and w of every state, uint16 [S, R], and three masks [S]: loading, first and last activation, between them.
    """
    rows, t = arch.rows, len(x)
    loads = 1 if arch.style == "systolic" else rows
    xs = np.zeros((loads + t + 2, rows), np.uint16)
    xs[loads + 1 : loads + 1 + t] = x
    ws = np.repeat(new[None].astype(np.uint16), len(xs), axis=0)
    ws[0] = old
    if loads > 1:
        later = np.arange(rows)[None, :] > np.arange(rows)[:, None]
        ws[1 : rows + 1][later] = np.broadcast_to(old, (rows, rows))[later]
    at = np.arange(len(xs))
    load, edge = (at > 0) & (at <= loads), (at == loads + 1) | (at == loads + 1 + t)
    return xs, ws, [load, edge, (at > loads) & ~edge]


def _change(codes: np.ndarray, p: np.ndarray) -> float:
    """Expected toggled bits between two independent draws: Σ over bits of 2·P(1)·P(0)."""
    ones = np.array([((codes >> np.uint64(i)) & np.uint64(1)).astype(float) @ p for i in range(64)])
    return float((2 * ones * (1 - ones)).sum())
