"""Sampled distributions against exact ones.

Bound of every test: R independent reads give a count with mean R·p and variance R·p(1 − p). At 5 standard deviations
a normal count strays with probability 6e-7; over the at most 64 states of a test that is 4e-5. What is left of the
start after the sweeps made is far below one standard deviation (checked against more sweeps while writing). Seeds are
fixed, so that the tests do not flicker; the half count that is added allows for counts being whole.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from dwave.samplers import SimulatedAnnealingSampler

from hwsim.annealing import Problem, SASampler, metropolis, path_integral, random_states, rotor, temper
from hwsim.annealing.angles import STEPS, tables

pytestmark = pytest.mark.stat
SIGMAS = 5.0
N, READS = 5, 40_000


def all_states(n: int) -> np.ndarray:
    return np.array(list(itertools.product([-1, 1], repeat=n)))


def drawn(seed: int, integer: bool = False, n: int = N) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    h, J = rng.normal(size=n), np.triu(rng.normal(size=(n, n)), 1)
    if integer:
        h, J = np.rint(20 * h), np.rint(20 * J)
    return h, J + J.T


def energies(h: np.ndarray, J: np.ndarray, s: np.ndarray) -> np.ndarray:
    return s @ h + 0.5 * np.einsum("ri,ij,rj->r", s, J, s)


def boltzmann(h: np.ndarray, J: np.ndarray, beta: float) -> np.ndarray:
    weight = np.exp(-beta * (e := energies(h, J, all_states(len(h)))) + beta * e.min())
    return weight / weight.sum()


def check(states: np.ndarray, p: np.ndarray) -> None:
    index = ((states > 0) @ (1 << np.arange(states.shape[1])[::-1])).astype(int)
    counts, reads = np.bincount(index, minlength=len(p)), len(states)
    assert (np.abs(counts - reads * p) <= SIGMAS * np.sqrt(reads * p * (1 - p)) + 0.5).all()


@pytest.mark.parametrize("kernel", ["rows", "strips", "lists"])
@pytest.mark.parametrize("beta", [0.3, 1.0])
def test_metropolis(kernel, beta):
    h, J = drawn(1)
    run = metropolis(Problem.of_matrix(h, J), np.full(200, beta), random_states(READS, N, 2), 3, kernel=kernel)
    check(run.states, boltzmann(h, J, beta))


def test_integer_metropolis():
    h, J = drawn(4, integer=True)
    run = metropolis(Problem.of_matrix(h, J), np.full(200, 0.03), random_states(READS, N, 2), 3, kernel="rows")
    assert run.kernel == "rows int16/int8"
    check(run.states, boltzmann(h, J, 0.03))


def test_the_check_can_fail():
    h, J = drawn(1)
    run = metropolis(Problem.of_matrix(h, J), np.full(200, 0.8), random_states(READS, N, 2), 3)
    with pytest.raises(AssertionError):
        check(run.states, boltzmann(h, J, 1.0))


def test_tempering():
    h, J = drawn(5)
    h, J, betas = 2 * h, 2 * J, np.array([0.1, 0.3, 0.7])
    run = temper(Problem.of_matrix(h, J), betas, 150, random_states(READS, N, 2), 3)
    check(run.states, boltzmann(h, J, betas[-1]))


def test_path_integral():
    """Slice 0 of P: p(s) ∝ [(e^(−Hp·E/P)·T)^P]_ss with T the bonds between slices; exact, Trotter error included."""
    n, slices, hp, hd = 3, 6, 0.9, 1.3
    h, J = drawn(6, n=n)
    states = all_states(n)
    bond = -0.5 * np.log(np.tanh(hd / slices))
    step = np.exp(-hp / slices * energies(h, J, states))[:, None] * np.exp(bond * (states @ states.T))
    p = np.diagonal(np.linalg.matrix_power(step, slices))
    run = path_integral(
        Problem.of_matrix(h, J), np.full(150, hp), np.full(150, hd), random_states(READS, n, 1), 2, slices=slices
    )
    check(run.states, p / p.sum())


def rotor_moments(h: np.ndarray, J: float, hp: float, hd: float) -> list[tuple[float, float]]:
    """Mean and variance of z_0 and x_0 (and z_0·z_1 of two rotors) by sums over the angles, ends at half weight."""
    angles = np.pi * np.arange(STEPS + 1) / STEPS
    z, x = np.cos(angles), np.sin(angles)
    ends = np.where((angles == 0) | (angles == np.pi), 0.5, 1.0)
    if len(h) == 1:
        weight = ends * np.exp(-hp * h[0] * z + hd * x)
        values = [z, x]
    else:
        action = hp * (h[0] * z[:, None] + h[1] * z + J * z[:, None] * z) - hd * (x[:, None] + x)
        weight = ends[:, None] * ends * np.exp(-action)
        values = [z[:, None] + 0 * z, x[:, None] + 0 * x, z[:, None] * z]
    weight = weight / weight.sum()
    means = [float((weight * v).sum()) for v in values]
    return [(m, float((weight * (v - m) ** 2).sum())) for m, v in zip(means, values, strict=True)]


@pytest.mark.parametrize("transverse_moves", [True, False])
@pytest.mark.parametrize("spins", [1, 2])
def test_rotors_against_numeric_integration(spins, transverse_moves):
    """The mean of R readings strays from the exact mean by k·sqrt(variance/R); moves shrunk to π/3 here."""
    h, J, hp, hd = np.array([0.4, -0.7])[:spins], 0.8, 3.0, 1.0
    edge = [0] * (spins - 1), [1] * (spins - 1), [J] * (spins - 1)
    problem = Problem.of_edges(h, *(np.array(part) for part in edge))
    run = rotor(problem, np.full(300, hp), np.full(300, hd), READS, 1, transverse_moves=transverse_moves)
    assert run.angles is not None
    cos, sin = tables()
    z, x = cos[run.angles].astype(float), sin[run.angles].astype(float)
    readings = [z[:, 0], x[:, 0], *([z[:, 0] * z[:, 1]] if spins == 2 else [])]
    for reading, (mean, variance) in zip(readings, rotor_moments(h, J, hp, hd), strict=True):
        assert abs(reading.mean() - mean) <= SIGMAS * np.sqrt(variance / READS)


def test_mean_energy_equals_dwave_samplers():
    """Same problem, schedule and reads: the means differ by at most 5·sqrt(v1/R + v2/R), v the measured variances."""
    rng = np.random.default_rng(3)
    n, reads = 40, 2000
    edges = {(i, j): float(rng.normal()) / np.sqrt(n) for i in range(n) for j in range(i)}
    betas = np.geomspace(0.2, 4, 60)
    ours = SASampler().sample_ising({}, edges, num_reads=reads, beta_schedule=betas, seed=1).record.energy
    theirs = (
        SimulatedAnnealingSampler()
        .sample_ising({}, edges, num_reads=reads, beta_schedule=betas, beta_schedule_type="custom", seed=1)
        .record.energy
    )
    assert abs(ours.mean() - theirs.mean()) <= SIGMAS * np.sqrt((ours.var() + theirs.var()) / reads)
