"""Compressor trees: sums for any weights, adder counts, heights, refusals."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.ir.compressor import FULL, HALF, HALF_ONE, ONE, signed_digit_list, tree
from hwsim.ir.errors import UsageError


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    weights=st.lists(st.integers(-300, 300), max_size=40),
    constant=st.integers(-5000, 5000),
    width=st.integers(1, 24),
    scheme=st.sampled_from(("dadda", "wallace", "counter")),
    single=st.booleans(),
    seed=st.integers(0, 99),
)
def test_sums_of_any_weighted_bits(weights, constant, width, scheme, single, seed):
    t = tree(weights, constant, width, scheme=scheme, single_row=single)
    bits = np.random.default_rng(seed).integers(0, 2, (16, len(weights)))
    want = (bits @ np.array(weights, np.int64).reshape(-1) + constant) % (1 << width)
    assert t.reference(bits).tolist() == want.tolist()
    if single or scheme == "counter":
        assert (t.rows[1] == -1).all()


def test_adder_counts():
    # N bits to W result bits: N − W full adders in a counter whose size is a power of two less one
    counter = tree([1] * 63, 0, 6, scheme="counter")
    assert [counter.count(kind) for kind in (HALF, FULL, HALF_ONE, ONE)] == [0, 57, 0, 0]
    # Dadda's 8×8 multiplier: 35 full and 7 half adders before the last carry-propagate adder
    dadda = tree([1 << (i + j) for i in range(8) for j in range(8)], 0, 16)
    assert [dadda.count(kind) for kind in (HALF, FULL)] == [7, 35]


def test_signed_digits_are_canonical():
    for value in range(-300, 300):
        digits = signed_digit_list(value)
        assert sum(sign << p for p, sign in digits) == value
        assert all(b - a > 1 for (a, _), (b, _) in pairwise(digits))


def test_negative_weights_take_no_sign_extension():
    t = tree([-16384] * 3, 0, 22)
    assert t.n_bits == 3
    assert t.reference(np.array([[1, 1, 1]])).tolist() == [(1 << 22) - 3 * 16384]


@pytest.mark.parametrize(("width", "scheme"), [(0, "dadda"), (63, "dadda"), (8, "booth")])
def test_refusals(width, scheme):
    with pytest.raises(UsageError, match=r"compressor: got width .*expected 1…62"):
        tree([1], 0, width, scheme=scheme)
