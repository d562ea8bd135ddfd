"""Every emulation kernel equals the gate netlist: on random encodings against the naive twin, and for all pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numba import njit

from hwsim.encodingnet import emulator as em
from hwsim.encodingnet import encodings
from hwsim.encodingnet.bitforms import bit_forms
from hwsim.encodingnet.factors import factorise, limbs, table_rank
from hwsim.encodingnet.intrinsics import make_dot_tile
from hwsim.encodingnet.truth import bit_tables, product_table
from hwsim.ir.errors import EquivalenceError, ShapeError, UsageError
from hwsim.testing import naive_encoding, strategies_encoding

SETTINGS = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
RNG = np.random.default_rng(11)


@SETTINGS
@given(data=st.data())
def test_every_kernel_equals_the_naive_twin(data):
    e = data.draw(strategies_encoding.encodings())
    x, w = data.draw(strategies_encoding.operands(e, 3, 20))
    want = np.array(naive_encoding.gemm(e, x, w), np.int64).reshape(len(x), len(w))
    for kernel in em.KERNELS:
        np.testing.assert_array_equal(em.gemm(x, w, e, kernel), want)


@SETTINGS
@given(data=st.data())
def test_kernels_agree_on_longer_sums(data):
    e = data.draw(strategies_encoding.encodings())
    x, w = data.draw(strategies_encoding.operands(e))
    x = np.tile(x, (7, 1))
    table, mask = product_table(e), ((1 << e.x_bits) - 1, (1 << e.w_bits) - 1)
    want = table[(x & mask[0])[:, None, :], (w & mask[1])[None, :, :]].sum(axis=2)
    for kernel in (*em.KERNELS, "auto"):
        np.testing.assert_array_equal(em.gemm(x, w, e, kernel, threads=2), want)


@SETTINGS
@given(data=st.data())
def test_popcounts_are_what_the_hardware_counts(data):
    e = data.draw(strategies_encoding.encodings(3))
    x, w = data.draw(strategies_encoding.operands(e, 3, 20))
    counts = em.popcounts(x, w, e)
    want = np.array(naive_encoding.popcounts(e, x, w), np.int64).reshape(len(x), len(w), e.n_bits)
    np.testing.assert_array_equal(counts, want)
    np.testing.assert_array_equal(counts @ e.position_weights + x.shape[1] * e.bias, em.gemm(x, w, e))


MULTIPLIERS = {
    "exact": encodings.exact(8, 8),
    "unsigned": encodings.exact(5, 7, False, False),
    "booth": encodings.booth(8, 8),
    "mixed": encodings.booth(4, 10, 3, False, True),
    "truncated": encodings.truncated(8, 8, 5),
    "fitted": encodings.truncated(8, 8, n_bits=40, fit="weights"),
    "table": encodings.from_table(RNG.integers(-999, 999, (64, 32)), 6, 5),
}


@pytest.mark.parametrize("name", MULTIPLIERS)
@pytest.mark.parametrize("kernel", em.KERNELS)
def test_all_pairs(name, kernel):
    plan = em.emulator(MULTIPLIERS[name], kernel)
    if np.isfinite(plan.cost):
        em.verify(MULTIPLIERS[name], kernel)


@pytest.mark.parametrize("name", MULTIPLIERS)
def test_long_sums_of_extreme_codes_do_not_overflow(name):
    """2 500 products of the largest magnitude, T above and below the size of the table."""
    e = MULTIPLIERS[name]
    (x_lo, x_hi), (w_lo, w_hi) = e.x_range, e.w_range
    x, w = np.full((300, 2500), x_lo), np.full((3, 2500), w_lo)
    x[1], w[1] = x_hi, w_hi
    table = product_table(e)
    want = 2500 * table[(x[:, 0] & ((1 << e.x_bits) - 1))[:, None], (w[:, 0] & ((1 << e.w_bits) - 1))[None, :]]
    for kernel in em.KERNELS:
        plan = em.emulator(e, kernel)
        if plan.cost < 60:
            prepared = plan.prepare_weights(w)
            np.testing.assert_array_equal(plan(x, prepared), want)
            np.testing.assert_array_equal(plan(x[:5], prepared), want[:5])


def test_auto_takes_the_cheapest():
    kernels = {name: em.emulator(e).kernel for name, e in MULTIPLIERS.items()}
    assert kernels["exact"] == kernels["booth"] == "lowrank"
    assert kernels["fitted"] == "popcount"


def test_ranks():
    assert table_rank(product_table(MULTIPLIERS["booth"])) == 1
    assert table_rank(product_table(MULTIPLIERS["truncated"])) <= 7
    assert table_rank(RNG.integers(0, 9, (64, 64)), 20) is None
    for r in (0, 1, 3, 6):
        table = RNG.integers(-9, 9, (32, r)) @ RNG.integers(-9, 9, (r, 64))
        assert table_rank(table) == np.linalg.matrix_rank(table)
        table = table - table[:1] - table[:, :1] + table[0, 0]
        table[1 : r + 1, 1 : r + 1] += 100 * np.eye(r, dtype=int)
        if (factors := factorise(table)) is not None:
            rebuilt = factors.u.T @ factors.v + factors.x_part[:, None] + factors.w_part
            np.testing.assert_array_equal(rebuilt, table)


def test_a_table_without_unit_pivots_is_factorised():
    """Columns 6, 10, 15 and their like have no entry that divides the others: Bézout's combination is needed."""
    table = np.outer([0, 6, 10, 15], [0, 6, 10, 15]) + np.outer([0, 35, 21, 15], [0, 14, 22, 77])
    factors = factorise(table)
    assert factors.rank == 2


