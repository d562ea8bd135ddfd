"""X-ResQ's bench: counts and their ratios, schedules that the annealer accepts, links that repeat, levels that nest."""

import numpy as np
import pytest

from benches import stats
from benches.xresq import digital, effort, kernels, mapping, plots, qpu, scaling
from benches.xresq.counts import Counts, ratio
from benches.xresq.links import Link, chunk_counts, merged
from hwsim.ir.errors import EquivalenceError


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


def test_a_detectors_own_options_do_not_change_its_neighbours():
    both = {"kbest 2": {"detector": "kbest", "k": 2}, "kbest 64": {"detector": "kbest", "k": 64}, "sphere": {}}
    found = chunk_counts(4, 6, "16qam", 12.0, 3, 200, both, 0)
    assert found["sphere"]["errors"] == found["kbest 64"]["errors"] < found["kbest 2"]["errors"]
    assert all(count["cpu_ms"] > 0 for count in found.values())


def test_the_first_reads_of_many_are_a_short_run():
    method = {"kind": "reverse", "levels": 2, "s_p": 0.4, "seeds": "mmse"}
    counts = qpu.read_counts(12.0, 5, 20, 0, {"mine": method}, [2, 6])
    few = qpu.read_counts(12.0, 5, 20, 0, {"mine": method}, [6])
    assert counts["mine 6"] == few["mine 6"]
    assert set(counts) == {"ml", "mine 2", "mine 6"}
    assert counts["ml"]["vectors"] == counts["mine 2"]["vectors"] == 20


class Recorder:
    """The part of a context that figures go to."""

    def __init__(self, folder):
        self.folder, self.metrics, self.notes, self.files = folder, {}, [], []

    def metric(self, name, value, unit="", n=None, method=""):
        self.metrics[name] = (value, unit, method)

    def note(self, text):
        self.notes.append(text)

    def file(self, path, kind, caption):
        self.files.append(path)


def panel(target: float) -> effort.Panel:
    series = {
        "xresq": [[1.0, 3e-3, 1], [2.0, 1e-3, 2], [4.0, 9e-4, 4]],
        "ra1": [[0.5, 1e-2, 4]],
        "mmse": [[0.1, 0.1, 0]],
    }
    return effort.Panel("4x6", "4 × 6", "ms", target, "fixed", series)


def test_time_to_ber_is_that_of_the_cheapest_setting_that_reaches_it(tmp_path):
    ctx = Recorder(tmp_path)
    effort._report(ctx, panel(1e-3), "ttb_ms", 100)
    value, unit, method = ctx.metrics.pop("ttb_ms_4x6_xresq")
    assert (value, unit) == (2.0, "ms")
    assert "reads = 2" in method
    assert method.endswith("not reached by: ra1, mmse")
    assert ctx.metrics == {}
    effort._report(ctx, panel(0.0), "ttb_ms", 100)
    assert "exact ML made no error in 100 vectors" in ctx.notes[0]
    effort.tabulate(ctx, [panel(1e-3)])
    rows = ctx.files[0].read_text(encoding="utf-8").splitlines()
    assert rows[0].startswith("system,detector,setting,time,unit,ber")
    assert rows[2] == "4 × 6,xresq,2,2,ms,0.001,0.001,1"
    assert len(rows) == 6


def test_every_series_of_the_plots_has_a_style():
    names = {*effort.KNOBS, *effort.SINGLE, *scaling.DETECTORS, *digital.DETECTORS, "sphere", "ml", "ra1_fsd"}
    assert names <= set(plots._STYLES)
    assert 1e-5 <= effort.least(panel(1e-3)) <= 9e-4 / 3


def test_a_size_of_the_scaling_table_bounds_what_had_no_error(tmp_path):
    ctx = Recorder(tmp_path)
    counts = {
        "ra1": Counts.of(np.array([40] * 5 + [0] * 5), 256, 10.0),
        "xresq": Counts.of(np.zeros(10, int), 256, 20.0),
    }
    rows = scaling._size(ctx, "64x64", counts)
    assert ctx.metrics["scaling_ms_64x64_xresq"][0] == 2.0
    assert rows[1][:3] == ("64x64", "xresq", 0.0)
    assert rows[1][4] == ctx.metrics["scaling_ber_64x64_xresq"][0].high > 40 / 2560
    scaling.tabulate(ctx, rows)
    assert ctx.files[0].read_text(encoding="utf-8").splitlines()[1].startswith("64x64,ra1,0.078125,")


def test_energies_of_samplers_must_agree_before_their_speed_counts():
    class Answer:
        def __init__(self, energy):
            self.record = type("Record", (), {"energy": np.array([energy])})

    near = {"ours": lambda: Answer(-100.0), "dwave": lambda: Answer(-100.5)}
    assert kernels._energies("x", near) == {"ours": -100.0, "dwave": -100.5}
    with pytest.raises(EquivalenceError, match=r"mean final energy, x: got -100.0, expected openjij's -103.0 ± 1 %"):
        kernels._energies("x", {**near, "openjij": lambda: Answer(-103.0)})
