"""What a Potts problem becomes for hardware: gauges, bits for a table, spins for a state.

**Gauge.** T[k, l] = T°[k, l] + r_k + c_l + m with rows and columns of T° that sum to zero; r, c and m move into the
fields and the offset. Energies of labels do not change, but those of invalid one-hot states do: in the raw gauge of a
log-likelihood, whose entries all have one sign, the empty state beats every valid one.

**Spins.** The indicator of state k of node i is affine in the node's spins, x_ik = c_k + Σ_a M_ka s_ia, for one-hot
bits (c = ½, M = ½·1) and for domain walls (x_k = ½(s_{k+1} − s_k) with s_0 = −1, s_K = +1; Chancellor 2019) alike, so
both are one substitution into E, plus a penalty inside each node. At K = 2 the domain wall is a single spin without
penalty, s = +1 for state 0: the Ising form.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from hwsim.annealing.potts import PottsProblem
from hwsim.annealing.problem import MAX_DENSE, Problem
from hwsim.ir.errors import ShapeError, UsageError
from hwsim.ir.potts import Potts

if TYPE_CHECKING:
    import dimod

Gauge = Literal["raw", "mean", "double"]
ENCODINGS = ("one-hot", "domain-wall")


@dataclass(frozen=True, eq=False)
class Encoded:
    """A Potts problem on spins.

    Attributes:
        problem: dense Ising problem of n·B spins; spin i·B + a belongs to node i.
        offset: energy of the Potts problem = that of the spins + offset, for valid states.
        nodes, states: n and K.
        encoding: ``"one-hot"`` (B = K) or ``"domain-wall"`` (B = K − 1).
    """

    problem: Problem
    offset: float
    nodes: int
    states: int
    encoding: str

    def spins(self, labels: np.ndarray) -> np.ndarray:
        """int8 [reads, n·B] of labels [reads, n]: what a reverse anneal starts from."""
        z = np.asarray(labels)[..., None]
        if self.encoding == "one-hot":
            s = np.where(z == np.arange(self.states), 1, -1)
        else:  # x_k = 1 where the spins rise from −1 to +1: s_1…s_k = −1, the others +1
            s = np.where(np.arange(1, self.states) <= z, -1, 1)
        return s.astype(np.int8).reshape(len(z), -1)

    def to_bqm(self) -> dimod.BinaryQuadraticModel:
        """SPIN model of variables 0…n·B − 1 whose energies are the Potts problem's: for any dimod sampler."""
        import dimod

        return dimod.BinaryQuadraticModel.from_numpy_vectors(
            self.problem.h, self.problem.edges, self.offset, dimod.SPIN, variable_order=range(self.problem.n)
        )

    def labels(self, spins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Labels int8 [reads, n] and which are valid, bool [reads, n]; an invalid node gets its first likely state."""
        s = np.asarray(spins).reshape(len(spins), self.nodes, -1)
        if self.encoding == "one-hot":
            return (s > 0).argmax(axis=2).astype(np.int8), (s > 0).sum(axis=2) == 1
        edge = np.ones((*s.shape[:2], 1), s.dtype)
        walls = np.diff(np.concatenate([-edge, s, edge], axis=2), axis=2) > 0
        return walls.argmax(axis=2).astype(np.int8), walls.sum(axis=2) == 1


def centred(problem: PottsProblem, gauge: Gauge = "double") -> PottsProblem:
    """The same energies with centred tables and counters.

    Args:
        problem: any Potts problem.
        gauge: ``"double"``: rows and columns sum to zero; ``"mean"``: only the table's mean does; ``"raw"``: as given.

    Raises:
        UsageError: an unknown gauge.
    """
    if gauge not in ("raw", "mean", "double"):
        raise UsageError.of("gauge", repr(gauge), "'raw', 'mean' or 'double'", "Choose one of them.")
    if gauge == "raw":
        return problem
    tables, rows, columns, mean = _split(problem.tables, gauge)
    counter, shift, _, level = _split(problem.counter[None], gauge)
    h = problem.h + (problem.n - 1) * shift[0]
    np.add.at(h, problem.u, rows)
    np.add.at(h, problem.v, columns)
    offset = problem.offset + float(mean.sum()) + problem.n * (problem.n - 1) / 2 * float(level[0])
    return replace(problem, h=h, tables=tables, counter=(counter[0] + counter[0].T) / 2, offset=offset)


def _split(tables: np.ndarray, gauge: Gauge) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """T°, r [m, K], c [m, K], m [m] of tables [m, K, K]; r = c = 0 in the gauge of the mean."""
    mean = tables.mean(axis=(1, 2)) if tables.size else np.zeros(len(tables))
    rest = tables - mean[:, None, None]
    if gauge == "mean":
        none = np.zeros(tables.shape[:2])
        return rest, none, none, mean
    rows, columns = rest.mean(axis=2), rest.mean(axis=1)
    return rest - rows[:, :, None] - columns[:, None, :], rows, columns, mean


def quantised(problem: PottsProblem, bits: int, initial: np.ndarray | None = None) -> Potts:
    """The chip's form: tables of `bits` bits, fields on their grid, counters with enough fraction bits.

    Tables are double-centred first. The grid is max |T| / (2^(bits−1) − 1); fields keep it at whatever width they
    need; counters get f = ⌈log2 n⌉ + 1 fraction bits, so that rounding C moves a node's energy by less than half a
    step of the grid.

    Args:
        problem: any Potts problem.
        bits: 2…24, two's complement, of one table entry.
        initial: labels [p, n] to start from.

    Raises:
        UsageError: bits outside 2…24.
    """
    if not 2 <= bits <= 24:
        raise UsageError.of("bits of a coupler weight", bits, "2…24", "4 are enough for community detection.")
    made = centred(problem)
    largest = float(np.abs(made.tables).max(initial=0.0)) or float(np.abs(made.counter).max(initial=0.0)) or 1.0
    scale = largest / (2 ** (bits - 1) - 1)
    shift = max(problem.n - 1, 1).bit_length() + 1
    swap = made.u > made.v
    u, v = np.where(swap, made.v, made.u), np.where(swap, made.u, made.v)
    tables = np.where(swap[:, None, None], made.tables.transpose(0, 2, 1), made.tables)
    order = np.lexsort((v, u))
    start = np.zeros((0, problem.n)) if initial is None else np.asarray(initial)
    return Potts(
        _whole(made.h / scale), np.stack([u, v], axis=1)[order].astype(np.int32), _whole(tables[order] / scale),
        _whole(made.counter / scale * 2**shift), shift, scale, made.offset, start.astype(np.int8),
    )  # fmt: skip


def _whole(x: np.ndarray) -> np.ndarray:
    return np.rint(x).astype(np.int64)


def one_hot(problem: PottsProblem, penalty: float, gauge: Gauge = "double") -> Encoded:
    """K bits a node with P·(1 − Σ_k x_ik)².

    Args:
        problem: up to 16384 bits.
        penalty: P ≥ 0, in units of energy; a quarter of the largest |local field| is a good start.
        gauge: see `centred`.

    Raises:
        UsageError: a negative penalty or an unknown gauge.
        ShapeError: more spins than a dense problem may have.
    """
    _check_penalty(penalty)
    k = problem.states
    inside = 2 * penalty * (1 - np.eye(k))
    return _on_spins(centred(problem, gauge), "one-hot", np.full(k, 0.5), 0.5 * np.eye(k), inside, penalty)


def domain_wall(problem: PottsProblem, penalty: float = 0.0) -> Encoded:
    """K − 1 spins a node; more than one domain wall costs `penalty` for each beyond the first.

    Raises:
        UsageError: a negative penalty, or K < 2.
        ShapeError: more spins than a dense problem may have.
    """
    _check_penalty(penalty)
    k = problem.states
    if k < 2:
        raise UsageError.of("states of a domain wall", k, "2 or more", "One state needs no spin.")
    c, m = np.zeros(k), 0.5 * (np.eye(k, k - 1) - np.eye(k, k - 1, -1))
    c[0], c[-1] = 0.5, c[-1] + 0.5
    return _on_spins(centred(problem), "domain-wall", c, m, None, penalty)


def _check_penalty(penalty: float) -> None:
    if not (np.isfinite(penalty) and penalty >= 0):
        raise UsageError.of("penalty", penalty, "a finite number ≥ 0", "Try a quarter of the largest local field.")


def _on_spins(
    problem: PottsProblem, encoding: str, c: np.ndarray, m: np.ndarray, inside: np.ndarray | None, penalty: float
) -> Encoded:
    """x = c + M s in E, and the node's own penalty."""
    n, bits = problem.n, m.shape[1]
    if n * bits > MAX_DENSE:
        raise ShapeError.of("spins", n * bits, f"at most {MAX_DENSE}", "Sample the Potts problem itself: `heat_bath`.")
    pairs = _pair_tables(problem)  # [n, K, n, K]
    field = problem.h + np.tensordot(pairs, c, axes=([3], [0])).sum(axis=2)
    J = np.tensordot(np.tensordot(pairs, m, axes=([3], [0])), m, axes=([1], [0])).transpose(0, 3, 1, 2)
    h = field @ m
    offset = problem.offset + float((c * (problem.h + field)).sum()) / 2
    own = np.zeros((bits, bits))
    if inside is not None:  # P(1 − Σx)² = P − P·Σx + 2P·Σ_{k<l} x_k x_l with x = ½ + ½s
        own, local = inside / 4, inside.sum(axis=1) / 4 - penalty / 2
        offset += n * (penalty - penalty * bits / 2 + inside.sum() / 8)
    else:  # P·(walls − 1), walls = Σ_a (1 − s_a s_{a+1})/2 from s_0 = −1 to s_K = +1
        own, local = -penalty / 2 * (np.eye(bits, k=1) + np.eye(bits, k=-1)), np.zeros(bits)
        local[0] += penalty / 2
        local[-1] -= penalty / 2
        offset += n * penalty * ((bits + 1) / 2 - 1)
    at = np.arange(n)
    J[at, :, at, :] += own
    J = J.reshape(n * bits, n * bits)
    made = Problem.of_matrix((h + local).ravel(), (J + J.T) / 2)
    return Encoded(made, offset, n, problem.states, encoding)


def _pair_tables(problem: PottsProblem) -> np.ndarray:
    """float64 [n, K, n, K]: energy of each ordered pair of nodes, zero within a node."""
    n, k = problem.n, problem.states
    pairs = np.broadcast_to(problem.counter[None, :, None, :], (n, k, n, k)).copy()
    states = np.arange(k)
    own, other = states[None, :, None], states[None, None, :]
    u, v = problem.u[:, None, None], problem.v[:, None, None]
    np.add.at(pairs, (u, own, v, other), problem.tables)
    np.add.at(pairs, (v, own, u, other), problem.tables.transpose(0, 2, 1))
    pairs[np.arange(n), :, np.arange(n), :] = 0.0
    return pairs
