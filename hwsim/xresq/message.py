"""Message-passing detectors: expectation propagation (EP) and approximate message passing (AMP).

EP (Céspedes et al., IEEE Trans. Commun. 2014): q(x) ∝ N(y; Hx, N0/2) Π exp(γ_i x_i − Λ_i x_i²/2); an iteration
takes marginals of Σ = (2G/N0 + diag Λ)⁻¹, μ = Σ(2z/N0 + γ), removes axis i (cavity t_i, h_i²), matches mean and
variance of the cavity times the constellation prior, and damps. n³ an iteration.

AMP (Donoho et al. 2009; Bayati & Montanari 2011) for i.i.d. H with n unknowns, 2Nr real equations, ‖column‖² = Nr:

    r = x̂ + Hᵀe/Nr,   τ² = ‖e‖²/(2Nr·Nr),   x̂, v = mean, variance of the prior given r = x + τ·noise,
    e ← y − Hx̂ + n/(2Nr) ⟨v/τ²⟩ e

n² an iteration, and optimal for large i.i.d. channels where state evolution has one fixed point.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from scipy.special import erfc

from hwsim.xresq.channel import Received
from hwsim.xresq.detection import Detection, single
from hwsim.xresq.linear import LinearEstimate
from hwsim.xresq.modulation import Modulation, slice_levels, to_complex, to_real

EP_ITERATIONS, EP_DAMPING = 10, 0.3
EP_VARIANCE_FLOOR = 5e-7  # ε of the paper's section IV
AMP_ITERATIONS = 40


def posterior(mod: Modulation, mean: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Constellation prior times N(x; mean, variance): (probabilities [..., M], means, variances)."""
    points = mod.points.astype(np.float64)
    log_p = -((mean[..., None] - points) ** 2) / (2 * np.maximum(variance, 1e-12)[..., None])
    p = np.exp(log_p - log_p.max(axis=-1, keepdims=True))
    p /= p.sum(axis=-1, keepdims=True)
    first = p @ points
    return p, first, np.maximum(p @ points**2 - first**2, 0.0)


def ep_estimate(r: Received, iterations: int = EP_ITERATIONS, damping: float = EP_DAMPING) -> LinearEstimate:
    """Cavity means and variances float64 [batch, n] of the last iteration: unbiased, like a linear estimate."""
    scale = 2 / r.n0
    gram, z = r.gram_real * scale[:, None, None], r.matched_real * scale[:, None]
    eye = np.eye(r.n)
    precision = np.full((r.batch, r.n), 1 / r.mod.axis_energy)
    shift = np.zeros_like(precision)
    mean = variance = precision
    for step in range(iterations):
        sigma = np.linalg.inv(gram + precision[:, :, None] * eye)
        mu = np.matmul(sigma, (z + shift)[:, :, None])[:, :, 0]
        diagonal = np.einsum("bii->bi", sigma)
        variance = np.maximum(diagonal / np.maximum(1 - diagonal * precision, 1e-9), 1e-12)
        mean = variance * (mu / diagonal - shift)
        if step == iterations - 1:
            break
        _, first, second = posterior(r.mod, mean, variance)
        second = np.maximum(second, EP_VARIANCE_FLOOR)
        new_precision, new_shift = 1 / second - 1 / variance, first / second - mean / variance
        keep = new_precision <= 0  # the paper's rule: leave that axis as it is
        precision = np.where(keep, precision, damping * new_precision + (1 - damping) * precision)
        shift = np.where(keep, shift, damping * new_shift + (1 - damping) * shift)
    return LinearEstimate(mean, variance)


def ep(r: Received, *, iterations: int = EP_ITERATIONS, damping: float = EP_DAMPING) -> Detection:
    """Expectation propagation and slicing of its cavity means."""
    start = time.perf_counter()
    x = slice_levels(r.mod, ep_estimate(r, iterations, damping).mean)
    return single(r, x, {"detect": time.perf_counter() - start})


def amp_estimate(r: Received, iterations: int = AMP_ITERATIONS) -> LinearEstimate:
    """Means float64 [batch, n] of the effective Gaussian channel and its variance."""
    equations, norm = 2 * r.n_r, r.n_r  # real equations; E‖column‖² with entries of unit power
    x = np.zeros((r.batch, r.n))
    e = r.y
    mean, variance = x, np.full_like(x, r.mod.axis_energy)
    for _ in range(iterations):
        tau2 = np.maximum(np.sum(np.abs(e) ** 2, axis=1) / (equations * norm), 1e-12)
        mean = x + to_real(r.mod, np.matmul(e.conj()[:, None, :], r.H)[:, 0].conj() / norm)
        variance = np.repeat(tau2[:, None], r.n, axis=1)
        _, x, spread = posterior(r.mod, mean, variance)
        onsager = r.n / equations * spread.mean(axis=1) / tau2
        e = r.y - np.matmul(r.H, to_complex(r.mod, x)[:, :, None])[:, :, 0] + onsager[:, None] * e
    return LinearEstimate(mean, variance)


def amp(r: Received, *, iterations: int = AMP_ITERATIONS) -> Detection:
    """Approximate message passing and slicing; for large i.i.d. channels."""
    start = time.perf_counter()
    x = slice_levels(r.mod, amp_estimate(r, iterations).mean)
    return single(r, x, {"detect": time.perf_counter() - start})


@dataclass(frozen=True)
class StateEvolution:
    """Large-system prediction for i.i.d. channels.

    Attributes:
        noise_variance: τ² of an axis at the fixed point, in units of the level grid (distance 2).
        ber: bit error rate of slicing there, nearest-neighbour errors.
        iterations: steps until τ² stood still.
    """

    noise_variance: float
    ber: float
    iterations: int


def state_evolution(mod: Modulation, snr_db: float, load: float = 1.0, start: float | None = None) -> StateEvolution:
    """Fixed point of τ² = σ² + load·mmse(τ²) for Nt/Nr = `load` (Tanaka 2002; Bayati & Montanari 2011).

    σ² = load·E_s/(2·SNR) is the noise on an axis of columns scaled to one. Started from the prior's variance this is
    what AMP reaches; started from σ² (`start=0`) the optimum. Where both agree, polynomial detectors can be optimal.

    Example:
        >>> from hwsim.xresq.modulation import modulation
        >>> round(1e9 * state_evolution(modulation("16qam"), 22.0).ber, 2)
        6.75
    """
    load_real = load / (1 if mod.axes == 2 else 2)
    noise = load * mod.symbol_energy / 10 ** (snr_db / 10) / 2
    nodes, weights = np.polynomial.hermite_e.hermegauss(200)
    weights = weights / weights.sum()
    tau2, following, steps = np.inf, noise + load_real * (mod.axis_energy if start is None else start), 0
    while abs(following - tau2) >= 1e-12 and steps < 5000:
        tau2, steps = following, steps + 1
        seen = mod.points[:, None] + np.sqrt(tau2) * nodes
        _, first, _ = posterior(mod, seen, np.full_like(seen, tau2))
        following = noise + load_real * float(((mod.points[:, None] - first) ** 2 @ weights).mean())
    errors = 2 * (1 - 1 / mod.levels) * 0.5 * erfc(1 / np.sqrt(2 * tau2)) / mod.bits_per_axis
    return StateEvolution(float(tau2), float(errors), steps)