@given(st.lists(st.integers(-(2**50), 2**50), min_size=1, max_size=9), st.integers(1 << 10, (1 << 15) - 1))
def test_limbs_add_up(values, reach):
    parts = limbs(np.array(values), reach)
    assert sum(scale * digit.astype(object) for scale, digit in parts).tolist() == values
    assert max(np.abs(digit.astype(int)).max() for _, digit in parts) <= reach


@pytest.mark.parametrize("name", MULTIPLIERS)
def test_bit_forms_rebuild_the_bits(name):
    bits = bit_tables(MULTIPLIERS[name])
    forms = bit_forms(bits)
    for k, table in enumerate(bits.astype(np.int64)):
        rebuilt = forms.x_part[k][:, None] + forms.w_part[k][None, :]
        if forms.core_of[k] >= 0:
            core = np.zeros_like(table)
            for f, g in forms.cores[forms.core_of[k]]:
                core ^= np.outer(forms.x_features[f], forms.w_features[g])
            rebuilt = rebuilt + forms.core_coefficient[k] * core
        np.testing.assert_array_equal(rebuilt, table)
    if name == "booth":
        assert max(len(core) for core in forms.cores) == 3
    if name == "exact":
        assert forms.n_terms == 64


def test_dot_products_without_special_instructions():
    tile = make_dot_tile(0)

    @njit
    def run(a, b, out):
        tile(a.ctypes.data, a.shape[1], b.ctypes.data, b.shape[1], a.shape[1], out.ctypes.data)

    a, b = RNG.integers(-(2**15), 2**15, (2, 4, 64)).astype(np.int16)
    out = np.zeros(16, np.int32)
    run(a // 8, b // 8, out)
    np.testing.assert_array_equal(out.reshape(4, 4), (a // 8).astype(np.int64) @ (b // 8).astype(np.int64).T)


def test_refusals():
    e = MULTIPLIERS["exact"]
    plan = em.emulator(e, "table")
    prepared = plan.prepare_weights(np.zeros((2, 3), np.int8))
    with pytest.raises(UsageError, match=r"emulation kernel: got 'fpga', expected auto, lowrank, popcount, table"):
        em.emulator(e, "fpga")
    with pytest.raises(UsageError, match="weights prepared for: got table, expected popcount"):
        em.emulator(e, "popcount")(np.zeros((1, 3), int), prepared)
    with pytest.raises(ShapeError, match=r"x has the wrong shape: got \[1, 4\], expected \[T, K\] = \[any, 3\]"):
        plan(np.zeros((1, 4), int), prepared)
    with pytest.raises(ShapeError, match=r"x code out of range: got 128…128, expected -128…127"):
        plan(np.full((1, 3), 128), prepared)
    with pytest.raises(ShapeError, match="w codes dtype: got float64"):
        plan.prepare_weights(np.zeros((2, 3)))
    random = encodings.from_table(RNG.integers(0, 99, (64, 64)), 6, 6)
    with pytest.raises(UsageError, match="rank of the product table: got above 32"):
        em.gemm(np.zeros((1, 1), int), np.zeros((1, 1), int), random, "lowrank")


def test_a_wrong_kernel_is_found(monkeypatch):
    monkeypatch.setattr(em.TableEmulator, "_run", lambda self, codes, prepared, out: None)
    with pytest.raises(EquivalenceError, match=r"product of 0 and 0 by kernel table"):
        em.verify(MULTIPLIERS["exact"], "table")
