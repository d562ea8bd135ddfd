"""The verdict rule, by table; every row was worked out by hand from the rule's text."""

from __future__ import annotations

import math

import pytest

from benches.registry import Bar, Claim
from benches.results import Metric
from benches.verdicts import bar_outcome, claim_outcome, judge, number, said

CASES = [
    # kind, direction, value, tolerance, baseline, (m, low, high), verdict
    ("exact", "equal", 10, 0, None, (10, None, None), "reproduced"),
    ("exact", "equal", 10, 0, None, (10.001, None, None), "not reproduced"),
    ("exact", "equal", 10, 1, None, (9, None, None), "reproduced"),
    ("exact", "equal", 10, 1, None, (11.5, 10.9, 12.1), "trend only"),
    ("exact", "equal", 10, 1, None, (11.5, 11.2, 12.1), "not reproduced"),
    ("exact", "higher", 96, 0.8, None, (95.2, None, None), "reproduced"),
    ("exact", "higher", 96, 0.8, None, (99, None, None), "reproduced"),
    ("exact", "higher", 96, 0.8, None, (95.1, None, None), "not reproduced"),
    ("exact", "higher", 96, 0.8, None, (95.1, 94.8, 95.4), "trend only"),
    ("exact", "lower", 100, 10, None, (60, None, None), "reproduced"),
    ("exact", "lower", 100, 10, None, (111, None, None), "not reproduced"),
    # with a baseline of 50 (no effect): the effect has to be proved as well
    ("exact", "higher", 96, 50, 50, (60, 45, 75), "trend only"),
    ("exact", "higher", 96, 50, 50, (60, 55, 65), "reproduced"),
    ("exact", "higher", 96, 1, 50, (60, 55, 65), "trend only"),
    ("exact", "higher", 96, 1, 50, (60, 45, 75), "not reproduced"),
    ("exact", "higher", 96, 1, 50, (40, None, None), "not reproduced"),
    # ratios: relative tolerance, no effect at 1
    ("ratio", "higher", 4, 0.1, None, (3.6, None, None), "reproduced"),
    ("ratio", "higher", 4, 0.1, None, (3.5, None, None), "trend only"),
    ("ratio", "higher", 4, 0.1, None, (0.9, None, None), "not reproduced"),
    ("ratio", "higher", 4, 0.1, None, (3.5, 0.9, 6), "not reproduced"),
    ("ratio", "higher", 4, 0.1, None, (3.9, 0.9, 6), "trend only"),
    ("ratio", "lower", 0.5, 0.2, None, (0.6, None, None), "reproduced"),
    ("ratio", "lower", 0.5, 0.2, None, (0.61, None, None), "trend only"),
    ("ratio", "lower", 0.5, 0.2, None, (1.0, None, None), "not reproduced"),
    ("ratio", "lower", 0.5, 0.2, None, (0.55, 0.4, 1.0), "trend only"),
    ("ratio", "equal", 1, 0.05, None, (1.04, None, None), "reproduced"),
    ("ratio", "equal", 1, 0.05, None, (1.06, None, None), "not reproduced"),
    ("ratio", "equal", 1, 0.05, None, (1.06, 1.0, 1.1), "trend only"),
    # trends: only the side of the baseline, which is 0 unless said
    ("trend", "higher", None, 0, None, (0.1, None, None), "reproduced"),
    ("trend", "higher", None, 0, None, (0.0, None, None), "not reproduced"),
    ("trend", "higher", None, 0, None, (0.1, -0.1, 0.3), "trend only"),
    ("trend", "higher", None, 0, None, (-0.1, -0.3, 0.1), "not reproduced"),
    ("trend", "lower", 0.2, 0, 1.0, (0.9, 0.8, 0.99), "reproduced"),
    ("trend", "lower", 0.2, 0, 1.0, (0.9, 0.8, 1.0), "trend only"),
    ("trend", "lower", 0.2, 0, 1.0, (1.1, None, None), "not reproduced"),
    # bounds: the whole interval counts
    ("bound", "higher", 5, 0, None, (5, None, None), "reproduced"),
    ("bound", "higher", 5, 0, None, (6, 4, 8), "trend only"),
    ("bound", "higher", 5, 1, None, (6, 4, 8), "reproduced"),
    ("bound", "higher", 5, 0, None, (4.9, 4, 6), "not reproduced"),
    ("bound", "lower", 5, 0, None, (4, 3, 5), "reproduced"),
    ("bound", "lower", 5, 0, None, (4, 3, 5.1), "trend only"),
    ("bound", "lower", 5, 0, None, (5.1, None, None), "not reproduced"),
]


def claim(kind: str = "exact", direction: str = "equal", value: float | None = 10, **more: object) -> Claim:
    fields = {"id": "c", "where": "w", "text": "t", "metric": "m", "unit": "s"} | more
    return Claim(kind=kind, direction=direction, value=value, **fields)  # type: ignore[arg-type]


