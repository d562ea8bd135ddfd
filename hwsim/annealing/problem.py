"""`Problem`: an Ising problem in the layouts that the kernels read.

E(s) = Σ_i h_i s_i + Σ_{i<j} J_ij s_i s_j, s = ±1. The couplings are a symmetric CSR matrix with rising columns and an
empty diagonal; the dense layouts are made when a kernel asks for them, and kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from hwsim.ir.errors import ShapeError, UsageError
from hwsim.ir.ising import Ising

if TYPE_CHECKING:
    import dimod

LANES = 16  # float32 values of a 512-bit register; rows are padded to whole registers
DENSE_AT = 0.10  # share of non-zero couplings from which a dense row costs less than a list of neighbours
MAX_DENSE = 16384  # spins; a float32 matrix of that size is 1 GiB


@dataclass(frozen=True, eq=False)
class Problem:
    """Fields and couplings of an Ising problem.

    Attributes:
        h: float64 [n].
        start: int64 [n + 1]; the neighbours of spin i are ``column[start[i]:start[i + 1]]``.
        column: int32 [2·m], rising within a row.
        weight: float64 [2·m], every coupling in both of its rows.
    """

    h: np.ndarray
    start: np.ndarray
    column: np.ndarray
    weight: np.ndarray
    _cache: dict[str, Any] = field(default_factory=dict, repr=False)

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
        place = np.concatenate([u * len(h) + v, v * len(h) + u])
        order = np.argsort(place, kind="stable")
        place, both = place[order], np.concatenate([weight, weight])[order]
        first = np.flatnonzero(np.diff(place, prepend=-1))
        if len(first) < len(place):
            both, place = np.add.reduceat(both, first), place[first]
        row = place // max(len(h), 1)
        start = np.zeros(len(h) + 1, np.int64)
        np.cumsum(np.bincount(row, minlength=len(h)), out=start[1:])
        return cls(h, start, (place - row * len(h)).astype(np.int32), both)

    @classmethod
    def of_matrix(cls, h: np.ndarray, J: np.ndarray) -> Problem:
        """From a symmetric coupling matrix [n, n] with a zero diagonal; E counts every pair once.

        Raises:
            ShapeError: not square, not symmetric, or a diagonal that is not zero.
        """
        h, J = np.ascontiguousarray(h, np.float64), np.asarray(J, np.float64)
        if J.shape != (len(h), len(h)) or not np.array_equal(J, J.T) or np.diagonal(J).any():
            raise ShapeError.of("J", J.shape, f"symmetric [{len(h)}, {len(h)}], zero diagonal", "Symmetrise it.")
        row, column = np.nonzero(J)
        start = np.zeros(len(h) + 1, np.int64)
        np.cumsum(np.bincount(row, minlength=len(h)), out=start[1:])
        problem = cls(h, start, column.astype(np.int32), J[row, column])
        problem._cache["matrix"] = J
        return problem

    @classmethod
    def of_bqm(cls, bqm: dimod.BinaryQuadraticModel) -> tuple[Problem, list[Any], float]:
        """Problem, variable labels in its order, and offset of a dimod BQM of either vartype."""
        spin = bqm if bqm.vartype.name == "SPIN" else bqm.spin
        vectors: Any = spin.to_numpy_vectors(return_labels=True)
        h, (u, v, weight), offset, labels = vectors
        return cls.of_edges(h, u, v, weight), list(labels), float(offset)

    @classmethod
    def of_ising(cls, ising: Ising) -> Problem:
        """The integer problem of an `Ising` artifact; energies are its E, without scale and offset."""
        return cls.of_edges(ising.h, ising.edges[:, 0], ising.edges[:, 1], ising.J)

    @property
    def dense(self) -> bool:
        """Whether whole rows cost less than lists of neighbours."""
        return self.n <= MAX_DENSE and len(self.column) >= DENSE_AT * self.n * self.n

    @property
    def row_sums(self) -> np.ndarray:
        """float64 [n], |h_i| + Σ_j |J_ij|: the largest size of a local field."""
        sums = np.add.reduceat(np.append(np.abs(self.weight), 0.0), self.start[:-1]) if self.n else np.zeros(0)
        return np.abs(self.h) + np.where(np.diff(self.start) > 0, sums, 0.0)

    @cached_property
    def integer(self) -> bool:
        """Whether every weight is an integer and no local field leaves int32."""
        whole = np.array_equal(self.h, np.rint(self.h)) and np.array_equal(self.weight, np.rint(self.weight))
        return bool(whole and (self.n == 0 or self.row_sums.max() < 2**31))

    def matrix(self, dtype: type = np.float32) -> np.ndarray:
        """Couplings as rows [n, n_pad] of `dtype`, n_pad a multiple of 2·`LANES`, zero beyond n."""
        name = f"matrix {np.dtype(dtype)}"
        if name not in self._cache:
            pad = -(-max(self.n, 1) // (2 * LANES)) * 2 * LANES
            rows: np.ndarray = np.zeros((self.n, pad), dtype)
            if "matrix" in self._cache:
                rows[:, : self.n] = self._cache["matrix"]
            else:
                rows[np.repeat(np.arange(self.n), np.diff(self.start)), self.column] = self.weight
            self._cache[name] = rows
        return self._cache[name]

    def csr(self, dtype: type = np.float32) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """start int64 [n + 1], column int32 [2·m], weight of `dtype` [2·m]."""
        name = f"csr {np.dtype(dtype)}"
        if name not in self._cache:
            self._cache[name] = self.weight.astype(dtype)
        return self.start, self.column, self._cache[name]

    def energies(self, states: np.ndarray) -> np.ndarray:
        """float64 [reads] of states int8 [reads, n]: sums in double precision, in a fixed order.

        Raises:
            ShapeError: another shape or other values.
        """
        states = self.check_states(states)
        from hwsim.annealing import kernels

        out = np.empty(len(states))
        kernels.energies(self.h, self.start, self.column, self.weight, states, out)
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

    def check_integer(self) -> None:
        """Raise `UsageError` unless the integer kernels can take the problem."""
        if not self.integer:
            raise UsageError.of(
                "integer kernel", "weights that are no integers or fields beyond int32", "integer weights",
                "Round through hwsim.interop.bqm.from_bqm, or use the float kernel.",
            )  # fmt: skip
