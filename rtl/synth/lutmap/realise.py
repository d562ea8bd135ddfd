"""From a decomposition plan to LUTs: choose the codes of every bound set's classes and map their bits.

A bound set S that is split into A and B computes ``class_S(code_A, code_B)``. Any code that separates the
classes will do, also one in which a class has several codes; two freedoms are used:

* *pass-through*: a wire of A or B becomes a bit of S's code as it is, for no LUT, when the classes on either
  side of it still fit the bits that are left;
* the order of the classes inside each side. Classes with similar columns get codes that differ in one bit
  (Gray code over the columns sorted as words, or by mean value), so that each bit changes seldom: on trained
  tables that alone saves 6 to 9 % against codes in order of appearance. Where a bit costs more than one
  LUT, several orders are tried.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from rtl.synth.lutmap.builder import Builder
from rtl.synth.lutmap.functions import DC, map_function
from rtl.synth.lutmap.lattice import LEAF, RAW, Lattice, Plan

NO_CLASS = -1


@dataclass(frozen=True, eq=False)
class Encoded:
    """Wires that tell the classes of a bound set apart.

    Attributes:
        literals: wires, first = bit 0 of the code.
        assignment: int64 [2^wires], an assignment of S with that code, or `NO_CLASS`.
    """

    literals: list[int]
    assignment: np.ndarray


@dataclass(frozen=True)
class Tries:
    """How much work a realisation may spend on wires that cost more than one LUT.

    Attributes:
        orders: how classes are sorted: "first" and "last" (columns as words, first or last entry most
            significant), "mean" (of the column), "none" (order of appearance).
        shuffles: random orders besides.
        passes: pass-through sets tried.
    """

    orders: tuple[str, ...] = ("last",)
    shuffles: int = 0
    passes: int = 1


def _gray(count: int) -> np.ndarray:
    """The first `count` words of the binary reflected Gray code."""
    number = np.arange(count)
    return number ^ number >> 1


def _spread(part: int, whole: int) -> np.ndarray:
    """Where every assignment of `part` ⊂ `whole` lies among those of `whole`, int64 [2^|part|]."""
    out = np.zeros(1, np.int64)
    place = 0
    for v in range(whole.bit_length()):
        if whole >> v & 1:
            if part >> v & 1:
                out = np.concatenate([out, out | 1 << place])
            place += 1
    return out


class Realiser:
    """Maps the outputs of one table into a `Builder`, following a plan."""

    def __init__(
        self,
        builder: Builder,
        literals: list[int],
        lattice: Lattice,
        plan: Plan,
        rng: np.random.Generator,
        tries: Tries,
    ) -> None:
        self.builder = builder
        self.literals = literals
        self.lattice = lattice
        self.plan = plan
        self.rng = rng
        self.tries = tries
        self.table = np.zeros(0, np.uint16)

    def outputs(self, table: np.ndarray, bits: int, budget: int = 0) -> list[int]:
        """Literals of the `bits` output bits, lowest first, of the table that the lattice was built from.

        `budget` picks the plan's row of LUT levels.
        """
        self.table = table
        full = len(self.plan.wires) - 1
        wires, core = self._core(full, budget)
        value = np.zeros(int(self.lattice.mu[full]), np.int64)
        value[self.lattice.of(full)] = table
        found = []
        for bit in range(bits):
            column = np.where(core == NO_CLASS, DC, value[core] >> bit & 1).astype(np.uint8)
            found.append(map_function(self.builder, column, wires))
        return found

    def _encode(self, bound: int, budget: int) -> Encoded:
        if self.plan.part(bound, budget) == RAW:
            wires = [self.literals[v] for v in range(bound.bit_length()) if bound >> v & 1]
            return Encoded(wires, np.arange(1 << len(wires)))
        wires, core = self._core(bound, budget)
        k = int(self.plan.wires[bound])
        classes = self.lattice.of(bound)
        example = np.zeros(int(self.lattice.mu[bound]), np.int64)
        example[classes] = np.arange(len(classes))
        passed, codes = self._choose_codes(wires, core, k, self._columns(bound)[example])
        literals = [wires[j] for j in passed]
        for bit in range(len(passed), k):
            column = np.where(core == NO_CLASS, DC, codes >> bit & 1).astype(np.uint8)
            literals.append(map_function(self.builder, column, wires))
        assignment = np.full(1 << k, NO_CLASS, np.int64)
        known = core != NO_CLASS
        assignment[codes[known]] = example[core[known]]
        return Encoded(literals, assignment)

    def _core(self, bound: int, budget: int) -> tuple[list[int], np.ndarray]:
        """Wires that S is computed from and its class for every value of them (or `NO_CLASS`)."""
        choice = self.plan.part(bound, budget)
        classes = self.lattice.of(bound).astype(np.int64)
        if choice in (RAW, LEAF):
            return [self.literals[v] for v in range(bound.bit_length()) if bound >> v & 1], classes
        left = self.plan.left(bound, budget)
        a, b = self._encode(choice, left), self._encode(bound ^ choice, left)
        at_a = np.where(a.assignment < 0, 0, _spread(choice, bound)[a.assignment])
        at_b = np.where(b.assignment < 0, 0, _spread(bound ^ choice, bound)[b.assignment])
        core = classes[at_b[:, None] | at_a[None, :]]
        core[b.assignment < 0, :] = NO_CLASS
        core[:, a.assignment < 0] = NO_CLASS
        return a.literals + b.literals, core.reshape(-1)

    def _columns(self, bound: int) -> np.ndarray:
        """What the table holds for every assignment of S: [2^|S|, 2^(n − |S|)]."""
        n = self.lattice.n
        inside = [n - 1 - v for v in reversed(range(n)) if bound >> v & 1]
        rest = [n - 1 - v for v in reversed(range(n)) if not bound >> v & 1]
        return self.table.reshape([2] * n).transpose(inside + rest).reshape(1 << len(inside), -1)

    def _choose_codes(
        self, wires: list[int], core: np.ndarray, k: int, columns: np.ndarray
    ) -> tuple[tuple[int, ...], np.ndarray]:
        """Pass-through wires and the code of every core entry, the cheapest of those tried."""
        options = self._pass_through(len(wires), core, k)
        if len(wires) <= 6:
            return options[0], self._codes(core, options[0], k, np.arange(len(columns)))
        ranks = [_rank(columns, order) for order in self.tries.orders]
        ranks += [self.rng.permutation(len(columns)) for _ in range(self.tries.shuffles)]
        best: tuple[int, tuple[int, ...], np.ndarray] | None = None
        for passed in options[: self.tries.passes]:
            for rank in ranks:
                codes = self._codes(core, passed, k, rank)
                cost = self._try(wires, core, codes, len(passed), k)
                if best is None or cost < best[0]:
                    best = cost, passed, codes
        assert best is not None
        return best[1], best[2]

    def _try(self, wires: list[int], core: np.ndarray, codes: np.ndarray, first: int, k: int) -> int:
        mark = self.builder.mark()
        for bit in range(first, k):
            column = np.where(core == NO_CLASS, DC, codes >> bit & 1).astype(np.uint8)
            map_function(self.builder, column, wires)
        cost = self.builder.mark() - mark
        self.builder.rollback(mark)
        return cost

    def _pass_through(self, n: int, core: np.ndarray, k: int) -> list[tuple[int, ...]]:
        """Sets of wires that may pass, largest first; the empty set is always the last."""
        feasible: list[tuple[int, ...]] = [()]
        for size in range(1, k):
            found = []
            for passed in combinations(range(n), size):
                if size > 1 and passed[:-1] not in feasible:
                    continue
                if max(len(part) for part in self._sides(core, passed)) <= 1 << (k - size):
                    found.append(passed)
            if not found:
                break
            feasible += found
        return feasible[::-1]

    @staticmethod
    def _sides(core: np.ndarray, passed: tuple[int, ...]) -> list[np.ndarray]:
        """Classes present for every value of the passed wires."""
        side = np.zeros(len(core), np.int64)
        for i, j in enumerate(passed):
            side |= (np.arange(len(core)) >> j & 1) << i
        known = core != NO_CLASS
        return [np.unique(core[known & (side == value)]) for value in range(1 << len(passed))]

    def _codes(self, core: np.ndarray, passed: tuple[int, ...], k: int, rank: np.ndarray) -> np.ndarray:
        """Code of every core entry: the passed wires lowest, above them the Gray code of the class's place.

        The classes of a side are placed in the order of `rank` [μ].
        """
        address = np.arange(len(core))
        side = np.zeros(len(core), np.int64)
        for i, j in enumerate(passed):
            side |= (address >> j & 1) << i
        codes = side.copy()
        for value, classes in enumerate(self._sides(core, passed)):
            number = np.zeros(len(rank), np.int64)
            number[classes[np.argsort(rank[classes])]] = _gray(len(classes))
            here = (side == value) & (core != NO_CLASS)
            codes[here] |= number[core[here]] << len(passed)
        return codes


def _rank(columns: np.ndarray, order: str) -> np.ndarray:
    """Place of every class [μ] when their columns [μ, entries] are sorted."""
    if order == "none":
        return np.arange(len(columns))
    if order == "mean":
        place = np.argsort(columns.sum(axis=1, dtype=np.int64), kind="stable")
    else:
        words = columns if order == "first" else columns[:, ::-1]
        keys = [row.astype(">u2").tobytes() for row in words]
        place = np.array(sorted(range(len(keys)), key=keys.__getitem__))
    rank = np.empty(len(columns), np.int64)
    rank[place] = np.arange(len(columns))
    return rank
