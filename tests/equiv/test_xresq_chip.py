"""The detector's cycle model against its naive twin; what fits a detector, and problems made from channels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.ir.arch.xresq import XresqArch, gray
from hwsim.ir.errors import ArtifactError, ShapeError, UsageError
from hwsim.ir.mimo_ising import MimoIsing
from hwsim.testing.naive_xresq import xresq_run
from hwsim.testing.strategies import mimo_isings, xresq_archs
from hwsim.xresq.chip import fitting, problem_from, simulate, simulate_many, temperatures
from hwsim.xresq.modulation import pam, spins_of_levels


@settings(max_examples=150, deadline=None)
@given(mimo_isings(min_n=4, max_replicas=5, max_sweeps=6))
def test_equals_the_naive_twin(problem):
    result, naive = simulate(problem), xresq_run(problem)
    assert result.energies.tolist() == naive.energies
    assert result.spins.tolist() == naive.spins
    assert result.accepts.tolist() == naive.accepts
    assert result.winner == naive.winner
    assert result.outputs.tolist() == [naive.spins[naive.winner]]
    assert np.array_equal(problem.reference(result.spins), result.energies)
    assert (result.energies <= problem.reference(problem.seeds)).all()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=5))
def test_a_batch_is_its_runs(seeds):
    problems = [random_channel(np.random.default_rng(seed))[0] for seed in seeds]
    batch = simulate_many(problems)
    for b, problem in enumerate(problems):
        one = simulate(problem)
        assert np.array_equal(batch.energies[b], one.energies)
        assert np.array_equal(batch.accepts[b], one.accepts)
        assert np.array_equal(batch.spins[b], one.spins)
        assert (batch.winners[b], batch.best[b].tolist()) == (one.winner, one.outputs[0].tolist())
        assert batch.cycles == one.cycles


@settings(max_examples=60, deadline=None)
@given(xresq_archs(), st.integers(0, 30))
def test_cycles_and_words_of_any_architecture(arch, sweeps):
    assert arch.cycles(sweeps + 1) - arch.cycles(sweeps) - arch.slots in (0, 1)
    assert arch.cycles(sweeps) - arch.interval(sweeps) == 2
    problem = replace(
        blank(arch), mantissas=np.zeros(sweeps, np.uint8), exponents=np.zeros(sweeps, np.uint8)
    )  # fmt: skip
    assert arch.pack(problem).shape == (arch.load_beats(sweeps), arch.beat_bits // 32)
    with pytest.raises(ShapeError, match="result beats: got"):
        arch.unpack(np.zeros((arch.result_beats + 1, arch.beat_bits // 32), np.uint32))


def blank(arch: XresqArch) -> MimoIsing:
    n, replicas = arch.n, arch.replicas
    return MimoIsing(
        np.zeros((n, n), np.int32), np.zeros(n, np.int64), arch.bits_per_axis,
        np.ones((replicas, arch.n_spins), np.int8), np.ones(replicas, np.uint32), np.zeros(0, np.uint8),
        np.zeros(0, np.uint8),
    )  # fmt: skip


def random_channel(rng: np.random.Generator, arch: XresqArch | None = None, **options):
    """(problem, its arch, H, y, n0): 2×3 16-QAM, random seeds."""
    arch = arch or XresqArch(n=4, replicas=4, lanes=4)
    H = (rng.normal(size=(3, 2)) + 1j * rng.normal(size=(3, 2))) / np.sqrt(2)
    x = 2 * rng.integers(0, 4, (2, 2)) - 3
    y = H @ (x[0] + 1j * x[1]) + 0.3 * (rng.normal(size=3) + 1j * rng.normal(size=3))
    seeds = (2 * rng.integers(0, 2, (4, 8)) - 1).astype(np.int8)
    return problem_from(H, y, 0.18, seeds, 2, arch, **options), arch, H, y, 0.18


def test_energies_of_a_channel_problem_are_residuals():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        fine = XresqArch(n=4, replicas=4, lanes=4, gram_bits=16, field_bits=24, energy_bits=32, exponent_bits=5)
        problem, _, H, y, _ = random_channel(rng, fine)
        x = problem.points(problem.seeds)
        residual = (np.abs(y - (x[:, :2] + 1j * x[:, 2:]) @ H.T) ** 2).sum(axis=1)
        got = problem.scale * problem.reference(problem.seeds) + problem.offset
        # both roundings: |Δx|² n/2 for G, |Δx|_1 for z, with |Δx| ≤ 6 on 4 axes
        assert np.abs(got - residual).max() <= problem.scale * (36 * 16 / 2 + 6 * 4)
        assert np.abs(got - residual)[residual.argmin()] < 1e-9 * (1 + np.abs(residual).max())


def test_temperatures_fall_from_the_peak_to_zero():
    problem, arch, *_, n0 = random_channel(np.random.default_rng(1), sweeps=40, peak=16.0)
    t = 4.0 * problem.mantissas * 2.0**problem.exponents * problem.scale
    line = 16 * n0 * (1 - np.arange(40) / 40)
    step = 4 * problem.scale  # a mantissa of M bits is off by 1/2^M; below, one step of T
    assert (np.abs(t - line) <= np.maximum(line / 2**arch.mantissa_bits, step / 2) + 1e-12).all()
    mantissas, exponents = temperatures(np.array([0.0, 2.1, 4 * 15.6, 4 * 255.0, 1e6]), 4)
    assert (mantissas < 16).all()
    assert [int(m) << int(e) for m, e in zip(mantissas, exponents, strict=True)] == [0, 1, 16, 256, 245760]


def test_what_does_not_fit_is_refused_with_its_cure():
    problem, arch, H, y, n0 = random_channel(np.random.default_rng(2))
    with pytest.raises(ArtifactError, match=r"bound on \|g\|.*Divide gram and matched by .* or raise field_bits"):
        simulate(replace(problem, matched=problem.matched * 400), arch)
    with pytest.raises(ArtifactError, match=r"bound on \|G\|: got \d+, expected at most 7.*raise gram_bits"):
        simulate(problem, replace(arch, gram_bits=4))
    with pytest.raises(ArtifactError, match=r"bound on \|E\|"):
        simulate(replace(problem, gram=problem.gram * 10), replace(arch, gram_bits=16, field_bits=17, energy_bits=17))
    with pytest.raises(ArtifactError, match=r"mantissas: got 255, expected 3 bits"):
        simulate(replace(problem, mantissas=problem.mantissas | np.uint8(255)), arch)
    hot = replace(problem, mantissas=np.array([7], np.uint8), exponents=np.array([31], np.uint8))
    with pytest.raises(ArtifactError, match=r"Metropolis threshold: got \d+, expected 14 bits"):
        simulate(hot, replace(arch, exponent_bits=5))
    with pytest.raises(ArtifactError, match=r"sweeps: got 50, expected at most 9"):
        simulate(problem, replace(arch, max_sweeps=9))
    with pytest.raises(ArtifactError, match=r"\(n, bits_per_axis, replicas\): got \(4, 2, 4\)"):
        simulate(problem, XresqArch())
    with pytest.raises(UsageError, match="sweeps of the problems"):
        simulate_many([])
    with pytest.raises(UsageError, match="n0: got 0"):
        problem_from(H, y, 0.0, problem.seeds, 2, arch)
    with pytest.raises(ShapeError, match="y has the wrong shape"):
        problem_from(H, y[:2], n0, problem.seeds, 2, arch)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n": 3}, r"XresqArch\.n: got 3, expected 4…"),
        ({"lanes": 5}, "16 replicas on 5 lanes, expected a divisor"),
        ({"beat_bits": 96}, "beat_bits: got 96, expected a power of two"),
        ({"n": 64, "replicas": 64, "lanes": 64, "beat_bits": 64}, "expected a power of two, 128 or more"),
        ({"readout": "none"}, "readout: got 'none'"),
        ({"field_bits": 33}, "field_bits: got 33"),
    ],
)
def test_bad_architectures(change, message):
    with pytest.raises(UsageError, match=message):
        XresqArch(**change)


def test_gray_bits_of_all_levels_differ_by_one():
    for bits in (1, 2, 3, 4):
        x = np.arange(-(2**bits) + 1, 2**bits, 2)[:, None]
        coded = gray((spins_of_levels(pam(bits), x) > 0).astype(np.uint8), bits)
        assert (np.abs(np.diff(coded.astype(int), axis=0)).sum(axis=1) == 1).all()
        assert len(np.unique(coded, axis=0)) == len(x)


def test_counts():
    problem, arch, *_ = random_channel(np.random.default_rng(3), sweeps=7)
    result = simulate(problem, arch)
    assert result.counters["decisions"] == 4 * 7 * 8
    assert result.counters["accepts"] == result.accepts.sum() >= result.counters["updates"]
    assert result.counters["row_reads"] == 8 * 4
    assert result.cycles == arch.cycles(7)
    assert fitting(problem).contexts == 1


@pytest.mark.stat
def test_narrow_numbers_detect_like_wide_ones():
    """16×16 16-QAM at 22 dB from the sent point with one axis in eight redrawn: 9 bits of G do as well as 16.

    Both runs see the same channels and random states. Vector errors of the two differ by no more than 4σ of a
    difference of two binomials with the wide run's rate p: σ² = 2 p (1 − p) B.
    """
    rng, errors, n0 = np.random.default_rng(11), [], 160 / 10**2.2
    wide = replace(XresqArch(), gram_bits=16, field_bits=31, energy_bits=32, mantissa_bits=8, exponent_bits=5)
    draws = [noisy(rng, n0) for _ in range(300)]
    for arch in (XresqArch(), wide):
        problems = [problem_from(H, y, n0, seeds, 2, arch, rng_seed=b) for b, (H, y, seeds, _) in enumerate(draws)]
        best = simulate_many(problems, arch).best
        errors.append(sum((best[b] != sent).any() for b, (*_, sent) in enumerate(draws)))
    p = max(errors[1], 1) / 300
    assert abs(errors[0] - errors[1]) <= 4 * np.sqrt(2 * p * (1 - p) * 300)
    assert errors[0] < 120  # all seeds are wrong, so without annealing it were 300


def noisy(rng: np.random.Generator, n0: float):
    """(H, y, seeds, sent spins) of 16×16 16-QAM; every seed is wrong."""
    H = (rng.normal(size=(16, 16)) + 1j * rng.normal(size=(16, 16))) / np.sqrt(2)
    sent = 2 * rng.integers(0, 2, 64) - 1
    seeds = np.where(rng.random((16, 64)) < 1 / 8, 2 * rng.integers(0, 2, (16, 64)) - 1, sent)
    x = 2 * sent[:32] + sent[32:]
    noise = (rng.normal(size=16) + 1j * rng.normal(size=16)) * np.sqrt(n0 / 2)
    return H, H @ (x[:16] + 1j * x[16:]) + noise, seeds.astype(np.int8), sent
