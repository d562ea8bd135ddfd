"""The paper's synthetic scenarios (Section 5, xp.R) and the two-class family of a given separation.

| | n | K | Π | covariates |
|---|---|---|---|---|
| 1 | 600 | 3 | 3.5 and 1 · ln n/n, classes 0 and 1 alike | N(0, I), but μ_11 = (−2, 2, −2) |
| 2 | 600 | 3 | the same | mean 1, but μ_11 = −1; a random covariance a pair |
| 3 | 1000 | 2…10 | 8 and 4 · ln n/n | N(μ_kl, I), μ_kl uniform on [−2, 2]³ |
"""

from __future__ import annotations

import numpy as np

from hwsim.ir.errors import UsageError
from ml.vecsbm.model import Model

EIGENVALUES = (3.0, 2.0, 1.0)  # of scenario 2's covariances, divided by the largest


def _planted(n: int, K: int, p: float, q: float) -> np.ndarray:
    pi = np.full((K, K), q) + (p - q) * np.eye(K)
    return pi * np.log(n) / n


def scenario1(n: int = 600) -> Model:
    """Two classes that the graph cannot tell apart, three that covariates alone cannot."""
    pi = _planted(n, 3, 3.5, 1.0)
    pi[0, 1] = pi[1, 0] = pi[0, 0]
    mu = np.zeros((3, 3, 3))
    mu[1, 1] = (-2, 2, -2)
    return Model(np.full(3, 1 / 3), pi, mu, np.tile(np.eye(3), (3, 3, 1, 1)))


def scenario2(rng: np.random.Generator, n: int = 600) -> Model:
    """As scenario 1 with other means and a random covariance for each pair of classes."""
    mu = np.ones((3, 3, 3))
    mu[1, 1] = -1
    gamma = np.empty((3, 3, 3, 3))
    for k in range(3):
        for j in range(k, 3):
            frame = np.linalg.qr(rng.standard_normal((3, 3)))[0]
            gamma[k, j] = gamma[j, k] = (frame * np.array(EIGENVALUES) / max(EIGENVALUES)) @ frame.T
    return Model(np.full(3, 1 / 3), scenario1(n).pi, mu, (gamma + np.swapaxes(gamma, -1, -2)) / 2)


def scenario3(rng: np.random.Generator, K: int, n: int = 1000) -> Model:
    """Many classes, isotropic covariates with means of their own for each pair."""
    mu = np.empty((K, K, 3))
    k, j = np.triu_indices(K)
    mu[k, j] = mu[j, k] = rng.uniform(-2, 2, (len(k), 3))
    return Model(np.full(K, 1 / K), _planted(n, K, 8.0, 4.0), mu, np.tile(np.eye(3), (K, K, 1, 1)))


def planted(
    n: int, K: int, p: float, q: float, tau: float | None = None, distance: float | None = None, d: int = 3
) -> Model:
    """K equal classes: Π = p within and q between, times ln n/n; Γ = I; μ differs within and between by D.

    Args:
        n: number of nodes that Π and τ refer to.
        K: number of classes, 2 or more.
        p, q: of Π, in units of ln n/n.
        tau: separation (`ml.vecsbm.separation`); D follows.
        distance: D = ‖μ_in − μ_out‖ itself, instead of tau.
        d: length of a covariate.

    Raises:
        UsageError: a separation that the graph alone exceeds or that no covariate reaches, or both or none given.
    """
    pi = _planted(n, K, p, q)
    if (tau is None) == (distance is None):
        raise UsageError.of("tau and distance", "both or none", "one of them", "One follows from the other.")
    if distance is None:
        distance = _distance(n, K, pi[0, 0], pi[0, 1], float(tau or 0.0))
    step = distance / 2 / np.sqrt(d)
    mu = np.where(np.eye(K, dtype=bool)[..., None], -step, step) * np.ones(d)
    return Model(np.full(K, 1 / K), pi, mu, np.tile(np.eye(d), (K, K, 1, 1)))


def _distance(n: int, K: int, p: float, q: float, tau: float) -> float:
    """D with (2n/K)·(−ln BC) = τ·ln n: between classes a and b only k = a and k = b tell."""
    target = np.exp(-tau * np.log(n) * K / (2 * n))
    overlap = (target - np.sqrt((1 - p) * (1 - q))) / np.sqrt(p * q)
    if not 0 < overlap <= 1:
        least = -2 * n / K / np.log(n) * np.log(np.sqrt((1 - p) * (1 - q)) + np.sqrt(p * q))
        most = -2 * n / K / np.log(n) * np.log(np.sqrt((1 - p) * (1 - q)))
        raise UsageError.of("tau", tau, f"{least:.3g} (no covariates) to {most:.3g} (perfect ones)", "Change p and q.")
    return float(np.sqrt(-8 * np.log(overlap)))


def two_classes(n: int, p: float, q: float, *, tau: float, d: int = 3) -> Model:
    """`planted` with K = 2."""
    return planted(n, 2, p, q, tau, d=d)
