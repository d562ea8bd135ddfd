"""`potts`: an integer Potts problem of sparse couplers and K global counters.

E(z) = 2^f · (Σ_i h_i[z_i] + Σ_e T_e[z_u, z_v]) + Σ_{i<j} C[z_i, z_j] over edges e = (u, v), z_i in 0…K−1; the energy in
the problem's own unit is scale · 2^−f · E + offset. C, which every pair of nodes feels, needs no coupler: with the
counters n_l = #{i: z_i = l} it is ½·(Σ_kl n_k C_kl n_l − Σ_k n_k C_kk). Specification and a worked example:
``docs/ir/potts.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np

from hwsim.ir.artifact import Artifact, Cost, Header, Tensors, register
from hwsim.ir.errors import ArtifactError, ShapeError, check_shape
from hwsim.ir.ising import MAX_ENERGY, check_affine, check_array

MOST_STATES = 127  # labels are int8
MOST_SHIFT = 30


@register
@dataclass(frozen=True, eq=False)
class Potts(Artifact):
    """Potts problem with integer weights.

    Attributes:
        h: int64 [n, K], energy of node i in state k.
        edges: int32 [m, 2], u < v, in rising order without repetition.
        tables: int64 [m, K, K], energy of edge e with u in state k and v in state l.
        counter: int64 [K, K], symmetric, energy of every pair of nodes, in units 2^counter_shift times finer.
        counter_shift: f, 0…30.
        scale, offset: energy in the problem's unit = scale · 2^−f · E + offset.
        initial: int8 [p, n], labels to start from; may be empty.
        meta: free-form strings.
    """

    kind: ClassVar[str] = "potts"
    spec_version: ClassVar[int] = 1

    h: np.ndarray
    edges: np.ndarray
    tables: np.ndarray
    counter: np.ndarray
    counter_shift: int = 0
    scale: float = 1.0
    offset: float = 0.0
    initial: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.int8))
    meta: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.initial, np.ndarray) and self.initial.shape == (0, 0):
            object.__setattr__(self, "initial", self.initial.reshape(0, len(self.h)))
        self.validate()

    @property
    def n(self) -> int:
        """Number of nodes."""
        return len(self.h)

    @property
    def states(self) -> int:
        """K, states of a node."""
        return int(self.h.shape[1])

    def validate(self) -> None:
        """Raise `ArtifactError` for any broken rule; runs on construction."""
        check_array(self.kind, "h", self.h, np.int64, (None, None))
        if not 1 <= self.states <= MOST_STATES:
            raise ArtifactError.of("potts.h", f"{self.states} states", f"1…{MOST_STATES}", "Merge states.")
        check_array(self.kind, "edges", self.edges, np.int32, (None, 2))
        check_array(self.kind, "tables", self.tables, np.int64, (len(self.edges), self.states, self.states))
        check_array(self.kind, "counter", self.counter, np.int64, (self.states, self.states))
        check_array(self.kind, "initial", self.initial, np.int8, (None, self.n))
        check_affine(self.kind, self.scale, self.offset)
        self._check_values()

    def _check_values(self) -> None:
        u, v = self.edges[:, 0].astype(np.int64), self.edges[:, 1].astype(np.int64)
        bad = (u < 0) | (u >= v) | (v >= self.n)
        if bad.any():
            edge = self.edges[bad.argmax()].tolist()
            raise ArtifactError.of("potts.edges", edge, f"0 ≤ u < v < {self.n}", "Order each edge; no loops.")
        if (np.diff(u * self.n + v) <= 0).any():
            raise ArtifactError.of("potts.edges", "edges out of order", "rising order, each once", "Sort and merge.")
        if not np.array_equal(self.counter, self.counter.T):
            raise ArtifactError.of("potts.counter", self.counter.tolist(), "a symmetric matrix", "Symmetrise it.")
        if not 0 <= self.counter_shift <= MOST_SHIFT:
            raise ArtifactError.of("potts.counter_shift", self.counter_shift, f"0…{MOST_SHIFT}", "Choose a shift.")
        if ((self.initial < 0) | (self.initial >= self.states)).any():
            raise ArtifactError.of("potts.initial", "other values", f"labels 0…{self.states - 1}", "Mend the labels.")
        total = sum(_sizes(self.h)) + sum(_sizes(self.tables))
        total = (total << self.counter_shift) + max(_sizes(self.counter), default=0) * self.n * self.n
        if total >= MAX_ENERGY:
            raise ArtifactError.of("potts energies", f"largest {total}", "below 2^62", "Use a larger scale.")

    def reference(self, x: np.ndarray) -> np.ndarray:
        """Energies E int64 [batch] of labels 0…K−1 [batch, n]."""
        z = check_labels(x, self.n, self.states)
        local = self.h[np.arange(self.n), z].sum(axis=1)
        for (u, v), table in zip(self.edges.tolist(), self.tables, strict=True):
            local = local + table[z[:, u], z[:, v]]
        energy = local << self.counter_shift
        for i in range(self.n):
            for j in range(i):
                energy = energy + self.counter[z[:, i], z[:, j]]
        return energy

    def cost(self) -> Cost:
        """Couplers, counters and memory of a chip with one table a coupler, beside all-to-all couplers."""
        n, k, m = self.n, self.states, len(self.edges)
        bits = _signed_bits(self.tables)
        free = 1 if k == 2 and self.centred else k * (k + 1) // 2 if self.symmetric else k * k
        return Cost(
            {
                "nodes": n,
                "states": k,
                "couplers": m,
                "weight_bits": bits,
                "coupler_bits": m * free * bits,
                "field_bits": n * k * _signed_bits(self.h),
                "counters": k,
                "counter_bits": k * n.bit_length(),
                "additions_per_update": k * (2 * m / max(n, 1) + k),
                "dense_coupler_bits": n * (n - 1) // 2 * free * bits,
            },
            {
                "nodes": "rows of h",
                "states": "columns of h",
                "couplers": "edges with a table",
                "weight_bits": "bits of the widest table entry, two's complement",
                "coupler_bits": "couplers · entries · weight_bits; entries: 1 (K = 2, centred: ±J), K(K+1)/2 "
                "(symmetric), K²",
                "field_bits": "n · K entries of h at their width",
                "counters": "one a state",
                "counter_bits": "K counters of ⌈log2(n + 1)⌉ bits",
                "additions_per_update": "K · (mean degree + K)",
                "dense_coupler_bits": "the same with a table for each of the n(n − 1)/2 pairs, which a chip without "
                "counters needs",
            },
        )

    @property
    def symmetric(self) -> bool:
        """Whether every table is symmetric."""
        return np.array_equal(self.tables, self.tables.transpose(0, 2, 1))

    @property
    def centred(self) -> bool:
        """Whether every row and column of every table sums to zero."""
        return not self.tables.sum(axis=1).any() and not self.tables.sum(axis=2).any()

    def to_tensors(self) -> tuple[Tensors, Header]:
        """Arrays by field name and a JSON-able header."""
        tensors: Tensors = {name: getattr(self, name) for name in ("h", "edges", "tables", "counter", "initial")}
        header: Header = {
            "counter_shift": int(self.counter_shift),
            "scale": float(self.scale),
            "offset": float(self.offset),
            "meta": dict(self.meta),
        }
        return tensors, header

    @classmethod
    def from_tensors(cls, tensors: Tensors, header: Header) -> Self:
        """Inverse of `to_tensors`; raises `ArtifactError` when a rule is broken."""
        return cls(
            tensors["h"], tensors["edges"], tensors["tables"], tensors["counter"], header["counter_shift"],
            header["scale"], header["offset"], tensors["initial"], dict(header["meta"]),
        )  # fmt: skip


def check_labels(x: np.ndarray, n: int, states: int) -> np.ndarray:
    """`x` as int64 when it is [batch, n] of labels 0…states−1.

    Raises:
        ShapeError: another shape, dtype or value.
    """
    x = np.asarray(x)
    check_shape("labels", x.shape, "[batch, n]", (None, n))
    if x.dtype.kind not in "iu" or (x.size and (x.min() < 0 or x.max() >= states)):
        got = f"{x.dtype}" if x.dtype.kind not in "iu" else f"{x.min()}…{x.max()}"
        raise ShapeError.of("labels", got, f"integers 0…{states - 1}", "Number the classes from 0.")
    return x.astype(np.int64)


def _sizes(array: np.ndarray) -> list[int]:
    return [abs(int(w)) for w in array.ravel()]


def _signed_bits(array: np.ndarray) -> int:
    """Bits of two's complement that hold every value; at least 1."""
    if not array.size:
        return 1
    return max(int(array.max()).bit_length(), int(-array.min() - 1).bit_length() if array.min() < 0 else 0) + 1
