"""Encodings counted by hand: every number below was written down with pencil, not computed by the code under test."""

from __future__ import annotations

import numpy as np

from hwsim.encodingnet.emulator import KERNELS, gemm, popcounts
from hwsim.encodingnet.encodings import booth, exact, truncated


def test_partial_products_of_two_bits():
    """x = −2 (10), w = −1 (11): x_1·w_0 and x_1·w_1 are set, −2 + 4 = 2. x = 1 (01), w = −2 (10): x_0·w_1, −2."""
    e = exact(2, 2)
    assert e.position_weights.tolist() == [1, -2, -2, 4]  # x_0w_0, x_0w_1, x_1w_0, x_1w_1
    assert e.wide_bits(np.array([-2, 1]), np.array([-1, -2])).tolist() == [[0, 0, 1, 1], [0, 1, 0, 0]]
    assert e.reference(np.array([[-2, -1], [1, -2]])).tolist() == [2, -2]


def test_booth_of_four_bits():
    """5·6 with 6 = 0110: digits d_0 = w_(−1) + w_0 − 2w_1 = −2, d_1 = w_1 + w_2 − 2w_3 = 2, so −2·5 + 4·2·5 = 30.

    Row 0: 2·5 = 10 is 01010 over five bits, complemented 10101, and neg = 1: −16 + 5 + 1 = −10.
    Row 1: 01010 times 4, neg = 0: 40. Set weights: 1 (p_0), 4 (p_2), −16 (p_4) and neg's 1; 4·2 and 4·8.
    """
    e = booth(4, 4)
    bits = e.wide_bits(np.array([5]), np.array([6]))[0]
    assert sorted(e.position_weights[bits == 1].tolist()) == [-16, 1, 1, 4, 8, 32]
    assert e.reference(np.array([[5, 6]])).tolist() == [30]


def test_counts_of_three_products():
    """x = (1, −2, −1), w = (1, 1, −1), patterns 01·01, 10·01, 11·11.

    x_0·w_0 is set in two products, x_0·w_1 in one, x_1·w_0 in two, x_1·w_1 in one.
    Sum: 2·1 − 2·1 − 2·2 + 4·1 = 0 = 1 − 2 + 1.
    """
    x, w = np.array([[1, -2, -1]]), np.array([[1, 1, -1]])
    assert popcounts(x, w, exact(2, 2)).tolist() == [[[2, 1, 2, 1]]]
    for kernel in KERNELS:
        assert gemm(x, w, exact(2, 2), kernel).tolist() == [[0]]


def test_a_dropped_column_and_its_bias():
    """Without x_0·w_0 the error is −1 for the 4 of 16 pairs with both bits set: mean −1/4, bias one quarter."""
    e = truncated(2, 2, 1, fraction=2)
    assert (e.bias, e.position_weights.tolist()) == (1, [-8, -8, 16])
    assert gemm(np.array([[1, 1, 1]]), np.array([[1, 1, -2]]), e).tolist() == [[3 - 8]]
