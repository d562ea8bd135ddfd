"""Random-step functions: published values, full periods, and scalars = arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwsim.ir.errors import HwsimError
from hwsim.ir.rng import MAXIMAL_TAPS, Lfsr, Xorshift, check_seed, sequence

generators = st.one_of(
    st.builds(Lfsr, st.sampled_from(sorted(MAXIMAL_TAPS)), form=st.sampled_from(["fibonacci", "galois"])),
    st.builds(Xorshift, st.sampled_from([32, 64])),
)


def test_lfsr_counted_by_hand():
    # x^3 + x^2 + 1 from 001: feedback is bit 2 xor bit 1
    assert sequence(Lfsr(3), 1, 7).tolist() == [2, 5, 3, 7, 6, 4, 1]
    # Galois: 001 -> feedback word 110 -> 011 -> 001 ^ 110 = 111 …
    assert sequence(Lfsr(3, form="galois"), 1, 7).tolist() == [6, 3, 7, 5, 4, 2, 1]


def test_xorshift_known_values():
    # seed 2463534242 and its first outputs: Marsaglia 2003, section 3 (32 bits); 64 bits from seed 1 by the triple
    assert sequence(Xorshift(32), 2463534242, 2).tolist() == [723471715, 2497366906]
    assert sequence(Xorshift(64), 1, 2).tolist() == [1082269761, 1152992998833853505]


@pytest.mark.parametrize("form", ["fibonacci", "galois"])
@pytest.mark.parametrize("width", [w for w in MAXIMAL_TAPS if w <= 16])
def test_listed_taps_have_full_period(width: int, form: str):
    # array stepping: all states at once must map one to one, and one orbit must hold them all
    generator = Lfsr(width, form=form)
    every = np.arange(1, 1 << width, dtype=np.uint32)
    assert np.array_equal(np.sort(generator.step(every)), every)
    state, steps = generator.step(1), 1
    while state != 1:
        state, steps = generator.step(state), steps + 1
    assert steps == (1 << width) - 1


@given(generators, st.data())
def test_int_scalar_and_array_agree(generator, data):
    seeds = data.draw(st.lists(st.integers(1, (1 << generator.width) - 1), min_size=1, max_size=5))
    array = np.array(seeds, np.uint64)
    states = list(seeds)
    for _ in range(4):
        array, states = generator.step(array), [generator.step(s) for s in states]
        scalars = [generator.step(np.uint64(s)) for s in seeds]
        assert all(isinstance(s, np.uint64) for s in scalars)
    assert array.dtype == np.uint64
    assert array.tolist() == states
    assert all(0 < s < 1 << generator.width for s in states)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Lfsr(1), "LFSR width: got 1"),
        (lambda: Lfsr(40), "LFSR without taps: got width 40"),
        (lambda: Lfsr(8, (5, 3)), "8 among them"),
        (lambda: Lfsr(8, (8, 8)), "distinct stages"),
        (lambda: Lfsr(8, form="ring"), "LFSR form"),
        (lambda: Xorshift(16), "xorshift width"),
        (lambda: Xorshift(32, (1, 2, 32)), "three in 1..31"),
        (lambda: check_seed(Lfsr(8), 0), "Zero is a fixed point"),
        (lambda: check_seed(Lfsr(8), 256), "1..255"),
        (lambda: Lfsr(16).step(np.zeros(3, np.uint8)), "at least 16 bits"),
        (lambda: Xorshift(32).step(np.zeros(3, np.int64)), "unsigned dtype"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(HwsimError, match=message):
        make()
