"""Constellations: Gray bits, levels and spins translate into one another as QuAMax says."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwsim.ir.errors import ShapeError, UsageError
from hwsim.testing.naive_mimo import quamax_gray
from hwsim.xresq.modulation import (
    MODULATIONS,
    bit_errors,
    bits_of_levels,
    levels_of_bits,
    levels_of_spins,
    modulation,
    slice_levels,
    spins_of_levels,
    to_complex,
    to_real,
)

NAMES = list(MODULATIONS)


@given(st.sampled_from(NAMES), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_bits_levels_and_spins_make_the_round_trip(name, users, seed):
    mod = modulation(name)
    bits = np.random.default_rng(seed).integers(0, 2, (3, users * mod.bits_per_symbol), dtype=np.uint8)
    x = levels_of_bits(mod, bits)
    assert x.shape == (3, mod.dimensions(users))
    assert np.array_equal(bits_of_levels(mod, x), bits)
    assert np.array_equal(levels_of_spins(mod, spins_of_levels(mod, x)), x)
    assert np.array_equal(to_real(mod, to_complex(mod, x)), x)


@pytest.mark.parametrize("name", NAMES)
def test_neighbouring_levels_differ_in_one_bit(name):
    mod = modulation(name)
    axis = np.zeros((mod.levels, mod.axes), np.int64) + mod.points[0]
    axis[:, 0] = mod.points
    bits = bits_of_levels(mod, axis)
    assert (bit_errors(bits[1:], bits[:-1]) == 1).all()


@pytest.mark.parametrize("name", [n for n in NAMES if n != "bpsk"])
def test_quamax_two_step_translation_is_gray_coding_by_axis(name):
    mod = modulation(name)
    k = mod.bits_per_axis
    for word in itertools.product((0, 1), repeat=2 * k):
        # solver bits of one user: in-phase then quadrature, naturally coded; spin (k, axis) at 2k + axis
        spins = np.array([2 * word[axis * k + b] - 1 for b in range(k) for axis in range(2)])
        ours = bits_of_levels(mod, levels_of_spins(mod, spins)).tolist()
        assert quamax_gray(word, k) == ours


@pytest.mark.parametrize(("name", "energy", "spins"), [("bpsk", 1, 1), ("qpsk", 2, 2), ("16qam", 10, 4),
                                                       ("64qam", 42, 6), ("256qam", 170, 8)])  # fmt: skip
def test_symbol_energy_and_spins_a_user(name, energy, spins):
    mod = modulation(name)
    assert mod.symbol_energy == energy
    assert mod.spins(1) == spins


def test_the_slicer_takes_the_nearest_level():
    mod = modulation("16qam")
    assert slice_levels(mod, np.array([-9.0, -2.1, -1.9, -0.1, 0.1, 1.9, 2.1, 9.0])).tolist() == [
        -3, -3, -1, -1, 1, 1, 3, 3,
    ]  # fmt: skip


def test_names_and_sizes_are_looked_up():
    assert modulation("64-QAM") is modulation(64) is modulation(modulation("64qam"))


@pytest.mark.parametrize("wrong", ["8psk", "32qam", 32, 8, ""])
def test_a_constellation_that_is_not_square_is_refused(wrong):
    with pytest.raises(UsageError, match=r"modulation: got .* expected one of bpsk, qpsk.*square"):
        modulation(wrong)


def test_values_of_another_kind_are_refused():
    mod = modulation("16qam")
    with pytest.raises(ShapeError, match=r"levels: got other values, expected odd integers in ±3"):
        bits_of_levels(mod, np.array([2, 1]))
    with pytest.raises(ShapeError, match=r"levels.*Slice"):
        spins_of_levels(mod, np.array([5, 1]))
    with pytest.raises(ShapeError, match=r"bits: got 3 a vector, expected a multiple of 4"):
        levels_of_bits(mod, np.array([0, 1, 1]))
    with pytest.raises(ShapeError, match=r"bits: got other values, expected 0 and 1"):
        levels_of_bits(mod, np.array([0, 1, 1, -1]))
    with pytest.raises(ShapeError, match=r"spins: got 3 a state, expected a multiple of 2"):
        levels_of_spins(mod, np.array([1, 1, 1]))
    with pytest.raises(ShapeError, match=r"spins: got other values"):
        levels_of_spins(mod, np.array([0, 1]))
    with pytest.raises(ShapeError, match="decided bits has the wrong shape"):
        bit_errors(np.zeros((2, 4)), np.zeros((2, 8)))
