"""Points stop on their own errors, in whole rounds, whatever the order of work."""

import numpy as np
import pytest

from benches import montecarlo, stats
from hwsim.ir.errors import UsageError


def serial(work, points):
    return [work(**point) for point in points]


def coin(rate, chunk):
    return {"errors": int(np.random.default_rng([chunk, int(1000 * rate)]).binomial(100, rate))}


def test_a_point_stops_once_it_has_enough_and_never_passes_its_limit():
    asked = []

    def work(**point):
        asked.append(point)
        return coin(**point)

    points = [{"rate": 0.5}, {"rate": 0.02}, {"rate": 0.0}]
    found = montecarlo.until(serial, work, points, lambda r: sum(x["errors"] for x in r) >= 30, 16)
    assert [len(results) for results in found][::2] == [1, 16]
    errors = [sum(x["errors"] for x in results) for results in found]
    assert errors[1] >= 30
    assert sum(x["errors"] for x in found[1][: len(found[1]) // 2]) < 30  # the last round was needed
    assert len(asked) == sum(map(len, found)) == len({tuple(a.items()) for a in asked})
    assert found[1] == [coin(0.02, c) for c in range(len(found[1]))]


def test_clustered_equals_wilson_when_bits_err_alone():
    """300 clusters of ten bits, 150 with a single error: fewer ties than chance, design effect 1."""
    f = stats.clustered(150, 150, 300, 10)
    g = stats.binomial(150, 3000)
    assert (f.value, f.low, f.high) == pytest.approx((g.value, g.low, g.high))


def test_clustered_widens_by_the_burst_length():
    """All-or-nothing clusters carry one bit of information each: the interval of `clusters` trials."""
    f = stats.clustered(50 * 8, 50 * 64, 200, 8)
    g = stats.binomial(50, 200)
    assert (f.low, f.high) == pytest.approx((g.low, g.high), rel=0.01)  # Kish divides by n − 1


def test_without_errors_the_burst_decides():
    assert stats.clustered(0, 0, 1000, 256, burst=1).high == pytest.approx(stats.binomial(0, 256_000).high)
    assert stats.clustered(0, 0, 1000, 256).high == pytest.approx(stats.binomial(0, 1000).high)
    with pytest.raises(UsageError, match=r"clustered error rate: got 3 errors, 2 squared"):
        stats.clustered(3, 2, 10, 4)


def test_the_interval_covers_the_rate():
    """Beta-binomial bursts: of 400 intervals of 95 %, at least 90 % hold the rate (σ of the share is 1.1 %)."""
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(400):
        e = np.where(rng.random(500) < 0.05, rng.binomial(16, 0.3, 500), 0)
        f = stats.clustered(int(e.sum()), int((e * e).sum()), 500, 16)
        held += f.low <= 0.05 * 0.3 <= f.high
    assert held / 400 > 0.9
