"""Three classes as bits: one-hot in three gauges, domain walls, and the node's own states.

The gauge decides what an invalid state costs, the penalty what leaving a valid one costs. Penalties are shares of the
largest |local field| at the spectral labels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benches import stats
from benches.runner import Context
from benches.vecsbm.handover import best_of, betas
from hwsim.annealing import (
    Encoded,
    PottsProblem,
    centred,
    domain_wall,
    heat_bath,
    metropolis,
    one_hot,
    random_labels,
    random_states,
)
from ml.vecsbm import nmi, refine, sample, scenarios, spectral, to_potts

K, P, Q, TAU = 3, 5.0, 3.0, 0.7
SWEEPS, REVERSE, NATIVE = 500, 100, 100
REHEAT = 0.3
FORMS: dict[str, Callable[[PottsProblem, float], Encoded]] = {
    "one-hot, raw, P 1.1": lambda p, f: one_hot(p, 1.1 * f, "raw"),
    "one-hot, mean, P 0.5": lambda p, f: one_hot(p, 0.5 * f, "mean"),
    "one-hot, double, P 1.1": lambda p, f: one_hot(p, 1.1 * f),
    "one-hot, double, P 0.25": lambda p, f: one_hot(p, 0.25 * f),
    "domain wall, P 0.5": lambda p, f: domain_wall(p, 0.5 * f),
    "domain wall, P 2": lambda p, f: domain_wall(p, 2.0 * f),
}
REVERSED = "one-hot, double, P 0.25"


def encoded(n: int, seed: int) -> dict[str, Any]:
    """For each form: NMI, share of valid nodes, energy above the best known of the best of two reads."""
    model = scenarios.planted(n, K, P, Q, TAU)
    graph, z = sample(model, n, np.random.default_rng([seed, n, 3]))
    energy, start = to_potts(graph, model), spectral(graph, K, seed=seed, allow_disconnected=True)
    lowest = best_of(energy, seed, 400, 8)[1]
    row: dict[str, Any] = {}

    def add(name: str, labels: np.ndarray, valid: float) -> None:
        energies = energy.energies(labels)
        best = labels[energies.argmin()]
        row[name] = {"nmi": nmi(best, z), "valid": valid, "gap": float(energies.min()) - lowest}

    for name, make in FORMS.items():
        # a raw table's field is raw too, which is why its penalty has to be so large
        seen = energy if "raw" in name else centred(energy)
        form = make(energy, float(np.abs(seen.local_fields(start)).max()))
        fresh = random_states(2, form.problem.n, seed)
        labels, valid = form.labels(metropolis(form.problem, betas(SWEEPS, 0.02), fresh, seed, threads=1).states)
        add(name, labels, float(valid.mean()))
        if name == REVERSED:
            for kind, first in (("reverse", form.spins(np.stack([start, start]))), ("same window", fresh)):
                again = metropolis(form.problem, betas(REVERSE, REHEAT), first, seed, threads=1)
                labels, valid = form.labels(again.states)
                add(f"{kind}, {REVERSE} sweeps", labels, float(valid.mean()))
    native = heat_bath(energy, betas(NATIVE), random_labels(2, n, K, seed), seed, threads=1)
    add("native Potts", native.labels, 1.0)
    add("sIR", refine(graph, start, K).labels[None].astype(np.int8), 1.0)
    return row


def measure(ctx: Context[Any], n: int, seeds: int) -> dict[str, Any]:
    """Means by form; metrics ``nmi_k3_<form>``."""
    rows = ctx.sweep(encoded, [{"n": n, "seed": s} for s in ctx.seeds(seeds)])
    table: dict[str, Any] = {}
    for name in rows[0]:
        table[name] = {kind: float(np.mean([row[name][kind] for row in rows])) for kind in ("nmi", "valid", "gap")}
        slug = name.lower().replace(", ", "_").replace(" ", "_").replace("-", "_")
        ctx.metric(f"nmi_k3_{slug}", stats.mean([row[name]["nmi"] for row in rows]))
        if name in FORMS:
            ctx.metric(f"valid_k3_{slug}", table[name]["valid"], n=seeds)
    return table
