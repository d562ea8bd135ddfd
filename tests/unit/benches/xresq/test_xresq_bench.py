"""X-ResQ's bench: counts and their ratios, schedules that the annealer accepts, links that repeat, levels that nest."""

import numpy as np
import pytest

from benches import stats
from benches.xresq import digital, mapping, qpu
from benches.xresq.counts import Counts, ratio
from benches.xresq.links import Link, chunk_counts, merged


def test_counts_of_errors_and_packets():
    """16-bit vectors: 16 uses make a packet; the 33rd vector starts a packet that never ends."""
    errors = np.zeros(33, np.int64)
    errors[[3, 4, 32]] = 2, 1, 5
    counts = Counts.of(errors, 16, cpu_ms=66.0)
    assert (counts.vectors, counts.wrong, counts.errors, counts.squares) == (33, 3, 8, 30)
    assert (counts.packets, counts.lost, counts.ms) == (2, 1, 2.0)
    assert counts.efficiency().value == 8.0
    assert Counts.total([counts.stored(), counts.stored()]).errors == 16


def test_the_design_effect_is_the_one_of_the_interval():
    errors = np.repeat([0, 8], [900, 100])
    counts = Counts.of(errors, 16)
    # Kish: variance of the totals over that of 16 independent bits
    p = 0.05
    assert counts.effect == pytest.approx(np.var(errors, ddof=1) / (16 * p * (1 - p)))
    assert f"design effect {counts.effect:.3g}" in counts.ber().method


def test_a_ratio_has_its_value_inside_and_narrows_with_errors():
    few, many = (Counts.of(np.repeat([0, 1], [900 * k, 100 * k]), 16) for k in (1, 20))
    wide, narrow = (ratio(c, c, np.random.default_rng(1)) for c in (few, many))
    assert wide.value == narrow.value == 1.0
    assert wide.low < narrow.low < 1 < narrow.high < wide.high
    none = Counts.of(np.zeros(100, np.int64), 16)
    assert ratio(few, none, np.random.default_rng(1)).low > 1


def test_schedules_last_the_papers_time_and_keep_the_annealers_rules():
    child = qpu.station(1, 0).child
    for s_p in (*qpu.GRID, qpu.PAPER_S_P):
        for schedule in (qpu.reverse(s_p), qpu.forward(s_p)):
            child.validate_anneal_schedule(schedule)
            assert schedule[-1] == [qpu.ANNEAL_US, 1]
    assert qpu.reverse(0.4) == [[0, 1], [0.6, 0.4], [1.6, 0.4], [2.2, 1]]


def test_chunks_repeat_and_differ():
    link = Link(4, 6, "16qam", 14.0)
    first, again, other = (link.problems(3, chunk, 4).received.y for chunk in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    found = chunk_counts(4, 6, "16qam", 14.0, 3, 50, {"sphere": {}, "mine": {"detector": "mmse"}}, 0)
    assert merged([found, found])["mine"].errors == 2 * found["mine"]["errors"]
    assert found["sphere"]["errors"] <= found["mine"]["errors"]


def test_all_reads_of_all_copies_are_never_worse_in_energy_than_a_part():
    """Pools nest, so the answer's residual falls with the share; a reverse pool contains its seeds."""
    problems = Link(4, 6, "16qam", 12.0).problems(1, 0, 3)
    method = {"kind": "reverse", "levels": 3, "reads": 6, "s_p": 0.4, "seeds": "fsd"}
    shares = [(1, 2), (1, 6), (3, 6)]
    for b, answers in enumerate(qpu._answers(problems, method, shares, 1)):
        energies = problems.received.part(slice(b, b + 1)).energies(answers[None])[0]
        assert (np.diff(energies) <= 1e-9).all()


@pytest.mark.parametrize("name", mapping.EXHAUSTIVE)
def test_the_ising_form_is_exact(name):
    users, antennas = (2, 2) if name in ("64qam",) else mapping.EXHAUSTIVE[name]
    if name == "256qam":
        users = antennas = 1
    error, states = mapping.exhaustive_error(name, users, antennas, np.random.default_rng(2))
    assert error < 1e-9
    assert states == 2 ** mapping.modulation(name).spins(users)


def test_an_upper_limit_stands_in_for_a_detector_without_errors():
    recorded = {}

    class Run:
        def metric(self, name, value, unit, **more):
            recorded[name] = value.value if isinstance(value, stats.Figure) else value

        def rng(self, name):
            return np.random.default_rng(0)

    top, ours = Counts.of(np.full(10, 40), 4096), Counts.of(np.zeros(10, np.int64), 4096)
    digital._over(Run(), "m", top, ours, burst=40.0)
    assert recorded["m"] == pytest.approx(top.ber().value / ours.ber(40.0).high)


def test_counts_do_not_depend_on_what_ran_before():
    """Other methods and other chunks in the same process leave a method's submissions as they are."""
    method = {"kind": "reverse", "levels": 1, "reads": 3, "s_p": 0.36, "seeds": "mmse"}
    alone = qpu.qpu_counts(12.0, 5, 12, 0, {"a": method})["a"]
    qpu.qpu_counts(12.0, 5, 3, 1, {"a": method})
    assert qpu.qpu_counts(12.0, 5, 12, 0, {"b": method, "a": method})["a"] == alone
