"""Python face of the kernels: Metropolis and rotor (SVMC) runs over many reads.

**Metropolis** (spec: one sweep visits the spins in order). With the local field f_i = h_i + Σ_j J_ij s_j, flipping
spin i changes the energy by −2 s_i f_i and is accepted when −2 s_i f_i < −T ln u, u uniform: s_i f_i > (T/2) ln u.

**Rotor**, spin-vector Monte Carlo (Shin, Smith, Smolin, Vazirani, arXiv 1401.7087): each spin is an angle θ in 0…π and

    βE = Hp·(Σ h_i cos θ_i + Σ_{i<j} J_ij cos θ_i cos θ_j) − Hd·Σ sin θ_i,   Hp = B(s)/2kT,  Hd = A(s)/2kT.

A proposal is θ + U[−w, w], folded at 0 and π. w = π is plain SVMC; w = π·min(1, A/B) is SVMC-TF (Albash, Marshall,
arXiv 2009.04934), whose moves die out with the transverse field. Angles are multiples of π/`STEPS`; the fold
gives the two ends half the weight of the others, which is the trapezoid rule for the uniform measure on 0…π.

Reads are independent and their random numbers belong to (seed, read, sweep, spin) alone: results are equal for any
number of threads and any kernel of the same arithmetic.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import numpy as np

from hwsim.annealing.problem import Problem
from hwsim.ir.errors import ShapeError, UsageError

STEPS = 1024  # angle steps from 0 to π
HOTTEST = 1e30  # T/2 of β = 0: finite, so that no product with −ln u becomes NaN
PARALLEL_AT = 200_000  # spin updates below which starting threads costs more than it gains


@dataclass(frozen=True, eq=False)
class Run:
    """Final states of the reads.

    Attributes:
        states: int8 [reads, n], ±1.
        energies: float64 [reads], of the problem as given.
        kernel: name of the kernel that ran.
        angles: int16 [reads, n] in steps of π/`STEPS`; only of a rotor run.
    """

    states: np.ndarray
    energies: np.ndarray
    kernel: str
    angles: np.ndarray | None = None


def random_states(reads: int, n: int, seed: int, first: int = 0) -> np.ndarray:
    """int8 [reads, n] of ±1; row r depends on (seed, first + r) alone."""
    rows = [np.random.default_rng([seed & (2**64 - 1), first + r]).integers(0, 2, n, np.int8) for r in range(reads)]
    return np.stack(rows) * np.int8(2) - np.int8(1) if rows else np.empty((0, n), np.int8)


def half_temperatures(betas: np.ndarray) -> np.ndarray:
    """float32 T/2 of inverse temperatures β ≥ 0 [sweeps]; β = ∞ is T = 0.

    Raises:
        ShapeError: not one-dimensional, or a value below 0 or NaN.
    """
    betas = np.asarray(betas, np.float64)
    if betas.ndim != 1 or not (betas >= 0).all():
        raise ShapeError.of("betas", f"shape {betas.shape}, {betas}", "[sweeps] of numbers ≥ 0", "Give one β a sweep.")
    with np.errstate(divide="ignore"):
        return np.minimum(0.5 / betas, HOTTEST).astype(np.float32)


def metropolis(
    problem: Problem,
    betas: np.ndarray,
    initial: np.ndarray,
    seed: int = 0,
    *,
    first: int = 0,
    threads: int | None = None,
) -> Run:
    """Metropolis sweeps, one for each β, from every row of `initial`.

    Args:
        problem: the problem.
        betas: float [sweeps], inverse temperatures in units of 1/weight; ∞ accepts only what lowers the energy.
        initial: int8 [reads, n]: forward, reverse and paused anneals differ only in `initial` and `betas`.
        seed: any integer; taken modulo 2^64.
        first: number of the first read: a run of reads 0…9 equals one of 0…4 and one of 5…9 (first=5).
        threads: at most so many; None: all processors that this process may use.

    Raises:
        ShapeError: states or betas of a wrong shape or value.
    """
    from hwsim.annealing import kernels

    states = problem.check_states(initial).copy()
    half_t = half_temperatures(betas)
    h, word = problem.h.astype(np.float32), np.uint64(seed & (2**64 - 1))
    start, column, weight = problem.csr()

    def part(lo: int, hi: int) -> None:
        kernels.metropolis_sparse(h, start, column, weight, half_t, states, word, first, lo, hi)

    in_parts(part, len(states), threads, states.size * len(half_t))
    return Run(states, problem.energies(states), "sparse float32")


@cache
def angle_tables() -> tuple[np.ndarray, np.ndarray]:
    """cos and sin of kπ/`STEPS`, float32 [STEPS + 1], exact at 0, π/2 and π."""
    k = np.arange(STEPS + 1)
    cos, sin = np.cos(np.pi * k / STEPS), np.sin(np.pi * k / STEPS)
    cos[STEPS // 2], sin[[0, STEPS]] = 0.0, 0.0
    return cos.astype(np.float32), sin.astype(np.float32)


def rotor(
    problem: Problem, hp: np.ndarray, hd: np.ndarray, initial: np.ndarray | int, seed: int = 0, *,
    transverse_moves: bool = True, first: int = 0, threads: int | None = None,
) -> Run:  # fmt: skip
    """Spin-vector Monte Carlo, one sweep for each (Hp, Hd).

    Args:
        problem: the problem, in the units that Hp multiplies.
        hp, hd: float [sweeps], B/2kT and A/2kT, ≥ 0.
        initial: int8 [reads, n] of ±1 (reverse anneal), or a number of reads, each from θ = π/2 (forward).
        seed: any integer; taken modulo 2^64.
        transverse_moves: True is SVMC-TF, w = π·min(1, Hd/Hp); False is plain SVMC, w = π.
        first: number of the first read.
        threads: at most so many; None: all processors that this process may use.

    Returns:
        states = sign(cos θ), a coin toss at θ = π/2; `angles` as well.

    Raises:
        ShapeError: states or fields of a wrong shape or value.
    """
    from hwsim.annealing import kernels

    hp, hd = _check_fields(hp, hd)
    if isinstance(initial, int):
        angles = np.full((initial, problem.n), STEPS // 2, np.int16)
    else:
        angles = np.where(problem.check_states(initial) > 0, 0, STEPS).astype(np.int16)
    width = np.full(len(hp), STEPS, np.int32)
    if transverse_moves:
        ratio = np.divide(hd, hp, out=np.ones_like(hd), where=hd < hp)
        width = np.rint(STEPS * ratio).astype(np.int32)
    h, word = problem.h.astype(np.float32), np.uint64(seed & (2**64 - 1))
    start, column, weight = problem.csr()
    fields = hp.astype(np.float32), hd.astype(np.float32), width

    def part(lo: int, hi: int) -> None:
        kernels.rotor_sparse(h, start, column, weight, *fields, *angle_tables(), angles, word, first, lo, hi)

    in_parts(part, len(angles), threads, angles.size * len(hp))
    states = np.where(angles < STEPS // 2, 1, -1).astype(np.int8)
    undecided = angles == STEPS // 2
    if undecided.any():
        states[undecided] = random_states(len(angles), problem.n, seed, first)[undecided]
    return Run(states, problem.energies(states), "rotor sparse float32", angles)


def _check_fields(hp: np.ndarray, hd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    hp, hd = np.asarray(hp, np.float64), np.asarray(hd, np.float64)
    if hp.ndim != 1 or hp.shape != hd.shape or not (np.isfinite(hp) & np.isfinite(hd) & (hp >= 0) & (hd >= 0)).all():
        got = f"shapes {hp.shape} and {hd.shape}"
        raise ShapeError.of("hp, hd", got, "two equal [sweeps], finite, ≥ 0", "Give one value of each a sweep.")
    return hp, hd


def in_parts(part: Callable[[int, int], None], reads: int, threads: int | None, updates: int, group: int = 1) -> None:
    """Call ``part(lo, hi)`` over 0…reads−1 in as many threads, in whole groups of reads.

    Raises:
        UsageError: fewer than one thread.
    """
    if threads is not None and threads < 1:
        raise UsageError.of("threads", threads, "1 or more, or None", "Leave it out for all processors.")
    if threads is None:
        threads = 1 if updates < PARALLEL_AT else len(os.sched_getaffinity(0))
    threads = min(threads, -(-reads // group))
    if threads <= 1:
        part(0, reads)
        return
    cuts = [min(reads, -(-reads * k // (threads * group)) * group) for k in range(threads + 1)]
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(part, lo, hi) for lo, hi in itertools.pairwise(cuts) if hi > lo]:
            done.result()
