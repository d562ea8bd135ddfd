"""Runs with a transverse field: rotors (spin-vector Monte Carlo) and path integrals.

**Rotors** (Shin, Smith, Smolin, Vazirani, arXiv 1401.7087): each spin is an angle θ in 0…π and

    βE = Hp·(Σ h_i cos θ_i + Σ_{i<j} J_ij cos θ_i cos θ_j) − Hd·Σ sin θ_i,   Hp = B(s)/2kT,  Hd = A(s)/2kT.

A proposal is θ + U[−w, w], folded at 0 and π. w = π is plain SVMC; w = π·min(1, A/B) is SVMC-TF (Albash, Marshall,
arXiv 2009.04934), whose moves die out with the transverse field. Angles are multiples of π/1024; the fold gives the
two ends half the weight of the others, which is the trapezoid rule for the uniform measure on 0…π.

**Path integrals**: see `hwsim.annealing.kernels_trotter`. Random numbers as in `hwsim.annealing.anneal`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hwsim.annealing.angles import STEPS, tables
from hwsim.annealing.anneal import Kernel, choose
from hwsim.annealing.problem import Problem
from hwsim.annealing.reads import WORD, Run, enough_threads, random_states
from hwsim.annealing.vectors import LANES
from hwsim.core.threads import in_parts
from hwsim.ir.errors import ShapeError, UsageError

SLICES = 16
STIFFEST = 1e4  # 2·J⊥ where there is no transverse field left: no slice leaves its ring


def check_fields(hp: np.ndarray, hd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64 [sweeps].

    Raises:
        ShapeError: different lengths, or a value below 0 or not finite.
    """
    hp, hd = np.asarray(hp, np.float64), np.asarray(hd, np.float64)
    if hp.ndim != 1 or hp.shape != hd.shape or not (np.isfinite(hp) & np.isfinite(hd) & (hp >= 0) & (hd >= 0)).all():
        got = f"shapes {hp.shape} and {hd.shape}"
        raise ShapeError.of("hp, hd", got, "two equal [sweeps], finite, ≥ 0", "Give one value of each a sweep.")
    return hp, hd


def move_widths(hp: np.ndarray, hd: np.ndarray, transverse_moves: bool) -> np.ndarray:
    """int32 [sweeps]: largest change of an angle in steps."""
    if not transverse_moves:
        return np.full(len(hp), STEPS, np.int32)
    ratio = np.divide(hd, hp, out=np.ones_like(hd), where=hd < hp)
    return np.rint(STEPS * ratio).astype(np.int32)


def rotor(
    problem: Problem, hp: np.ndarray, hd: np.ndarray, initial: np.ndarray | int, seed: int = 0, *,
    transverse_moves: bool = True, first: int = 0, threads: int | None = None, kernel: Kernel = "auto",
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
        kernel: ``"strips"`` or ``"lists"``; both give the same angles.

    Returns:
        states = sign(cos θ), a coin toss at θ = π/2; `angles` as well.

    Raises:
        ShapeError: states or fields of a wrong shape or value.
        UsageError: a kernel that rotors do not have.
    """
    hp, hd = check_fields(hp, hd)
    if isinstance(initial, int | np.integer):
        angles = np.full((int(initial), problem.n), STEPS // 2, np.int32)
    else:
        angles = np.where(problem.check_states(initial) > 0, 0, STEPS).astype(np.int32)
    if kernel == "rows":
        raise UsageError.of("kernel of a rotor run", "'rows'", "'auto', 'strips' or 'lists'", "Choose one of them.")
    name = ("strips" if problem.dense else "lists") if kernel == "auto" else choose(problem, len(angles), kernel)
    fields = hp.astype(np.float32), hd.astype(np.float32), move_widths(hp, hd, transverse_moves)
    if angles.size and len(hp):
        part = _rotors(problem, name, (*fields, np.int32(STEPS), *tables()), angles, np.uint64(seed & WORD), first)
        in_parts(part, len(angles), enough_threads(threads, angles.size * len(hp)), LANES)
    states = np.where(angles < STEPS // 2, 1, -1).astype(np.int8)
    if (undecided := angles == STEPS // 2).any():
        states[undecided] = random_states(len(angles), problem.n, seed, first)[undecided]
    return Run(states, problem.energies(states), f"rotor {name} float32", angles.astype(np.int16))


def _rotors(problem: Problem, name: str, fields: tuple, angles: np.ndarray, word: np.uint64, first: int) -> Any:
    from hwsim.annealing import kernels_lanes

    sparse: Any = kernels_lanes.rotor_sparse
    blocks: Any = kernels_lanes.rotor_strips

    h = problem.h.astype(np.float32)
    if name == "strips":
        strips = problem.strips()
        return lambda lo, hi: blocks(h, strips, *fields, angles, word, first, lo, hi)
    lists = problem.sparse()
    return lambda lo, hi: sparse(h, *lists, *fields, angles, word, first, lo, hi)


def path_integral(
    problem: Problem, hp: np.ndarray, hd: np.ndarray, initial: np.ndarray, seed: int = 0, *, slices: int = SLICES,
    first: int = 0, threads: int | None = None,
) -> Run:  # fmt: skip
    """Path-integral Monte Carlo; costs `slices` times a Metropolis run and is meant for small problems.

    Args:
        problem, hp, hd, seed, first, threads: as in `rotor`.
        initial: int8 [reads, n], where all slices start.
        slices: P ≥ 3; the error of the path integral falls with 1/P².

    Raises:
        ShapeError: states or fields of a wrong shape or value.
        UsageError: fewer than three slices.
    """
    from hwsim.annealing.kernels_trotter import trotter_lists

    if slices < 3:
        raise UsageError.of("slices", slices, "3 or more", "16 is the default.")
    hp, hd = check_fields(hp, hd)
    states = problem.check_states(initial).copy()
    with np.errstate(divide="ignore"):
        bond = np.minimum(-np.log(np.tanh(hd / slices)), STIFFEST).astype(np.float32)
    scale = (2 * hp / slices).astype(np.float32)
    h, lists, word = problem.h.astype(np.float32), problem.sparse(), np.uint64(seed & WORD)

    def part(lo: int, hi: int) -> None:
        trotter_lists(h, *lists, scale, bond, slices, states, word, first, lo, hi)

    if states.size and len(hp):
        in_parts(part, len(states), enough_threads(threads, states.size * len(hp) * slices))
    return Run(states, problem.energies(states), f"lists float32, {slices} slices")
