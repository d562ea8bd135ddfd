"""Potts problems in their own states: heat-bath anneals without one-hot bits or penalties.

E(z) = Σ_i h_i[z_i] + Σ_e T_e[z_u, z_v] + Σ_{i<j} C[z_i, z_j], z_i in 0…K−1. C couples every pair of nodes through K
counters. A node draws its state from its conditional distribution: a p-dit. Forward and reverse anneals differ in
where they start and in β alone, as in `hwsim.annealing.anneal`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hwsim.annealing.problem import _starts
from hwsim.annealing.reads import WORD, enough_threads
from hwsim.core.threads import in_parts
from hwsim.ir.errors import ShapeError, check_shape
from hwsim.ir.potts import MOST_STATES, Potts, check_labels


@dataclass(frozen=True, eq=False)
class PottsRun:
    """Final labels of the reads.

    Attributes:
        labels: int8 [reads, n].
        energies: float64 [reads], of the problem as given.
        trace: float64 [reads, sweeps], energy after each sweep; [reads, 0] unless asked for.
    """

    labels: np.ndarray
    energies: np.ndarray
    trace: np.ndarray


@dataclass(frozen=True, eq=False)
class PottsProblem:
    """Fields, tables and counters.

    Attributes:
        h: float64 [n, K].
        u, v: int64 [m], u ≠ v.
        tables: float64 [m, K, K], state of u first.
        counter: float64 [K, K], symmetric: felt by every pair of nodes, coupled ones included.
        offset: added to every energy.

    Raises:
        ShapeError: shapes that do not fit, K outside 1…127, a loop or unknown node, C not symmetric.
    """

    h: np.ndarray
    u: np.ndarray
    v: np.ndarray
    tables: np.ndarray
    counter: np.ndarray
    offset: float = 0.0

    def __post_init__(self) -> None:
        for name, kind in (("h", np.float64), ("u", np.int64), ("v", np.int64), ("tables", np.float64)):
            object.__setattr__(self, name, np.ascontiguousarray(getattr(self, name), kind))
        object.__setattr__(self, "counter", np.ascontiguousarray(self.counter, np.float64))
        check_shape("h", self.h.shape, "[n, K]", (None, None))
        m, k = len(self.u), self.states
        check_shape("v", self.v.shape, "[m]", (m,))
        check_shape("tables", self.tables.shape, "[m, K, K]", (m, k, k))
        check_shape("counter", self.counter.shape, "[K, K]", (k, k))
        if not 1 <= k <= MOST_STATES:
            raise ShapeError.of("states of a node", k, f"1…{MOST_STATES}", "Merge states.")
        if m and (min(self.u.min(), self.v.min()) < 0 or max(self.u.max(), self.v.max()) >= self.n):
            raise ShapeError.of("edges", "a node outside", f"0…{self.n - 1}", "Mend the edges.")
        if (self.u == self.v).any():
            raise ShapeError.of("edges", "a loop", "u ≠ v", "Put a node's own energy into h.")
        if not np.array_equal(self.counter, self.counter.T):
            raise ShapeError.of("counter", self.counter.tolist(), "a symmetric matrix", "Symmetrise it.")

    @property
    def n(self) -> int:
        """Number of nodes."""
        return len(self.h)

    @property
    def states(self) -> int:
        """K."""
        return int(self.h.shape[1])

    @classmethod
    def of_potts(cls, potts: Potts) -> PottsProblem:
        """The problem of a `Potts` artifact, in the artifact's own unit: energies are scale · 2^−f · E + offset."""
        unit = potts.scale * 2.0**-potts.counter_shift
        h, tables = potts.h * potts.scale, potts.tables * potts.scale
        return cls(h, potts.edges[:, 0], potts.edges[:, 1], tables, potts.counter * unit, potts.offset)

    @cached_property
    def arcs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """start int64 [n + 1], neighbour int32 [2m], table [2m, K (neighbour's state), K (own state)]."""
        row, column = np.concatenate([self.u, self.v]), np.concatenate([self.v, self.u])
        order = np.lexsort((column, row))
        both = np.concatenate([self.tables.transpose(0, 2, 1), self.tables])
        return _starts(row, self.n), column[order].astype(np.int32), np.ascontiguousarray(both[order])

    def energies(self, labels: np.ndarray) -> np.ndarray:
        """float64 [reads] of labels [reads, n].

        Raises:
            ShapeError: another shape or other values.
        """
        from hwsim.annealing import kernels_potts

        checked = check_labels(labels, self.n, self.states).astype(np.int8)
        out = np.empty(len(checked))
        kernels_potts.energies(self.h, *self.arcs, self.counter, checked, out)
        return out + self.offset

    def local_fields(self, labels: np.ndarray) -> np.ndarray:
        """float64 [n, K]: energy of node i in state k with all others as in labels [n]."""
        z = check_labels(labels[None], self.n, self.states)[0]
        start, neighbour, table = self.arcs
        counts = np.bincount(z, minlength=self.states)
        fields = self.h + (counts - np.eye(self.states)[z]) @ self.counter
        np.add.at(fields, np.repeat(np.arange(self.n), np.diff(start)), table[np.arange(len(table)), z[neighbour]])
        return fields


def heat_bath(
    problem: PottsProblem, betas: np.ndarray, initial: np.ndarray, seed: int = 0, *, first: int = 0,
    threads: int | None = None, trace: bool = False,
) -> PottsRun:  # fmt: skip
    """Heat-bath sweeps, one for each β, from every row of `initial`.

    Args:
        problem: the problem.
        betas: float [sweeps], inverse temperatures in units of 1/energy; ∞ is descent.
        initial: integer [reads, n], labels 0…K−1; random ones for a forward anneal, an estimate for a reverse one.
        seed: any integer; taken modulo 2^64.
        first: number of the first read.
        threads: at most so many; None: all processors. Answers do not depend on it.
        trace: also return the energy after each sweep.

    Raises:
        ShapeError: labels or betas of a wrong shape or value.

    Example:
        >>> import numpy as np
        >>> from hwsim.annealing import PottsProblem, heat_bath, random_labels
        >>> agree = PottsProblem(np.zeros((2, 3)), [0], [1], -np.eye(3)[None], np.zeros((3, 3)))
        >>> heat_bath(agree, np.geomspace(0.1, 50, 20), random_labels(4, 2, 3, seed=0)).energies.tolist()
        [-1.0, -1.0, -1.0, -1.0]
    """
    from hwsim.annealing.kernels_potts import heat_bath_reads

    labels = np.ascontiguousarray(check_labels(initial, problem.n, problem.states), np.int8)
    betas = np.asarray(betas, np.float64)
    if betas.ndim != 1 or not (betas >= 0).all():
        raise ShapeError.of("betas", f"shape {betas.shape}, {betas}", "[sweeps] of numbers ≥ 0", "Give one β a sweep.")
    energies = np.empty((len(labels), len(betas) if trace else 0))
    fixed = (problem.h, *problem.arcs, problem.counter, betas, labels, energies, np.uint64(seed & WORD), first)
    in_parts(
        lambda lo, hi: heat_bath_reads(*fixed, lo, hi), len(labels), enough_threads(threads, labels.size * len(betas))
    )
    return PottsRun(labels, problem.energies(labels), energies + problem.offset)


def random_labels(reads: int, n: int, states: int, seed: int) -> np.ndarray:
    """int8 [reads, n], uniform on 0…states−1."""
    return np.random.default_rng(seed).integers(0, states, (reads, n)).astype(np.int8)
