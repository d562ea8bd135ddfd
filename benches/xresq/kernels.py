"""Speed of the annealing kernels beside dwave-samplers, OpenJij and dimod: same problem and schedule, one thread.

Every figure is CPU time of whole sampler calls, best of rounds that take turns, in one process; calls differ only in
the sampler. Final energies are compared before any speed counts. OpenJij runs where it is installed (extra
``rivals``), without a seed: with one, all its reads are the same (0.12.2).
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from benches.runner import Context
from benches.stats import cpu_rounds
from hwsim.ir.errors import EquivalenceError

SIZES = (48, 256, 1024)
BETAS = (0.2, 5.0)  # linear, weights of standard deviation 1/√n: hot to cold with 16–18 % accepted on average
SWEEPS, READS = {48: 1000, 256: 1000, 1024: 500}, {48: 64, 256: 32, 1024: 32}
ENERGY_WITHIN = 0.01
STATES = 512  # whose energies are evaluated
Rates = dict[str, list[list[float]]]


def random_bqm(n: int, rng: np.random.Generator) -> Any:
    """Fully connected, J ~ N(0, 1/n), h ~ N(0, 1/n)."""
    import dimod

    bqm = dimod.BinaryQuadraticModel(np.triu(rng.standard_normal((n, n)), 1) / np.sqrt(n), "SPIN")
    bqm.add_linear_from_array(rng.standard_normal(n) / np.sqrt(n))
    return bqm


def measure(ctx: Context[Any], progress: Any) -> Rates:
    """Metropolis at three sizes, rotors at the largest, threads, the structured kernel, energies of given states.

    Returns:
        Metropolis updates a second by sampler: [[spins, rate], …].
    """
    steps, rates = len(SIZES) + 4, defaultdict[str, list[list[float]]](list)
    if openjij_sampler() is None:
        ctx.note("OpenJij was not run: it is not installed (pip install 'hwsim[rivals]').")
    for i, n in enumerate(SIZES):
        for name, rate in _metropolis(ctx, n).items():
            rates[name].append([n, rate])
        progress(i + 1, steps, f"{n} spins")
    for i, (part, what) in enumerate(
        ((_rotor, "rotors"), (_threads, "threads"), (_structured, "structured"), (_evaluation, "energies"))
    ):
        part(ctx)
        progress(len(SIZES) + i + 1, steps, what)
    return dict(rates)


def openjij_sampler() -> Any | None:
    """OpenJij's annealer, or None where it is not installed."""
    try:
        import openjij
    except ImportError:
        return None
    return openjij.SASampler()


def _metropolis(ctx: Context[Any], n: int) -> dict[str, float]:
    """Updates a second of each sampler on one complete graph."""
    from dwave.samplers import SimulatedAnnealingSampler

    from hwsim.annealing.samplers import SASampler

    bqm = random_bqm(n, ctx.rng(f"metropolis {n}"))
    betas, reads = np.linspace(*BETAS, SWEEPS[n]), READS[n]
    schedule: Any = {"beta_schedule_type": "custom", "beta_schedule": betas, "num_reads": reads, "seed": 1}
    work = {
        "ours": lambda: SASampler().sample(bqm, threads=1, **schedule),
        "dwave": lambda: SimulatedAnnealingSampler().sample(bqm, **schedule),
    }
    if (other := openjij_sampler()) is not None:
        steps = [[float(beta), 1] for beta in betas]
        work["openjij"] = lambda: other.sample(bqm, num_reads=reads, schedule=steps, sparse=False)
    energies = _energies(f"{n} spins", work)
    best = cpu_rounds(work, ctx.config.rounds)
    rates = {name: n * SWEEPS[n] * reads / seconds for name, seconds in best.items()}
    means = ", ".join(f"{name} {energy:.2f}" for name, energy in energies.items())
    method = f"{reads} reads of {SWEEPS[n]} sweeps, mean energies {means}; whole calls"
    for name, seconds in best.items():
        if name != "ours":
            ctx.metric(f"sa_speedup_vs_{name}_n{n}", seconds / best["ours"], "×", method=method)
    ctx.metric(f"sa_updates_per_s_n{n}", rates["ours"], "1/s", method=method)
    return rates


def _energies(what: str, work: Mapping[str, Callable[[], Any]]) -> dict[str, float]:
    """Mean final energy of ours and of every peer.

    Raises:
        EquivalenceError: a peer's differs by more than `ENERGY_WITHIN`: the speeds would not be comparable.
    """
    means = {name: float(np.mean(call().record.energy)) for name, call in work.items()}
    for name, mean in means.items():
        if abs(means["ours"] - mean) > ENERGY_WITHIN * abs(mean):
            want = f"{name}'s {mean} ± 1 %"
            raise EquivalenceError.of(f"mean final energy, {what}", means["ours"], want, "Compare equal schedules.")
    return means


