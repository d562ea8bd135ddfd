"""Iterative refinement (Algorithm 1): estimate parameters, give every node its most likely class, repeat.

For i = 1…n, at once: z_i ← argmax_k Σ_{j≠i} [A_ij log Π_{k z_j} + (1 − A_ij) log(1 − Π_{k z_j}) − A_ij·pen_ij(k)].

* sIR-VEC: pen = ‖W_ij − μ_{k z_j}‖².
* IR-VEC: pen = ½(rᵀΓ⁻¹r + log det Γ), r = W_ij − μ_{k z_j}, Γ = Γ_{k z_j}: the Gaussian's own. The published code
  computes rᵀΓ⁺r − ½·det Γ; `reference_score` does too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from hwsim.ir.errors import UsageError
from ml.vecsbm.features import Covariance, Features
from ml.vecsbm.graph import Graph, check_classes
from ml.vecsbm.model import Model, loglik

Mode = Literal["sir", "ir"]


@dataclass(frozen=True, eq=False)
class Fit:
    """Labels and what was learned with them.

    Attributes:
        labels: int64 [n].
        model: parameters estimated from them.
        loglik: log p(A, W, z) under that model, nats.
        sweeps: sweeps done.
        posterior: float64 [n, K], class probabilities of the nodes where they were estimated, else None.
    """

    labels: np.ndarray
    model: Model
    loglik: float
    sweeps: int
    posterior: np.ndarray | None = None


def refine(
    graph: Graph, labels: np.ndarray, K: int, *, mode: Mode = "sir", sweeps: int = 4, reference_score: bool = False
) -> Fit:
    """Refine `labels` as the paper does: parameters from all labels, then one pass over the nodes, `sweeps` times.

    Args:
        graph: the graph.
        labels: int [n], 0…K−1, for example of `spectral`.
        K: number of classes.
        mode: ``"sir"`` or ``"ir"``.
        sweeps: at most so many; stops where nothing changes.
        reference_score: as the published code: IR's penalty, Π_kk divided by n_k², plain averages, and of directed
            covariates node i's own row alone.

    Raises:
        ShapeError: labels of another shape or value.
        UsageError: K > n, an empty class, an unknown mode, or fewer than 0 sweeps.

    Example:
        >>> import numpy as np
        >>> from ml.vecsbm import nmi, refine, sample, scenarios, spectral
        >>> graph, z = sample(scenarios.two_classes(200, 6.0, 1.0, tau=3.0), 200, np.random.default_rng(0))
        >>> nmi(refine(graph, spectral(graph, 2), 2).labels, z)
        1.0
    """
    if mode not in ("sir", "ir"):
        raise UsageError.of("mode", repr(mode), "'sir' or 'ir'", "Choose one of them.")
    if sweeps < 0:
        raise UsageError.of("sweeps", sweeps, "0 or more", "The published code does 3 or 4.")
    z = check_classes(labels, graph.n, K).copy()
    covariance: Covariance = "fixed" if mode == "sir" else "full"
    features = Features(graph, covariance, own_row=reference_score)
    pseudo = 0.0 if reference_score else 1.0
    counts = np.bincount(z, minlength=K)
    done, moved = 0, True
    while moved and done < sweeps:
        scores = features.scores(
            features.estimate(z, K, pseudo, reference_score), prior=False,
            reference_score=reference_score and mode == "ir",
        )  # fmt: skip
        moved, done = features.sweep(scores, z, counts, np.inf) > 0, done + 1
    return fitted(features, z, K, done)


def fitted(features: Features, z: np.ndarray, K: int, sweeps: int) -> Fit:
    """`Fit` of labels: their parameters and log-likelihood."""
    model = features.estimate(z, K)
    return Fit(z, model, loglik(features.graph, z, model), sweeps)
