"""Sums of weighted bits as trees of full and half adders: one plan for RTL, cycle model and energy.

A heap holds bits of weight 2^p; the tree adds them modulo 2^W. Dadda (Alta Frequenza 34, 1965) reduces just enough in
each stage to reach heights …, 9, 6, 4, 3, 2; Wallace (IEEE Trans. EC-13, 1964) as much as possible. Negative weights
cost no sign extension: −2^p·b = 2^p·¬b − 2^p, and all constants are gathered in one.

| kind | reads | sum | carry |
|---|---|---|---|
| HALF | a, b | a ⊕ b | a ∧ b |
| FULL | a, b, c | a ⊕ b ⊕ c | majority |
| HALF_ONE (a constant 1 joins) | a, b | ¬(a ⊕ b) | a ∨ b |
| ONE (likewise) | a | ¬a | a |
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hwsim.ir.errors import UsageError

HALF, FULL, HALF_ONE, ONE = range(4)
ZERO_BIT, ONE_BIT = -1, -2
Scheme = Literal["dadda", "wallace", "counter"]


@dataclass(frozen=True, eq=False)
class CompressorTree:
    """Adders in evaluation order over signals 0 … n_bits − 1 (the heap) and, for adder i, n_bits + 2i (sum) and
    n_bits + 2i + 1 (carry).

    Attributes:
        width: W, bits of the result.
        bit_source: int32 [n_bits], the caller's signal behind each heap bit.
        bit_invert: bool [n_bits], the heap takes its complement.
        bit_position: int32 [n_bits], p.
        kinds: uint8 [n_adders].
        reads: int32 [n_adders, 3], signals, −1 where fewer are read.
        positions: int32 [n_adders], p of the sum.
        rows: int32 [2, W], what is left in each position: a signal, −1 for 0, −2 for 1.
    """

    width: int
    bit_source: np.ndarray
    bit_invert: np.ndarray
    bit_position: np.ndarray
    kinds: np.ndarray
    reads: np.ndarray
    positions: np.ndarray
    rows: np.ndarray

    @property
    def n_bits(self) -> int:
        return len(self.bit_source)

    @property
    def n_signals(self) -> int:
        return self.n_bits + 2 * len(self.kinds)

    def count(self, kind: int) -> int:
        """Adders of one kind."""
        return int((self.kinds == kind).sum())

    def reference(self, signals: np.ndarray) -> np.ndarray:
        """Sums int64 [batch], 0 … 2^W − 1, of 0/1 signals [batch, n]: through every adder, then the two rows."""
        values = np.zeros((self.n_signals, len(signals)), np.int64)
        values[: self.n_bits] = np.asarray(signals)[:, self.bit_source].T ^ self.bit_invert[:, None]
        for i, (kind, read) in enumerate(zip(self.kinds, self.reads, strict=True)):
            total = sum(values[q] for q in read if q >= 0) + (kind in (HALF_ONE, ONE))
            values[self.n_bits + 2 * i], values[self.n_bits + 2 * i + 1] = total & 1, total >> 1
        result = np.zeros(len(signals), np.int64)
        for row in self.rows:
            for p, signal in enumerate(row):
                result += (values[signal] if signal >= 0 else int(signal == ONE_BIT)) << p
        return result & ((1 << self.width) - 1)


def signed_digit_list(value: int) -> list[tuple[int, int]]:
    """Canonical signed digits of a number as (position, ±1), lowest first.

    Example:
        >>> signed_digit_list(-6), signed_digit_list(7)
        ([(1, 1), (3, -1)], [(0, -1), (3, 1)])
    """
    digits, p = [], 0
    while value:
        if value & 1:
            digit = 2 - (value & 3)
            digits.append((p, digit))
            value -= digit
        value >>= 1
        p += 1
    return digits


def tree(
    weights: Sequence[int], constant: int, width: int, *, scheme: Scheme = "dadda", single_row: bool = False
) -> CompressorTree:
    """Plan of constant + Σ weights[i]·bit_i modulo 2^width.

    Args:
        weights: any integers; each signed digit is one heap bit.
        constant: any integer.
        width: W, 1…62.
        scheme: order of reduction; ``"counter"`` = every column down to one bit, lowest first, with the fewest adders
            for bits of one weight (57 full and 6 half adders for 64 bits).
        single_row: end with a ripple of adders, so that `rows[1]` is empty.

    Raises:
        UsageError: a width outside 1…62 or an unknown scheme.

    Example:
        >>> import numpy as np
        >>> t = tree([1] * 7, 0, 3, scheme="counter")
        >>> t.count(FULL), t.reference(np.array([[1, 1, 0, 1, 1, 1, 0]])).tolist()
        (4, [5])
    """
    if not 1 <= width <= 62 or scheme not in ("dadda", "wallace", "counter"):
        expected = "1…62, 'dadda', 'wallace' or 'counter'"
        raise UsageError.of("compressor", f"width {width}, {scheme!r}", expected, "Choose one of them.")
    source, invert, position = [], [], []
    for i, weight in enumerate(weights):
        for p, sign in signed_digit_list(int(weight)):
            if p < width:
                flip = sign < 0 and p < width - 1  # −2^(W−1) = 2^(W−1) modulo 2^W
                constant -= (1 << p) * flip
                source.append(i)
                invert.append(flip)
                position.append(p)
    planner = _Planner(len(source), position, constant % (1 << width), width)
    if scheme != "counter":
        planner.reduce(scheme)
    if single_row or scheme == "counter":
        planner.ripple()
    return planner.result(source, invert, position)


class _Planner:
    """Columns of waiting signals, earliest first, and the adders placed so far.

    An adder takes the earliest signals of its column, the latest of them as c: behind a and b lie two XOR, behind c one
    (the three-greedy idea of Oklobdžija, Villeger, Liu, IEEE Trans. Computers 45, 1996, stage by stage). Paths get
    shorter, and glitches fewer, for the same adders.
    """

    def __init__(self, n_bits: int, position: Sequence[int], constant: int, width: int) -> None:
        self.n_bits, self.width = n_bits, width
        self.columns: list[deque[int]] = [deque() for _ in range(width)]
        for i, p in enumerate(position):
            self.columns[p].append(i)
        self.ones = [(constant >> p) & 1 for p in range(width)]
        self.arrival = [0] * n_bits  # in XOR delays, by signal
        self.kinds: list[int] = []
        self.reads: list[tuple[int, ...]] = []
        self.positions: list[int] = []

    def sort(self, p: int) -> None:
        """Earliest signals first; equal ones stay in order."""
        self.columns[p] = deque(sorted(self.columns[p], key=self.arrival.__getitem__))

    def height(self, p: int) -> int:
        return len(self.columns[p]) + self.ones[p]

    def add(self, p: int, size: int, sums: deque[int], carries: deque[int] | None) -> None:
        """One adder over `size` bits of column p, a constant 1 first."""
        one = self.ones[p]
        picked = [self.columns[p].popleft() for _ in range(size - one)]
        self.ones[p] = 0
        self.kinds.append({(3, 0): FULL, (2, 0): HALF, (3, 1): HALF_ONE, (2, 1): ONE}[size, one])
        self.reads.append((*picked, -1, -1, -1)[:3])
        self.positions.append(p)
        node = self.n_bits + 2 * (len(self.kinds) - 1)
        times = [self.arrival[signal] for signal in picked]
        self.arrival += [max([0, *(t + 2 for t in times[:2]), *(t + 1 for t in times[2:])])] * 2
        sums.append(node)
        if carries is not None:
            carries.append(node + 1)

    def reduce(self, scheme: Scheme) -> None:
        """Stages until no column is higher than two."""
        top = max((self.height(p) for p in range(self.width)), default=0)
        goals = [2]
        while goals[-1] < top:
            goals.append(goals[-1] * 3 // 2)
        while top > 2:
            goal = max(g for g in goals if g < top)
            fresh: list[deque[int]] = [deque() for _ in range(self.width + 1)]  # sums and carries of this stage
            for p in range(self.width):
                self._stage_column(p, goal, scheme, fresh)
            for p in range(self.width):
                self.columns[p].extend(fresh[p])
            top = max(self.height(p) for p in range(self.width))

    def _stage_column(self, p: int, goal: int, scheme: Scheme, fresh: list[deque[int]]) -> None:
        carries = fresh[p + 1] if p + 1 < self.width else None
        self.sort(p)
        while self.height(p) >= 2:
            excess = self.height(p) + len(fresh[p]) - goal
            if scheme == "dadda":
                if excess <= 0:
                    break
                size = 3 if excess > 1 and self.height(p) > 2 else 2
            else:
                if self.height(p) + len(fresh[p]) <= 2:
                    break
                size = min(3, self.height(p))
            self.add(p, size, fresh[p], carries)

    def ripple(self) -> None:
        """Adders from the lowest position up until every column holds one bit."""
        for p in range(self.width):
            while self.height(p) > 1:
                carries = self.columns[p + 1] if p + 1 < self.width else None
                self.sort(p)
                self.add(p, min(3, self.height(p)), self.columns[p], carries)

    def result(self, source: list[int], invert: list[bool], position: list[int]) -> CompressorTree:
        rows = np.full((2, self.width), ZERO_BIT, np.int32)
        for p in range(self.width):
            left = [*self.columns[p], *[ONE_BIT] * self.ones[p]]
            rows[: len(left), p] = left
        return CompressorTree(
            self.width, np.array(source, np.int32), np.array(invert, bool), np.array(position, np.int32),
            np.array(self.kinds, np.uint8), np.array(self.reads, np.int32).reshape(-1, 3),
            np.array(self.positions, np.int32), rows,
        )  # fmt: skip
