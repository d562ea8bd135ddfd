"""Votes behind one-bit L-LUTs: their counters are part of area and depth."""

import numpy as np
import pytest

from benches.neuralut.area import mapped
from hwsim.ir.errors import UsageError
from hwsim.ir.lut import LutLayer, LutNetwork, SumLayer


def network(votes, bias=0):
    """Two classes of `votes` AND6 tables over inputs of their own, and their sums."""
    n = 2 * votes
    tables = LutLayer(
        np.arange(6 * n, dtype=np.int32).reshape(n, 6), np.tile(np.arange(64) == 63, (n, 1)).astype(np.uint8), 1, 1
    )
    offsets = np.array([0, votes, n], np.int32)
    sums = SumLayer(offsets, np.arange(n, dtype=np.int32), np.full(2, bias, np.int32), -votes, 0, 1)
    return LutNetwork(6 * n, 1, (tables, sums))


def test_counters_are_counted_with_the_tables():
    area = mapped(network(6))
    assert (area.lut6, area.levels) == (12 + 2 * 3, 1 + 1)  # six votes: three functions of six bits, one level


def test_sums_that_count_no_votes_are_an_error():
    with pytest.raises(UsageError, match=r"sums behind the L-LUTs.*bias \[1, 1\].*one-bit votes"):
        mapped(network(6, bias=1))
