"""Annealing detectors: pooling, rounds, options, repeatability, errors."""

from __future__ import annotations

import numpy as np
import pytest

from hwsim.ir.errors import ShapeError, UsageError
from hwsim.xresq import Schedule, count_errors, detector, forward_schedule, generate, make_seeds, reverse_schedule
from hwsim.xresq.annealing import run_reads, structured, unresolved
from hwsim.xresq.states import read_states

ANNEALERS = ("quamax", "resq", "xresq", "paramax")


@pytest.fixture(scope="module")
def problems():
    return generate("16qam", 6, 7, 17.0, 40, np.random.default_rng(0))


@pytest.mark.parametrize("name", ANNEALERS)
@pytest.mark.parametrize("moves", ["symbol", "spin"])
def test_same_seed_same_bytes_other_seed_other_reads(problems, name, moves):
    run = detector(name)
    a, b, c = (run(problems.received, seed=s, moves=moves) for s in (3, 3, 4))
    assert a.candidates.tobytes() == b.candidates.tobytes()
    work = "exchanges" if name == "paramax" else "moves"
    assert (a.counters[work] == b.counters[work]).all()
    assert (a.counters[work] != c.counters[work]).any()


def test_the_answer_is_never_above_the_best_seed(problems):
    r = problems.received
    seeds = make_seeds(r, 6, "fsd")
    d = detector("xresq")(r, seeds=seeds, reads=1, schedule=Schedule(60.0, 40.0, 2), rounds=1)
    assert (d.energy <= r.energies(seeds).min(axis=1) + 1e-9).all()
    for b in range(r.batch):
        pool = {row.tobytes() for row in d.candidates[b]}
        assert all(row.tobytes() in pool for row in seeds[b])


def test_a_seed_that_is_the_truth_stays(problems):
    clear = generate("16qam", 6, 9, 35.0, 5, np.random.default_rng(1))
    d = detector("xresq")(
        clear.received, levels=1, reads=1, seeds=clear.levels[:, None], schedule=Schedule(1.0, 0.5, 10)
    )
    assert np.array_equal(d.levels, clear.levels)
    assert (d.counters["rounds"] == 1).all()


def test_resq_is_xresq_with_one_level(problems):
    a = detector("resq")(problems.received, reads=5, seed=2)
    b = detector("xresq")(problems.received, levels=1, reads=5, seed=2)
    assert a.candidates.tobytes() == b.candidates.tobytes()
    assert a.candidates.shape[1] == 6


def test_further_rounds_run_only_where_the_residual_is_too_large(problems):
    r = problems.received
    short = {"levels": 2, "reads": 1, "schedule": Schedule(1.0, 1.0, 1), "seeds": "random", "seed": 5}
    one, many = (detector("xresq")(r, rounds=n, **short) for n in (1, 4))
    left = unresolved(one)
    assert left.any()
    assert (many.counters["rounds"][left] > 1).all()
    assert (many.counters["rounds"][~left] == 1).all()
    assert (many.energy[~left] == one.energy[~left]).all()
    assert (many.energy <= one.energy).all()
    assert many.energy[left].sum() < one.energy[left].sum()
    assert many.candidates.shape == one.candidates.shape
    assert many.energies[:, 0] == pytest.approx(r.energies(many.levels[:, None])[:, 0])


def test_the_residual_test_keeps_the_truth():
    p = generate("qpsk", 8, 32, 10.0, 4000, np.random.default_rng(2))
    noise = p.received.energies(p.levels[:, None])[:, 0]
    # a sum of 32 exponentials passes mean + 4 σ with probability 5e-4: about two of 4000; 12 is far out
    assert (noise > p.received.n0 * (32 + 4 * np.sqrt(32))).sum() <= 12


def test_split_detection_tries_every_symbol_of_one_user(problems):
    r = problems.received
    weakest = np.einsum("bii->bi", r.gram.real).argmin(axis=1)
    d = detector("xresq")(r, levels=2, reads=16, split=True, seed=1)
    for b in range(r.batch):
        pairs = {(int(x[weakest[b]]), int(x[weakest[b] + 6])) for x in d.candidates[b]}
        assert len(pairs) == 16
    exact = detector("sphere")(r)
    assert (d.energy <= exact.energy + 1e-9).mean() > 0.9


def test_ri_mimo_ranks_by_the_true_energy(problems):
    d = detector("xresq")(problems.received, ri=1.0, seed=1)
    assert d.energies == pytest.approx(problems.received.energies(d.candidates))
    a, b = structured(problems.received), structured(problems.received, 1.0)
    lam = problems.received.n0[0] / 2 / 5
    assert b.gram[0, 0] - a.gram[0, 0] == pytest.approx(lam * np.eye(6), abs=1e-5)


def test_schedules_cool_geometrically():
    plan = Schedule(8.0, 1.0, 6, pause=2)
    assert plan.temps == pytest.approx([8, 8, 8, 4, 2, 1])
    assert plan.hotter(1).start == 12
    assert plan.hotter(9).sweeps == plan.hotter(3).sweeps == 24
    small = generate("16qam", 4, 6, 16.0, 1, np.random.default_rng(0)).received
    assert forward_schedule(small).start == pytest.approx(24.0, rel=0.01)  # 4·6/N0 with N0 = 40/39.8
    assert reverse_schedule(small).end == 1.0


def test_random_states_do_not_depend_on_the_cut():
    whole = read_states(7, 6, 4)
    assert (whole > 0).all()
    assert len(np.unique(whole)) == 24
    assert np.array_equal(read_states(7, 3, 4), whole[:3])
    assert not np.array_equal(read_states(8, 3, 4), whole[:3])


def test_bad_options_are_refused_before_any_work(problems):
    r, run = problems.received, detector("xresq")
    with pytest.raises(
        ShapeError, match=r"seeds has the wrong shape: got \[40, 5, 12\], expected \[batch, levels, n\]"
    ):
        run(r, levels=6, seeds=make_seeds(r, 5))
    with pytest.raises(UsageError, match="seeds: got 'lucky', expected one of auto, fsd"):
        run(r, seeds="lucky")
    with pytest.raises(UsageError, match="levels of parallelism: got 0"):
        run(r, levels=0)
    with pytest.raises(UsageError, match="reads: got 0"):
        run(r, reads=0)
    with pytest.raises(UsageError, match="rounds: got 0"):
        run(r, rounds=0)
    with pytest.raises(UsageError, match="moves: got 'big'"):
        run(r, moves="big")
    with pytest.raises(UsageError, match=r"schedule: got -1.0 to 1.0, expected temperatures > 0 in units of N0"):
        Schedule(-1.0, 1.0, 5)
    with pytest.raises(UsageError, match="schedule: got 5 sweeps with a pause of 5"):
        Schedule(2.0, 1.0, 5, pause=5)
    with pytest.raises(UsageError, match="seed: got -1"):
        run(r, seed=-1, seeds=make_seeds(r, 6))
    with pytest.raises(UsageError, match="parallel tempering: got 0 ladders"):
        detector("paramax")(r, ladders=0)
    with pytest.raises(ShapeError, match="starts has the wrong shape"):
        run_reads(structured(r), 2, np.ones((40, 2, 5), np.int8), np.ones(3))


def test_forward_annealing_and_tempering_reach_good_answers(problems):
    exact = count_errors(problems, detector("sphere")(problems.received).levels).sum()
    for name in ("quamax", "paramax"):
        assert count_errors(problems, detector(name)(problems.received, seed=1).levels).sum() <= 2 * exact + 20
