"""The Ising form: exact against brute force, and how fast it is built beside dimod's generator."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np

from benches.runner import Context
from benches.stats import cpu_rounds
from hwsim.xresq.channel import generate
from hwsim.xresq.mapping import dense_ising, spins_per_user, structured_problem
from hwsim.xresq.modulation import levels_of_spins, modulation
from hwsim.xresq.tree import sphere

EXHAUSTIVE = {"bpsk": (8, 8), "qpsk": (5, 6), "16qam": (3, 4), "64qam": (2, 3), "256qam": (2, 2)}  # users, antennas
BUILD_USERS = 256


def measure(ctx: Context[Any]) -> None:
    """Largest error over all states of small systems, spins of 256-QAM, and build times."""
    worst, states = 0.0, 0
    for name, (users, antennas) in EXHAUSTIVE.items():
        error, count = exhaustive_error(name, users, antennas, ctx.rng(f"mapping {name}"))
        worst, states = max(worst, error), states + count
    method = f"max |E(s) − ‖y − Hx‖²| over all {states} states of {len(EXHAUSTIVE)} constellations, and the minimum"
    ctx.metric("mapping_max_abs_err", worst, "", n=states, method=method)
    ctx.metric("qam256_spins_per_user", spins_per_user(modulation("256qam")), "spins")
    _speed(ctx)


def exhaustive_error(name: str, users: int, antennas: int, rng: np.random.Generator) -> tuple[float, int]:
    """(largest error of any state's energy and of the minimum against exact ML, number of states)."""
    mod = modulation(name)
    r = generate(mod, users, antennas, 15.0, 1, rng).received
    spins = np.array(list(product((-1, 1), repeat=mod.spins(users))), np.int8)
    energies = dense_ising(r).energies(spins)
    true = r.energies(levels_of_spins(mod, spins)[None])[0]
    best = abs(float(energies.min()) - float(sphere(r).energy[0]))
    return max(float(np.abs(energies - true).max()), best), len(spins)


def _speed(ctx: Context[Any]) -> None:
    """CPU seconds of one thread for 256 × 256, 16-QAM: best of rounds that take turns."""
    from dimod.generators import mimo

    problems = generate("16qam", BUILD_USERS, BUILD_USERS, 20.0, 1, ctx.rng("build"))

    def fresh() -> Any:  # products are kept on a `Received`: build from a new one
        return problems.received.part(slice(0, 1))

    work: dict[str, Callable[[], object]] = {
        "dimod": lambda: mimo("16QAM", y=problems.received.y[0][:, None], F=problems.received.H[0]),
        "dense": lambda: dense_ising(fresh()),
        "structured": lambda: structured_problem(fresh()),
    }
    best = cpu_rounds(work, 4 * ctx.config.rounds)  # milliseconds each
    method = "CPU seconds of one thread, best of rounds that take turns"
    ctx.metric("build_ms_256x256", 1e3 * best["dense"], "ms", method=method)
    ctx.metric("structured_build_ms_256x256", 1e3 * best["structured"], "ms", method=method)
    ctx.metric("dimod_build_ms_256x256", 1e3 * best["dimod"], "ms", method=method)
    ctx.metric("build_speedup_vs_dimod_256x256", best["dimod"] / best["dense"], "×", method=method)
    ctx.metric("structured_build_speedup_vs_dimod_256x256", best["dimod"] / best["structured"], "×", method=method)
