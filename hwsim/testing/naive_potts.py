"""Naive twins of Potts energies, heat-bath sweeps and the VEC-SBM's sweeps: from the formulas, in plain Python.

Every sum runs over all pairs of nodes; nothing is counted, sorted or kept between nodes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from hwsim.ir.potts import Potts
from hwsim.testing.naive_annealing import number

Pair = Callable[[int, int, int, int], float]  # (i, j, k, l) → energy of nodes i in k and j in l


def potts_energy(problem: Potts, labels: Sequence[int]) -> int:
    """E of one labelling, pair by pair."""
    z = [int(k) for k in labels]
    total = sum(int(problem.h[i][z[i]]) for i in range(problem.n))
    for (u, v), table in zip(problem.edges.tolist(), problem.tables.tolist(), strict=True):
        total += table[z[u]][z[v]]
    total *= 2**problem.counter_shift
    return total + sum(int(problem.counter[z[i]][z[j]]) for i in range(problem.n) for j in range(i))


def drawn(weights: Sequence[float], r: int) -> int:
    """The first index whose running sum passes (r + ½)/2³² of the whole."""
    target = (r + 0.5) / 2**32 * sum(weights)
    return next(k for k in range(len(weights)) if sum(weights[: k + 1]) > target)


def heat_bath(
    h: np.ndarray, pair: Pair, betas: Sequence[float], labels: Sequence[int], seed: int, read: int
) -> list[int]:
    """Final labels of one read of a Potts problem with fields h [n, K]."""
    z, (n, K) = [int(k) for k in labels], h.shape
    for sweep, beta in enumerate(betas):
        for i in range(n):
            e = [float(h[i][k]) + sum(pair(i, j, k, z[j]) for j in range(n) if j != i) for k in range(K)]
            if math.isinf(beta):
                if min(e) < e[z[i]]:
                    z[i] = e.index(min(e))
            else:
                z[i] = drawn([math.exp(-beta * (x - min(e))) for x in e], number(seed, read, sweep, i))
    return z


def vecsbm_sweep(
    A: np.ndarray, W: np.ndarray, alpha: np.ndarray, pi: np.ndarray, log_density: Callable[..., float],
    labels: Sequence[int], beta: float, seed: int, read: int, sweep: int,
) -> list[int]:  # fmt: skip
    """One sweep of the VEC-SBM's refinement over all pairs of nodes.

    A [n, n] of 0 and 1, W [n, n, d], alpha [K] (ones for no prior), pi [K, K]; log_density(w, k, l) of a covariate seen
    from class k towards class l.
    """
    z = [int(k) for k in labels]
    for i in range(len(z)):
        score = []
        for k in range(len(alpha)):
            total = math.log(alpha[k])
            for j in range(len(z)):
                if j != i and A[i][j]:
                    total += math.log(pi[k][z[j]]) + log_density(i, j, k, z[j])
                elif j != i:
                    total += math.log(1 - pi[k][z[j]])
            score.append(total)
        if math.isinf(beta):
            z[i] = score.index(max(score))
        else:
            weights = [math.exp(beta * (x - max(score))) for x in score]
            z[i] = drawn(weights, number(seed, read, sweep, i))
    return z
