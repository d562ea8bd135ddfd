"""Annealing detectors on the structured kernel: QuAMax, ResQ, X-ResQ, ParaMax.

All minimise ‖y − Hx‖² and differ in where reads start and how temperature runs. Temperatures are in units of N0:
exp(−‖y − Hx‖²/N0) is the posterior of x, so T = 1 samples it whatever the size.

* `quamax` (forward annealing, QuAMax, SIGCOMM 2019): random states, hot to cold.
* `resq` (single-seed reverse annealing, IoT-ResQ): all reads from one classical answer, T_p to cold.
* `xresq` (X-ResQ, arXiv 2402.18778): P copies at once, each with a seed of its own; reads and seeds are pooled,
  the lowest ‖y − Hx‖² is the answer and the pool is the soft output's list. P = 1 is `resq`.
* `paramax` (parallel tempering, ParaMax, arXiv 2103.10561): replicas at a ladder of temperatures exchange states.

Options of the family: *split detection* fixes the user with the weakest column to each of its symbols in turn and
detects the others (reconstructed: the full text was not available); *RI-MIMO regularisation* (arXiv 2105.10535) anneals
‖y − Hx‖² + ρ·N0/E_s ‖x − x_MMSE‖² and ranks by ‖y − Hx‖².
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from hwsim.core.threads import in_parts
from hwsim.ir.errors import UsageError, check_shape
from hwsim.xresq import kernels
from hwsim.xresq.channel import Received
from hwsim.xresq.detection import Detection, ranked
from hwsim.xresq.linear import mmse_estimate, regularisation
from hwsim.xresq.modulation import levels_of_bits, slice_levels
from hwsim.xresq.schedule import Schedule, forward_schedule, reverse_schedule
from hwsim.xresq.seeds import SeedMethod, make_seeds
from hwsim.xresq.states import read_states

Moves = Literal["symbol", "spin"]
RESOLVED_SIGMA = 4.0
EP_UP_TO = 128  # users: beyond, EP's ten inverses take longer than all else


@dataclass(frozen=True, eq=False)
class Structured:
    """float32 problem of the kernels.

    Attributes:
        gram: [batch, 2, Nt, Nt] (real and imaginary part of HᴴH), or [batch, 1, n, n] for BPSK.
        matched: [batch, n], z.
        n0: [batch].
    """

    gram: np.ndarray
    matched: np.ndarray
    n0: np.ndarray


@dataclass(frozen=True, eq=False)
class Reads:
    """Best states of annealing reads.

    Attributes:
        levels: int8 [batch, R, n].
        gain: float64 [batch, R], energy of the best state minus that of the read's start, in float32 steps.
        moves: int64 [batch, R], accepted moves.
        seconds: wall time of the anneal alone.
    """

    levels: np.ndarray
    gain: np.ndarray
    moves: np.ndarray
    seconds: float


def structured(r: Received, ri: float = 0.0) -> Structured:
    """The kernels' problem, with RI-MIMO strength `ri` ≥ 0 in units of N0/E_s of an axis."""
    gram = r.gram
    parts = (gram.real,) if r.mod.axes == 1 else (gram.real, gram.imag)
    blocks = np.empty((r.batch, len(parts), r.n_t, r.n_t), np.float32)
    for k, part in enumerate(parts):
        blocks[:, k] = part
    z = r.matched_real
    if ri:
        load = ri * regularisation(r)
        axis = np.arange(r.n_t)
        blocks[:, 0, axis, axis] += load[:, None].astype(np.float32)
        z = z + load[:, None] * slice_levels(r.mod, mmse_estimate(r).mean)
    return Structured(blocks, z.astype(np.float32), r.n0.astype(np.float32))


def run_reads(
    problem: Structured,
    bits_per_axis: int,
    starts: np.ndarray,
    temps: np.ndarray,
    *,
    moves: Moves = "symbol",
    seed: int = 0,
    threads: int = 1,
    pinned: np.ndarray | None = None,
) -> Reads:
    """Anneal every start.

    Args:
        problem: of `structured`.
        bits_per_axis: K.
        starts: int8 [batch, R, n], one read each.
        temps: float32 [sweeps], units of N0.
        moves: ``"symbol"`` or ``"spin"`` (see `hwsim.xresq.kernels`).
        seed: of the reads' random states; the result does not depend on `threads`.
        threads: worker threads over all reads of the batch.
        pinned: int64 [batch], a user that keeps its start, −1 for none.

    Raises:
        ShapeError, UsageError: wrong shape, unknown moves.
    """
    if moves not in ("symbol", "spin"):
        raise UsageError.of("moves", repr(moves), "'symbol' or 'spin'", "Choose one of them.")
    batch, n = problem.matched.shape
    check_shape("starts", starts.shape, "[batch, reads, n]", (batch, None, n))
    starts = np.ascontiguousarray(starts, np.int8)
    reads = starts.shape[1]
    states = read_states(seed, batch, reads)
    best, gain, count = np.empty_like(starts), np.empty((batch, reads)), np.empty((batch, reads), np.int64)
    table, temps = kernels.minus_log_table(), np.asarray(temps, np.float32)
    pins = np.full(batch, -1, np.int64) if pinned is None else np.asarray(pinned, np.int64)
    symbol = moves == "symbol"
    start = time.perf_counter()

    def work(first: int, last: int) -> None:
        kernels.anneal_reads(
            problem.gram, problem.matched, temps, problem.n0, table, bits_per_axis, symbol, pins, starts, states,
            first, last, best, gain, count,
        )  # fmt: skip

    in_parts(work, batch * reads, threads)
    return Reads(best, gain, count, time.perf_counter() - start)


