"""Every annealing kernel equals its naive twin, bit for bit, in every layout and for any number of threads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from hwsim.annealing import Problem, descend, metropolis, path_integral, random_states, rotor, temper
from hwsim.annealing import draws as d
from hwsim.annealing.angles import STEPS, tables
from hwsim.annealing.anneal import half_temperatures, number_types
from hwsim.annealing.transverse import STIFFEST, move_widths
from hwsim.testing import naive_annealing as naive

FEW = settings(max_examples=12, deadline=None)


@st.composite
def problems(draw, integer=False, max_n=36):
    """h [n], J [n, n] of any density, with small or large integers or normal floats."""
    n = draw(st.integers(1, max_n))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    density = draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))
    if integer:
        size = draw(st.sampled_from([1, 100, 700, 20_000, 5_000_000]))
        h, J = rng.integers(-size, size + 1, n), rng.integers(-size, size + 1, (n, n))
    else:
        h, J = rng.normal(size=n), rng.normal(size=(n, n))
    J = np.triu(J * (rng.random((n, n)) < density), 1)
    return h, J + J.T


@st.composite
def runs(draw):
    """seed, first read, reads, sweeps."""
    return draw(st.tuples(st.integers(0, 2**63), st.integers(0, 1000), st.integers(1, 18), st.integers(0, 4)))


@njit
def _numbers(seed, read, sweep, counters):
    a, b = d.key_of(d.base_of(seed, read), sweep)
    out, logs = np.empty(len(counters), np.uint32), np.empty(len(counters), np.float32)
    for i in range(len(counters)):
        out[i] = d.draw(a, b, counters[i])
        logs[i] = d.neglog(out[i])
    return out, logs


@FEW
@given(st.integers(0, 2**64 - 1), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 2**32 - 10))
def test_numbers(seed, read, sweep, counter):
    counters = np.arange(counter, counter + 5, dtype=np.uint32)
    numbers, logs = _numbers(np.uint64(seed), read, sweep, counters)
    assert numbers.tolist() == [naive.number(seed, read, sweep, int(c)) for c in counters]
    assert logs.tolist() == [naive.neglog(int(r)) for r in numbers]


def test_the_logarithm_is_good_to_3e_6():
    numbers, logs = _numbers(np.uint64(7), 0, 0, np.arange(200_000, dtype=np.uint32))
    u = ((numbers >> 9) + 0.5) / 2**23
    assert np.abs(logs + np.log(u)).max() < 3e-6
    ends = [float(naive.neglog(r)) for r in (0, 2**32 - 1)]
    assert ends == pytest.approx([24 * np.log(2), 0.0], abs=3e-6)


def test_angle_tables():
    cos, sin = tables()
    angles = np.pi * np.arange(STEPS + 1) / STEPS
    assert max(np.abs(cos - np.cos(angles)).max(), np.abs(sin - np.sin(angles)).max()) < 3e-7
    assert (cos[STEPS // 2], sin[STEPS // 2]) == (0, 1)


@FEW
@given(problems(), runs(), st.sampled_from([0.0, 0.3, 2.0, np.inf]))
def test_metropolis_in_every_layout(problem, run, beta):
    (h, J), (seed, first, reads, sweeps) = problem, run
    p, initial = Problem.of_matrix(h, J), random_states(reads, len(h), seed)
    betas = np.linspace(0, 1, sweeps) + beta
    half_t = half_temperatures(betas)
    expected = [naive.metropolis(h, J, half_t, s, seed, first + r) for r, s in enumerate(initial)]
    for kernel in ("rows", "strips", "lists", "auto"):
        for threads in (1, 3):
            run_ = metropolis(p, betas, initial, seed, first=first, threads=threads, kernel=kernel)
            assert run_.states.tolist() == expected, run_.kernel
    s = np.array(expected, float)
    np.testing.assert_allclose(run_.energies, s @ h + 0.5 * np.einsum("ri,ij,rj->r", s, J, s), atol=1e-9)


@FEW
@given(problems(integer=True), runs(), st.sampled_from([1e-3, 0.1, 1.0]))
def test_integer_metropolis(problem, run, beta):
    (h, J), (seed, first, reads, sweeps) = problem, run
    p, initial = Problem.of_matrix(h, J), random_states(reads, len(h), seed)
    half_t = half_temperatures(np.full(sweeps, beta))
    expected = [naive.metropolis_integer(h, J, half_t, s, seed, first + r) for r, s in enumerate(initial)]
    run_ = metropolis(p, np.full(sweeps, beta), initial, seed, first=first, kernel="rows")
    assert run_.states.tolist() == expected, run_.kernel
    if p.row_sums.max() < 2**24:  # float32 holds every field exactly: the same decisions
        for kernel in ("strips", "lists"):
            other = metropolis(p, np.full(sweeps, beta), initial, seed, first=first, kernel=kernel)
            assert other.states.tolist() == expected


@pytest.mark.parametrize(
    ("largest", "types"),
    [
        (1, ("int16", "int8")),
        (127, ("int16", "int8")),
        (300, ("int16", "int16")),
        (2**14, ("int32", "int16")),
        (2**20, ("int32", "int32")),
    ],
)
def test_the_narrowest_exact_types(largest, types):
    J = np.array([[0, largest, 0], [largest, 0, -largest], [0, -largest, 0]])
    assert tuple(np.dtype(t).name for t in number_types(Problem.of_matrix(np.zeros(3), J))) == types
    assert number_types(Problem.of_matrix(np.array([0.5, 0, 0]), J)) == (np.float32, np.float32)


@FEW
@given(problems(max_n=20), runs(), st.booleans(), st.booleans())
def test_rotor(problem, run, transverse_moves, reverse):
    (h, J), (seed, first, reads, sweeps) = problem, run
    p = Problem.of_matrix(h, J)
    hp, hd = np.linspace(0.5, 3, sweeps), np.linspace(3, 0, sweeps)
    initial = random_states(reads, len(h), seed)
    angles = np.where(initial > 0, 0, STEPS) if reverse else np.full(initial.shape, STEPS // 2)
    width = move_widths(hp, hd, transverse_moves)
    f32 = hp.astype(np.float32), hd.astype(np.float32)
    expected = [naive.rotor(h, J, *f32, width, a, seed, first + r) for r, a in enumerate(angles)]
    for kernel in ("strips", "lists", "auto"):
        for threads in (1, 2):
            run_ = rotor(
                p, hp, hd, initial if reverse else reads, seed,
                transverse_moves=transverse_moves, first=first, threads=threads, kernel=kernel,
            )  # fmt: skip
            assert run_.angles is not None
            assert run_.angles.tolist() == expected
            decided = run_.angles != STEPS // 2
            assert (run_.states[decided] == np.where(run_.angles < STEPS // 2, 1, -1)[decided]).all()


@FEW
@given(problems(max_n=8), runs(), st.integers(3, 5))
def test_path_integral(problem, run, slices):
    (h, J), (seed, first, reads, sweeps) = problem, run
    p, initial = Problem.of_matrix(h, J), random_states(reads, len(h), seed)
    hp, hd = np.linspace(0.5, 3, sweeps), np.linspace(3, 0, sweeps)
    with np.errstate(divide="ignore"):
        bond = np.minimum(-np.log(np.tanh(hd / slices)), STIFFEST).astype(np.float32)
    scale = (2 * hp / slices).astype(np.float32)
    expected = [naive.path_integral(h, J, scale, bond, slices, s, seed, first + r) for r, s in enumerate(initial)]
    for threads in (1, 2):
        run_ = path_integral(p, hp, hd, initial, seed, slices=slices, first=first, threads=threads)
        assert run_.states.tolist() == expected


@FEW
@given(problems(max_n=12), runs(), st.integers(1, 4))
def test_tempering(problem, run, replicas):
    (h, J), (seed, first, reads, sweeps) = problem, run
    p, initial = Problem.of_matrix(h, J), random_states(reads, len(h), seed)
    betas = np.geomspace(0.1, 2, replicas)
    expected = [
        naive.tempering(h, J, betas, half_temperatures(betas), sweeps, s, seed, first + r)
        for r, s in enumerate(initial)
    ]
    for threads in (1, 2):
        run_ = temper(p, betas, sweeps, initial, seed, first=first, threads=threads)
        assert run_.states.tolist() == expected
    best = temper(p, betas, sweeps, initial, seed, first=first, keep_best=True)
    if sweeps:
        assert (best.energies <= run_.energies + 1e-4).all()


@FEW
@given(problems(), st.integers(1, 20))
def test_descent_ends_in_local_minima(problem, reads):
    h, J = problem
    p = Problem.of_matrix(h, J)
    initial = random_states(reads, len(h), 3)
    run = descend(p, initial)
    s = run.states.astype(float)
    assert (s * (h + s @ J) <= 1e-5).all()
    assert (run.energies <= p.energies(initial) + 1e-5).all()


def test_large_problems_in_groups_of_reads():
    """Rows beyond the cache take turns: the same states as one read after the other."""
    rng = np.random.default_rng(0)
    n = 600
    J = np.triu(rng.normal(size=(n, n)), 1)
    p, initial = Problem.of_matrix(rng.normal(size=n), J + J.T), random_states(20, n, 1)
    betas = np.linspace(0.01, 0.2, 6)
    together = metropolis(p, betas, initial, 1, threads=1, kernel="rows").states
    np.testing.assert_array_equal(together, metropolis(p, betas, initial, 1, threads=2, kernel="lists").states)
    np.testing.assert_array_equal(together[13:14], metropolis(p, betas, initial[13:14], 1, first=13).states)


def test_reads_are_distinct_and_seeds_repeat():
    p = Problem.of_matrix(np.zeros(12), np.ones((12, 12)) - np.eye(12))
    first, again = (metropolis(p, np.full(5, 0.1), random_states(30, 12, 4), 4) for _ in range(2))
    np.testing.assert_array_equal(first.states, again.states)
    assert len(np.unique(first.states, axis=0)) > 20
    assert (metropolis(p, np.full(5, 0.1), random_states(30, 12, 4), 5).states != first.states).any()


@pytest.mark.parametrize("n", [49, 96, 130])
@pytest.mark.parametrize("reads", [16, 37])
def test_hot_sweeps_on_strips_and_cold_ones_on_rows(n, reads):
    """The layout changes in mid-run where few spins flip; lists never change theirs."""
    rng = np.random.default_rng(n)
    J = np.triu(rng.normal(size=(n, n)), 1) / np.sqrt(n)
    p, initial = Problem.of_matrix(rng.normal(size=n), J + J.T), random_states(reads, n, 1)
    betas = np.concatenate([np.linspace(0.05, 6, 40), [0.1, 0.1, 5.0]])
    runs = [metropolis(p, betas, initial, 1, kernel=k, threads=t) for k in ("strips", "lists", "rows") for t in (1, 2)]
    for run in runs[1:]:
        np.testing.assert_array_equal(run.states, runs[0].states)
