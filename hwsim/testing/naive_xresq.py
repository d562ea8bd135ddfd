"""Naive twin of the annealing detector's run, in plain Python integers, written from ``docs/ir/mimo_ising.md``."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hwsim.ir.mimo_ising import MimoIsing
from hwsim.testing.naive import mimo_energy, mimo_points


@dataclass(frozen=True)
class NaiveRun:
    """Best energy, best spins and acceptance count of every replica, and the winner's index."""

    energies: list[int]
    spins: list[list[int]]
    accepts: list[int]
    winner: int


def xorshift32(q: int) -> int:
    """Marsaglia's (13, 17, 5).

    Example:
        >>> xorshift32(1)
        270369
    """
    q ^= q * 2**13 % 2**32
    q ^= q // 2**17
    return q ^ (q * 2**5 % 2**32)


def xresq_run(problem: MimoIsing) -> NaiveRun:
    """One run of every replica; the energy of each best state is computed anew.

    Raises:
        AssertionError: the energy kept along the way is not that of the state: a defect of the rules.
    """
    results = [_replica(problem, r) for r in range(problem.replicas)]
    energies = [energy for energy, _, _ in results]
    winner = energies.index(min(energies))
    return NaiveRun(energies, [spins for _, spins, _ in results], [count for _, _, count in results], winner)


def _replica(problem: MimoIsing, r: int) -> tuple[int, list[int], int]:
    n, bits = problem.n, problem.bits_per_axis
    spins, q = [int(s) for s in problem.seeds[r]], int(problem.rng_seeds[r])
    best, kept, accepts = mimo_energy(problem, spins), list(spins), 0
    for mantissa, exponent in zip(problem.mantissas, problem.exponents, strict=True):
        for i in range(n):
            q = xorshift32(q)
            for k in range(bits):
                weight, spin = 2 ** (bits - 1 - k), spins[k * n + i]
                x = mimo_points(problem, spins)
                g = int(problem.matched[i]) - sum(int(problem.gram[i, j]) * x[j] for j in range(n))
                change = weight * (weight * int(problem.gram[i, i]) + spin * g)
                u = q // 256**k % 256
                log = round(-math.log((u + 0.5) / 256) * 32)
                if change < int(mantissa) * log * 2 ** int(exponent) // 32:
                    spins[k * n + i] = -spin
                    accepts += 1
        energy = mimo_energy(problem, spins)
        if energy < best:
            best, kept = energy, list(spins)
    assert best == mimo_energy(problem, kept)
    return best, kept, accepts