def xresq(
    r: Received,
    *,
    levels: int = 6,
    reads: int = 4,
    schedule: Schedule | None = None,
    seeds: SeedMethod | np.ndarray = "auto",
    moves: Moves = "symbol",
    seed: int = 0,
    threads: int = 1,
    rounds: int = 6,
    split: bool = False,
    ri: float = 0.0,
) -> Detection:
    """X-ResQ: multi-seed reverse annealing with pooled reads and seeds.

    Args:
        r: received batch.
        levels: P, copies with a seed each.
        reads: N_a, reads of each copy.
        schedule: default `reverse_schedule(r)`.
        seeds: method, or seeds int8 [batch, levels, n] of the first round.
        moves: ``"symbol"``, or ``"spin"`` for the moves of an Ising machine.
        seed: of draws and reads.
        threads: worker threads.
        rounds: at most so many anneals of P copies; another one only where `unresolved`. 1 is the paper's single one.
        split: split detection; the reads of a copy are shared among the symbols of the fixed user.
        ri: RI-MIMO strength.

    `counters` has `rounds` and accepted `moves` an instance; the candidate list is the pool of the first round's
    size, best first.

    Raises:
        UsageError, ShapeError: a parameter out of range, seeds of another shape.
    """
    begin = time.perf_counter()
    for name, value in (("reads", reads), ("rounds", rounds)):
        if value < 1:
            raise UsageError.of(name, value, "1 or more", "A copy needs a read, a run a round.")
    if isinstance(seeds, np.ndarray):
        check_shape("seeds", seeds.shape, "[batch, levels, n]", (r.batch, levels, r.n))
    options: dict[str, Any] = {"moves": moves, "threads": threads, "split": split, "ri": ri}
    plan = schedule or reverse_schedule(r)
    done, spent = _one_round(r, seeds, levels, reads, plan, seed=seed, **options)
    done.counters["rounds"] = np.ones(r.batch, np.int64)
    for turn in range(1, rounds):
        left = np.flatnonzero(unresolved(done))
        if not len(left):
            break
        method = _later_seeds(r, turn) if isinstance(seeds, np.ndarray) or seeds == "auto" else seeds
        part, later = r.part(left), seed + (turn << 24)
        more, extra = _one_round(part, method, levels, reads, plan.hotter(turn), seed=later, **options)
        spent += extra
        done = _merged(done, more, left)
    return replace(done, times_s={"seeds": spent[0], "anneal": spent[1], "total": time.perf_counter() - begin})


def unresolved(d: Detection) -> np.ndarray:
    """bool [batch]: ‖y − Hx‖² is larger than noise alone would leave.

    With the transmitted x, ‖y − Hx‖²/N0 is a sum of Nr unit exponentials: mean Nr, standard deviation √Nr, and the
    best x leaves less. A wrong answer of a large system is tens of N0 above. The bound is Nr + 4√Nr.
    """
    n_r = d.received.n_r
    return d.energy > d.received.n0 * (n_r + RESOLVED_SIGMA * np.sqrt(n_r))


def _one_round(
    r: Received,
    seeds: SeedMethod | np.ndarray,
    levels: int,
    reads: int,
    plan: Schedule,
    *,
    moves: Moves,
    seed: int,
    threads: int,
    split: bool,
    ri: float,
) -> tuple[Detection, np.ndarray]:
    """P copies from P seeds, pooled; and seconds spent on seeds and on annealing."""
    begin = time.perf_counter()
    if isinstance(seeds, np.ndarray):
        first = seeds.astype(np.int8)
    else:
        first = make_seeds(r, levels, seeds, seed=seed, threads=threads)
    seeded = time.perf_counter() - begin
    starts = np.repeat(first, reads, axis=1)
    pinned = _split(r, starts) if split else None
    done = run_reads(
        structured(r, ri),
        r.mod.bits_per_axis,
        starts,
        plan.temps,
        moves=moves,
        seed=seed,
        threads=threads,
        pinned=pinned,
    )
    pool = np.concatenate([first, done.levels], axis=1)
    return ranked(r, pool, counters={"moves": done.moves.sum(axis=1)}), np.array([seeded, done.seconds])