def _rotor(ctx: Context[Any]) -> None:
    from dwave.samplers import RotorModelAnnealingSampler

    from hwsim.annealing.samplers import SVMCSampler

    n, reads, sweeps = 1024, 16, 100
    bqm = random_bqm(n, ctx.rng("rotor"))
    hp, hd = np.linspace(0.1, 5, sweeps), np.linspace(5, 0.01, sweeps)
    fields: Any = {"Hp_field": hp, "Hd_field": hd, "num_reads": reads, "seed": 1}
    peer: Any = {**fields, "beta_schedule_type": "custom", "proposal_acceptance_criteria": "MetropolisTF"}
    work = {
        "ours": lambda: SVMCSampler().sample(bqm, threads=1, **fields),
        "dwave": lambda: RotorModelAnnealingSampler().sample(bqm, **peer),
    }
    # no common energy is asked for: at fixed fields the peer's states of one spin are not Boltzmann's, ours are
    energies = [float(np.mean(call().record.energy)) for call in work.values()]
    best = cpu_rounds(work, min(ctx.config.rounds, 3))
    method = f"{reads} reads of {sweeps} sweeps, energies {energies[0]:.1f} and {energies[1]:.1f}; whole calls"
    ctx.metric("svmc_speedup_vs_dwave_rotor_n1024", best["dwave"] / best["ours"], "×", method=method)


def _threads(ctx: Context[Any]) -> None:
    """Wall time on one and on two threads, median of rounds in turns."""
    from hwsim.annealing.samplers import SASampler

    bqm = random_bqm(1024, ctx.rng("threads"))
    betas = np.linspace(*BETAS, 2000)
    walls: dict[int, list[float]] = {1: [], 2: []}
    for i in range(ctx.config.rounds + 1):
        for threads, taken in walls.items():
            start = time.perf_counter()
            SASampler().sample(
                bqm, beta_schedule_type="custom", beta_schedule=betas, num_reads=64, seed=1, threads=threads
            )
            if i:
                taken.append(time.perf_counter() - start)
    scaling = min(walls[1]) / min(walls[2])
    ctx.metric(
        "thread_scaling_2", scaling, "×", method="wall, best of rounds in turns, 1024 spins, 64 reads of 2000 sweeps"
    )


def _structured(ctx: Context[Any]) -> None:
    """Reverse anneal of 1024 × 1024, 16-QAM: the structured kernel against the dense one on the same spins."""
    from hwsim.annealing import Problem, metropolis
    from hwsim.xresq.annealing import run_reads, structured
    from hwsim.xresq.channel import generate
    from hwsim.xresq.mapping import dense_ising
    from hwsim.xresq.modulation import spins_of_levels
    from hwsim.xresq.seeds import make_seeds

    r = generate("16qam", 1024, 1024, 22.0, 1, ctx.rng("structured")).received
    seeds = make_seeds(r, 1, "mmse")
    temps = np.geomspace(4, 1, ctx.config.structured_sweeps).astype(np.float32)
    problem, dense = structured(r), dense_ising(r)
    sparse = Problem.of_matrix(dense.h, dense.J)
    del dense
    spins, betas = spins_of_levels(r.mod, seeds[0]), 1.0 / (temps.astype(float) * float(r.n0[0]))
    best = cpu_rounds(
        {
            "structured": lambda: run_reads(problem, 2, seeds, temps, moves="spin"),
            "dense": lambda: metropolis(sparse, betas, spins, threads=1),
        },
        2,
    )
    updates = r.mod.spins(1024) * len(temps)
    method = f"4096 spins, {len(temps)} sweeps from 4 N0 to N0, one read from the MMSE slice"
    ctx.metric("structured_updates_per_s_1024x1024", updates / best["structured"], "1/s", method=method)
    ctx.metric("structured_speedup_vs_dense_1024x1024", best["dense"] / best["structured"], "×", method=method)


def _evaluation(ctx: Context[Any]) -> None:
    """Energies of given states, as when answers are ranked: ours and dimod's, models built before.

    Raises:
        EquivalenceError: they differ.
    """
    from hwsim.annealing import Problem, random_states

    bqm = random_bqm(1024, ctx.rng("energies"))
    problem, labels, offset = Problem.of_bqm(bqm)
    states = random_states(STATES, 1024, seed=1)
    ours, peer = problem.energies(states) + offset, bqm.energies((states, labels))
    if not np.allclose(ours, peer, rtol=1e-9, atol=1e-9):
        raise EquivalenceError.of("energies of states", ours[:3], peer[:3], "Compare equal models.")
    best = cpu_rounds({"ours": lambda: problem.energies(states), "dimod": lambda: bqm.energies((states, labels))}, 3)
    method = f"{STATES} states of 1024 fully connected spins, float64, equal to rounding; {1e3 * best['ours']:.1f} ms"
    ctx.metric("energies_speedup_vs_dimod_n1024", best["dimod"] / best["ours"], "×", method=method)
