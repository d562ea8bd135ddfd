"""Energy against sweeps of one graph: forward, reverse from the classical estimate, and the control."""

from __future__ import annotations

from typing import Any

import numpy as np

from benches.vecsbm.handover import best_of
from benches.vecsbm.reverse import HOT, LAST
from hwsim.annealing import heat_bath, random_labels
from ml.vecsbm import accuracy, loglik, refine, sample, scenarios, spectral, to_potts

K, P, Q, TAU = 4, 8.0, 4.0, 0.9
SWEEPS, READS, REHEAT = 60, 8, 0.5


def traces(n: int, seed: int) -> dict[str, Any]:
    """Mean energies above the best known after each sweep, [SWEEPS] by kind of anneal; level of truth and estimate."""
    model = scenarios.planted(n, K, P, Q, TAU)
    graph, z = sample(model, n, np.random.default_rng([seed, n, 4]))
    energy = to_potts(graph, model)
    lowest = min(best_of(energy, seed, 300, 8)[1], -loglik(graph, z, model))
    start = spectral(graph, K, seed=seed, allow_disconnected=True)
    sir = refine(graph, start, K).labels
    fresh = random_labels(READS, n, K, seed)
    plans = {
        "forward": (np.geomspace(HOT, LAST, SWEEPS), fresh),
        "forward, window of the reverse anneal": (np.geomspace(REHEAT, LAST, SWEEPS), fresh),
        "reverse from spectral": (np.geomspace(REHEAT, LAST, SWEEPS), np.repeat(start[None], READS, 0)),
        "reverse from sIR": (np.geomspace(REHEAT, LAST, SWEEPS), np.repeat(sir[None], READS, 0)),
    }
    series = {
        name: (heat_bath(energy, betas, first, seed, threads=1, trace=True).trace.mean(axis=0) - lowest).tolist()
        for name, (betas, first) in plans.items()
    }
    return {
        "series": series, "sir": float(energy.energies(sir[None])[0]) - lowest,
        "truth": -loglik(graph, z, model) - lowest, "accuracy_sir": accuracy(sir, z),
        "accuracy_spectral": accuracy(start, z),
    }  # fmt: skip
