"""`mimo_ising`: integer least squares over odd constellation points, in structured form, and one chip run of it.

Symbols: n real dimensions (2·Nt; Nt for BPSK), K bits an axis, G = HᵀH (Gram matrix), z = Hᵀy (matched filter),
x_i ∈ {±1, ±3, …, ±(2^K − 1)}; spin (k, i) has index k·n + i and weight w_k = 2^(K−1−k): x_i = Σ_k w_k s_(k,i).

    E(x) = xᵀGx − 2 zᵀx,     ‖y − Hx‖² = scale · E + offset

Only n² + n numbers, not the (nK)² of the expanded problem. Specification, the chip's run and a worked example:
``docs/ir/mimo_ising.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np

from hwsim.ir.artifact import Artifact, Cost, Header, Tensors, register
from hwsim.ir.errors import ArtifactError
from hwsim.ir.ising import MAX_ENERGY, Ising, check_affine, check_array, check_spins

ROM_SIZE, ROM_FRACTION = 256, 5  # 8-bit draws; −ln(u) in steps of 1/32 fits 8 bits


def minus_log_rom() -> np.ndarray:
    """int64 [256]: round(−ln((r + ½) / 256) · 2^5), the Metropolis threshold of an 8-bit draw r."""
    return np.rint(-np.log((np.arange(ROM_SIZE) + 0.5) / ROM_SIZE) * 2**ROM_FRACTION).astype(np.int64)


@register
@dataclass(frozen=True, eq=False)
class MimoIsing(Artifact):
    """A MIMO detection problem with the seeds, temperatures and random states of one annealing run.

    Attributes:
        gram: int32 [n, n], symmetric, diagonal ≥ 0.
        matched: int64 [n].
        bits_per_axis: K, 1…4 (BPSK and QPSK 1, 16-QAM 2, 64-QAM 3, 256-QAM 4).
        seeds: int8 [replicas, K·n], ±1: where each replica starts.
        rng_seeds: uint32 [replicas], xorshift32 states ≠ 0.
        mantissas, exponents: uint8 [sweeps]; temperature of a sweep T = 4 · mantissa · 2^exponent in units of E.
        scale, offset: ‖y − Hx‖² = scale · E + offset.
        meta: free-form strings.
    """

    kind: ClassVar[str] = "mimo_ising"
    spec_version: ClassVar[int] = 1

    gram: np.ndarray
    matched: np.ndarray
    bits_per_axis: int
    seeds: np.ndarray
    rng_seeds: np.ndarray
    mantissas: np.ndarray
    exponents: np.ndarray
    scale: float = 1.0
    offset: float = 0.0
    meta: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.validate()

    @property
    def n(self) -> int:
        """Real dimensions."""
        return len(self.matched)

    @property
    def n_spins(self) -> int:
        return self.bits_per_axis * self.n

    @property
    def replicas(self) -> int:
        return len(self.seeds)

    @property
    def sweeps(self) -> int:
        return len(self.mantissas)

    @property
    def weights(self) -> np.ndarray:
        """int64 [K]: 2^(K−1), …, 2, 1."""
        return 2 ** np.arange(self.bits_per_axis - 1, -1, -1, dtype=np.int64)

    def validate(self) -> None:
        """Raise `ArtifactError` for any broken rule; runs on construction."""
        if self.bits_per_axis not in (1, 2, 3, 4):
            raise ArtifactError.of("mimo_ising.bits_per_axis", self.bits_per_axis, "1…4", "256-QAM has 4.")
        check_array(self.kind, "matched", self.matched, np.int64, (None,))
        check_array(self.kind, "gram", self.gram, np.int32, (self.n, self.n))
        check_array(self.kind, "seeds", self.seeds, np.int8, (None, self.n_spins))
        check_array(self.kind, "rng_seeds", self.rng_seeds, np.uint32, (self.replicas,))
        check_array(self.kind, "mantissas", self.mantissas, np.uint8, (None,))
        check_array(self.kind, "exponents", self.exponents, np.uint8, (self.sweeps,))
        check_affine(self.kind, self.scale, self.offset)
        self._check_values()

    def _check_values(self) -> None:
        """G is symmetric with diagonal ≥ 0, seeds are spins, random states are not 0, energies fit int64."""
        if (self.gram != self.gram.T).any() or (np.diag(self.gram) < 0).any():
            raise ArtifactError.of("mimo_ising.gram", "no Gram matrix", "G = Gᵀ, diagonal ≥ 0", "Use G = HᵀH.")
        if (np.abs(self.seeds) != 1).any():
            raise ArtifactError.of("mimo_ising.seeds", "other values", "−1 and +1", "Map 0/1 to ±1.")
        if (self.rng_seeds == 0).any():
            raise ArtifactError.of("mimo_ising.rng_seeds", 0, "1…2^32 − 1", "Zero is a fixed point of xorshift.")
        if self.exponents.size and int(self.exponents.max()) > 31:
            raise ArtifactError.of("mimo_ising.exponents", int(self.exponents.max()), "0…31", "Rescale the problem.")
        top = 2**self.bits_per_axis - 1
        weight = int(np.abs(self.gram.astype(np.int64)).sum())
        total = top * top * weight + 2 * top * sum(abs(int(v)) for v in self.matched)
        if total >= MAX_ENERGY:
            raise ArtifactError.of("mimo_ising energies", total, "below 2^62", "Use a larger scale.")

    def points(self, spins: np.ndarray) -> np.ndarray:
        """Constellation points x int64 [batch, n] of states ±1 [batch, K·n]."""
        s = check_spins(spins, self.n_spins)
        return (s.reshape(len(s), self.bits_per_axis, self.n) * self.weights[:, None]).sum(axis=1)

    def reference(self, x: np.ndarray) -> np.ndarray:
        """Energies E int64 [batch] of states ±1 [batch, K·n]: xᵀGx − 2 zᵀx."""
        a = self.points(x)
        return (a * (a @ self.gram.astype(np.int64))).sum(axis=1) - 2 * a @ self.matched

    def expand(self) -> Ising:
        """The same problem over spins: h = −2 w⊗z, J = 2 (wwᵀ)⊗G off the diagonal; the constant goes to `offset`."""
        w, gram = self.weights, self.gram.astype(np.int64)
        full = 2 * np.kron(np.outer(w, w), gram)
        u, v = np.nonzero(np.triu(full, 1))
        constant = int((w * w).sum() * np.trace(gram))
        return Ising(
            -2 * np.kron(w, self.matched),
            np.stack([u, v], axis=1).astype(np.int32),
            full[u, v],
            self.scale,
            self.offset + self.scale * constant,
            initial=self.seeds,
            meta=dict(self.meta),
        )

    def cost(self) -> Cost:
        """Spins, memory of the structured and of the expanded form, and spin decisions of the run."""
        n, spins = self.n, self.n_spins
        return Cost(
            {
                "spins": spins,
                "weights": n * n + n,
                "weights_expanded": spins * (spins - 1) // 2 + spins,
                "decisions": self.replicas * self.sweeps * spins,
            },
            {
                "spins": "K·n",
                "weights": "n² + n: G and z",
                "weights_expanded": "h and the upper triangle of J",
                "decisions": "replicas · sweeps · spins Metropolis tests",
            },
        )

    def to_tensors(self) -> tuple[Tensors, Header]:
        """Arrays by field name and a JSON-able header."""
        names = ("gram", "matched", "seeds", "rng_seeds", "mantissas", "exponents")
        header: Header = {
            "bits_per_axis": self.bits_per_axis,
            "scale": float(self.scale),
            "offset": float(self.offset),
            "meta": dict(self.meta),
        }
        return {name: getattr(self, name) for name in names}, header

    @classmethod
    def from_tensors(cls, tensors: Tensors, header: Header) -> Self:
        """Inverse of `to_tensors`; raises `ArtifactError` when a rule is broken."""
        return cls(
            tensors["gram"], tensors["matched"], header["bits_per_axis"], tensors["seeds"], tensors["rng_seeds"],
            tensors["mantissas"], tensors["exponents"], header["scale"], header["offset"], dict(header["meta"]),
        )  # fmt: skip
