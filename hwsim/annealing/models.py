"""The models that can stand for an annealer, all driven by Hp(t) = B/2kT and Hd(t) = A/2kT.

| model | what moves | driven by |
|---|---|---|
| ``svmc-tf`` | classical rotors, moves of size π·min(1, A/B) | Hp, Hd |
| ``svmc`` | classical rotors, free moves | Hp, Hd |
| ``sa`` | Ising spins, Metropolis at β = Hp; no transverse field, no freeze-out | Hp |
| ``pimc`` | path-integral Monte Carlo, 16 Trotter slices | Hp, Hd |
| ``greedy`` | Ising spins, downhill only, until nothing moves | – |
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from hwsim.annealing.anneal import descend, metropolis
from hwsim.annealing.problem import Problem
from hwsim.annealing.reads import random_states
from hwsim.annealing.transverse import path_integral, rotor

Model = Literal["svmc-tf", "svmc", "sa", "pimc", "greedy"]


def final_states(
    model: Model, problem: Problem, hp: np.ndarray, hd: np.ndarray, initial: np.ndarray | None, reads: int, seed: int,
    *, first: int = 0, threads: int | None = None,
) -> np.ndarray:  # fmt: skip
    """States int8 [reads, n] at the end of the schedule.

    Args:
        model: see the table above.
        problem: in the annealer's units.
        hp, hd: float [sweeps].
        initial: int8 [reads, n] for a reverse anneal; None for a forward one.
        reads, seed, first, threads: as in `hwsim.annealing.anneal`.
    """
    if model in ("svmc-tf", "svmc"):
        start = reads if initial is None else initial
        moves = model == "svmc-tf"
        return rotor(problem, hp, hd, start, seed, transverse_moves=moves, first=first, threads=threads).states
    if initial is None:
        initial = random_states(reads, problem.n, seed, first)
    if model == "sa":
        return metropolis(problem, hp, initial, seed, first=first, threads=threads).states
    if model == "pimc":
        return path_integral(problem, hp, hd, initial, seed, first=first, threads=threads).states
    return descend(problem, initial, threads=threads).states
