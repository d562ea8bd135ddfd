"""CPU seconds: four annealed runs of a thousand nodes, and one sweep against the sum over all pairs."""

from __future__ import annotations

from typing import Any

import numpy as np

from benches import stats
from benches.runner import Context
from benches.vecsbm import dense
from benches.vecsbm.recovery import problem
from hwsim.annealing import heat_bath, random_labels
from ml.vecsbm import anneal_refine, spectral, to_potts
from ml.vecsbm.features import Features

CASE = "s3_k4"
RUNS = 4
SWEEPS = 20  # timed together
READS, ANNEAL = 4, 100


def measure(ctx: Context[Any], rounds: int, n: int) -> None:
    """`seconds_4runs_n1000`, `sweep_speedup_vs_dense` and rates beside them."""
    model, graph, _ = problem(CASE, ctx.seed, n)
    features = Features(graph, "fixed")
    start = spectral(graph, model.K, allow_disconnected=True)
    fitted = features.estimate(start, model.K)
    scores = features.scores(fitted, prior=False)
    A, W = _matrices(graph)
    log_pi, log_rest = np.log(fitted.pi), np.log1p(-fitted.pi)
    answers: dict[str, np.ndarray] = {}

    def fast() -> None:
        for _ in range(SWEEPS):
            labels = start.copy()
            features.sweep(scores, labels, np.bincount(labels, minlength=model.K), np.inf)
        answers["fast"] = labels

    def pairs(name: str, skip: bool) -> None:
        labels = start.copy()
        dense.sweep_pairs(A, W, log_pi, log_rest, fitted.mu, labels, skip)
        answers[name] = labels

    best = stats.cpu_rounds(
        {
            "fast": fast,
            "dense": lambda: pairs("dense", False),
            "skipping": lambda: pairs("skipping", True),
            "runs": lambda: anneal_refine(graph, model.K, runs=RUNS, seed=ctx.seed, allow_disconnected=True),
        },
        rounds,
    )
    one = best["fast"] / SWEEPS
    how = f"best CPU of {rounds} rounds, one thread, n = {graph.n}, K = {model.K}"
    ctx.metric("seconds_4runs_n1000", best["runs"], "s", n=rounds, method=f"{how}, 100 sweeps and greedy ones a run")
    ctx.metric("sweep_speedup_vs_dense", best["dense"] / one, "×", n=rounds, method=f"{how}; both compiled")
    ctx.metric("sweep_speedup_vs_dense_skipping", best["skipping"] / one, "×", n=rounds, method=f"{how}; norms of "
               "edges only")  # fmt: skip
    ctx.metric("sweep_ms", one * 1e3, "ms", n=rounds, method=how)
    same = sum(bool(np.array_equal(answers["fast"], answers[name])) for name in ("dense", "skipping"))
    ctx.metric("sweeps_equal_dense", same, n=2, method="labels after one sweep, all nodes")
    _annealer(ctx, rounds, graph, model)


def _matrices(graph: Any) -> tuple[np.ndarray, np.ndarray]:
    """A int8 [n, n] and W [n, n, d]."""
    A, W = np.zeros((graph.n, graph.n), np.int8), np.zeros((graph.n, graph.n, graph.d))
    A[graph.u, graph.v] = A[graph.v, graph.u] = 1
    W[graph.u, graph.v] = W[graph.v, graph.u] = graph.w
    return A, W


def _annealer(ctx: Context[Any], rounds: int, graph: Any, model: Any) -> None:
    energy = to_potts(graph, model)
    initial = random_labels(READS, graph.n, model.K, ctx.seed)
    betas = np.geomspace(0.05, 3, ANNEAL)
    taken = stats.cpu_rounds({"native": lambda: heat_bath(energy, betas, initial, threads=1)}, rounds)["native"]
    updates = READS * ANNEAL * graph.n / taken
    ctx.metric("potts_updates_per_s", updates, "1/s", n=rounds, method=f"native annealer, K = {model.K}, one thread")
