"""Potts and VEC-SBM kernels equal their naive twins; every form of a Potts problem has the same energies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.annealing import (
    PottsProblem,
    centred,
    domain_wall,
    heat_bath,
    metropolis,
    one_hot,
    quantised,
    random_labels,
)  # fmt: skip
from hwsim.ir.errors import ShapeError, UsageError
from hwsim.testing import naive_potts as naive
from hwsim.testing.strategies_potts import pottses

FEW = settings(max_examples=20, deadline=None)
BETAS = st.lists(st.sampled_from([0.0, 0.2, 1.0, 30.0, np.inf]), max_size=4)


@st.composite
def problems(draw, least_states=1):
    """Potts problems in floats: any density, edges in either direction, any counters."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, k = draw(st.integers(1, 8)), draw(st.integers(least_states, 4))
    u, v = np.triu_indices(n, 1)
    kept = rng.random(len(u)) < draw(st.sampled_from([0.0, 0.4, 1.0]))
    swap = rng.random(len(u)) < 0.5
    u, v = np.where(swap, v, u)[kept], np.where(swap, u, v)[kept]
    counter = rng.normal(size=(k, k))
    tables = rng.normal(size=(len(u), k, k))
    return PottsProblem(rng.normal(size=(n, k)), u, v, tables, counter + counter.T, float(rng.normal()))


def pair_of(p: PottsProblem):
    """Energy of a pair of nodes, looked up edge by edge."""
    table = {(int(a), int(b)): t for a, b, t in zip(p.u, p.v, p.tables, strict=True)}

    def pair(i: int, j: int, k: int, other: int) -> float:
        coupled = table[i, j][k, other] if (i, j) in table else table[j, i][other, k] if (j, i) in table else 0.0
        return float(coupled + p.counter[k, other])

    return pair


def energy(p: PottsProblem, z) -> float:
    pair = pair_of(p)
    own = p.offset + sum(p.h[i, z[i]] for i in range(p.n))
    return own + sum(pair(i, j, z[i], z[j]) for i in range(p.n) for j in range(i))


@FEW
@given(problems(), BETAS, st.integers(0, 2**63), st.integers(0, 100))
def test_heat_bath(p, betas, seed, first):
    start = random_labels(3, p.n, p.states, seed)
    run = heat_bath(p, np.array(betas), start, seed, first=first, threads=1, trace=True)
    expected = [naive.heat_bath(p.h, pair_of(p), betas, z, seed, first + r) for r, z in enumerate(start)]
    assert run.labels.tolist() == expected
    np.testing.assert_allclose(run.energies, [energy(p, z) for z in expected], atol=1e-12)
    assert heat_bath(p, np.array(betas), start, seed, first=first, threads=2).labels.tolist() == expected
    if betas:
        np.testing.assert_allclose(run.trace[:, -1], run.energies, atol=1e-12)


@FEW
@given(problems(), st.integers(0, 2**32))
def test_local_fields_are_differences_of_energies(p, seed):
    z = random_labels(1, p.n, p.states, seed)[0]
    fields = p.local_fields(z)
    for i in range(p.n):
        moved = [[*z[:i], k, *z[i + 1 :]] for k in range(p.states)]
        differences = np.array([energy(p, m) for m in moved]) - energy(p, z)
        np.testing.assert_allclose(fields[i] - fields[i, z[i]], differences, atol=1e-12)


@FEW
@given(problems(least_states=2), st.integers(0, 2**32))
def test_every_form_has_the_same_energies(p, seed):
    z = random_labels(5, p.n, p.states, seed)
    expected = p.energies(z)
    np.testing.assert_allclose(expected, [energy(p, row) for row in z], atol=1e-12)
    for gauge in ("raw", "mean", "double"):
        np.testing.assert_allclose(centred(p, gauge).energies(z), expected, atol=1e-11)
    for form in (one_hot(p, 1.7), one_hot(p, 1.7, "raw"), domain_wall(p, 2.5)):
        spins = form.spins(z)
        labels, valid = form.labels(spins)
        assert valid.all()
        assert labels.tolist() == z.tolist()
        np.testing.assert_allclose(form.problem.energies(spins) + form.offset, expected, atol=1e-11)
        bqm = form.to_bqm()
        np.testing.assert_allclose(bqm.energies((spins, range(spins.shape[1]))), expected, atol=1e-11)


@FEW
@given(problems(least_states=2))
def test_double_centred_tables_sum_to_zero(p):
    made = centred(p)
    for tables in (made.tables, made.counter[None]):
        assert abs(tables.sum(axis=1)).max(initial=0) < 1e-12
        assert abs(tables.sum(axis=2)).max(initial=0) < 1e-12


def test_invalid_states_pay_the_penalty():
    nothing = PottsProblem(np.zeros((1, 3)), [], [], np.zeros((0, 3, 3)), np.zeros((3, 3)))
    hot = one_hot(nothing, 4.0)
    spins = np.array([[1, -1, -1], [-1, -1, -1], [1, 1, -1], [1, 1, 1]], np.int8)
    assert (hot.problem.energies(spins) + hot.offset).tolist() == [0, 4, 4, 16]  # 4·(1 − Σx)²
    assert hot.labels(spins)[1].ravel().tolist() == [True, False, False, False]
    wall = domain_wall(nothing, 4.0)
    spins = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]], np.int8)
    assert (wall.problem.energies(spins) + wall.offset).tolist() == [0, 0, 0, 8]  # three walls: two too many
    labels, valid = wall.labels(spins)
    assert labels.ravel().tolist()[:3] == [0, 1, 2]
    assert valid.ravel().tolist() == [True, True, True, False]


