"""The paper's synthetic scenarios: its own method, the same with the right score, annealed, and the optimum.

`sir` and `ir` follow the published script: 4 sweeps of sIR and then 3 of IR in scenario 1, 3 of either from the
spectral labels in scenario 2, 3 of sIR in scenario 3. `map` is the native annealer on the posterior
of known parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benches import stats
from benches.runner import Context
from hwsim.annealing import heat_bath, random_labels
from ml.vecsbm import Graph, Model, anneal_refine, loglik, nmi, refine, sample, scenarios, spectral, to_potts
from ml.vecsbm.spectral import filled

CASES = {"s1": 3, "s2": 3, "s3_k2": 2, "s3_k4": 4, "s3_k6": 6, "s3_k8": 8, "s3_k10": 10}
METHODS = ("spectral", "sir", "ir", "ir_reference", "sir_ir", "annealed", "map")
PLAIN = np.concatenate([np.geomspace(0.05, 3, 150), np.full(20, np.inf)])  # β of the anneal with known parameters
READS = 4
LONG = 20  # sweeps of `sir_ir`, each


def problem(case: str, seed: int, n: int = 0) -> tuple[Model, Graph, np.ndarray]:
    """Model, graph and true labels; n = 0 takes the paper's."""
    rng = np.random.default_rng([seed, sorted(CASES).index(case)])
    if case == "s1":
        model = scenarios.scenario1(n or 600)
    elif case == "s2":
        model = scenarios.scenario2(rng, n or 600)
    else:
        model = scenarios.scenario3(rng, CASES[case], n or 1000)
    return model, *sample(model, n or (600 if case in ("s1", "s2") else 1000), rng)


def recovery(case: str, seed: int, runs: int, n: int) -> dict[str, Any]:
    """NMI of every method on one graph, and how much likelier than the truth the annealed labels are (nats)."""
    model, graph, z = problem(case, seed, n)
    K = model.K
    start = spectral(graph, K, seed=seed, allow_disconnected=True)
    sir = refine(graph, start, K, sweeps=4 if case == "s1" else 3).labels
    before = filled(sir, K) if case == "s1" else start
    long = refine(graph, start, K, sweeps=LONG).labels
    found = {
        "spectral": start,
        "sir": sir,
        "ir": refine(graph, before, K, mode="ir", sweeps=3).labels,
        "ir_reference": refine(graph, before, K, mode="ir", sweeps=3, reference_score=True).labels,
        "sir_ir": refine(graph, filled(long, K), K, mode="ir", sweeps=LONG).labels,
        "annealed": anneal_refine(graph, K, runs=runs, seed=seed, allow_disconnected=True).labels,
    }
    known = heat_bath(to_potts(graph, model), PLAIN, random_labels(READS, graph.n, K, seed), seed, threads=1)
    found["map"] = known.labels[known.energies.argmin()]
    gap = -float(known.energies.min()) - loglik(graph, z, model)
    return {**{name: nmi(labels, z) for name, labels in found.items()}, "map_above_truth": gap}


def measure(ctx: Context[Any], cases: Sequence[str], seeds: int, runs: int, n: int) -> dict[str, Any]:
    """Rows by case; metrics ``nmi_<case>`` (annealed, parameters unknown) and ``nmi_<case>_<method>``."""
    points = [{"case": case, "seed": s, "runs": runs, "n": n} for case in cases for s in ctx.seeds(seeds)]
    answers = ctx.sweep(recovery, points)
    rows: dict[str, Any] = {}
    for case in cases:
        mine = [answer for point, answer in zip(points, answers, strict=True) if point["case"] == case]
        rows[case] = {method: [row[method] for row in mine] for method in METHODS}
        for method in METHODS:
            name = f"nmi_{case}" if method == "annealed" else f"nmi_{case}_{method}"
            ctx.metric(name, stats.mean(rows[case][method]))
        ctx.metric(f"map_above_truth_{case}", stats.mean([row["map_above_truth"] for row in mine]), "nats")
    _gains(ctx, rows)
    return rows


def _gains(ctx: Context[Any], rows: dict[str, Any]) -> None:
    """What the claims ask, paired by graph."""
    for case, better, worse in (
        ("s1", "sir", "spectral"), ("s2", "ir", "sir"), ("s3_k10", "sir", "spectral"), ("s1", "ir", "ir_reference"),
        ("s2", "ir", "ir_reference"),
    ):  # fmt: skip
        if case in rows:
            gain = np.subtract(rows[case][better], rows[case][worse])
            ctx.metric(f"gain_{better}_over_{worse}_{case}", stats.mean(gain.tolist()))
