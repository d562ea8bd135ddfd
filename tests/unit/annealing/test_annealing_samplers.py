"""Arguments, schedules, seeds and starting states of the unstructured samplers."""

from __future__ import annotations

import dimod
import numpy as np
import pytest

from hwsim.annealing import (
    GreedySampler,
    PIMCSampler,
    Problem,
    PTSampler,
    SASampler,
    SVMCSampler,
    descend,
    metropolis,
    path_integral,
    random_states,
    rotor,
    temper,
)
from hwsim.annealing.samplers import default_beta_range
from hwsim.ir.errors import HwsimError, ShapeError, UsageError
from hwsim.ir.ising import Ising

SAMPLERS = [GreedySampler, PIMCSampler, PTSampler, SASampler, SVMCSampler]


def drawn(n: int = 8, vartype: str = "SPIN") -> dimod.BinaryQuadraticModel:
    rng = np.random.default_rng(0)
    labels = [f"v{i}" for i in range(n)]
    quadratic = {(labels[i], labels[j]): rng.normal() for i in range(n) for j in range(i)}
    return dimod.BinaryQuadraticModel({v: rng.normal() for v in labels}, quadratic, 0.25, vartype)


@pytest.mark.parametrize("make", SAMPLERS)
@pytest.mark.parametrize("vartype", ["SPIN", "BINARY"])
def test_seeds_threads_and_energies(make, vartype):
    bqm = drawn(24, vartype)
    short = {} if make is GreedySampler else {"num_sweeps": 4}  # so that reads have not all found the ground state
    runs = [make().sample(bqm, num_reads=20, seed=s, threads=t, **short) for s, t in ((3, 1), (3, 2), (4, None))]
    first, again, other = runs
    assert first.record.tobytes() == again.record.tobytes()
    assert first.info == again.info
    assert first.record.sample.tobytes() != other.record.sample.tobytes()
    dimod.testing.assert_sampleset_energies(first, bqm)
    unseeded = make().sample(bqm, num_reads=5)
    repeated = make().sample(bqm, num_reads=5, seed=unseeded.info["seed"])
    assert unseeded.record.tobytes() == repeated.record.tobytes()


@pytest.mark.parametrize("make", [PTSampler, SASampler])
def test_ground_states(make):
    bqm = drawn()
    best = dimod.ExactSolver().sample(bqm).first.energy
    assert make().sample(bqm, num_reads=10, num_sweeps=200, seed=1).first.energy == pytest.approx(best)


@pytest.mark.parametrize("vartype", ["SPIN", "BINARY"])
def test_initial_states_come_back_from_no_sweeps(vartype):
    bqm = drawn(vartype=vartype)
    low = min(bqm.vartype.value)
    state = {v: 1 if k % 2 else low for k, v in enumerate(bqm.variables)}
    for answer in (
        SASampler().sample(bqm, initial_states=state, num_sweeps=0),
        SASampler().sample(bqm, initial_states=state, num_sweeps=0, num_reads=3, initial_states_generator="tile"),
        SVMCSampler().sample(bqm, initial_states=state, num_sweeps=0),
        PTSampler().sample(bqm, initial_states=state, num_sweeps=0),
    ):
        assert [dict(s) for s in answer.samples()] == [state] * len(answer)
    cold = SASampler().sample(bqm, initial_states=state, beta_schedule=[np.inf] * 30)
    assert cold.first.energy <= bqm.energy(state)
    with pytest.raises(ValueError, match=r"[Ii]nitial|num_reads|state"):
        SASampler().sample(bqm, initial_states=state, num_reads=3, initial_states_generator="none")


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (SASampler, {"num_reads": 0}, r"num_reads: got 0, expected an integer ≥ 1"),
        (SASampler, {"num_sweeps": -1}, r"num_sweeps: got -1, expected an integer ≥ 0"),
        (SASampler, {"seed": -1}, r"seed: got -1, expected an integer ≥ 0"),
        (SASampler, {"beta_range": (0, 1)}, r"beta_range: got \(0.0, 1.0\), expected two finite positive numbers"),
        (SASampler, {"beta_range": (-1, 1), "beta_schedule_type": "linear"}, r"expected two finite non-negative"),
        (SASampler, {"beta_schedule_type": "cubic"}, r"beta_schedule_type: got 'cubic', expected one of geometric"),
        (SASampler, {"beta_schedule_type": "custom"}, r"beta_schedule: got none, expected one β a sweep"),
        (SASampler, {"beta_schedule": [1], "num_sweeps": 2}, r"schedule: got beta_schedule beside beta_range or num"),
        (SASampler, {"beta_schedule": [1, -1]}, r"betas: got .*expected \[sweeps\] of numbers ≥ 0"),
        (SASampler, {"kernel": "gpu"}, r"kernel: got 'gpu', expected one of auto, rows, strips, lists"),
        (SASampler, {"threads": 0}, r"threads: got 0, expected 1 or more"),
        (PTSampler, {"num_replicas": 1}, r"num_replicas: got 1, expected an integer ≥ 2"),
        (PTSampler, {"betas": [2, 1]}, r"betas: got \[2\. 1\.\], expected \[replicas\] of rising finite numbers"),
        (SVMCSampler, {"Hp_field": [1]}, r"Hp_field and Hd_field: got one of them, expected both or none"),
        (SVMCSampler, {"Hp_field": [1], "Hd_field": [1], "num_sweeps": 3}, r"schedule: got num_sweeps beside Hp_field"),
        (
            SVMCSampler,
            {"Hp_field": [1], "Hd_field": [1, 2]},
            r"hp, hd: got shapes \(1,\) and \(2,\), expected two equal",
        ),
        (PIMCSampler, {"num_slices": 2}, r"num_slices: got 2, expected an integer ≥ 3"),
    ],
)
def test_argument_rules(make, arguments, message):
    with pytest.raises(HwsimError, match=message):
        make().sample(drawn(), **arguments)


