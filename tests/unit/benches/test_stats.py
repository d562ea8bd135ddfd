"""Intervals against published values, closed forms and coverage."""

from __future__ import annotations

import numpy as np
import pytest

from benches import stats
from hwsim.ir.errors import UsageError


def test_wilson_against_scipy() -> None:
    from scipy.stats import binomtest

    for successes, n in [(0, 10), (3, 10), (10, 10), (9520, 10000)]:
        ours = stats.binomial(successes, n)
        theirs = binomtest(successes, n).proportion_ci(0.95, method="wilson")
        assert ours.low == pytest.approx(theirs.low, abs=1e-12)
        assert ours.high == pytest.approx(theirs.high, abs=1e-12)
        assert ours.low <= ours.value <= ours.high


def test_mean_by_hand() -> None:
    figure = stats.mean([1.0, 2.0, 3.0])  # std 1, t(0.975, 2) = 4.3027 (tables)
    assert figure.value == 2.0
    assert figure.high - 2.0 == pytest.approx(4.3027 / 3**0.5, abs=1e-4)
    assert (figure.n, figure.method) == (3, "mean, std 1, t 95%")


def test_one_run_has_no_interval() -> None:
    assert stats.mean([4.0]) == stats.Figure(4.0, n=1, method="one run")


def test_median_and_quartiles() -> None:
    assert stats.median([4, 1, 3, 2, 5]) == stats.Figure(3.0, 2.0, 4.0, 5, "median and quartiles of rounds")


def test_ratio_pairs_the_unfavourable_ends() -> None:
    found = stats.ratio(stats.Figure(10, 8, 12), stats.Figure(2, 1, 4))
    assert (found.value, found.low, found.high) == (5, 2, 12)
    assert stats.ratio(stats.Figure(10), stats.Figure(2)).low is None


def test_scaling_by_a_negative_factor_swaps_the_ends() -> None:
    found = stats.Figure(1, 0.5, 2).scaled(-100)
    assert (found.value, found.low, found.high) == (-100, -200, -50)


def test_rate_counts_per_second() -> None:
    calls: list[int] = []
    figure = stats.rate(lambda: calls.append(1), 10, rounds=3, warm_up=2)
    assert len(calls) == 5
    assert figure.n == 3
    assert figure.low <= figure.value <= figure.high


@pytest.mark.parametrize(
    "call",
    [lambda: stats.binomial(5, 4), lambda: stats.binomial(0, 0), lambda: stats.mean([]), lambda: stats.median([]),
     lambda: stats.ratio(stats.Figure(1), stats.Figure(0))],
)  # fmt: skip
def test_bad_counts_are_refused(call) -> None:
    with pytest.raises(UsageError, match="expected"):
        call()


@pytest.mark.stat
def test_the_t_interval_covers_its_mean() -> None:
    # 2000 sets of 4 normal values: hits ~ binomial(2000, 0.95), sigma = sqrt(2000·0.95·0.05) = 9.75; 5 sigma = 49
    rng = np.random.default_rng(1)
    hits = 0
    for values in rng.normal(7.0, 2.0, (2000, 4)):
        figure = stats.mean(values)
        hits += figure.low <= 7.0 <= figure.high
    assert abs(hits - 1900) <= 49
