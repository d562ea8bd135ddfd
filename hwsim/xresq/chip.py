"""Cycle model of the annealing detector, equal bit for bit and cycle for cycle to `rtl.xresq`.

The circuit is described in ``docs/xresq-chip.md``, the run in ``docs/ir/mimo_ising.md``. Symbols: n real dimensions,
K bits an axis, R replicas, G = HᵀH, z = Hᵀy, g = z − Gx, Δx the change of an axis, N0 noise power of a complex sample.

All replicas are independent and the cycles depend on nothing but the sweeps, so the model runs one replica after
another and updates g only where a spin was flipped; the circuit adds Δx·G_i in every cycle, mostly with Δx = 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numba import njit

from hwsim.core.counters import Counters
from hwsim.core.result import SimResult
from hwsim.ir.arch.xresq import XresqArch
from hwsim.ir.errors import ArtifactError, UsageError, check_shape
from hwsim.ir.mimo_ising import ROM_FRACTION, MimoIsing, minus_log_rom
from hwsim.xresq.modulation import levels_of_spins, pam, spins_of_levels

PEAK_N0 = 16.0  # T_p / N0: at 16×16 16-QAM, 22 dB, 50 and 100 sweeps, the best of 4…48 (docs/xresq-chip.md)


@dataclass(frozen=True, eq=False)
class ChipResult(SimResult):
    """What the detector found, beside cycles and counts; `outputs` are the winner's spins [1, K·n].

    Attributes:
        energies: int64 [R], lowest energy that each replica met.
        spins: int8 [R, K·n], its state.
        accepts: int64 [R], accepted flips.
        winner: the replica with the lowest energy, lowest index on ties.
    """

    energies: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    spins: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.int8))
    accepts: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    winner: int = 0


@dataclass(frozen=True, eq=False)
class ChipBatch:
    """Results of many runs.

    Attributes:
        energies, accepts: int64 [batch, R].   spins: int8 [batch, R, K·n].   winners: int64 [batch].
        best: int8 [batch, K·n], the winners' spins.
        cycles: of one run.
    """

    energies: np.ndarray
    accepts: np.ndarray
    spins: np.ndarray
    winners: np.ndarray
    best: np.ndarray
    cycles: int


@njit(cache=True, nogil=True)
def _replica_kernel(gram, matched, x, bits, state, mantissas, exponents, rom, best_x):
    """Anneals x in place; returns (best energy, accepted flips, dimensions with a flip)."""
    n = len(x)
    g = matched.copy()
    energy = np.int64(0)
    for i in range(n):
        energy -= x[i] * matched[i]
        for j in range(n):
            g[j] -= gram[i, j] * x[i]
    for i in range(n):  # E = −Σ x_i (z_i + g_i)
        energy -= x[i] * g[i]
    best, accepts, moves = energy, np.int64(0), np.int64(0)
    best_x[:] = x
    q = np.uint32(state)
    for t in range(len(mantissas)):
        for i in range(n):
            q ^= np.uint32(q << np.uint32(13))
            q ^= np.uint32(q >> np.uint32(17))
            q ^= np.uint32(q << np.uint32(5))
            draws, start, diagonal = q, x[i], gram[i, i]
            for k in range(bits):
                weight = np.int64(1) << (bits - 1 - k)
                spin = np.int64(1) if ((x[i] + (1 << bits) - 1) >> 1) & weight else np.int64(-1)
                change = weight * (weight * diagonal + spin * (g[i] - diagonal * (x[i] - start)))
                draw = rom[np.int64(draws & np.uint32(255))]
                draws = np.uint32(draws >> np.uint32(8))
                if change < ((mantissas[t] * draw) << exponents[t]) >> ROM_FRACTION:
                    x[i] -= 2 * weight * spin
                    energy += 4 * change
                    accepts += 1
            if x[i] != start:
                moves += 1
                step = x[i] - start
                for j in range(n):
                    g[j] -= gram[i, j] * step
        if energy < best:
            best = energy
            best_x[:] = x
    return best, accepts, moves


@njit(cache=True, nogil=True)
def _batch_kernel(gram, matched, points, bits, states, mantissas, exponents, rom, energies, accepts, moves):
    """Problems [b, …] one after another; `points` [b, R, n] become the best ones."""
    best = np.empty(matched.shape[1], np.int64)
    for b in range(len(points)):
        for r in range(points.shape[1]):
            energies[b, r], accepts[b, r], moves[b, r] = _replica_kernel(
                gram[b], matched[b], points[b, r], bits, states[b, r], mantissas[b], exponents[b], rom, best
            )
            points[b, r] = best


def simulate(problem: MimoIsing, arch: XresqArch | None = None) -> ChipResult:
    """One run of the detector.

    Args:
        problem: the artifact.
        arch: the circuit; default: one of the problem's size with a lane a replica, `fitting(problem)`.

    Raises:
        ArtifactError: `problem` does not fit `arch`.

    Example:
        >>> import numpy as np
        >>> problem = MimoIsing(
        ...     2 * np.eye(4, dtype=np.int32), np.array([6, -2, 0, 3]), 2, np.ones((2, 8), np.int8),
        ...     np.array([1, 2], np.uint32), np.array([4, 0], np.uint8), np.array([1, 0], np.uint8))
        >>> result = simulate(problem)
        >>> problem.points(result.outputs).tolist(), result.energies.tolist(), result.cycles
        ([[3, -1, -1, 1]], [-22, -22], 50)
    """
    arch = arch or fitting(problem)
    batch, moves = _run([problem], arch)
    n, k, sweeps = arch.n, arch.bits_per_axis, problem.sweeps
    counters = Counters(
        decisions=arch.replicas * sweeps * n * k, accepts=int(batch.accepts.sum()), updates=int(moves.sum()),
        row_reads=(sweeps + 1) * n * arch.contexts, additions=arch.replicas * (sweeps + 1) * n * n,
        random_steps=arch.replicas * sweeps * n, input_bits=arch.load_beats(sweeps) * arch.beat_bits,
        output_bits=arch.result_beats * arch.beat_bits,
    )  # fmt: skip
    cycles = arch.cycles(sweeps)
    return ChipResult(
        batch.best, cycles, cycles - 1, arch.interval(sweeps), counters, "numba", energies=batch.energies[0],
        spins=batch.spins[0], accepts=batch.accepts[0], winner=int(batch.winners[0]),
    )  # fmt: skip


def simulate_many(problems: Sequence[MimoIsing], arch: XresqArch | None = None) -> ChipBatch:
    """Runs of many problems of one size and one number of sweeps, without counts.

    Raises:
        ArtifactError: a problem does not fit `arch`.
        UsageError: no problem, or schedules of different lengths.
    """
    if not problems or len({problem.sweeps for problem in problems}) > 1:
        lengths = sorted({problem.sweeps for problem in problems})
        raise UsageError.of("sweeps of the problems", lengths, "one length", "Run each length by itself.")
    return _run(problems, arch or fitting(problems[0]))[0]


def fitting(problem: MimoIsing, **more: Any) -> XresqArch:
    """A detector of the problem's size, a lane a replica as far as `XresqArch` allows, wide enough for anything.

    Args:
        more: parameters of `XresqArch` to set.
    """
    lanes = max(d for d in range(1, min(problem.n, problem.replicas) + 1) if problem.replicas % d == 0)
    wide = XresqArch(
        problem.n, problem.bits_per_axis, problem.replicas, lanes, gram_bits=16, field_bits=31, energy_bits=32,
        mantissa_bits=8, exponent_bits=5, max_sweeps=max(64, problem.sweeps),
        beat_bits=max(128, 1 << (lanes * problem.bits_per_axis - 1).bit_length()),
    )  # fmt: skip
    return replace(wide, **more)


def _run(problems: Sequence[MimoIsing], arch: XresqArch) -> tuple[ChipBatch, np.ndarray]:
    for problem in problems:
        arch.check(problem)
    points = np.stack([problem.points(problem.seeds) for problem in problems])
    shape = points.shape[:2]
    energies, accepts, moves = (np.zeros(shape, np.int64) for _ in range(3))
    names = ("gram", "matched", "rng_seeds", "mantissas", "exponents")
    gram, matched, states, mantissas, exponents = (np.stack([getattr(p, name) for p in problems]) for name in names)
    _batch_kernel(
        gram.astype(np.int64), matched, points, arch.bits_per_axis, states, mantissas.astype(np.int64),
        exponents.astype(np.int64), minus_log_rom(), energies, accepts, moves,
    )  # fmt: skip
    spins = spins_of_levels(pam(arch.bits_per_axis), points)
    winners = energies.argmin(axis=1)
    best = spins[np.arange(len(spins)), winners]
    return ChipBatch(energies, accepts, spins, winners, best, arch.cycles(problems[0].sweeps)), moves


def problem_from(
    H: np.ndarray,
    y: np.ndarray,
    n0: float,
    seeds: np.ndarray,
    bits_per_axis: int,
    arch: XresqArch,
    *,
    sweeps: int = 50,
    peak: float = PEAK_N0,
    rng_seed: int = 0,
) -> MimoIsing:
    """A received vector as a problem for the detector: integers at the largest scale that is proved to fit.

    G = HᵀH is rounded entry by entry, but z is not rounded alone: with x₀ the best seed, z = G x₀ + round(Hᵀ(y − Hx₀))
    at the same scale. So rounding costs nothing at x₀ and grows only with the square of the distance from it, where
    independent rounding of G and z would shift every energy by about |x|²·n/√12 steps.

    Temperatures fall on a straight line from `peak`·N0 to 0: exp(−‖y − Hx‖² / N0) is the posterior, so N0 is their
    natural unit.

    Args:
        H: complex [Nr, Nt], or real [m, n] for a problem that is real already (BPSK: Re H above Im H).
        y: complex [Nr] or real [m].
        n0: noise power N0 of a complex sample, > 0.
        seeds: int8 ±1 [R, K·n], spin k·n + i; first the real parts of all users, then the imaginary ones.
        bits_per_axis: K.
        arch: the detector; its widths set the scale.
        sweeps: length of the schedule.
        peak: T_p / N0.
        rng_seed: of the replicas' random states.

    Raises:
        ShapeError: shapes that do not fit each other, or seeds other than ±1.
        UsageError: n0 not above 0.
        ArtifactError: no scale fits, or the sizes differ from `arch`.
    """
    H, y = np.asarray(H), np.asarray(y)
    check_shape("H", H.shape, "[Nr, Nt]", (None, None))
    check_shape("y", y.shape, "[Nr]", H.shape[:1])
    if not n0 > 0:
        raise UsageError.of("n0", n0, "a noise power above 0", "Pass N0 of a complex sample.")
    if np.iscomplexobj(H):
        H, y = np.block([[H.real, -H.imag], [H.imag, H.real]]), np.concatenate([y.real, y.imag])
    n = H.shape[1]
    check_shape("seeds", np.shape(seeds), "[R, K·n]", (None, bits_per_axis * n))
    points = levels_of_spins(pam(bits_per_axis), seeds).astype(np.int64)
    residuals = y - points @ H.T
    nearest = int((residuals**2).sum(axis=1).argmin())
    gram, centre = H.T @ H, points[nearest]
    scale = _scale(gram, H.T @ y, 2**bits_per_axis - 1, peak * n0, arch)
    rounded = np.rint(scale * gram).astype(np.int32)
    matched = rounded.astype(np.int64) @ centre + np.rint(scale * (H.T @ residuals[nearest])).astype(np.int64)
    line = peak * n0 * scale * (1 - np.arange(sweeps) / max(1, sweeps))
    mantissas, exponents = temperatures(line, arch.mantissa_bits)
    states = np.random.default_rng(rng_seed).integers(1, 2**32, len(points), dtype=np.uint32)
    at_centre = int(centre @ rounded @ centre - 2 * matched @ centre)
    offset = float((residuals[nearest] ** 2).sum() - at_centre / scale)
    problem = MimoIsing(
        rounded, matched, bits_per_axis, np.asarray(seeds, np.int8), states, mantissas, exponents, float(1 / scale),
        offset,
    )  # fmt: skip
    arch.check(problem)
    return problem


def temperatures(t: np.ndarray, mantissa_bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Mantissas and exponents uint8 of temperatures ≥ 0 in units of E: T ≈ 4 · mantissa · 2^exponent.

    Example:
        >>> [part.tolist() for part in temperatures(np.array([400.0, 30.0, 1.0]), 4)]
        [[12, 8, 0], [3, 0, 0]]
    """
    quarter = np.asarray(t, np.float64) / 4
    exponents = np.maximum(0, np.floor(np.log2(np.maximum(quarter, 1))) - (mantissa_bits - 1))
    mantissas = np.rint(quarter / 2**exponents)
    over = mantissas >= 2**mantissa_bits
    mantissas, exponents = np.where(over, mantissas / 2, mantissas), np.where(over, exponents + 1, exponents)
    return mantissas.astype(np.uint8), exponents.astype(np.uint8)


def _scale(gram: np.ndarray, matched: np.ndarray, top: int, hottest: float, arch: XresqArch) -> float:
    """Integers per unit of energy: the largest at which every bound of `XresqArch.check` holds after rounding."""
    n, total = len(gram), np.abs(gram).sum(axis=1)
    z = np.abs(matched)
    limits = [  # (room, what rounding may add, size at scale 1)
        (2 ** (arch.gram_bits - 1) - 1, 0.5, np.abs(gram).max()),
        (2 ** (arch.field_bits - 1) - 1, top * n + 1, (z + top * total).max()),
        (2 ** (arch.energy_bits - 1) - 1, 1.5 * top**2 * n**2 + top * n, top**2 * total.sum() + 2 * top * z.sum()),
        # thresholds: T/4 · 199.6/32, a mantissa rounds up by 1/2^mantissa_bits at most
        (2**arch.threshold_bits - 1, 8, hottest / 4 * 6.25 * (1 + 2.0**-arch.mantissa_bits)),
    ]
    scale = min((room - slack) / size if size else np.inf for room, slack, size in limits)
    if not 0 < scale < np.inf:
        raise ArtifactError.of("scale of the problem", scale, "above 0", "Raise field_bits and energy_bits.")
    return float(scale)