def test_function_rules():
    p = Problem.of_edges(np.zeros(3), np.array([0]), np.array([1]), np.array([1.0]))
    s = random_states(2, 3, 0)
    for call, message in (
        (lambda: metropolis(p, np.ones(3), s[:, :2]), r"states: got \[2, 2\], expected \[reads, 3\]"),
        (lambda: metropolis(p, np.ones(3), 0 * s), r"states: got other values, expected −1 and \+1"),
        (lambda: temper(p, np.array([]), 3, s), r"betas: got \[\], expected \[replicas\]"),
        (
            lambda: Problem.of_edges(np.zeros(2), np.array([0]), np.array([0]), np.array([1.0])),
            r"edges: got a spin out",
        ),
        (lambda: Problem.of_edges(np.zeros(2), np.array([0]), np.array([1]), np.array([])), r"expected three equal"),
        (lambda: Problem.of_matrix(np.zeros(2), np.array([[0, 1], [2, 0]])), r"J: got \(2, 2\), expected symmetric"),
    ):
        with pytest.raises(ShapeError, match=message):
            call()
    with pytest.raises(UsageError, match=r"kernel of a rotor run: got 'rows', expected 'auto', 'strips' or 'lists'"):
        rotor(p, np.ones(1), np.ones(1), s, kernel="rows")
    with pytest.raises(UsageError, match=r"slices: got 2, expected 3 or more"):
        path_integral(p, np.ones(1), np.ones(1), s, slices=2)


def test_problems_from_every_source():
    ising = Ising(np.array([1, 0, -2]), np.array([[0, 1], [1, 2]], np.int32), np.array([3, -1]))
    edges = Problem.of_edges(np.array([1, 0, -2]), np.array([1, 0, 2]), np.array([0, 1, 1]), np.array([1, 2, -1]))
    matrix = Problem.of_matrix(np.array([1, 0, -2]), np.array([[0, 3, 0], [3, 0, -1], [0, -1, 0]]))
    states = np.array([[1, -1, 1], [1, 1, 1], [-1, -1, 1]])
    for problem in (Problem.of_ising(ising), edges, matrix):
        assert problem.energies(states).tolist() == ising.reference(states).tolist()
        assert problem.integer
        assert problem.row_sums.tolist() == [4, 4, 3]
    assert len(descend(Problem.of_edges(np.zeros(0), *np.zeros((3, 0))), np.zeros((4, 0))).energies) == 4


def test_default_betas():
    """ln 2/(2·largest field) and ln 100/(2·smallest weight that counts)."""
    p = Problem.of_edges(np.array([0.5, 0, 1e-6]), np.array([0, 1]), np.array([1, 2]), np.array([2.0, -1.0]))
    assert default_beta_range(p) == pytest.approx((np.log(2) / 6, np.log(100) / 1))
    assert default_beta_range(Problem.of_edges(np.zeros(2), *np.zeros((3, 0)))) == (0.1, 1.0)
