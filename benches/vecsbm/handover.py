"""The posterior of two classes on the annealer: native Potts, Ising, a quantum annealer's stand-in, few-bit couplers.

Parameters are known here, so that every difference is the annealer's. The quantum annealer's stand-in gets the Ising
form as a logical problem (a complete graph of its own; no chip embeds one of a thousand nodes), with its documented
analogue errors and without.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from benches import stats
from benches.runner import Context
from hwsim.annealing import (
    IDEAL,
    Encoded,
    PottsProblem,
    QPUSimulator,
    heat_bath,
    metropolis,
    random_labels,
    random_states,
)  # fmt: skip
from hwsim.ir import io
from ml.vecsbm import (
    Graph,
    Model,
    accuracy,
    loglik,
    nmi,
    refine,
    sample,
    scenarios,
    spectral,
    to_ir,
    to_ising,
    to_potts,
)  # fmt: skip

N, TAU, P, Q = 1000, 0.7, 2.5, 1.5
SWEEPS, READS = 200, 4
QPU_READS = 20
BITS = (2, 3, 4, 5, 6, 8)
REGIMES = {  # p, q in ln n/n, D, classes: from a graph that says all to one that says nothing
    "graph only": (8.0, 2.0, 0.0, 2),
    "weak covariates": (8.0, 2.0, 0.5, 2),
    "both": (5.0, 3.0, 1.2, 2),
    "covariates only": (3.0, 3.0, 1.8, 2),
    "three classes": (5.0, 3.0, 1.5, 3),
}
REGIME_N = 400
RANDOM_STATES = 50  # on which energies are compared with log-likelihoods


def betas(sweeps: int, first: float = 0.05) -> np.ndarray:
    """β of a forward anneal that ends in a descent."""
    return np.concatenate([np.geomspace(first, 3, sweeps), np.full(10, np.inf)])


def best_of(problem: PottsProblem, seed: int, sweeps: int = SWEEPS, reads: int = READS) -> tuple[np.ndarray, float]:
    """Labels and energy of the best of some native reads."""
    start = random_labels(reads, problem.n, problem.states, seed)
    run = heat_bath(problem, betas(sweeps), start, seed, threads=1)
    return run.labels[run.energies.argmin()], float(run.energies.min())


def equality(graph: Graph, model: Model, z: np.ndarray, seed: int) -> float:
    """Largest |Ising energy + log-likelihood| over random labels and the true ones, up to a constant (of the truth)."""
    ising = to_ising(graph, model)
    labels = np.concatenate([z[None], random_labels(RANDOM_STATES, graph.n, 2, seed)])
    energies = ising.problem.energies(ising.spins(labels)) + ising.offset
    differences = energies + np.array([loglik(graph, row, model) for row in labels])
    return float(np.abs(differences - differences[0]).max())


def reads(sampler: Any, ising: Encoded, **asked: Any) -> np.ndarray:
    """Labels int8 [reads, n] that a dimod sampler answers with; a `DWaveSampler` would do."""
    answer = sampler.sample(ising.to_bqm(), answer_mode="raw", **asked)
    return ising.labels(answer.record.sample[:, np.argsort(list(answer.variables))])[0]


def best_read(sampler: Any, ising: Encoded, energy: PottsProblem, **asked: Any) -> tuple[np.ndarray, float]:
    """Labels and energy of the best read."""
    labels = reads(sampler, ising, **asked)
    energies = energy.energies(labels)
    return labels[energies.argmin()], float(energies.min())


def two_class(n: int, seed: int, us: float) -> dict[str, Any]:
    """NMI of every annealer on one graph at τ = 0.7, energies above the best found, and the equality of energies."""
    model = scenarios.two_classes(n, P, Q, tau=TAU)
    graph, z = sample(model, n, np.random.default_rng([seed, n, 7]))
    energy, ising = to_potts(graph, model), to_ising(graph, model)
    start = spectral(graph, 2, seed=seed, allow_disconnected=True)
    sir = refine(graph, start, 2).labels
    found = {"spectral": start, "sir": sir, "native": best_of(energy, seed)[0]}
    spins = metropolis(ising.problem, betas(SWEEPS, 0.02), random_states(READS, n, seed), seed, threads=1)
    found["ising"] = ising.labels(spins.states)[0][spins.energies.argmin()]
    for name, noise in (("qpu", None), ("qpu_ideal", IDEAL)):
        qpu = QPUSimulator(topology_type="complete", topology_shape=[n], noise=noise, seed=seed, threads=1)
        found[name] = best_read(qpu, ising, energy, num_reads=QPU_READS, annealing_time=us)[0]
    found["bits4"] = best_of(PottsProblem.of_potts(to_ir(graph, model, 4)), seed)[0]
    lowest = min(float(energy.energies(labels[None])[0]) for labels in found.values())
    row: dict[str, Any] = {f"nmi_{name}": nmi(labels, z) for name, labels in found.items()}
    row |= {f"gap_{name}": float(energy.energies(labels[None])[0]) - lowest for name, labels in found.items()}
    return row | {"error": equality(graph, model, z, seed), "accuracy_sir": accuracy(sir, z)}


def measure(ctx: Context[Any], n: int, seeds: int, us: float) -> dict[str, Any]:
    """`nmi_k2_tau0.7_n1000`, `ising_equals_loglik_max_err`, `nmi_loss_4bit`, and the other annealers beside."""
    rows = ctx.sweep(two_class, [{"n": n, "seed": s, "us": us} for s in ctx.seeds(seeds)])
    ctx.metric("nmi_k2_tau0.7_n1000", stats.mean([row["nmi_ising"] for row in rows]))
    for name in ("spectral", "sir", "native", "qpu", "qpu_ideal", "bits4"):
        ctx.metric(f"nmi_k2_tau0.7_n1000_{name}", stats.mean([row[f"nmi_{name}"] for row in rows]))
    for name in ("native", "ising", "qpu", "qpu_ideal"):
        ctx.metric(f"gap_k2_{name}", stats.mean([row[f"gap_{name}"] for row in rows]), "nats")
    ctx.metric("ising_equals_loglik_max_err", max(row["error"] for row in rows), "nats", n=len(rows))
    losses = [row["nmi_native"] - row["nmi_bits4"] for row in rows]
    ctx.metric("nmi_loss_4bit", stats.mean(losses), method="float couplers − 4-bit couplers, paired graphs")
    return {"rows": rows}


def precision(regime: str, seed: int, n: int) -> dict[str, Any]:
    """NMI with float couplers, with few bits, without counters, and with counters as coarse as the couplers."""
    p, q, distance, K = REGIMES[regime]
    model = scenarios.planted(n, K, p, q, distance=distance)
    graph, z = sample(model, n, np.random.default_rng([seed, list(REGIMES).index(regime)]))
    exact = to_potts(graph, model)
    forms = {f"b{bits}": to_ir(graph, model, bits) for bits in BITS}
    four = forms["b4"]
    coarse = np.rint(four.counter / 2**four.counter_shift).astype(np.int64)
    forms["coarse counter"] = replace(four, counter=coarse, counter_shift=0)
    problems = {name: PottsProblem.of_potts(form) for name, form in forms.items()}
    problems |= {"float": exact, "no counter": replace(exact, counter=np.zeros((K, K)))}
    start = spectral(graph, K, seed=seed, allow_disconnected=True)
    row: dict[str, Any] = {name: nmi(best_of(one, seed, 150)[0], z) for name, one in problems.items()}
    return row | {"spectral": nmi(start, z), "sir": nmi(refine(graph, start, K).labels, z)}


def chip(ctx: Context[Any], seeds: int, n: int) -> dict[str, Any]:
    """Losses by bits and regime, `nmi_loss_4bit_<regime>`, and what the counters are worth."""
    points = [{"regime": r, "seed": s, "n": n} for r in REGIMES for s in ctx.seeds(seeds)]
    answers = ctx.sweep(precision, points)
    table: dict[str, Any] = {}
    for regime in REGIMES:
        mine = [answer for point, answer in zip(points, answers, strict=True) if point["regime"] == regime]
        table[regime] = {name: float(np.mean([row[name] for row in mine])) for name in mine[0]}
        slug = regime.replace(" ", "_")
        for form, suffix in (("b4", "4bit"), ("no counter", "no_counter"), ("coarse counter", "coarse_counter")):
            losses = [row["float"] - row[form] for row in mine]
            ctx.metric(f"nmi_loss_{suffix}_{slug}", stats.mean(losses))
    return table


def artifact(ctx: Context[Any], n: int, K: int) -> dict[str, Any]:
    """The chip's form of one graph as a file, checked against its reference, with its cost."""
    model = scenarios.planted(n, K, 5.0, 3.0, distance=1.5)
    graph, _ = sample(model, n, ctx.rng("artifact"))
    start = spectral(graph, K, allow_disconnected=True)
    made = to_ir(graph, model, 4, np.stack([start, refine(graph, start, K).labels]))
    path = ctx.folder / f"communities_{n}_{K}.hwir.safetensors"
    io.save(made, path)
    ctx.artifact(path)
    labels = random_labels(8, n, K, ctx.seed)
    unit = made.scale * 2.0**-made.counter_shift
    differences = PottsProblem.of_potts(made).energies(labels) - (made.reference(labels) * unit + made.offset)
    ctx.metric("chip_energy_max_err", float(np.abs(differences).max()), "nats", n=len(labels))
    cost = made.cost().values
    for name in ("couplers", "weight_bits", "coupler_bits", "field_bits", "counter_bits", "additions_per_update"):
        ctx.metric(f"chip_{name}", cost[name])
    held = cost["coupler_bits"] + cost["counter_bits"]
    ctx.metric("chip_memory_ratio_dense", cost["dense_coupler_bits"] / held, "×",
               method="weights of all pairs of nodes / couplers and counters")  # fmt: skip
    return {"cost": cost}


def worst(table: dict[str, Any], bits: Sequence[int]) -> list[float]:
    """Largest mean loss over regimes for each width."""
    return [max(row["float"] - row[f"b{b}"] for row in table.values()) for b in bits]
