"""How far classes are apart, and the error rate that it allows (Section 4).

Node i of class a is taken for class b at the rate at which its edges to class k are confused, the Bhattacharyya
coefficient of one pair of nodes:

    BC_k(a, b) = √((1 − Π_ak)(1 − Π_bk)) + √(Π_ak Π_bk) · exp(−D_k(a, b)),
    D = ⅛ Δᵀ S⁻¹ Δ + ½ ln(det S / √(det Γ_ak det Γ_bk)),  Δ = μ_ak − μ_bk,  S = (Γ_ak + Γ_bk)/2,

    error = exp(−(1 + o(1))·min_{a≠b} Σ_k n_k·(−ln BC_k(a, b))),  τ = that exponent / ln n;  τ > 1: exact recovery.

With Π_ak = Π_bk = p all information is p(1 − e^−D): covariates act multiplied by the density of edges.
"""

from __future__ import annotations

import numpy as np

from hwsim.ir.errors import UsageError
from ml.vecsbm.features import LEAST_PI
from ml.vecsbm.model import Model

STEP = 1e-3  # of λ, for a second derivative


def coefficients(model: Model, share: float = 0.5, *, directed_covariates: bool = False) -> np.ndarray:
    """∫ P_a^(1−λ) P_b^λ of a pair of nodes, [K (k), K (a), K (b)]; BC at λ = ½. Two covariates an edge if directed."""
    pi, rest = (np.log(np.clip(x, LEAST_PI, 1)).T for x in (model.pi, 1 - model.pi))
    overlap = _overlap(model.mu.transpose(1, 0, 2), model.gamma.transpose(1, 0, 2, 3), share)
    if directed_covariates:
        overlap = overlap * _overlap(model.mu, model.gamma, share)

    def mixed(x: np.ndarray) -> np.ndarray:
        return np.exp((1 - share) * x[:, :, None] + share * x[:, None, :])

    return mixed(rest) + mixed(pi) * overlap


def _overlap(mu: np.ndarray, gamma: np.ndarray, share: float) -> np.ndarray:
    """∫ N_a^(1−λ) N_b^λ [K (k), K (a), K (b)] of mu [k, a, d] and gamma [k, a, d, d]."""
    delta = mu[:, :, None] - mu[:, None, :]
    mean = share * gamma[:, :, None] + (1 - share) * gamma[:, None, :]
    logdet = np.linalg.slogdet(gamma)[1]
    distance = share * (1 - share) / 2 * np.einsum("kabi,kabij,kabj->kab", delta, np.linalg.inv(mean), delta)
    between = share * logdet[:, :, None] + (1 - share) * logdet[:, None, :]
    return np.exp(-distance - (np.linalg.slogdet(mean)[1] - between) / 2)


def _totals(model: Model, n: int, share: float, directed: bool) -> np.ndarray:
    """Σ_k n·α_k·ln ∫ P_a^(1−λ) P_b^λ, [K (a), K (b)]: the log-likelihood ratio's cumulants at λ."""
    if model.K < 2:
        raise UsageError.of("classes", model.K, "2 or more", "One class has nothing to be taken for.")
    return n * np.einsum("k,kab->ab", model.alpha, np.log(coefficients(model, share, directed_covariates=directed)))


def exponent(model: Model, n: int, *, directed_covariates: bool = False) -> float:
    """min_{a≠b} Σ_k n·α_k·(−ln BC_k(a, b)), nats.

    Raises:
        UsageError: fewer than two classes.
    """
    return float((-_totals(model, n, 0.5, directed_covariates))[~np.eye(model.K, dtype=bool)].min())


def separation(model: Model, n: int, *, directed_covariates: bool = False) -> float:
    """τ = exponent / ln n; above 1 every node can be recovered.

    Example:
        >>> from ml.vecsbm import scenarios, separation
        >>> round(separation(scenarios.two_classes(500, 2.5, 1.5, tau=0.7), 500), 6)
        0.7
    """
    return exponent(model, n, directed_covariates=directed_covariates) / float(np.log(n))


def predicted_error(model: Model, n: int, *, refined: bool = False, directed_covariates: bool = False) -> float:
    """Share of wrong nodes, exp(−exponent) = n^−τ: right in the exponent only.

    `refined` divides by ½√(2πΛ″(½)), Λ the cumulants of the log-likelihood ratio between the two closest classes
    (Bahadur and Rao, 1960): the error of one node whose neighbours are known, as n grows, of two classes that are
    confused either way alike.

    Raises:
        UsageError: fewer than two classes.
    """
    leading = float(np.exp(-exponent(model, n, directed_covariates=directed_covariates)))
    if not refined:
        return leading
    low, middle, high = (_totals(model, n, 0.5 + step, directed_covariates) for step in (-STEP, 0.0, STEP))
    worst = np.unravel_index(np.argmax(np.where(np.eye(model.K), -np.inf, middle)), middle.shape)
    curvature = float((low + high - 2 * middle)[worst] / STEP**2)
    return leading / (0.5 * float(np.sqrt(2 * np.pi * curvature)))
