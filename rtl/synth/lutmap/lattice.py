"""Column classes of a table for every bound set, and the decomposition plan with the fewest LUTs.

Functional decomposition (Ashenhurst 1957, Curtis 1962): split the address variables into a bound set S and
the rest. Two assignments of S belong to one *class* when the table can not tell them apart, whatever the
rest is; μ(S) classes need only k(S) = ⌈log2 μ(S)⌉ wires out of S. Bit pairs of smooth functions have far
fewer classes than assignments, which is what makes trained L-LUTs small.

The classes of all 2^n bound sets form a lattice: those of S follow from those of S ∪ {v} by pairing the two
columns that differ in v. Filling it costs 3^n steps. A plan is a binary tree over it: S is computed from two
disjoint parts A ∪ B = S by k(S) functions of k(A) + k(B) wires, and the dynamic program below picks for every S
the split of least estimated cost.

Symbols: n address variables (variable i is bit i of the address), S bound set as a bit mask, μ, k as above.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba as nb
import numpy as np

MAX_LATTICE_VARS = 14  # 3^14 = 4.8 M class numbers; beyond that the caller splits by Shannon first

TOO_DEEP = 1e18  # cost of a bound set that does not fit its level budget
RAW, LEAF = -1, -2  # plan choices: the variables themselves, or LUTs that read at most six variables


_MEASURED = {7: 2.5, 8: 3.6}  # the pair that gave the fewest LUTs over 40 L-LUTs of a trained HDR-5L


def estimated_luts(inputs: int) -> float:
    """Expected LUT6 count of one encoder function of `inputs` wires: what a plan pays for it.

    Up to six: 1. Seven and eight: measured. Above: the Shannon count (LogicNets' cost model) times 0.8.
    """
    if inputs <= 6:
        return 1.0
    return _MEASURED.get(inputs, 0.8 * ((1 << (inputs - 4)) - (-1) ** inputs) / 3)


@dataclass(frozen=True, eq=False)
class Lattice:
    """Classes of every bound set of one table.

    Attributes:
        n: number of variables.
        offset: int64 [2^n + 1]; bound set S owns ``classes[offset[S]:offset[S + 1]]``, one entry for each
            assignment of its variables (lowest variable = bit 0).
        classes: uint16, class numbers 0..μ(S)−1 in order of first appearance.
        mu: int64 [2^n], classes of each bound set.
    """

    n: int
    offset: np.ndarray
    classes: np.ndarray
    mu: np.ndarray

    def of(self, bound: int) -> np.ndarray:
        """Class of every assignment of `bound`, uint16 [2^|bound|]."""
        return self.classes[self.offset[bound] : self.offset[bound + 1]]


@dataclass(frozen=True, eq=False)
class Plan:
    """How every bound set is best computed.

    Attributes:
        cost: float64 [rows, 2^n], estimated LUTs of all wires of S.
        choice: int64 [rows, 2^n], `RAW`, `LEAF`, or the part A of a split S = A ∪ B.
        wires: int64 [2^n], k(S).

    Row d serves a budget of d LUT levels; a plan without limits has one row.
    """

    cost: np.ndarray
    choice: np.ndarray
    wires: np.ndarray

    @property
    def levels(self) -> int:
        """The largest budget it was made for; 0 without limits."""
        return len(self.choice) - 1

    def part(self, bound: int, budget: int) -> int:
        """Choice for S within `budget` levels."""
        return int(self.choice[min(budget, self.levels), bound])

    def left(self, bound: int, budget: int) -> int:
        """Levels that the parts of S may take."""
        if not self.levels:
            return 0
        part = self.part(bound, budget)
        return budget - own_levels(int(self.wires[part] + self.wires[bound ^ part]))


def own_levels(inputs: int) -> int:
    """LUT levels of one function of `inputs` wires: 1 up to six, and one more for every two beyond."""
    return 1 if inputs <= 6 else 1 + (inputs - 5) // 2


@nb.njit(cache=True)
def _popcount(x):
    count = 0
    while x:
        x &= x - 1
        count += 1
    return count


@nb.njit(cache=True)
def _offsets(n):
    offset = np.empty((1 << n) + 1, np.int64)
    total = 0
    for bound in range(1 << n):
        offset[bound] = total
        total += 1 << _popcount(bound)
    offset[1 << n] = total
    return offset


@nb.njit(cache=True)
def _label(values, out):
    """Number the values by first appearance; returns how many there are."""
    seen = np.full(65536, -1, np.int32)
    count = 0
    for a in range(len(values)):
        if seen[values[a]] < 0:
            seen[values[a]] = count
            count += 1
        out[a] = seen[values[a]]
    return count


@nb.njit(cache=True)
def _fill(n, offset, classes, mu, keys, stamps, numbers):
    """Classes of every bound set below the full one; `keys`, `stamps`, `numbers` are a scratch hash table.

    Formula: class_S(b) = number of the pair (class_T(b, v=0), class_T(b, v=1)), T = S ∪ {v}.
    """
    mask = len(keys) - 1
    for bound in range((1 << n) - 2, -1, -1):
        v = 0
        while bound >> v & 1:
            v += 1
        above = bound | 1 << v
        low = (1 << v) - 1  # v is the lowest variable outside S, so all lower ones are in it
        base, here, count = offset[above], offset[bound], 0
        for b in range(offset[bound + 1] - here):
            i = ((b & ~low) << 1) | (b & low)
            key = (np.int64(classes[base + i]) << 16) | np.int64(classes[base + (i | 1 << v)])
            slot = ((key * 0x9E3779B1) >> 7) & mask
            while stamps[slot] == bound and keys[slot] != key:
                slot = (slot + 1) & mask
            if stamps[slot] != bound:
                stamps[slot], keys[slot], numbers[slot] = bound, key, count
                count += 1
            classes[here + b] = numbers[slot]
        mu[bound] = count


@nb.njit(cache=True)
def _plan(n, mu, estimate, cost, choice, wires):
    """Formula: cost(S) = min over A ∪ B = S of cost(A) + cost(B) + k(S)·estimate(k(A) + k(B))."""
    for bound in range(1, 1 << n):
        size, k = _popcount(bound), 0
        while (1 << k) < mu[bound]:
            k += 1
        wires[bound] = k
        if k >= size:
            wires[bound], choice[bound] = size, RAW
        elif size <= 6:
            cost[bound], choice[bound] = k, LEAF
        else:
            low = bound & -bound
            rest = bound ^ low
            part, best, best_part = rest, 1e18, 0
            while part:
                part = (part - 1) & rest
                a = part | low
                trial = cost[a] + cost[bound ^ a] + k * estimate[wires[a] + wires[bound ^ a]]
                if trial < best:
                    best, best_part = trial, a
            cost[bound], choice[bound] = best, best_part


@nb.njit(cache=True)
def _plan_levels(n, mu, estimate, own, cost, choice, wires):
    """Like `_plan` for every budget d: the parts may take d − own(k(A) + k(B)) levels.

    Row d of cost and choice [levels + 1, 2^n]; `TOO_DEEP` marks a budget that is too small.
    """
    rows = len(cost)
    for bound in range(1, 1 << n):
        size, k = _popcount(bound), 0
        while (1 << k) < mu[bound]:
            k += 1
        wires[bound] = min(k, size)
        if k >= size:
            choice[:, bound] = RAW
            continue
        cost[:, bound] = TOO_DEEP
        if size <= 6:
            cost[1:, bound], choice[1:, bound] = k, LEAF
            continue
        low = bound & -bound
        rest = bound ^ low
        part = rest
        while part:
            part = (part - 1) & rest
            a = part | low
            b = bound ^ a
            inputs = wires[a] + wires[b]
            top = k * estimate[inputs]
            for d in range(own[inputs], rows):
                below = d - own[inputs]
                trial = cost[below, a] + cost[below, b] + top
                if trial < cost[d, bound]:
                    cost[d, bound], choice[d, bound] = trial, a


def build_lattice(table: np.ndarray) -> Lattice:
    """Classes of all bound sets of `table` (uint16 [2^n], n ≤ `MAX_LATTICE_VARS`)."""
    n = len(table).bit_length() - 1
    offset = _offsets(n)
    classes = np.empty(offset[-1], np.uint16)
    mu = np.zeros(1 << n, np.int64)
    full = (1 << n) - 1
    mu[full] = _label(table, classes[offset[full] :])
    slots = 2 << n
    _fill(n, offset, classes, mu, np.zeros(slots, np.int64), np.full(slots, -1, np.int64), np.zeros(slots, np.int64))
    return Lattice(n, offset, classes, mu)


def make_plan(lattice: Lattice, levels: int | None = None) -> Plan:
    """Cheapest split of every bound set, for every budget up to `levels`, or without limits."""
    n = lattice.n
    estimate = np.array([estimated_luts(m) for m in range(2 * n + 1)])
    shape = ((levels or 0) + 1, 1 << n)
    cost, choice, wires = np.zeros(shape), np.zeros(shape, np.int64), np.zeros(1 << n, np.int64)
    if levels is None:
        _plan(n, lattice.mu, estimate, cost[0], choice[0], wires)
    else:
        own = np.array([own_levels(m) for m in range(2 * n + 1)])
        _plan_levels(n, lattice.mu, estimate, own, cost, choice, wires)
    return Plan(cost, choice, wires)
