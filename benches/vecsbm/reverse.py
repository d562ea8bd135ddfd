"""Reverse anneals seeded by the classical estimate, each beside a forward anneal over the same window.

A reverse anneal differs from a forward one in two things: where it starts, and how hot it gets. `control` starts from
random labels and runs the very schedule of the reverse anneal, so that it has the second and not the first. Gaps are
energies above the best known labels, in nats, means over graphs and reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benches import stats
from benches.runner import Context
from benches.vecsbm.handover import P, Q, best_of, reads
from hwsim.annealing import PottsProblem, QPUSimulator, heat_bath, random_labels
from ml.vecsbm import accuracy, refine, sample, scenarios, spectral, to_ising, to_potts

TAUS = (0.4, 0.7)
SWEEPS = (5, 20, 80)
REHEATS = (0.3, 0.6, 1.0)
READS = 4
LAST, HOT = 3.0, 0.02
WRONG = 0.2  # share of wrong labels in the artificial seed
LONG = 400  # sweeps of the best known labels
S_P, PAUSE_US = (0.35, 0.4, 0.5), (0.0, 4.0, 20.0)
QPU_READS = 10


def seeds_of(graph: Any, z: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Labels [1, n] to start from, in order of what they know."""
    rng = np.random.default_rng([seed, 20])
    start = spectral(graph, 2, seed=seed, allow_disconnected=True)
    flips = rng.random(graph.n) < WRONG
    labels = {"spectral": start, "sir": refine(graph, start, 2).labels, "80 %": np.where(flips, 1 - z, z)}
    return {name: found[None].astype(np.int8) for name, found in labels.items()}


def anneals(n: int, tau: float, seed: int) -> dict[str, Any]:
    """Mean gaps by budget, kind of start and reheating, on the native annealer."""
    model = scenarios.two_classes(n, P, Q, tau=tau)
    graph, z = sample(model, n, np.random.default_rng([seed, n, round(100 * tau)]))
    energy = to_potts(graph, model)
    lowest = min(best_of(energy, seed, LONG, 8)[1], float(energy.energies(z[None])[0]))
    starts = seeds_of(graph, z, seed)
    row: dict[str, Any] = {f"accuracy {name}": accuracy(labels[0], z) for name, labels in starts.items()}
    fresh = random_labels(READS, n, 2, seed)
    for sweeps in SWEEPS:
        row[f"forward {sweeps}"] = _gap(energy, np.geomspace(HOT, LAST, sweeps), fresh, seed, lowest)
        for beta in REHEATS:
            betas = np.geomspace(beta, LAST, sweeps)
            row[f"control {beta} {sweeps}"] = _gap(energy, betas, fresh, seed, lowest)
            for name, labels in starts.items():
                row[f"{name} {beta} {sweeps}"] = _gap(energy, betas, np.repeat(labels, READS, 0), seed, lowest)
    return row


def _gap(energy: PottsProblem, betas: np.ndarray, start: np.ndarray, seed: int, lowest: float) -> float:
    return float(heat_bath(energy, betas, start, seed, threads=1).energies.mean()) - lowest


def on_stand_in(n: int, tau: float, seed: int) -> dict[str, Any]:
    """The same on the quantum annealer's stand-in: reverse schedules by turning point and pause."""
    model = scenarios.two_classes(n, P, Q, tau=tau)
    graph, z = sample(model, n, np.random.default_rng([seed, n, round(100 * tau)]))
    energy, ising = to_potts(graph, model), to_ising(graph, model)
    lowest = min(best_of(energy, seed, LONG, 8)[1], float(energy.energies(z[None])[0]))
    qpu = QPUSimulator(topology_type="complete", topology_shape=[n], seed=seed, threads=1)
    starts = seeds_of(graph, z, seed) | {"control": random_labels(1, n, 2, seed)}

    def gap(**asked: Any) -> float:
        return float(energy.energies(reads(qpu, ising, num_reads=QPU_READS, **asked)).mean()) - lowest

    row: dict[str, Any] = {}
    for pause in PAUSE_US:
        for s in S_P:
            down = round(2 * (1 - s), 2)  # the slope that the annealer allows is 2 a µs; half of it here
            turn = [[0, 1], [down, s], *([[down + pause, s]] if pause else []), [2 * down + pause, 1]]
            row[f"forward {s} {pause}"] = gap(annealing_time=2 * down + pause)
            for name, labels in starts.items():
                state = dict(enumerate(ising.spins(labels)[0].tolist()))
                row[f"{name} {s} {pause}"] = gap(anneal_schedule=turn, initial_state=state)
    return row


def measure(ctx: Context[Any], n: int, seeds: int, taus: Sequence[float], qpu_seeds: int) -> dict[str, Any]:
    """Mean gaps; metrics ``gap_<start>_<sweeps>_tau<τ>`` at the better reheating, and what reversing gains."""
    table: dict[str, Any] = {}
    for tau in taus:
        rows = ctx.sweep(anneals, [{"n": n, "tau": tau, "seed": s} for s in ctx.seeds(seeds)])
        means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
        table[str(tau)] = means
        for sweeps in SWEEPS:
            ctx.metric(f"gap_forward_{sweeps}_tau{tau}", means[f"forward {sweeps}"], "nats", n=seeds)
            for name, slug in (("control", "control"), ("spectral", "spectral"), ("sir", "sir"), ("80 %", "80pct")):
                beta = min(REHEATS, key=lambda b: means[f"{name} {b} {sweeps}"])
                values = [row[f"{name} {beta} {sweeps}"] for row in rows]
                ctx.metric(f"gap_{slug}_{sweeps}_tau{tau}", stats.mean(values), "nats", method=f"β from {beta} to 3")
        for slug in ("spectral", "sir", "80 %"):
            name = slug.replace(" %", "pct")
            ctx.metric(f"accuracy_seed_{name}_tau{tau}", means[f"accuracy {slug}"], n=seeds)
    if qpu_seeds:
        rows = ctx.sweep(on_stand_in, [{"n": n, "tau": taus[0], "seed": s} for s in ctx.seeds(qpu_seeds)])
        table["qpu"] = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
        for name, slug in (
            ("forward", "forward"), ("control", "control"), ("spectral", "spectral"), ("sir", "sir"), ("80 %", "80pct"),
        ):  # fmt: skip
            for pause in PAUSE_US:
                s = min(S_P, key=lambda s: table["qpu"][f"{name} {s} {pause}"])
                ctx.metric(f"gap_qpu_{slug}_{pause:g}us", table["qpu"][f"{name} {s} {pause}"], "nats", n=qpu_seeds,
                           method=f"turning point s = {s}, pause {pause:g} µs, 1 µs down and up")  # fmt: skip
    return table
