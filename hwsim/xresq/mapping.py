"""From a received vector to an annealing problem: dense Ising, structured integers, dimod, and the IR.

Symbols: A = w ⊗ Hr with w = (2^(K−1), …, 1), s ∈ {±1}^N, N = nK, spin (k, i) at (k−1)·n + i.

    E(s) = ‖yr − A s‖² = offset + h·s + Σ_{i<j} J_ij s_i s_j,
    h = −2 w⊗z,   J = 2 (wwᵀ)⊗G off the diagonal,   offset = ‖y‖² + Σw²·tr G        (G = HrᵀHr, z = Hrᵀyr)

QuAMax's symbol maps (SIGCOMM 2019, section 3.2.1) are the same. RI-MIMO (arXiv 2105.10535) adds r Σ (s − s_MMSE)²,
that is h −= 2 r s_MMSE and a constant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from hwsim.ir.errors import UsageError
from hwsim.ir.ising import Ising
from hwsim.xresq.channel import Received
from hwsim.xresq.linear import mmse_estimate
from hwsim.xresq.modulation import Modulation, slice_levels, spins_of_levels

if TYPE_CHECKING:
    import dimod


@dataclass(frozen=True, eq=False)
class DenseIsing:
    """One instance over spins, in float64.

    Attributes:
        h: float64 [N].
        J: float64 [N, N], symmetric with zero diagonal; E counts every pair once.
        offset: so that energies are ‖y − Hx‖².
    """

    h: np.ndarray
    J: np.ndarray
    offset: float

    def energies(self, spins: np.ndarray) -> np.ndarray:
        """float64 [batch] of states ±1 [batch, N]."""
        s = np.asarray(spins, np.float64)
        return self.offset + s @ self.h + ((s @ self.J) * s).sum(axis=1) / 2


def dense_ising(r: Received, b: int = 0, *, ri: float = 0.0) -> DenseIsing:
    """Instance b over its N = nK spins.

    Args:
        r: received batch.
        b: instance.
        ri: RI-MIMO strength r ≥ 0, in units of energy. Energies are then no longer ‖y − Hx‖².

    Raises:
        UsageError: no such instance, negative strength.

    Example:
        >>> from hwsim.xresq.channel import generate
        >>> p = generate("16qam", 2, 2, 20.0, 1, np.random.default_rng(0))
        >>> dense_ising(p.received).J.shape
        (8, 8)
    """
    _check_instance(r, b)
    w = r.mod.weights.astype(np.float64)
    gram, z = r.gram[b], r.matched_real[b]
    n = r.n
    J = np.empty((len(w) * n, len(w) * n))
    _fill(np.ascontiguousarray(gram.real), np.ascontiguousarray(gram.imag), r.mod.axes, w, J)
    h = -2 * np.kron(w, z)
    offset = float(r.power[b] + (w**2).sum() * np.trace(gram).real * r.mod.axes)
    if ri < 0:
        raise UsageError.of("ri", ri, "0 or more", "0 is no regularisation.")
    if ri:
        s = mmse_spins(r)[b]
        h = h - 2 * ri * s
        offset += 2 * ri * len(s)
    return DenseIsing(h, J, offset)


def structured_problem(r: Received, b: int = 0) -> tuple[np.ndarray, np.ndarray, float]:
    """(G float64 [n, n], z float64 [n], ‖y‖²) of instance b: all that structured kernels need."""
    _check_instance(r, b)
    return r.gram_real[b], r.matched_real[b], float(r.power[b])


def mmse_spins(r: Received) -> np.ndarray:
    """int8 [batch, N]: spins of the sliced MMSE estimate."""
    return spins_of_levels(r.mod, slice_levels(r.mod, mmse_estimate(r).mean))


def dimod_bqm(r: Received, b: int = 0, *, ri: float = 0.0) -> dimod.BinaryQuadraticModel:
    """Instance b as a SPIN model over 0…N−1, for any dimod sampler."""
    import dimod

    dense = dense_ising(r, b, ri=ri)
    linear: Any = dense.h
    bqm = dimod.BinaryQuadraticModel(np.triu(dense.J), "SPIN")
    bqm.add_linear_from_array(linear)
    bqm.offset = dense.offset
    return bqm


def ising_ir(r: Received, b: int = 0, *, bits: int = 24, initial: np.ndarray | None = None) -> Ising:
    """Instance b as integer `ising` IR.

    Args:
        r: received batch.
        b: instance.
        bits: the largest weight becomes about 2^(bits−1).
        initial: int8 [p, N], start states.
    """
    dense = dense_ising(r, b)
    largest = max(float(np.abs(dense.h).max()), float(np.abs(dense.J).max()), 1e-300)
    scale = largest / 2 ** (bits - 1)
    u, v = np.triu_indices(len(dense.h), 1)
    J = np.rint(dense.J[u, v] / scale).astype(np.int64)
    kept = J != 0
    edges = np.stack([u[kept], v[kept]], axis=1).astype(np.int32)
    h = np.rint(dense.h / scale).astype(np.int64)
    start = np.zeros((0, len(h)), np.int8) if initial is None else np.asarray(initial, np.int8)
    return Ising(h, edges, J[kept], scale, dense.offset, initial=start)


def spins_per_user(mod: Modulation) -> int:
    """Spins an annealer needs a user: bits of a symbol (8 for 256-QAM)."""
    return mod.bits_per_symbol


def _check_instance(r: Received, b: int) -> None:
    if not 0 <= b < r.batch:
        raise UsageError.of("instance", b, f"0…{r.batch - 1}", "Choose one of the batch.")


@njit(cache=True, nogil=True)
def _fill(re, im, axes, w, J):
    """J = 2 (wwᵀ) ⊗ [[Re, −Im], [Im, Re]] with a zero diagonal, row after row."""
    n_t = len(re)
    n = n_t * axes
    for k in range(len(w)):
        for i in range(n):
            row, u = J[k * n + i], i % n_t
            # column blocks of a real row: (Re, −Im), of an imaginary one: (Im, Re)
            sign = -1.0 if i < n_t else 1.0
            for m in range(len(w)):
                f = 2.0 * w[k] * w[m]
                first, second = row[m * n : m * n + n_t], row[m * n + n_t : (m + 1) * n]
                if i < n_t:
                    for j in range(n_t):
                        first[j] = f * re[u, j]
                    if axes == 2:
                        for j in range(n_t):
                            second[j] = sign * f * im[u, j]
                else:
                    for j in range(n_t):
                        first[j] = f * im[u, j]
                    for j in range(n_t):
                        second[j] = f * re[u, j]
            row[k * n + i] = 0.0
