"""Fixed-point formats against exact rational arithmetic."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwsim.ir.errors import HwsimError
from hwsim.ir.fixed import OVERFLOWS, ROUNDINGS, Fixed, round_shift

formats = st.builds(
    Fixed,
    st.booleans(),
    st.integers(2, 10),
    st.integers(-1, 10),
    st.sampled_from(ROUNDINGS),
    st.sampled_from(OVERFLOWS),
)


def exact_code(value: Fraction, q: Fixed) -> int:
    """The module's two tables, read literally with rationals."""
    x = value * Fraction(2) ** q.fraction
    low = floor(x)
    rest = x - low
    code = {
        "floor": low,
        "zero": low + (x < 0 and rest > 0),
        "half_up": low + (rest >= Fraction(1, 2)),
        "half_even": low + (rest > Fraction(1, 2) or (rest == Fraction(1, 2) and low % 2 == 1)),
    }[q.rounding]
    if q.overflow == "saturate":
        return min(max(code, q.lo), q.hi)
    return (code - q.lo) % (1 << q.width) + q.lo


@given(formats, st.lists(st.integers(-(1 << 24), 1 << 24), min_size=1, max_size=8), st.integers(0, 14))
def test_quantise_equals_rationals(q: Fixed, numerators: list[int], shift: int):
    x = np.array(numerators, np.float64) / (1 << shift)
    assert q.quantise(x).tolist() == [exact_code(Fraction(n, 1 << shift), q) for n in numerators]


@given(formats, formats, st.data())
def test_convert_equals_quantise_of_the_value(source: Fixed, target: Fixed, data):
    codes = np.array(data.draw(st.lists(st.integers(source.lo, source.hi), min_size=1, max_size=8)))
    assert np.array_equal(target.convert(codes, source), target.quantise(source.value(codes)))


@given(formats)
def test_every_code_is_a_fixed_point_of_its_format(q: Fixed):
    codes = np.array([q.lo, q.lo + 1, -1 if q.signed else 0, 0, 1, q.hi - 1, q.hi]).clip(q.lo, q.hi)
    assert np.array_equal(q.quantise(q.value(codes)), codes)


def test_ties_by_hand():
    codes = np.array([-6, -5, -3, -2, -1, 1, 2, 3, 5, 6])  # quarters of 4: ±1.5, ±1.25, ±0.75, ±0.5, ±0.25
    assert round_shift(codes, 2, "floor").tolist() == [-2, -2, -1, -1, -1, 0, 0, 0, 1, 1]
    assert round_shift(codes, 2, "zero").tolist() == [-1, -1, 0, 0, 0, 0, 0, 0, 1, 1]
    assert round_shift(codes, 2, "half_up").tolist() == [-1, -1, -1, 0, 0, 0, 1, 1, 1, 2]
    assert round_shift(codes, 2, "half_even").tolist() == [-2, -1, -1, 0, 0, 0, 0, 1, 1, 2]


def test_half_up_just_below_a_half():
    # floor(x + 1/2) in float64 gives 1 here, since x + 1/2 rounds up to 1
    assert Fixed(True, 4, 0, "half_up").quantise(np.array([0.49999999999999994])).tolist() == [0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Fixed(True, 4, 4, "nearest"), "rounding: got 'nearest'"),
        (lambda: Fixed(True, 4, 4, overflow="clip"), "overflow: got 'clip'"),
        (lambda: Fixed(False, 1, -1), "fixed-point width: got 0"),
        (lambda: Fixed(False, 40, 20), "fixed-point width: got 60"),
        (lambda: Fixed(True, 4, 4).quantise(np.array([np.nan])), "NaN or infinity"),
        (lambda: Fixed(True, 4, 4, overflow="wrap").quantise(np.array([1e30])), "too large to wrap"),
        (lambda: Fixed(True, 2, 40).convert(np.array([1]), Fixed(True, 40, 0)), "conversion width"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(HwsimError, match=message):
        make()