def metric(value: float, low: float | None = None, high: float | None = None, **more: str) -> Metric:
    return Metric(name="m", value=value, low=low, high=high, unit="s", **more)


@pytest.mark.parametrize(("kind", "direction", "value", "tolerance", "baseline", "figure", "verdict"), CASES)
def test_rule(kind, direction, value, tolerance, baseline, figure, verdict) -> None:
    found, reason = judge(claim(kind, direction, value, tolerance=tolerance, baseline=baseline), metric(*figure))
    assert found == verdict, reason
    assert reason


def test_every_kind_has_all_three_verdicts_in_the_table() -> None:
    for kind in ("exact", "ratio", "trend", "bound"):
        assert {case[-1] for case in CASES if case[0] == kind} == {"reproduced", "trend only", "not reproduced"}


def test_a_missing_metric_is_not_run_and_never_zero() -> None:
    outcome = claim_outcome(claim(), {}, {}, "quick")
    assert (outcome.verdict, outcome.ours) == ("not run", None)
    assert "profile quick does not measure m" in outcome.reason


def test_not_comparable_carries_its_reason_even_beside_a_metric() -> None:
    outcome = claim_outcome(claim(), {"m": metric(10)}, {"c": "no Vivado"}, "quick")
    assert (outcome.verdict, outcome.reason) == ("not comparable", "no Vivado")


def test_a_kept_figure_stays_marked() -> None:
    assert claim_outcome(claim(), {"m": metric(10, kept="full, then")}, {}, "quick").kept == "full, then"


def test_said_names_the_paper_side() -> None:
    assert said(claim("exact", "higher", 96, unit="%")) == "96 %"
    assert said(claim("bound", "lower", 5)) == "at most 5 s"
    assert said(claim("trend", "lower", None, baseline=1.0)) == "below 1 s"
    assert said(claim("trend", "higher", 3)) == "3 s (above 0 s)"


def bar(op: str = ">=", value: float | None = 3.0, **more: object) -> Bar:
    return Bar(metric="m", op=op, value=value, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("op", "ours", "state"),
    [(">=", 3, "met"), (">=", 2.9, "missed"), ("<=", 3, "met"), ("<=", 3.1, "missed"), (">", 3, "missed"),
     ("<", 2, "met"), ("==", 3, "met"), ("==", 3 * (1 + 1e-12), "met"), ("==", 3.001, "missed")],
)  # fmt: skip
def test_bars(op: str, ours: float, state: str) -> None:
    assert bar_outcome(bar(op), {"m": metric(ours)}, {}, "quick").state == state


@pytest.mark.parametrize(
    ("op", "low", "high", "state"),
    [("<", 1, 2.9, "met"), ("<", 1, 3.1, "missed"), (">=", 3, 9, "met"), (">=", 2.9, 9, "missed"),
     ("<", None, None, "met")],
)  # fmt: skip
def test_a_bar_may_ask_the_whole_interval(op: str, low: float | None, high: float | None, state: str) -> None:
    value = 2.0 if op == "<" else 5.0
    assert bar_outcome(bar(op, interval=True), {"m": metric(value, low, high)}, {}, "quick").state == state


def test_a_bar_without_figure_is_not_measured_with_its_reason() -> None:
    outcome = bar_outcome(bar(note="own"), {}, {"m": "no tool"}, "quick")
    assert (outcome.state, outcome.ours, outcome.note) == ("not measured", None, "own; no tool")


def test_a_bar_of_a_larger_profile_is_not_judged_by_a_smaller_one() -> None:
    full = bar(profile="full")
    assert bar_outcome(full, {"m": metric(9)}, {}, "quick").state == "not measured"
    assert bar_outcome(full, {"m": metric(9)}, {}, "full").state == "met"
    assert bar_outcome(full, {"m": metric(9, kept="full, then")}, {}, "smoke").state == "met"


def test_a_bar_against_another_metric() -> None:
    against = bar("==", None, of="n")
    metrics = {"m": metric(7), "n": Metric(name="n", value=7)}
    assert bar_outcome(against, metrics, {}, "quick").state == "met"
    assert bar_outcome(against, {"m": metric(7)}, {}, "quick").state == "not measured"


def test_the_aim_is_judged_apart() -> None:
    outcome = bar_outcome(bar(aim=5.0), {"m": metric(4)}, {}, "quick")
    assert (outcome.state, outcome.aim_met) == ("met", False)


@pytest.mark.parametrize(
    ("x", "text"),
    [(None, "–"), (0.0, "0"), (5, "5"), (9999, "9999"), (54798, "54 798"), (0.12345, "0.1235"), (95.204, "95.2"),
     (-0.3, "-0.3"), (1234.56, "1235"), (23_100_000.4, "23 100 000"), (1e-5, "1·10^-5"), (3.2e12, "3.2·10^12"),
     (math.inf, "inf")],
)  # fmt: skip
def test_numbers_read_well(x: float | None, text: str) -> None:
    assert number(x) == text
