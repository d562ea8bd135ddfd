"""Metropolis annealing over many reads: forward, reverse and paused anneals, constant temperature, and descent.

A sweep visits the spins in order. With the local field f_i = h_i + Σ_j J_ij s_j, flipping spin i changes the energy
by −2 s_i f_i and is accepted when −2 s_i f_i < −T ln u, u uniform: s_i f_i > (T/2) ln u.

Random numbers belong to (seed, read, sweep, spin) alone (`hwsim.annealing.draws`). All layouts add the same numbers
in the same order, so that their states are equal bit for bit, for any number of threads:

| kernel | layout | best for |
|---|---|---|
| ``rows`` | one read at a time, 16 or 32 spins a vector | dense integer problems, few reads |
| ``strips`` | 16 reads a vector, rows in blocks of 16 spins, until few flip; then rows | dense problems |
| ``lists`` | 16 reads a vector, lists of neighbours | sparse problems |

Integer problems run in the narrowest integers that hold every local field, and are exact; others run in float32.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np

from hwsim.annealing.problem import MAX_DENSE, Problem
from hwsim.annealing.reads import WORD, Run, enough_threads
from hwsim.annealing.vectors import LANES
from hwsim.core.threads import in_parts
from hwsim.ir.errors import ShapeError, UsageError

Kernel = Literal["auto", "rows", "strips", "lists"]
HOTTEST = 1e30  # T/2 of β = 0: finite, so that no product with −ln u becomes NaN
SMALL = 48  # spins up to which strips beat rows at any temperature (measured)
ROWS_FROM = 0.15  # share of 256 spins that flip in a sweep, below which rows beat strips; grows with √n (measured)
STRIPS_FROM = 8  # reads: with fewer, most lanes idle
CACHE = 1 << 20  # bytes of rows that a core's second-level cache keeps
GROUP, STRETCH = 16, 128  # beyond it, so many reads take turns on so many spins: their rows are fetched once
DESCENT = 16  # sweeps of a descent between looks at what still moves


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


def number_types(problem: Problem) -> tuple[type, type]:
    """Types of the fields and of the couplings on rows: the narrowest exact integers, else float32."""
    if not problem.integer:
        return np.float32, np.float32
    field = np.int16 if problem.row_sums.max() < 2**15 else np.int32
    coupling = np.int8 if problem.largest < 2**7 else np.int16 if problem.largest < 2**15 else np.int32
    return field, coupling


def choose(problem: Problem, reads: int, kernel: Kernel) -> Kernel:
    """The layout for a problem.

    Raises:
        UsageError: an unknown kernel, or rows of a matrix that is too large.
    """
    if kernel not in get_args(Kernel):
        raise UsageError.of("kernel", repr(kernel), f"one of {', '.join(get_args(Kernel))}", "Choose one of them.")
    if kernel in ("rows", "strips") and problem.n > MAX_DENSE:
        raise UsageError.of(f"spins on {kernel}", problem.n, f"at most {MAX_DENSE}", "Use lists.")
    if kernel != "auto":
        return kernel
    inexact = problem.integer and problem.row_sums.max() >= 2**24  # fields that float32 would round
    if inexact and problem.n <= MAX_DENSE:
        return "rows"
    if not problem.dense:
        return "lists"
    small = problem.n <= SMALL or number_types(problem)[0] is np.float32
    return "strips" if reads >= STRIPS_FROM and small else "rows"


def metropolis(
    problem: Problem, betas: np.ndarray, initial: np.ndarray, seed: int = 0, *, first: int = 0,
    threads: int | None = None, kernel: Kernel = "auto",
) -> Run:  # fmt: skip
    """Metropolis sweeps, one for each β, from every row of `initial`.

    Args:
        problem: the problem.
        betas: float [sweeps], inverse temperatures in units of 1/weight; ∞ accepts only what lowers the energy.
        initial: int8 [reads, n]: forward, reverse and paused anneals differ only in `initial` and `betas`.
        seed: any integer; taken modulo 2^64.
        first: number of the first read: a run of reads 0…9 equals one of 0…4 and one of 5…9 (first=5).
        threads: at most so many; None: all processors that this process may use.
        kernel: layout; all give the same states.

    Raises:
        ShapeError: states or betas of a wrong shape or value.
        UsageError: an unknown kernel, or one that can not hold the problem.

    Example:
        >>> import numpy as np
        >>> pair = Problem.of_edges(np.zeros(2), np.array([0]), np.array([1]), np.array([1.0]))
        >>> metropolis(pair, np.linspace(0.1, 5, 50), np.ones((3, 2), np.int8)).energies.tolist()
        [-1.0, -1.0, -1.0]
    """
    states = problem.check_states(initial).copy()
    half_t = half_temperatures(betas)
    name = choose(problem, len(states), kernel)
    word = np.uint64(seed & WORD)
    if states.size and len(half_t):
        part: Any = _on_rows if name == "rows" else _on_strips if name == "strips" else _on_lists
        group, threads = 1 if name == "rows" else LANES, enough_threads(threads, states.size * len(half_t))
        in_parts(part(problem, half_t, states, word, first), len(states), threads, group)
    types = "/".join(np.dtype(t).name for t in number_types(problem)) if name == "rows" else "float32"
    return Run(states, problem.energies(states), f"{name} {types}")


def _on_rows(problem: Problem, half_t: np.ndarray, states: np.ndarray, word: np.uint64, first: int) -> Any:
    from hwsim.annealing.kernels_dense import metropolis_rows

    field, coupling = number_types(problem)
    rows = problem.rows(coupling)
    h: np.ndarray = problem.h.astype(field)
    never = np.inf if field is np.float32 else np.iinfo(field).max
    large = rows.nbytes > CACHE
    turns = (GROUP, STRETCH) if large else (1, problem.n)
    return lambda lo, hi: metropolis_rows(h, rows, half_t, field(never), *turns, states, word, first, lo, hi)


def _on_strips(problem: Problem, half_t: np.ndarray, states: np.ndarray, word: np.uint64, first: int) -> Any:
    from hwsim.annealing.kernels_lanes import metropolis_strips

    h, strips, rows = problem.h.astype(np.float32), problem.strips(), problem.rows()
    share = 0.0 if problem.n <= SMALL else ROWS_FROM * np.sqrt(problem.n / 256)
    stretch = STRETCH if rows.nbytes > CACHE else problem.n
    return lambda lo, hi: metropolis_strips(h, strips, rows, half_t, share, stretch, states, word, first, lo, hi)


def _on_lists(problem: Problem, half_t: np.ndarray, states: np.ndarray, word: np.uint64, first: int) -> Any:
    from hwsim.annealing.kernels_lanes import metropolis_sparse

    h, lists = problem.h.astype(np.float32), problem.sparse()
    return lambda lo, hi: metropolis_sparse(h, *lists, half_t, states, word, first, lo, hi)


def descend(problem: Problem, initial: np.ndarray, *, threads: int | None = None, kernel: Kernel = "auto") -> Run:
    """Flip every spin that lowers the energy, spin after spin, until none does: states of local minima.

    Arguments and errors as in `metropolis`.
    """
    run = Run(problem.check_states(initial), np.empty(0), "")
    while True:
        after = metropolis(problem, np.full(DESCENT, np.inf), run.states, threads=threads, kernel=kernel)
        if np.array_equal(after.states, run.states):
            return after
        run = after


def ladder(betas: np.ndarray) -> np.ndarray:
    """float64 [replicas] of rising, finite, positive inverse temperatures.

    Raises:
        ShapeError: fewer than one, or not rising.
    """
    betas = np.asarray(betas, np.float64)
    if (
        betas.ndim != 1
        or not len(betas)
        or not (np.isfinite(betas) & (betas >= 0)).all()
        or (np.diff(betas) <= 0).any()
    ):
        raise ShapeError.of("betas", betas, "[replicas] of rising finite numbers ≥ 0", "Sort them, the hottest first.")
    return betas


def temper(
    problem: Problem, betas: np.ndarray, sweeps: int, initial: np.ndarray, seed: int = 0, *, first: int = 0,
    keep_best: bool = False, threads: int | None = None,
) -> Run:  # fmt: skip
    """Parallel tempering (replica exchange) on rows, float32.

    Args:
        problem: at most 16384 spins.
        betas: float [replicas], rising.
        sweeps: sweeps of every replica, an exchange of neighbours after each.
        initial: int8 [reads, n], where all replicas of a read start.
        seed, first, threads: as in `metropolis`.
        keep_best: return the best state that any replica met, instead of the coldest one's last.

    Raises:
        ShapeError: states or betas of a wrong shape or value.
        UsageError: too many spins.
    """
    from hwsim.annealing.kernels_tempering import tempering_rows

    states, betas = problem.check_states(initial).copy(), ladder(betas)
    choose(problem, len(states), "rows")
    h, word, half_t = problem.h.astype(np.float32), np.uint64(seed & WORD), half_temperatures(betas)

    def part(lo: int, hi: int) -> None:
        tempering_rows(h, problem.rows(), betas, half_t, sweeps, keep_best, states, word, first, lo, hi)

    if states.size and sweeps:
        problem.rows()
        in_parts(part, len(states), enough_threads(threads, states.size * sweeps * len(betas)))
    return Run(states, problem.energies(states), f"rows float32, {len(betas)} replicas")
