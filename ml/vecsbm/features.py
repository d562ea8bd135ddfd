"""Covariates as features, parameters from labels, scores from parameters.

A Gaussian log-density is linear in φ(w) = (w, w_a·w_b for a ≤ b), and in φ(w) = w where all classes share one isotropic
covariance. Sums of φ over the edges of a pair of classes are all that its mean and covariance need, so one pass over
the edges estimates, and one dot product an edge and class scores.

Covariates are centred and divided by one number before (the score does not change, and squares keep their digits).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from hwsim.ir.errors import UsageError
from ml.vecsbm import kernels
from ml.vecsbm.graph import Graph
from ml.vecsbm.model import Model

Covariance = Literal["fixed", "isotropic", "full"]
"""``fixed``: Γ = I/2, penalty ‖W − μ‖² (sIR-VEC); ``isotropic``: one σ² for all; ``full``: a Γ_kl for each pair."""

FIXED = 0.5
LEAST_PI = 1e-12  # probabilities stay this far from 0 and 1
RIDGE = 1e-3  # of the covariates' mean variance, added to estimated covariances
LEAST_VARIANCE = 1e-9


@dataclass(frozen=True, eq=False)
class Scores:
    """What a sweep reads; see `ml.vecsbm.kernels.sweep`."""

    prior: np.ndarray
    nonedge: np.ndarray
    base: np.ndarray
    theta: np.ndarray


class Features:
    """A graph's covariates, ready for sweeps.

    Args:
        graph: the graph.
        covariance: what will be estimated; ``full`` needs squares.
        own_row: of directed covariates use W_i· alone for node i, as the published code does; else both.
    """

    def __init__(self, graph: Graph, covariance: Covariance, own_row: bool = False) -> None:
        if covariance not in get_args(Covariance):
            expected = ", ".join(get_args(Covariance))
            raise UsageError.of("covariance", repr(covariance), f"one of {expected}", "Choose one of them.")
        self.graph, self.covariance, self.quadratic = graph, covariance, covariance == "full"
        both = graph.w if graph.back is None else np.concatenate([graph.w, graph.back])
        self.centre = both.mean(axis=0) if len(both) else np.zeros(graph.d)
        self.unit = float(np.sqrt(((both - self.centre) ** 2).mean())) or 1.0 if both.size else 1.0
        self.both_looks = graph.directed_covariates and not own_row
        out = self._phi(graph.w)
        start, neighbour, edge, from_u = graph.arcs
        self.start, self.neighbour = start, neighbour
        if graph.back is None:
            self.ends, self.rows, self.phi, self.row = (graph.u, graph.v), out, out, edge
        else:
            back = self._phi(graph.back)
            self.ends = np.concatenate([graph.u, graph.v]), np.concatenate([graph.v, graph.u])
            self.rows = np.concatenate([out, back])
            seen = np.concatenate([back, out])
            self.phi = np.concatenate([self.rows, seen], axis=1) if self.both_looks else self.rows
            self.row = np.where(from_u, edge, edge + graph.m)
        self.squares = float((((both - self.centre) / self.unit) ** 2).sum())

    def _phi(self, w: np.ndarray) -> np.ndarray:
        x = (w - self.centre) / self.unit
        if not self.quadratic:
            return np.ascontiguousarray(x)
        a, b = np.triu_indices(x.shape[1])
        return np.concatenate([x, x[:, a] * x[:, b]], axis=1)

    def estimate(self, z: np.ndarray, K: int, pseudo: float = 1.0, biased_diagonal: bool = False) -> Model:
        """Parameters from labels (Algorithm 1, the estimates before each sweep).

        Args:
            z: int64 [n].
            K: number of classes.
            pseudo: edges of the whole graph's density and covariates that every pair of classes has beside its own,
                so that a small or empty class keeps sensible parameters; 0 is the plain average.
            biased_diagonal: divide by n_k² on the diagonal, as the published code does, not by n_k(n_k − 1).
        """
        d = self.graph.d
        edges, sums = np.zeros((K, K)), np.zeros((K, K, self.rows.shape[1]))
        kernels.moments(*self.ends, self.rows, z, edges, sums)
        if not self.graph.directed_covariates:
            diagonal = np.eye(K, dtype=bool)
            edges = np.where(diagonal, edges, edges + edges.T)
            sums = np.where(diagonal[..., None], sums, sums + sums.transpose(1, 0, 2))
        sizes = np.bincount(z, minlength=K).astype(np.float64)
        pi = self._densities(edges, sizes, pseudo, biased_diagonal)
        weight = np.maximum(edges + pseudo, LEAST_VARIANCE)[..., None]
        mean = sums[..., :d] / weight
        gamma = self._covariances(edges, sums, mean, weight, pseudo)
        alpha = (sizes + 1) / (sizes.sum() + K) if pseudo else np.maximum(sizes, LEAST_PI)
        return Model(alpha / alpha.sum(), pi, self.centre + self.unit * mean, self.unit**2 * gamma)

    def _densities(self, edges: np.ndarray, sizes: np.ndarray, pseudo: float, biased: bool) -> np.ndarray:
        once = edges if not self.graph.directed_covariates else np.where(np.eye(len(sizes)), edges / 2, edges)
        pairs = np.outer(sizes, sizes)
        np.fill_diagonal(pairs, (sizes * sizes if biased else sizes * (sizes - 1)) / 2)
        density = max(self.graph.m / max(self.graph.n * (self.graph.n - 1) / 2, 1), LEAST_PI)
        pi = (once + pseudo) / np.maximum(pairs + pseudo / density, LEAST_PI)
        return np.clip((pi + pi.T) / 2, LEAST_PI, 1 - LEAST_PI)

    def _covariances(
        self, edges: np.ndarray, sums: np.ndarray, mean: np.ndarray, weight: np.ndarray, pseudo: float
    ) -> np.ndarray:
        """[K, K, d, d] in the units of the features."""
        (K, _), d = edges.shape, self.graph.d
        if self.covariance == "fixed":
            return np.broadcast_to(FIXED / self.unit**2 * np.eye(d), (K, K, d, d))
        if self.covariance == "isotropic":
            left = self.squares - (edges[..., None] * mean**2).sum()
            variance = max(left / max(edges.sum() * d, 1), RIDGE)
            return np.broadcast_to(variance * np.eye(d), (K, K, d, d))
        a, b = np.triu_indices(d)
        second = (sums[..., d:] + pseudo * self._pooled) / weight
        gamma = np.empty((K, K, d, d))
        gamma[..., a, b] = second - mean[..., a] * mean[..., b]
        gamma[..., b, a] = gamma[..., a, b]
        return gamma + (RIDGE if pseudo else LEAST_VARIANCE) * np.eye(d)

    @property
    def _pooled(self) -> np.ndarray:
        """Mean of the squares over all edges."""
        return self.rows[:, self.graph.d :].mean(axis=0) if len(self.rows) else np.zeros(1)

    def scores(self, model: Model, *, prior: bool = True, reference_score: bool = False) -> Scores:
        """Log-probabilities as a sweep needs them.

        Args:
            model: parameters; where the features lack squares, all covariances must be the same σ²I.
            prior: add log α, which the published method leaves out.
            reference_score: the published code's penalty rᵀΓ⁺r − ½·det Γ instead of ½(rᵀΓ⁻¹r + log det Γ).
        """
        constant, theta = self._natural(model, reference_score)
        nonedge = np.log1p(-model.pi)
        base = np.log(model.pi) - nonedge + constant
        if self.both_looks:
            base = base + constant.T
            theta = np.concatenate([theta, theta.transpose(1, 0, 2)], axis=2)
        log_alpha = np.log(model.alpha) if prior else np.zeros(model.K)
        return Scores(log_alpha, nonedge, np.ascontiguousarray(base.T), np.ascontiguousarray(theta.transpose(1, 0, 2)))

    def _natural(self, model: Model, reference_score: bool) -> tuple[np.ndarray, np.ndarray]:
        """Constant [K, K] and θ [K, K, D] with log-density = constant + θ·φ, up to what all classes share."""
        mu, gamma = (model.mu - self.centre) / self.unit, model.gamma / self.unit**2
        if reference_score:
            precision, level = 2 * np.linalg.pinv(gamma, hermitian=True), 0.5 * np.linalg.det(model.gamma)
        else:
            precision, level = np.linalg.inv(gamma), -0.5 * np.linalg.slogdet(gamma)[1]
        linear = np.einsum("klab,klb->kla", precision, mu)
        constant = level - 0.5 * (linear * mu).sum(axis=2)
        if not self.quadratic:
            return constant, linear
        a, b = np.triu_indices(self.graph.d)
        return constant, np.concatenate([linear, np.where(a == b, -0.5, -1.0) * precision[..., a, b]], axis=2)

    def sweep(
        self, scores: Scores, z: np.ndarray, counts: np.ndarray, beta: float, seed: int = 0, read: int = 0,
        number: int = 0,
    ) -> int:  # fmt: skip
        """One sweep in place (`ml.vecsbm.kernels.sweep`)."""
        fixed = self.start, self.neighbour, self.row, self.phi, scores.prior, scores.nonedge, scores.base, scores.theta
        return int(kernels.sweep(*fixed, z, counts, float(beta), np.uint64(seed), read, number))
