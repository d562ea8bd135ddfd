"""Counting ones with LUT6: every input up to 14 bits, hand-counted small cases, random bits of wide counters."""

import numpy as np
import pytest

from hwsim.ir.errors import UsageError
from rtl.synth.counters import count_ones


def counted(netlist, bits):
    return netlist.reference(bits) @ (1 << np.arange(netlist.n_outputs))


@pytest.mark.parametrize("width", range(1, 15))
def test_counts_every_input(width):
    netlist = count_ones(width)
    bits = (np.arange(1 << width)[:, None] >> np.arange(width)) & 1
    assert netlist.n_outputs == width.bit_length()
    assert np.array_equal(counted(netlist, bits), bits.sum(1))


@pytest.mark.parametrize("width", [31, 32, 60, 100, 127])
def test_counts_wide_inputs(width):
    rng = np.random.default_rng(width)
    few_to_many = (rng.random((500, width)) < np.linspace(0, 1, 500)[:, None]).astype(int)
    ends = np.array([[0] * width, [1] * width])
    bits = np.concatenate([few_to_many, ends, np.tri(width, dtype=int)])
    assert np.array_equal(counted(count_ones(width), bits), bits.sum(1))


@pytest.mark.parametrize(
    ("width", "luts", "levels"),
    [
        (1, 0, 0),  # a wire
        (3, 2, 1),  # a full adder: sum and carry
        (6, 3, 1),  # three functions of six bits
        (12, 10, 2),  # 2·3 LUTs to three columns of two bits, which together are four functions of six bits
    ],
)
def test_cost_of_hand_counted_cases(width, luts, levels):
    netlist = count_ones(width)
    assert (netlist.n_nodes, netlist.depth) == (luts, levels)


def test_cost_is_about_one_lut_a_bit():
    assert all(count_ones(width).n_nodes <= 1.2 * width for width in range(6, 130))


def test_nothing_to_count_is_an_error():
    with pytest.raises(UsageError, match=r"bits to count.*0.*1 or more"):
        count_ones(0)
