"""Spin updates a second beside dwave-samplers; printed, never asserted. Run by ``make perf``.

Whole calls are timed, BQM in and sample set out, on one thread: CPU time, the best of three rounds in turns after a
warm-up. Updates are reads × sweeps × spins. Couplings are normal with variance 1/N on a complete graph.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import dimod
import numpy as np
import pytest
from dwave.samplers import RotorModelAnnealingSampler, SimulatedAnnealingSampler

from hwsim.annealing import Problem, SASampler, SVMCSampler, metropolis, random_states

pytestmark = pytest.mark.perf
ROUNDS = 3


def complete_bqm(n: int) -> dimod.BinaryQuadraticModel:
    rng, (u, v) = np.random.default_rng(0), np.triu_indices(n, 1)
    weights = rng.normal(size=len(u)) / np.sqrt(n)
    return dimod.BinaryQuadraticModel.from_numpy_vectors(np.zeros(n), (u, v, weights), 0.0, dimod.SPIN)


def race(calls: dict[str, Callable[[], Any]], clock: Callable[[], float] = time.process_time) -> dict[str, float]:
    """Best seconds of each call, in turns."""
    best = dict.fromkeys(calls, np.inf)
    for call in calls.values():
        call()
    for _ in range(ROUNDS):
        for name, call in calls.items():
            start = clock()
            call()
            best[name] = min(best[name], clock() - start)
    return best


def show(what: str, updates: int, best: dict[str, float], energies: dict[str, float]) -> None:
    rates = ", ".join(f"{name} {updates / s / 1e6:.4g} M/s (E/N {energies[name]:.4f})" for name, s in best.items())
    print(f"\n{what}: {rates}, ratio {best['dwave'] / best['ours']:.1f}")


@pytest.mark.parametrize(("low", "high"), [(0.2, 5.0), (3.0, 5.0)], ids=["forward", "seeded"])
@pytest.mark.parametrize(("n", "reads", "sweeps"), [(48, 256, 1000), (256, 64, 1000), (1024, 16, 1000)])
def test_simulated_annealing(n, reads, sweeps, low, high):
    bqm, ours, dwave = complete_bqm(n), SASampler(), SimulatedAnnealingSampler()
    common: dict[str, Any] = {"num_reads": reads, "seed": 1, "beta_schedule": np.linspace(low, high, sweeps)}
    if low > 1:
        warm = ours.sample(bqm, num_reads=reads, seed=2, beta_schedule=np.linspace(0.2, 5, sweeps))
        common["initial_states"] = warm
    calls = {
        "dwave": lambda: dwave.sample(bqm, beta_schedule_type="custom", **common),
        "ours": lambda: ours.sample(bqm, threads=1, **common),
    }
    energies = {name: float(call().record.energy.mean()) / n for name, call in calls.items()}
    assert energies["ours"] <= energies["dwave"] + 0.01 * abs(energies["dwave"])
    show(f"SA N={n} β {low}…{high}", n * reads * sweeps, race(calls), energies)


@pytest.mark.parametrize(("n", "reads", "sweeps"), [(48, 64, 300), (256, 32, 300), (1024, 16, 200)])
def test_rotors(n, reads, sweeps):
    bqm, ours, dwave = complete_bqm(n), SVMCSampler(), RotorModelAnnealingSampler()
    fields: dict[str, Any] = {"Hp_field": np.linspace(0.1, 10, sweeps), "Hd_field": np.linspace(10, 0.1, sweeps)}
    fields |= {"num_reads": reads, "seed": 1}
    peer: dict[str, Any] = {"beta_schedule_type": "custom", "proposal_acceptance_criteria": "MetropolisTF"}
    calls = {
        "dwave": lambda: dwave.sample(bqm, **fields, **peer),
        "ours": lambda: ours.sample(bqm, threads=1, **fields),
    }
    energies = {name: float(call().record.energy.mean()) / n for name, call in calls.items()}
    show(f"SVMC-TF N={n}", n * reads * sweeps, race(calls), energies)


@pytest.mark.parametrize("n", [48, 256, 1024])
def test_layouts_and_threads(n):
    """Kernel calls alone, and wall time on one thread and on all."""
    problem, reads, sweeps = Problem.of_bqm(complete_bqm(n))[0], max(64, 40_000 // n // 16 * 16), 300
    betas, initial = np.linspace(0.2, 5, sweeps), random_states(reads, n, 1)
    for kernel in ("rows", "strips"):
        seconds = race({"ours": lambda k=kernel: metropolis(problem, betas, initial, threads=1, kernel=k)})["ours"]
        print(f"\n{kernel} N={n}: {n * reads * sweeps / seconds / 1e6:.4g} M/s")
    calls = {t: (lambda t=t: metropolis(problem, betas, initial, threads=t)) for t in (1, len(os.sched_getaffinity(0)))}
    walls = race({str(t): call for t, call in calls.items()}, time.perf_counter)
    print(f"threads N={n}: " + ", ".join(f"{t}: {s * 1e3:.1f} ms" for t, s in walls.items()))
