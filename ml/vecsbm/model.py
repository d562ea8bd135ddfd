"""The vectorial edges covariates stochastic block model (Section 2): parameters, samples, log-likelihood.

z_i ∈ [K] with probabilities α; A_ij ~ Bern(Π_{z_i z_j}) for i < j; W_ij ~ N(μ_{z_i z_j}, Γ_{z_i z_j}) where A_ij = 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwsim.ir.errors import ShapeError, UsageError, check_shape
from ml.vecsbm.graph import Graph, check_classes


@dataclass(frozen=True, eq=False)
class Model:
    """Parameters of a VEC-SBM.

    Attributes:
        alpha: float64 [K], shares of the classes.
        pi: float64 [K, K], symmetric, edge probabilities.
        mu: float64 [K, K, d], means of covariates.
        gamma: float64 [K, K, d, d], covariances, positive semi-definite.

    Raises:
        ShapeError: shapes or values that do not fit.
    """

    alpha: np.ndarray
    pi: np.ndarray
    mu: np.ndarray
    gamma: np.ndarray

    def __post_init__(self) -> None:
        for name in ("alpha", "pi", "mu", "gamma"):
            object.__setattr__(self, name, np.ascontiguousarray(getattr(self, name), np.float64))
        k = len(self.alpha)
        check_shape("alpha", self.alpha.shape, "[K]", (k,))
        check_shape("pi", self.pi.shape, "[K, K]", (k, k))
        check_shape("mu", self.mu.shape, "[K, K, d]", (k, k, None))
        check_shape("gamma", self.gamma.shape, "[K, K, d, d]", (k, k, self.d, self.d))
        if not ((self.alpha > 0).all() and abs(self.alpha.sum() - 1) < 1e-9):
            raise ShapeError.of("alpha", self.alpha.tolist(), "positive shares that sum to 1", "Drop empty classes.")
        if not ((self.pi >= 0) & (self.pi <= 1)).all() or not np.allclose(self.pi, self.pi.T, atol=1e-12):
            raise ShapeError.of("pi", self.pi.tolist(), "a symmetric matrix of probabilities", "Mend it.")

    @property
    def K(self) -> int:
        """Number of classes."""
        return len(self.alpha)

    @property
    def d(self) -> int:
        """Length of a covariate."""
        return int(self.mu.shape[2])

    @property
    def symmetric(self) -> bool:
        """Whether covariates look alike from both ends: μ_kl = μ_lk and Γ_kl = Γ_lk."""
        same_mu = np.array_equal(self.mu, self.mu.transpose(1, 0, 2))
        return same_mu and np.array_equal(self.gamma, self.gamma.transpose(1, 0, 2, 3))


def sample(
    model: Model, n: int, rng: np.random.Generator, *, labels: np.ndarray | None = None,
    directed_covariates: bool = False,
) -> tuple[Graph, np.ndarray]:  # fmt: skip
    """Draw a graph and its labels.

    Args:
        model: the parameters.
        n: number of nodes.
        rng: everything random comes from it.
        labels: int [n]; drawn from α when not given.
        directed_covariates: W_ij and W_ji drawn independently, as in the published code.

    Returns:
        The graph, and labels int64 [n].

    Raises:
        UsageError: K > n, an empty class in given labels, or shared covariates of means that depend on the direction.

    Example:
        >>> import numpy as np
        >>> from ml.vecsbm import sample, scenarios
        >>> graph, z = sample(scenarios.two_classes(100, 5.0, 1.0, tau=2.0), 100, np.random.default_rng(0))
        >>> graph.n, graph.d, sorted(set(z.tolist()))
        (100, 3, [0, 1])
    """
    if not (directed_covariates or model.symmetric):
        got = "means or covariances that depend on the direction"
        raise UsageError.of("shared covariates", got, "μ_kl = μ_lk, Γ_kl = Γ_lk", "Pass directed_covariates=True.")
    drawn = rng.choice(model.K, n, p=model.alpha) if labels is None else labels
    z = check_classes(drawn, n, model.K, allow_empty=labels is None)
    u, v = np.triu_indices(n, 1)
    kept = rng.random(len(u)) < model.pi[z[u], z[v]]
    u, v = u[kept], v[kept]
    root = _roots(model.gamma)

    def marks(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        noise = rng.standard_normal((len(a), model.d))
        return model.mu[z[a], z[b]] + np.einsum("eab,eb->ea", root[z[a], z[b]], noise)

    return Graph(n, u, v, marks(u, v), marks(v, u) if directed_covariates else None), z


def _roots(gamma: np.ndarray) -> np.ndarray:
    """Square roots of positive semi-definite matrices."""
    values, vectors = np.linalg.eigh(gamma)
    if (values < -1e-9).any():
        raise ShapeError.of("gamma", "a negative eigenvalue", "positive semi-definite matrices", "Mend them.")
    return (vectors * np.sqrt(np.maximum(values, 0))[..., None, :]) @ np.swapaxes(vectors, -1, -2)


def log_densities(model: Model, w: np.ndarray) -> np.ndarray:
    """float64 [m, K, K]: log N(w_e; μ_kl, Γ_kl) of covariates [m, d].

    Raises:
        UsageError: a singular covariance.
    """
    sign, logdet = np.linalg.slogdet(model.gamma)
    if (sign <= 0).any() or np.linalg.cond(model.gamma).max() > 1e13:
        raise UsageError.of("gamma", "a singular covariance", "an invertible one", "Drop a coordinate or add a ridge.")
    rest = w[:, None, None, :] - model.mu
    precision = np.linalg.inv(model.gamma)
    quadratic = np.einsum("eklb,eklb->ekl", np.einsum("ekla,klab->eklb", rest, precision), rest)
    return -0.5 * (quadratic + logdet + model.d * np.log(2 * np.pi))


def loglik(graph: Graph, labels: np.ndarray, model: Model) -> float:
    """log p(A, W, z) = Σ_i log α_{z_i} + Σ_{i<j} [A_ij (log Π + log N(W_ij)) + (1 − A_ij) log(1 − Π)], in nats.

    Raises:
        ShapeError: labels or covariates of another shape.
    """
    z = check_classes(labels, graph.n, model.K, allow_empty=True)
    check_shape("w", graph.w.shape, "[m, d]", (graph.m, model.d))
    k, j = z[graph.u], z[graph.v]
    sizes = np.bincount(z, minlength=model.K)
    pairs = (np.outer(sizes, sizes) - np.diag(sizes)) / 2  # ordered pairs count half
    pi = np.clip(model.pi, 1e-300, 1 - 1e-16)
    total = np.log(model.alpha) @ sizes + (pairs * np.log1p(-pi)).sum()
    total += (np.log(pi[k, j]) - np.log1p(-pi[k, j])).sum()
    at = np.arange(graph.m)
    total += log_densities(model, graph.w)[at, k, j].sum()
    if graph.back is not None:
        total += log_densities(model, graph.back)[at, j, k].sum()
    return float(total)