def _merged(done: Detection, more: Detection, rows: np.ndarray) -> Detection:
    """`done` with the instances `rows` replaced by the best of both pools."""
    width = done.energies.shape[1]
    both = ranked(
        more.received,
        np.concatenate([done.candidates[rows], more.candidates], axis=1),
        np.concatenate([done.energies[rows], more.energies], axis=1),
    )
    for name in ("levels", "energy"):
        getattr(done, name)[rows] = getattr(both, name)
    done.candidates[rows], done.energies[rows] = both.candidates[:, :width], both.energies[:, :width]
    done.counters["moves"][rows] += more.counters["moves"]
    done.counters["rounds"][rows] += 1
    return done


def _later_seeds(r: Received, turn: int) -> SeedMethod:
    """Seeds of later rounds: methods that cost more and fail on other channels than MMSE."""
    if r.n_t > EP_UP_TO:
        return "amp"
    return "ep" if turn % 2 else "kbest"


def resq(r: Received, *, reads: int = 24, **options: Any) -> Detection:
    """Single-seed reverse annealing: `xresq` with one level; the same options."""
    return xresq(r, levels=1, reads=reads, **options)


def quamax(
    r: Received,
    *,
    reads: int = 24,
    schedule: Schedule | None = None,
    moves: Moves = "symbol",
    seed: int = 0,
    threads: int = 1,
    ri: float = 0.0,
) -> Detection:
    """Forward annealing from random states; options as for `xresq`. Default schedule: `forward_schedule(r)`."""
    begin = time.perf_counter()
    starts = make_seeds(r, reads, "random", seed=seed)
    temps = (schedule or forward_schedule(r)).temps
    done = run_reads(structured(r, ri), r.mod.bits_per_axis, starts, temps, moves=moves, seed=seed, threads=threads)
    times = {"anneal": done.seconds, "total": time.perf_counter() - begin}
    return ranked(r, done.levels, counters={"moves": done.moves.sum(axis=1)}, times_s=times)


def paramax(
    r: Received,
    *,
    ladders: int = 2,
    replicas: int = 12,
    sweeps: int = 50,
    hottest: float | None = None,
    coldest: float = 1.0,
    seeds: SeedMethod = "random",
    moves: Moves = "symbol",
    seed: int = 0,
    threads: int = 1,
) -> Detection:
    """Parallel tempering.

    Args:
        r: received batch.
        ladders: independent ladders an instance.
        replicas: temperatures of a ladder, geometric from `coldest` to `hottest` (units of N0; default of the
            hottest: that of `forward_schedule`).
        sweeps: sweeps of every replica, an exchange after each.
        seeds: where replicas start.
        moves, seed, threads: as for `xresq`.

    Raises:
        UsageError: a parameter out of range.
    """
    if min(ladders, replicas, sweeps) < 1:
        got = f"{ladders} ladders, {replicas} replicas, {sweeps} sweeps"
        raise UsageError.of("parallel tempering", got, "1 or more of each", "Use 2, 12 and 50.")
    begin = time.perf_counter()
    temps = Schedule(coldest, hottest or forward_schedule(r).start, replicas).temps
    starts = make_seeds(r, ladders * replicas, seeds, seed=seed, threads=threads).reshape(
        r.batch, ladders, replicas, -1
    )
    states, table = read_states(seed, *starts.shape[:3]), kernels.minus_log_table()
    best, energy = np.empty((r.batch, ladders, r.n), np.int8), np.empty((r.batch, ladders))
    pins, problem = np.full(r.batch, -1, np.int64), structured(r)
    exchanges = np.zeros((r.batch, ladders), np.int64)
    ready = time.perf_counter()

    def work(first: int, last: int) -> None:
        kernels.temper_ladders(
            problem.gram, problem.matched, temps, problem.n0, table, r.mod.bits_per_axis, moves == "symbol", pins,
            np.ascontiguousarray(starts), states, sweeps, first, last, best, energy, exchanges,
        )  # fmt: skip

    in_parts(work, r.batch * ladders, threads)
    times = {"anneal": time.perf_counter() - ready, "total": time.perf_counter() - begin}
    return ranked(r, best, counters={"exchanges": exchanges.sum(axis=1)}, times_s=times)


def _split(r: Received, starts: np.ndarray) -> np.ndarray:
    """Write the weakest user's symbols into `starts` [batch, R, n], read q taking symbol q mod M²; returns users."""
    weakest = np.einsum("bii->bi", r.gram.real).argmin(axis=1)
    words = r.mod.bits_per_symbol
    every = (np.arange(starts.shape[1])[:, None] >> np.arange(words)) & 1
    symbols = levels_of_bits(r.mod, every.astype(np.uint8))  # [R, axes], modulo the constellation
    for b, user in enumerate(weakest):
        starts[b, :, user :: r.n_t] = symbols
    return weakest
