"""`ising`: an integer Ising problem with an anneal schedule and initial states.

E(s) = Σ_i h_i s_i + Σ_e J_e s_u s_v over edges e = (u, v), s_i = ±1; the energy in the problem's own unit is
scale · E + offset. Specification and a worked example: ``docs/ir/ising.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np

from hwsim.ir.artifact import Artifact, Cost, Header, Tensors, register
from hwsim.ir.errors import ArtifactError, ShapeError, check_shape

MAX_ENERGY = 2**62  # Σ|h| + Σ|J| stays below: no energy and no partial sum overflows int64


def check_array(kind: str, name: str, array: object, dtype: type, shape: tuple[int | None, ...]) -> None:
    """Raise `ArtifactError` unless `array` is a numpy array of that dtype and shape (None matches any length)."""
    want = f"{np.dtype(dtype)} [{', '.join('any' if n is None else str(n) for n in shape)}]"
    if not isinstance(array, np.ndarray):
        raise ArtifactError.of(f"{kind}.{name}", type(array).__name__, want, "Convert it.")
    fits = array.ndim == len(shape) and all(n is None or n == m for n, m in zip(shape, array.shape, strict=True))
    if array.dtype != dtype or not fits:
        raise ArtifactError.of(f"{kind}.{name}", f"{array.dtype} {list(array.shape)}", want, "Convert it.")


def check_affine(kind: str, scale: float, offset: float) -> None:
    """Raise `ArtifactError` unless scale is positive and both are finite."""
    if not (np.isfinite(scale) and scale > 0 and np.isfinite(offset)):
        got = f"scale {scale}, offset {offset}"
        raise ArtifactError.of(f"{kind}.scale and offset", got, "finite, scale > 0", "Rescale the problem.")


def check_spins(x: np.ndarray, n: int) -> np.ndarray:
    """`x` as int64 when it is [batch, n] of ±1.

    Raises:
        ShapeError: another shape, dtype or value.
    """
    x = np.asarray(x)
    check_shape("states", x.shape, "[batch, n_spins]", (None, n))
    if x.dtype.kind != "i" or (x.size and (np.abs(x) != 1).any()):
        raise ShapeError.of("states are not spins", x.dtype, "−1 and +1 in a signed integer dtype", "Map 0/1 to ±1.")
    return x.astype(np.int64)


@register
@dataclass(frozen=True, eq=False)
class Ising(Artifact):
    """Ising problem with integer weights.

    Attributes:
        h: int64 [n], linear weights.
        edges: int32 [m, 2], u < v, in rising order without repetition.
        J: int64 [m], weight of each edge.
        scale, offset: energy in the problem's unit = scale · E + offset.
        schedule: float64 [k, 2], points (time in µs, s); no points when the solver chooses.
        initial: int8 [p, n], ±1: states to start from; may be empty.
        names: n unique variable names, or empty for 0…n−1.
        meta: free-form strings.
    """

    kind: ClassVar[str] = "ising"
    spec_version: ClassVar[int] = 1

    h: np.ndarray
    edges: np.ndarray
    J: np.ndarray
    scale: float = 1.0
    offset: float = 0.0
    schedule: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))
    initial: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.int8))
    names: tuple[str, ...] = ()
    meta: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.initial, np.ndarray) and self.initial.shape == (0, 0):
            object.__setattr__(self, "initial", self.initial.reshape(0, len(self.h)))
        self.validate()

    @property
    def n(self) -> int:
        """Number of spins."""
        return len(self.h)

    def validate(self) -> None:
        """Raise `ArtifactError` for any broken rule; runs on construction."""
        check_array(self.kind, "h", self.h, np.int64, (None,))
        check_array(self.kind, "edges", self.edges, np.int32, (None, 2))
        check_array(self.kind, "J", self.J, np.int64, (len(self.edges),))
        check_array(self.kind, "schedule", self.schedule, np.float64, (None, 2))
        check_array(self.kind, "initial", self.initial, np.int8, (None, self.n))
        check_affine(self.kind, self.scale, self.offset)
        self._check_graph()
        self._check_run()

    def _check_graph(self) -> None:
        """Edges name spins, u < v, in rising order; energies stay within int64."""
        u, v = self.edges[:, 0].astype(np.int64), self.edges[:, 1].astype(np.int64)
        bad = (u < 0) | (u >= v) | (v >= self.n)
        if bad.any():
            edge = self.edges[bad.argmax()].tolist()
            raise ArtifactError.of("ising.edges", edge, f"0 ≤ u < v < {self.n}", "Order each edge; put u = v into h.")
        if (np.diff(u * self.n + v) <= 0).any():
            raise ArtifactError.of(
                "ising.edges", "edges out of order", "rising order, each once", "Sort and merge them."
            )
        total = sum(abs(int(w)) for w in self.h) + sum(abs(int(w)) for w in self.J)
        if total >= MAX_ENERGY:
            raise ArtifactError.of("ising energies", f"Σ|h| + Σ|J| = {total}", "below 2^62", "Use a larger scale.")

    def _check_run(self) -> None:
        """Schedule times rise and 0 ≤ s ≤ 1; initial states are spins; names are unique and complete, or absent."""
        t, s = self.schedule[:, 0], self.schedule[:, 1]
        if not np.isfinite(self.schedule).all() or (np.diff(t) <= 0).any() or (s < 0).any() or (s > 1).any():
            got = self.schedule.tolist()
            raise ArtifactError.of("ising.schedule", got, "rising times, 0 ≤ s ≤ 1", "Mend the (t, s) points.")
        if (np.abs(self.initial) != 1).any():
            raise ArtifactError.of("ising.initial", "other values", "−1 and +1", "Map 0/1 to ±1.")
        if self.names and (len(self.names) != self.n or len(set(self.names)) != self.n):
            raise ArtifactError.of("ising.names", f"{len(self.names)} names", f"{self.n} unique or none", "Mend them.")

    def reference(self, x: np.ndarray) -> np.ndarray:
        """Energies E int64 [batch] of states ±1 [batch, n]."""
        s = check_spins(x, self.n)
        energy = (s * self.h).sum(axis=1)
        for (u, v), weight in zip(self.edges.tolist(), self.J.tolist(), strict=True):
            energy = energy + weight * s[:, u] * s[:, v]
        return energy

    def cost(self) -> Cost:
        """Spins, couplers and the largest degree."""
        degree = np.bincount(self.edges.ravel(), minlength=self.n) if self.n else np.zeros(1, int)
        return Cost(
            {"spins": self.n, "couplers": len(self.edges), "max_degree": int(degree.max())},
            {
                "spins": "length of h; logical qubits before embedding",
                "couplers": "edges with a weight",
                "max_degree": "most edges at one spin: additions a flip costs",
            },
        )

    def to_tensors(self) -> tuple[Tensors, Header]:
        """Arrays by field name and a JSON-able header."""
        tensors: Tensors = {name: getattr(self, name) for name in ("h", "edges", "J", "schedule", "initial")}
        header: Header = {
            "scale": float(self.scale),
            "offset": float(self.offset),
            "names": list(self.names),
            "meta": dict(self.meta),
        }
        return tensors, header

    @classmethod
    def from_tensors(cls, tensors: Tensors, header: Header) -> Self:
        """Inverse of `to_tensors`; raises `ArtifactError` when a rule is broken."""
        return cls(
            tensors["h"], tensors["edges"], tensors["J"], header["scale"], header["offset"], tensors["schedule"],
            tensors["initial"], tuple(header["names"]), dict(header["meta"]),
        )  # fmt: skip
