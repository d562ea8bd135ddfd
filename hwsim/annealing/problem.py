"""`Problem`: an Ising problem in the layouts that the kernels read.

E(s) = Σ_i h_i s_i + Σ_{i<j} J_ij s_i s_j, s = ±1. A problem is kept as a symmetric matrix where most spins are coupled
and as lists of neighbours where few are; the other layouts are made when a kernel asks for them, and kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from hwsim.annealing import aligned
from hwsim.annealing.vectors import LANES, PAD
from hwsim.ir.errors import ShapeError
from hwsim.ir.ising import Ising

if TYPE_CHECKING:
    import dimod

DENSE_AT = 0.10  # share of non-zero couplings from which a row costs less than a list of neighbours (measured)
MAX_DENSE = 16384  # spins; a float32 matrix of that size is 1 GiB


class Problem:
    """Fields and couplings of an Ising problem; make one with `of_edges`, `of_matrix`, `of_bqm` or `of_ising`.

    Attributes:
        h: float64 [n].
        dense: whether a matrix is the natural layout.
    """

    h: np.ndarray
    dense: bool

    def __init__(self, h: np.ndarray, matrix: np.ndarray | None, lists: tuple[np.ndarray, ...] | None) -> None:
        self.h = np.ascontiguousarray(h, np.float64)
        self.dense = matrix is not None
        self._given_matrix, self._given_lists = matrix, lists
        self._layouts: dict[str, Any] = {}

    @property
    def n(self) -> int:
        """Number of spins."""
        return len(self.h)

    @classmethod
    def of_edges(cls, h: np.ndarray, u: np.ndarray, v: np.ndarray, weight: np.ndarray) -> Problem:
        """From couplings ``weight[e]`` between spins ``u[e]`` ≠ ``v[e]``; repeated pairs add up.

        Raises:
            ShapeError: lengths that differ, or a spin that does not exist or couples to itself.
        """
        h = np.ascontiguousarray(h, np.float64)
        u, v, weight = np.asarray(u, np.int64), np.asarray(v, np.int64), np.asarray(weight, np.float64)
        if not (u.shape == v.shape == weight.shape) or u.ndim != 1:
            raise ShapeError.of("edges", [u.shape, v.shape, weight.shape], "three equal [m]", "Give one row an edge.")
        if len(u) and (min(u.min(), v.min()) < 0 or max(u.max(), v.max()) >= len(h) or (u == v).any()):
            raise ShapeError.of("edges", "a spin outside or a loop", f"0 ≤ u ≠ v < {len(h)}", "Mend the edges.")
        n = len(h)
        if len(u) and 2 * len(u) >= DENSE_AT * n * n and n <= MAX_DENSE:
            from hwsim.annealing.kernels_energy import fill_matrix

            matrix = np.zeros((n, n))
            fill_matrix(u, v, weight, matrix)
            return cls(h, matrix, None)
        return cls(h, None, _lists(n, u, v, weight))

    @classmethod
    def of_matrix(cls, h: np.ndarray, J: np.ndarray) -> Problem:
        """From a symmetric coupling matrix [n, n] with a zero diagonal; E counts every pair once.

        Raises:
            ShapeError: not square, not symmetric, or a diagonal that is not zero.
        """
        h, J = np.ascontiguousarray(h, np.float64), np.ascontiguousarray(J, np.float64)
        if J.shape != (len(h), len(h)) or not np.array_equal(J, J.T) or np.diagonal(J).any():
            raise ShapeError.of("J", J.shape, f"symmetric [{len(h)}, {len(h)}], zero diagonal", "Symmetrise it.")
        if J.any() and len(h) <= MAX_DENSE and np.count_nonzero(J) >= DENSE_AT * J.size:
            return cls(h, J, None)
        u, v = np.nonzero(np.triu(J))
        return cls(h, None, _lists(len(h), u, v, J[u, v]))

    @classmethod
    def of_bqm(cls, bqm: dimod.BinaryQuadraticModel) -> tuple[Problem, list[Any], float]:
        """Problem, variable labels in its order, and offset of a dimod BQM of either vartype."""
        spin: Any = bqm if bqm.vartype.name == "SPIN" else bqm.spin.copy()
        vectors: Any = spin.to_numpy_vectors(return_labels=True)
        h, (u, v, weight), offset, labels = vectors
        return cls.of_edges(h, u, v, weight), list(labels), float(offset)

    @classmethod
    def of_ising(cls, ising: Ising) -> Problem:
        """The integer problem of an `Ising` artifact; energies are its E, without scale and offset."""
        return cls.of_edges(ising.h, ising.edges[:, 0], ising.edges[:, 1], ising.J)

    @cached_property
    def lists(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """start int64 [n + 1]; column int32 and weight float64 of the neighbours of i at start[i]…start[i + 1] − 1."""
        if self._given_lists is not None:
            start, column, weight = self._given_lists
            return start, column, weight
        J = self._given_matrix
        assert J is not None
        row, column = np.nonzero(J)
        return _starts(row, self.n), column.astype(np.int32), J[row, column]

    @property
    def edges(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """u < v int64 [m] and weight float64 [m], in rising order."""
        start, column, weight = self.lists
        row = np.repeat(np.arange(self.n), np.diff(start))
        upper = column > row
        return row[upper], column[upper].astype(np.int64), weight[upper]

    @cached_property
    def row_sums(self) -> np.ndarray:
        """float64 [n], |h_i| + Σ_j |J_ij|: the largest size of a local field."""
        if self._given_matrix is not None:
            return np.abs(self.h) + np.abs(self._given_matrix).sum(axis=1)
        start, _, weight = self.lists
        return np.abs(self.h) + np.bincount(np.repeat(np.arange(self.n), np.diff(start)), np.abs(weight), self.n)

    @cached_property
    def integer(self) -> bool:
        """Whether every weight is an integer and no local field leaves int32."""
        weight = self.lists[2] if self._given_matrix is None else self._given_matrix
        if self.n == 0 or not (self.row_sums.max() < 2**31 and np.array_equal(self.h, np.rint(self.h))):
            return False
        return np.array_equal(weight, np.rint(weight))

    @cached_property
    def largest(self) -> float:
        """max |J_ij|."""
        weight = self.lists[2] if self._given_matrix is None else self._given_matrix
        return float(np.abs(weight).max()) if weight.size else 0.0

    def rows(self, dtype: type = np.float32) -> np.ndarray:
        """Couplings [n, n_pad] of `dtype`, n_pad a multiple of 64, zero beyond n."""
        name = f"rows {np.dtype(dtype)}"
        if name not in self._layouts:
            pad = -(-max(self.n, 1) // PAD) * PAD
            rows = aligned.zeros((self.n, pad), dtype)
            if self._given_matrix is not None:
                rows[:, : self.n] = self._given_matrix
            else:
                start, column, weight = self.lists
                rows[np.repeat(np.arange(self.n), np.diff(start)), column] = weight
            self._layouts[name] = rows
        return self._layouts[name]

    def strips(self) -> np.ndarray:
        """float32 [blocks, n, 16]: strips[b, j, k] = J[j, 16·b + k], zero beyond n."""
        if "strips" not in self._layouts:
            blocks = -(-max(self.n, 1) // LANES)
            rows = self.rows()[:, : blocks * LANES].reshape(self.n, blocks, LANES)
            self._layouts["strips"] = aligned.copy(rows.transpose(1, 0, 2), np.float32)
        return self._layouts["strips"]

    def sparse(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """`lists` with float32 weights."""
        if "sparse" not in self._layouts:
            self._layouts["sparse"] = self.lists[2].astype(np.float32)
        return self.lists[0], self.lists[1], self._layouts["sparse"]

    def energies(self, states: np.ndarray) -> np.ndarray:
        """float64 [reads] of states int8 [reads, n]: sums in double precision, in a fixed order.

        Raises:
            ShapeError: another shape or other values.
        """
        from hwsim.annealing import kernels_energy

        states = self.check_states(states)
        out = np.empty(len(states))
        if self._given_matrix is not None:
            kernels_energy.energies_rows(self.h, self._given_matrix, states, out)
        else:
            kernels_energy.energies_lists(self.h, *self.lists, states, out)
        return out

    def check_states(self, states: np.ndarray | Sequence[Sequence[int]]) -> np.ndarray:
        """`states` as contiguous int8 [reads, n] of ±1.

        Raises:
            ShapeError: another shape or other values.
        """
        array = np.asarray(states)
        if array.ndim != 2 or array.shape[1] != self.n:
            raise ShapeError.of("states", list(array.shape), f"[reads, {self.n}]", "Give one row a read.")
        if array.size and (np.abs(array) != 1).any():
            raise ShapeError.of("states", "other values", "−1 and +1", "Map 0/1 to ±1.")
        return np.ascontiguousarray(array, np.int8)


def _starts(row: np.ndarray, n: int) -> np.ndarray:
    start = np.zeros(n + 1, np.int64)
    np.cumsum(np.bincount(row, minlength=n), out=start[1:])
    return start


def _lists(n: int, u: np.ndarray, v: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both directions of every edge, sorted by row and column; repeated pairs summed."""
    at = np.concatenate([u * n + v, v * n + u])
    order = np.argsort(at, kind="stable")
    at, both = at[order], np.concatenate([weight, weight])[order]
    first = np.flatnonzero(np.diff(at, prepend=-1))
    if len(first) < len(at):
        both, at = np.add.reduceat(both, first), at[first]
    row = at // max(n, 1)
    return _starts(row, n), (at - row * n).astype(np.int32), both
