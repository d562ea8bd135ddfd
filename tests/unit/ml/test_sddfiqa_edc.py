"""Error versus discard: against a plain count of what is left, and a count by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.ir.errors import ShapeError, UsageError
from ml.sddfiqa.edc import Curve, Verifier, interval


def naive_fnmr(x: np.ndarray, y: np.ndarray, quality: np.ndarray, gone: int, threshold: float) -> float | None:
    """FNMR after `gone` discards, pair by pair."""
    f = x / np.linalg.norm(x, axis=1, keepdims=True)
    left = np.argsort(quality, kind="stable")[gone:]
    scores = [f[i] @ f[j] for i in left for j in left if i < j and y[i] == y[j]]
    return float(np.mean([s <= threshold for s in scores])) if scores else None


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.3, 0.05, 0.01]))
def test_curves_count_what_is_left(seed: int, fmr: float) -> None:
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat(np.arange(4), 4))
    x = rng.normal(size=(4, 3))[y] + 0.8 * rng.normal(size=(16, 3))
    quality = rng.integers(0, 6, 16).astype(float)  # ties
    judge = Verifier(x, y)
    threshold = judge.threshold(fmr)
    impostors = judge.impostor_scores
    assert (impostors > threshold).mean() <= fmr
    assert (impostors >= threshold).mean() > fmr
    curve = judge.curve(quality, fmr)
    last = None
    for k in range(16):
        want = naive_fnmr(x, y, quality, k, threshold)
        last = last if want is None else want
        assert curve.fnmr[k] == pytest.approx(last, abs=1e-12)
        assert curve.discard[k] == pytest.approx(k / 16)


def test_areas_of_a_step_function() -> None:
    # g = 0.4 on [0, ¼), 0.2 on [¼, ½), 0.1 on [½, 1]: ∫_0^0.95 = 0.1 + 0.05 + 0.045 = 0.195
    curve = Curve(np.array([0, 0.25, 0.5, 0.75]), np.array([0.4, 0.2, 0.1, 0.1]))
    assert curve.area() == pytest.approx(0.195 / 0.95)
    assert curve.aoc() == pytest.approx(1 - 0.195 / 0.95 / 0.4)
    assert curve.area(0, 0.3) == pytest.approx((0.1 + 0.01) / 0.3)
    with pytest.raises(UsageError, match=r"discard range: got 0.5 … 0.2"):
        curve.area(0.5, 0.2)
    assert np.isnan(Curve(np.zeros(1), np.zeros(1)).aoc())


def test_weights_are_repeats() -> None:
    """An identity that counts twice is an identity that is there twice, except for the pairs between its copies."""
    rng = np.random.default_rng(3)
    y = np.repeat(np.arange(5), 4)
    x = rng.normal(size=(5, 4))[y] + 0.7 * rng.normal(size=(20, 4))
    judge, quality = Verifier(x, y), rng.random(20)
    ones = judge.bootstrap({"q": quality}, (0.1,), draws=1)["q"][0, 0]
    assert ones == judge.curve(quality, 0.1).aoc()
    assert judge.thresholds([0.1, 0.01], np.ones(5)) == [judge.threshold(0.1), judge.threshold(0.01)]
    weights = np.array([2.0, 1, 1, 0, 1])
    curve = judge._curve(judge.order(quality), judge.threshold(0.1), weights)
    assert curve.discard[-1] <= 1
    kept = y != 3
    twice = np.concatenate((np.flatnonzero(kept), np.flatnonzero(y == 0)))
    again = Verifier(x[twice], np.where(np.arange(len(twice)) < 16, y[twice], 9))
    plain = again._curve(again.order(quality[twice]), judge.threshold(0.1), None)
    assert curve.fnmr[0] == pytest.approx(plain.fnmr[0])


def test_good_orders_gain_and_random_ones_do_not() -> None:
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(30), 12)
    noise = rng.uniform(0.1, 2.5, len(y))
    x = rng.normal(size=(30, 32))[y] + noise[:, None] * rng.normal(size=(len(y), 32))
    judge = Verifier(x, y)
    found = judge.bootstrap({"true": -noise, "random": rng.random(len(y))}, (1e-2,), draws=40)
    value, low, high = interval(found["true"][:, 0])
    assert 0.5 < low <= value <= high
    assert abs(interval(found["random"][:, 0])[0]) < 0.1


def test_bad_input() -> None:
    judge = Verifier(np.eye(4) + 0.1, [0, 0, 1, 1])
    with pytest.raises(ShapeError, match=r"quality has the wrong shape: got \[3\], expected \[n\] = \[4\]"):
        judge.curve([1, 2, 3], 0.1)
    with pytest.raises(ShapeError, match=r"quality: got 1 values that are not, expected finite numbers"):
        judge.curve([1, 2, 3, np.nan], 0.1)
    with pytest.raises(UsageError, match=r"FMR: got 1.0"):
        judge.curve([1, 2, 3, 4], 1.0)
    with pytest.raises(UsageError, match=r"bootstrap draws: got 0"):
        judge.bootstrap({}, draws=0)
    with pytest.raises(UsageError, match=r"identity 1 \(and 0 more\): got one image"):
        Verifier(np.eye(3), [0, 0, 1])
