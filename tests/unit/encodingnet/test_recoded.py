"""Recoded multipliers: exact where nothing is dropped, constants of the weight apart, the best constants otherwise."""

from __future__ import annotations

import numpy as np
import pytest

from hwsim.encodingnet.accuracy import product_error
from hwsim.encodingnet.encodings import booth, exact, truncated
from hwsim.encodingnet.operands import code_values, gaussian, relu_gaussian
from hwsim.encodingnet.recoded import recoded, with_stationary_fit
from hwsim.ir.errors import ShapeError, UsageError

WIDTHS = [(1, 1), (2, 1), (1, 3), (3, 5), (4, 4), (5, 2), (3, 6)]
SIGNS = [(x, w) for x in (False, True) for w in (False, True)]


@pytest.mark.parametrize(("a", "b"), WIDTHS)
@pytest.mark.parametrize(("x_signed", "w_signed"), SIGNS)
def test_a_recoded_multiplier_is_exact(a, b, x_signed, w_signed):
    e = recoded(a, b, 0, x_signed, w_signed)
    np.testing.assert_array_equal(e.table, np.outer(code_values(a, x_signed), code_values(b, w_signed)))


def test_signed_8x8_moves_36_bits_of_power_of_two_weights():
    e = recoded(8, 8)
    assert int((~e.stationary).sum()) == 36
    assert all(abs(int(s)).bit_count() == 1 for s in e.position_weights)


def test_stationary_bits_are_those_that_no_activation_changes():
    for e in (recoded(4, 4, 2, fit="stationary"), booth(4, 4), exact(3, 3)):
        constant = (e.bit_tables == e.bit_tables[:, :1, :]).all(axis=(1, 2))
        np.testing.assert_array_equal(e.stationary, constant)


def test_stationary_sums_are_what_the_other_bits_leave_of_the_product():
    e = recoded(4, 4, 3, fit="stationary", fraction=2)
    w = np.arange(-8, 8)
    moving = np.einsum("k,kxw->xw", e.position_weights[~e.stationary], e.bit_tables[~e.stationary].astype(np.int64))
    for x in range(16):
        np.testing.assert_array_equal(e.table[x, w & 15] - moving[x, w & 15], e.stationary_sums(w))


def test_fitted_constants_are_the_mean_of_what_was_dropped():
    """The best c(w) is E[x·w − moving part | w]; gates of w alone span it, so only rounding to 2^−8 is left."""
    px, pw = relu_gaussian(6, 8), gaussian(6, 7)
    e = recoded(6, 6, 4, fit="stationary", p_x=px, p_w=pw, fraction=8)
    bias_by_weight = px @ (e.table * e.step - e.target)
    assert np.abs(bias_by_weight).max() < 24 * 2.0**-9


def test_fitted_constants_help_truncation_too():
    px, pw = relu_gaussian(8, 40), gaussian(8, 32)
    plain = truncated(8, 8, 6, p_x=px, p_w=pw)
    fitted = with_stationary_fit(plain, px, pw)
    assert int((~fitted.stationary).sum()) == plain.n_bits == 43
    assert product_error(fitted, px, pw).rmse < 0.96 * product_error(plain, px, pw).rmse
    assert abs(product_error(fitted, px, pw).mean) < 0.51


def test_twenty_recoded_bits_are_as_good_as_forty_three_partial_products():
    px, pw = relu_gaussian(8, 40), gaussian(8, 32)
    ours = recoded(8, 8, 7, fit="stationary", p_x=px, p_w=pw)
    rival = with_stationary_fit(truncated(8, 8, 6), px, pw)
    assert int((~ours.stationary).sum()) == 20
    assert product_error(ours, px, pw).rmse < 1.1 * product_error(rival, px, pw).rmse


def test_bad_arguments():
    with pytest.raises(ShapeError, match=r"operand bits: got 11 and 8, expected 1…10 each"):
        recoded(11, 8)
    with pytest.raises(UsageError, match=r"fit: got 'best', expected one of none, stationary"):
        recoded(4, 4, fit="best")
    with pytest.raises(UsageError, match=r"column: got 30, expected a column below the heaviest bit"):
        recoded(4, 4, 30)
    with pytest.raises(UsageError, match=r"fraction: got 0, expected 4 or more"):
        with_stationary_fit(truncated(4, 4, 2, fraction=4), fraction=0)
