"""Annealed refinement: the paper's sweeps at a falling temperature, parameters unknown.

Each node draws its class with probability ∝ exp(β · score) instead of taking the best one; β rises geometrically, the
parameters are estimated anew before every sweep, and greedy sweeps end the run. Of several runs, one from the spectral
labels and the others from random ones, the most likely wins. Greedy refinement stops in the first local optimum that
it meets; this is the same statistic with a better search.

The most likely labelling is not the one with the fewest wrong nodes: that gives each node the class it has most often
under the posterior. So the winner goes on at β = 1, and the shares of its visits are the nodes' class probabilities.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from hwsim.ir.errors import UsageError
from ml.vecsbm.features import Covariance, Features
from ml.vecsbm.graph import Graph, check_count
from ml.vecsbm.refine import Fit, fitted
from ml.vecsbm.spectral import filled, spectral

Progress = Callable[[float, float, str], None]
GREEDY = 30  # at most so many greedy sweeps after the anneal
MARGINAL = 100  # sweeps at β = 1 that estimate class probabilities


@dataclass(frozen=True)
class Schedule:
    """β of the sweeps: `sweeps` values from `first` to `last`, geometric.

    Raises:
        UsageError: β that do not rise from above 0, or no sweeps.
    """

    first: float = 0.3
    last: float = 2.0
    sweeps: int = 100

    def __post_init__(self) -> None:
        if not 0 < self.first <= self.last or self.sweeps < 1:
            got = f"β {self.first}…{self.last} in {self.sweeps} sweeps"
            raise UsageError.of("schedule", got, "0 < first ≤ last, 1 sweep or more", "The default is 0.3…2 in 100.")

    @property
    def betas(self) -> np.ndarray:
        """float64 [sweeps]."""
        return np.geomspace(self.first, self.last, self.sweeps)


def anneal_refine(
    graph: Graph, K: int, *, covariance: Covariance = "full", schedule: Schedule | None = None, runs: int = 4,
    marginal: int = MARGINAL, seed: int = 0, allow_disconnected: bool = False, progress: Progress | None = None,
) -> Fit:  # fmt: skip
    """The most likely of several annealed fits, then every node's most probable class.

    Args:
        graph: the graph.
        K: number of classes.
        covariance: ``"full"`` fits a covariance a pair of classes; ``"isotropic"`` one variance for all.
        schedule: of the anneal.
        runs: the first starts from the spectral labels, the others from random ones.
        marginal: sweeps of the winner at β = 1, for `Fit.posterior`; 0 returns its most likely labels instead.
        seed: of everything random.
        allow_disconnected: as in `spectral`.
        progress: told ``(done, total, note)`` after each run.

    Raises:
        UsageError: K > n, a disconnected graph, fewer than one run or 0 sweeps, an unknown covariance.

    Example:
        >>> import numpy as np
        >>> from ml.vecsbm import anneal_refine, nmi, sample, scenarios
        >>> graph, z = sample(scenarios.two_classes(200, 3.0, 2.0, tau=2.0), 200, np.random.default_rng(0))
        >>> nmi(anneal_refine(graph, 2, runs=2).labels, z)
        1.0
    """
    check_count(graph.n, K)
    if runs < 1:
        raise UsageError.of("runs", runs, "1 or more", "4 are the default.")
    if marginal < 0:
        raise UsageError.of("marginal sweeps", marginal, "0 or more", "0 keeps the most likely labels.")
    features = Features(graph, covariance)
    rng = np.random.default_rng(seed)
    starts = [spectral(graph, K, seed=seed, allow_disconnected=allow_disconnected)]
    starts += [filled(rng.integers(0, K, graph.n), K) for _ in range(runs - 1)]
    best: Fit | None = None
    for read, start in enumerate(starts):
        fit = _run(features, start, K, schedule or Schedule(), seed, read)
        if best is None or fit.loglik > best.loglik:
            best = fit
        if progress is not None:
            progress(read + 1, runs, f"log-likelihood {best.loglik:.1f}")
    assert best is not None
    return _marginals(features, best, K, marginal, seed, runs) if marginal else best


def _run(features: Features, start: np.ndarray, K: int, schedule: Schedule, seed: int, read: int) -> Fit:
    z, counts = start.copy(), np.bincount(start, minlength=K)
    betas = np.concatenate([schedule.betas, np.full(GREEDY, np.inf)])
    number = 0
    for number, beta in enumerate(betas):
        scores = features.scores(features.estimate(z, K))
        changed = features.sweep(scores, z, counts, beta, seed, read, number)
        if np.isinf(beta) and not changed:
            break
    return fitted(features, z, K, number + 1)


def _marginals(features: Features, fit: Fit, K: int, sweeps: int, seed: int, read: int) -> Fit:
    """Class probabilities from `sweeps` at β = 1, parameters drawn along; the label is the most frequent class."""
    z, counts = fit.labels.copy(), np.bincount(fit.labels, minlength=K)
    visits, nodes = np.zeros((len(z), K)), np.arange(len(z))
    for number in range(sweeps):
        features.sweep(features.scores(features.estimate(z, K)), z, counts, 1.0, seed, read, number)
        visits[nodes, z] += 1
    found = fitted(features, visits.argmax(axis=1), K, fit.sweeps + sweeps)
    return replace(found, posterior=visits / sweeps)
