"""The detector's RTL against its cycle model: states, energies, acceptance counts and cycles, on drawn problems."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xresq_problems import ARCHS, random_problem

from hwsim.ir.arch.xresq import XresqArch, gray
from hwsim.testing.naive_xresq import xresq_run
from hwsim.testing.strategies import generators
from hwsim.xresq.chip import problem_from, simulate
from rtl.cosim.verilate import Verilated
from rtl.xresq import build
from rtl.xresq.cosim import stream

pytestmark = pytest.mark.rtl
LARGE = XresqArch()


@pytest.fixture(scope="module")
def duts() -> dict[str, Verilated]:
    return {name: Verilated(build(arch)) for name, arch in ARCHS.items()}


def agree(record, problem, arch) -> None:
    """The record equals the cycle model's result, and its energies are those of its states."""
    want = simulate(problem, arch)
    best = want.spins[want.winner]
    bits = (best > 0).astype(np.uint8)
    assert (record.winner, record.energy) == (want.winner, want.energies[want.winner])
    assert record.bits.tolist() == (gray(bits, arch.bits_per_axis) if arch.gray else bits).tolist()
    if arch.readout == "all":
        assert record.energies.tolist() == want.energies.tolist() == problem.reference(record.spins).tolist()
        assert record.accepts.tolist() == want.accepts.tolist()
        assert np.array_equal(record.spins, want.spins)


@pytest.mark.parametrize("name", ARCHS)
@settings(max_examples=15, deadline=None, derandomize=True)
@given(rng=generators(), sweeps=st.lists(st.integers(0, 12), min_size=1, max_size=4), spread=st.sampled_from((1, 0.1)))
def test_drawn_problems(duts, name, rng, sweeps, spread):
    arch = ARCHS[name]
    problems = [random_problem(arch, rng, count, spread) for count in sweeps]
    outcome = stream(duts[name], arch, problems)
    assert outcome.cycles == [arch.cycles(count) for count in sweeps]
    for record, problem in zip(outcome.records, problems, strict=True):
        agree(record, problem, arch)


@pytest.mark.parametrize("name", ARCHS)
def test_the_longest_schedule_and_the_naive_twin(duts, name):
    arch = ARCHS[name]
    problem = random_problem(arch, np.random.default_rng(3), arch.max_sweeps)
    [record], naive = stream(duts[name], arch, [problem]).records, xresq_run(problem)
    agree(record, problem, arch)
    assert (record.winner, record.energy) == (naive.winner, naive.energies[naive.winner])
    if arch.readout == "all":
        assert (record.energies.tolist(), record.accepts.tolist()) == (naive.energies, naive.accepts)
        assert record.spins.tolist() == naive.spins


def test_ties_go_to_the_lowest_index(duts):
    arch = ARCHS["4x6 16-QAM"]
    problem = random_problem(arch, np.random.default_rng(4), 3)
    same = replace(problem, seeds=problem.seeds[[0] * 6], rng_seeds=problem.rng_seeds[[0] * 6])
    assert stream(duts["4x6 16-QAM"], arch, [same]).records[0].winner == 0
    better = problem.seeds[[int(simulate(problem, arch).energies.argmax())] * 6].copy()
    better[[2, 4]] = simulate(problem, arch).spins[simulate(problem, arch).winner]
    frozen = replace(problem, seeds=better, mantissas=problem.mantissas[:0], exponents=problem.exponents[:0])
    assert stream(duts["4x6 16-QAM"], arch, [frozen]).records[0].winner == 2


@pytest.mark.parametrize("name", ["4x6 16-QAM", "64-QAM"])
def test_pauses_of_both_neighbours_change_nothing(duts, name):
    arch, rng = ARCHS[name], np.random.default_rng(5)
    problems = [random_problem(arch, rng, sweeps) for sweeps in (2, 0, 7)]
    for seed, rates in enumerate([(0.4, 1.0), (1.0, 0.2), (0.3, 0.3)]):
        outcome = stream(duts[name], arch, problems, rates, seed)
        for record, problem in zip(outcome.records, problems, strict=True):
            agree(record, problem, arch)


def test_problems_back_to_back(duts):
    arch, rng = ARCHS["4x6 16-QAM"], np.random.default_rng(6)
    outcome = stream(duts["4x6 16-QAM"], arch, [random_problem(arch, rng, 5) for _ in range(4)])
    assert set(outcome.gaps) == {arch.interval(5)}


def channel(rng: np.random.Generator, n_t: int, n0: float):
    """i.i.d. Rayleigh channel, a received 16-QAM vector, and seeds: the sent point with one axis in eight redrawn."""
    H = (rng.normal(size=(n_t, n_t)) + 1j * rng.normal(size=(n_t, n_t))) / np.sqrt(2)
    sent = 2 * rng.integers(0, 2, (16, 4 * n_t)) - 1
    sent[1:] = sent[0]
    other = rng.random(sent.shape) < 1 / 8
    seeds = np.where(other, 2 * rng.integers(0, 2, sent.shape) - 1, sent).astype(np.int8)
    x = 2 * sent[0, : 2 * n_t] + sent[0, 2 * n_t :]
    noise = (rng.normal(size=n_t) + 1j * rng.normal(size=n_t)) * np.sqrt(n0 / 2)
    return H, H @ (x[:n_t] + 1j * x[n_t:]) + noise, seeds


def test_16x16_16qam_on_random_channels():
    # 22 dB: N0 = Nt · Es / 10^2.2 with Es = 10
    n0, rng = 160 / 10**2.2, np.random.default_rng(7)
    problems = []
    for b in range(100):
        H, y, seeds = channel(rng, 16, n0)
        problems.append(problem_from(H, y, n0, seeds, 2, LARGE, sweeps=50, rng_seed=b))
    outcome = stream(Verilated(build(LARGE)), LARGE, problems)
    for record, problem in zip(outcome.records, problems, strict=True):
        agree(record, problem, LARGE)
    assert max(outcome.cycles) == min(outcome.cycles) == LARGE.cycles(50) <= 2000
