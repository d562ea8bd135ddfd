"""Linear detectors: zero forcing and MMSE.

    x̃_ZF = (HᴴH)⁻¹ Hᴴ y,        x̃_MMSE = (HᴴH + (N0/E_s) I)⁻¹ Hᴴ y

BPSK has real symbols, so both use the real form: G = Re HᴴH, z = Re Hᴴy, E_s = 1 against N0/2. The MMSE estimate
is biased, x̃_i = ρ_i x_i + noise with ρ_i = 1 − λ [(G + λI)⁻¹]_ii, and is divided by ρ before slicing.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack

from hwsim.ir.errors import ShapeError
from hwsim.xresq.channel import Received
from hwsim.xresq.detection import Detection, single
from hwsim.xresq.modulation import slice_levels, to_real

BATCH_SOLVE_BELOW = 48  # users: below, numpy's batched inverse beats one LAPACK call an instance
SINGULAR_BELOW = 1e-12  # smallest pivot over largest diagonal entry, squared singular values in float64


@dataclass(frozen=True, eq=False)
class LinearEstimate:
    """Unbiased estimates of the levels, as seen through an equivalent Gaussian channel an axis.

    Attributes:
        mean: float64 [batch, n].
        variance: float64 [batch, n], of the error of an axis.
    """

    mean: np.ndarray
    variance: np.ndarray


def regularisation(r: Received) -> np.ndarray:
    """λ float64 [batch]: N0/E_s, the noise over the symbol power of an axis."""
    return r.n0 / 2 / r.mod.axis_energy


def mmse_estimate(r: Received) -> LinearEstimate:
    """Unbiased MMSE estimates."""
    lam = regularisation(r)
    mean, diagonal = _solve(r, lam)
    rho = np.maximum(1 - lam[:, None] * diagonal, 1e-12)  # E|x̃ − ρx|² = ρ(1−ρ)E_s
    variance = (1 - rho) / rho * r.mod.axis_energy
    axes = r.mod.axes
    return LinearEstimate(mean / np.tile(rho, (1, axes)), np.tile(variance, (1, axes)))


def zf_estimate(r: Received) -> LinearEstimate:
    """Zero-forcing estimates.

    Raises:
        ShapeError: a singular channel.
    """
    mean, diagonal = _solve(r, np.zeros(r.batch))
    return LinearEstimate(mean, np.tile(diagonal * r.n0[:, None] / 2, (1, r.mod.axes)))


def zf(r: Received) -> Detection:
    """Zero forcing and slicing.

    Raises:
        ShapeError: a singular channel.
    """
    start = time.perf_counter()
    x = slice_levels(r.mod, zf_estimate(r).mean)
    return single(r, x, {"detect": time.perf_counter() - start})


def mmse(r: Received) -> Detection:
    """Unbiased MMSE and slicing."""
    start = time.perf_counter()
    x = slice_levels(r.mod, mmse_estimate(r).mean)
    return single(r, x, {"detect": time.perf_counter() - start})


def _solve(r: Received, lam: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(G + λI)⁻¹z as reals [batch, n] and the real diagonal of the inverse [batch, Nt]."""
    real = r.mod.axes == 1
    gram, matched = (r.gram.real, r.matched.real) if real else (r.gram, r.matched)
    loaded = gram + lam[:, None, None] * np.eye(r.n_t)
    if r.n_t < BATCH_SOLVE_BELOW:
        try:
            inverse = np.linalg.inv(loaded)
        except np.linalg.LinAlgError:
            raise singular(0.0) from None
        diagonal = np.einsum("bii->bi", inverse).real
        check_pivots(1 / diagonal, loaded)
        return to_real(r.mod, np.matmul(inverse, matched[:, :, None])[:, :, 0]), diagonal
    pairs = [_solve_large(a, z) for a, z in zip(loaded, matched, strict=True)]
    return to_real(r.mod, np.stack([p[0] for p in pairs])), np.stack([p[1] for p in pairs])


def _solve_large(a: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Solution and diagonal of the inverse of one Hermitian system, by Cholesky."""
    potrf, potrs, trtri = lapack.get_lapack_funcs(("potrf", "potrs", "trtri"), (a,))
    factor, info = potrf(a, lower=1)
    if info:
        raise singular(0.0)
    check_pivots(np.diag(factor).real[None] ** 2, a[None])
    inverse, _ = trtri(factor, lower=1)
    solution, _ = potrs(factor, z, lower=1)
    return solution, np.einsum("ij,ij->j", inverse.real, inverse.real) + (
        np.einsum("ij,ij->j", inverse.imag, inverse.imag) if np.iscomplexobj(inverse) else 0.0
    )


def check_pivots(pivots: np.ndarray, gram: np.ndarray) -> None:
    """Raise `ShapeError` where Schur complements [batch, n] vanish beside the Gram matrices' diagonals."""
    scale = np.einsum("bii->bi", gram).real.max(axis=1)
    ratio = (pivots / scale[:, None]).min(axis=1) if len(pivots) else np.ones(1)
    if not (ratio > SINGULAR_BELOW).all():
        raise singular(float(ratio.min()))


def singular(ratio: float) -> ShapeError:
    """The error of a channel without full rank."""
    return ShapeError.of(
        "singular channel", f"pivot ratio {ratio:.1e}", f"above {SINGULAR_BELOW:.0e}", "Use mmse, ep or an annealer."
    )