@FEW
@given(pottses(), st.integers(0, 2**32))
def test_the_chips_form_is_its_artifact(potts, seed):
    z = random_labels(4, potts.n, potts.states, seed)
    unit = potts.scale * 2.0**-potts.counter_shift
    p = PottsProblem.of_potts(potts)
    np.testing.assert_allclose(p.energies(z), potts.reference(z) * unit + potts.offset, atol=1e-9)


@FEW
@given(problems(least_states=2), st.integers(2, 12), st.integers(0, 2**32))
def test_rounding_stays_within_half_a_step(p, bits, seed):
    made = quantised(p, bits)
    assert made.cost().values["weight_bits"] <= bits
    z = random_labels(4, p.n, p.states, seed)
    back = made.reference(z) * made.scale * 2.0**-made.counter_shift + made.offset
    pairs = p.n * (p.n - 1) / 2
    bound = made.scale / 2 * (p.n + len(p.u) + pairs * 2.0**-made.counter_shift)
    assert abs(back - p.energies(z)).max() <= bound * (1 + 1e-9) + 1e-9


@pytest.mark.parametrize("states", [2, 3])
def test_heat_bath_samples_the_boltzmann_distribution(states):
    # 4 nodes: after 30 sweeps at β = 1 each of the K⁴ labellings appears with e^−E/Z; 5 σ of the largest count
    rng = np.random.default_rng(3)
    u, v = np.triu_indices(4, 1)
    c = rng.normal(size=(states, states)) * 0.5
    tables = rng.normal(size=(6, states, states)) * 0.5
    p = PottsProblem(rng.normal(size=(4, states)) * 0.5, u, v, tables, c + c.T)
    reads = 20_000
    labels = heat_bath(p, np.ones(30), random_labels(reads, 4, states, 0), 1).labels.astype(int)
    every = np.array(np.meshgrid(*[range(states)] * 4, indexing="ij")).reshape(4, -1).T
    share = np.exp(-p.energies(every))
    share /= share.sum()
    code = labels @ states ** np.arange(3, -1, -1)
    counted = np.bincount(code, minlength=len(every)) / reads
    assert (abs(counted - share) < 5 * np.sqrt(share * (1 - share) / reads) + 1e-4).all()


def test_native_and_ising_anneals_find_the_same_minimum():
    rng = np.random.default_rng(5)
    n = 12
    u, v = np.triu_indices(n, 1)
    p = PottsProblem(rng.normal(size=(n, 2)), u, v, rng.normal(size=(len(u), 2, 2)), np.zeros((2, 2)))
    every = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    lowest = p.energies(every).min()
    native = heat_bath(p, np.geomspace(0.1, 20, 100), random_labels(8, n, 2, 0))
    form = domain_wall(p)
    spins = metropolis(form.problem, np.geomspace(0.1, 20, 100), form.spins(random_labels(8, n, 2, 1)))
    assert native.energies.min() == pytest.approx(lowest)
    assert spins.energies.min() + form.offset == pytest.approx(lowest)


def bad(**changes):
    given = {"h": np.zeros((3, 2)), "u": [0], "v": [1], "tables": np.zeros((1, 2, 2)), "counter": np.zeros((2, 2))}
    return PottsProblem(**(given | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tables": np.zeros((1, 2, 3))}, r"tables has the wrong shape: got \[1, 2, 3\], expected \[m, K, K\]"),
        ({"v": [0]}, r"edges: got a loop, expected u ≠ v"),
        ({"v": [3]}, r"edges: got a node outside, expected 0…2"),
        ({"counter": np.array([[0, 1.0], [0, 0]])}, r"counter: .* expected a symmetric matrix"),
        ({"h": np.zeros((3, 128)), "tables": np.zeros((1, 128, 128)), "counter": np.zeros((128, 128))}, r"got 128"),
    ],
)
def test_bad_problems(changes, message):
    with pytest.raises(ShapeError, match=message):
        bad(**changes)


def test_bad_calls():
    p = bad()
    with pytest.raises(ShapeError, match=r"labels: got 0…2, expected integers 0…1"):
        heat_bath(p, np.ones(1), np.array([[0, 1, 2]]))
    with pytest.raises(ShapeError, match=r"betas: .* expected \[sweeps\] of numbers ≥ 0"):
        heat_bath(p, np.array([-1.0]), np.array([[0, 1, 1]]))
    with pytest.raises(UsageError, match=r"penalty: got -1, expected a finite number ≥ 0"):
        one_hot(p, -1)
    with pytest.raises(UsageError, match=r"gauge: got 'triple'"):
        centred(p, "triple")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"bits of a coupler weight: got 1, expected 2…24"):
        quantised(p, 1)
    with pytest.raises(UsageError, match=r"states of a domain wall: got 1, expected 2 or more"):
        domain_wall(PottsProblem(np.zeros((2, 1)), [], [], np.zeros((0, 1, 1)), np.zeros((1, 1))))
    with pytest.raises(ShapeError, match=r"spins: got 20000, expected at most 16384"):
        one_hot(PottsProblem(np.zeros((10_000, 2)), [], [], np.zeros((0, 2, 2)), np.zeros((2, 2))), 1.0)
