"""Counting ones with LUT6: a tree of generalised parallel counters.

A counter (a, b, c; o) reads a bits of weight w, b of weight 2w and c of weight 4w, six or fewer together, and
writes their sum a + 2b + 4c as o bits of weights w, 2w, …: o LUT6, one LUT level. Every counter keeps the weighted
sum of the bits that are left, so that the last bit of each weight is the count in binary, whatever order the
counters are placed in (Parandeh-Afshar, Brisk and Ienne, 2008: compressor trees on LUTs).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from hwsim.ir.errors import UsageError
from hwsim.ir.gates import GateNetlist
from rtl.synth.lutmap.builder import Builder

_SHAPES = tuple(s for s in product(range(2, 7), range(5), range(5)) if sum(s) <= 6 and (s[1] or not s[2]))
_WORTH = 2 / 3  # bits saved a LUT; less is worth it only for the last carries


@dataclass(frozen=True)
class _Move:
    """A counter at column `w`: what it reads of columns w, w + 1, w + 2, and how many bits it writes."""

    w: int
    reads: tuple[int, ...]
    writes: int

    @property
    def worth(self) -> tuple[float, int, int]:
        """Bits saved a LUT, bits saved; the lowest column first."""
        saved = sum(self.reads) - self.writes
        return saved / self.writes, saved, -self.w


def count_ones(width: int) -> GateNetlist:
    """LUT6 netlist of the number of ones among `width` bits: inputs i0…, outputs o0… with the lowest bit first.

    >>> netlist = count_ones(6)
    >>> netlist.n_nodes, netlist.depth, netlist.reference(np.array([[1, 0, 1, 1, 1, 1]])).tolist()
    (3, 1, [[1, 0, 1]])

    Raises:
        UsageError: a width below 1.
    """
    if width < 1:
        raise UsageError.of("bits to count", width, "1 or more", "Pass the number of bits.")
    builder = Builder(width)
    columns: list[list[int]] = [[2 * i for i in range(width)], *([] for _ in range(width.bit_length() - 1))]
    level = 0
    while any(len(column) > 1 for column in columns):
        ready = [[x for x in column if builder.level[x >> 1] <= level] for column in columns]
        while move := _next(ready, columns):
            _place(builder, move, ready, columns)
        level += 1
    return builder.netlist([column[0] for column in columns])


def _next(ready: list[list[int]], columns: list[list[int]]) -> _Move | None:
    """The counter that saves most bits a LUT; None where no counter pays at this level."""
    moves = []
    for w, column in enumerate(ready):
        heights = [*(len(bits) for bits in ready[w : w + 3]), 0, 0]
        for shape in _SHAPES if len(column) > 1 else ():
            if all(need <= height for need, height in zip(shape, heights, strict=False)):
                total = shape[0] + 2 * shape[1] + 4 * shape[2]
                moves.append(_Move(w, shape, min(total.bit_length(), len(columns) - w)))  # no count needs more bits
    paying = [move for move in moves if move.worth[0] >= _WORTH]
    if paying:
        return max(paying, key=lambda move: move.worth)
    done = next((w for w, column in enumerate(columns) if len(column) > 1), len(columns))
    waiting = any(len(all_) > len(now) for all_, now in zip(columns, ready, strict=True))
    if waiting or any(len(column) > 5 for column in columns):
        return None
    last = [move for move in moves if move.w == done and _empties(move, columns)]
    return max(last, key=lambda move: sum(move.reads), default=None)


def _empties(move: _Move, columns: list[list[int]]) -> bool:
    """Whether `move` reads whole columns."""
    return all(n in (0, len(columns[move.w + i])) for i, n in enumerate(move.reads) if move.w + i < len(columns))


def _place(builder: Builder, move: _Move, ready: list[list[int]], columns: list[list[int]]) -> None:
    """Add the counter's LUTs; its bits join their columns for the next level."""
    bits, weights = [], []
    for i, n in enumerate(move.reads):
        for _ in range(n):
            bits.append(ready[move.w + i].pop(0))
            columns[move.w + i].remove(bits[-1])
            weights.append(1 << i)
    address = np.arange(1 << len(bits))
    total = sum((address >> i & 1) * weight for i, weight in enumerate(weights))
    for out in range(move.writes):
        table = sum(1 << int(a) for a in np.flatnonzero(total >> out & 1))
        columns[move.w + out].append(builder.add(bits, table))
