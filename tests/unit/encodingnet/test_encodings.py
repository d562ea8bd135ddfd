"""Multipliers without search: their values, their bits, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

from hwsim.encodingnet import encodings
from hwsim.encodingnet.fit import from_gates, refitted
from hwsim.encodingnet.gatebuilder import AND, XOR, GateBuilder, copy_gates
from hwsim.encodingnet.operands import code_values, gaussian, relu_gaussian, uniform
from hwsim.encodingnet.truth import bit_tables, pack, product_table, unpack
from hwsim.ir.errors import ArtifactError, ShapeError, UsageError
from hwsim.ir.gates import CONST0, CONST1

WIDTHS = [(1, 1), (2, 1), (1, 3), (3, 5), (4, 4), (5, 2)]
SIGNS = [(x, w) for x in (False, True) for w in (False, True)]


@pytest.mark.parametrize(("a", "b"), WIDTHS)
@pytest.mark.parametrize(("x_signed", "w_signed"), SIGNS)
@pytest.mark.parametrize("make", [encodings.exact, encodings.booth])
def test_exact_multipliers_are_exact(make, a, b, x_signed, w_signed):
    e = make(a, b, x_signed=x_signed, w_signed=w_signed)
    np.testing.assert_array_equal(e.table, np.outer(code_values(a, x_signed), code_values(b, w_signed)))


def test_booth_8x8_has_forty_bits_of_power_of_two_weights():
    e = encodings.booth(8, 8)
    assert e.n_bits == 40
    assert {abs(int(s)).bit_count() for s in e.position_weights} == {1}
    assert np.diff(e.gates.offsets).max() == 5
    np.testing.assert_array_equal(product_table(e), e.target)


def test_truncated_booth_of_28_bits_beats_32_bits_of_truncated_partial_products():
    """20 against 122: the widths were computed once and are asserted with 1 % room."""
    errors = []
    for e in (encodings.booth(8, 8, 5, fraction=4), encodings.truncated(8, 8, n_bits=32, fit="weights")):
        errors.append(np.sqrt(((product_table(e) * e.step - e.target) ** 2).mean()))
    assert encodings.booth(8, 8, 5).n_bits == 28
    assert errors[0] < 19.7
    assert errors[1] > 100


def test_a_fitted_bias_makes_the_mean_error_zero():
    p_x, p_w = relu_gaussian(6, 8.0), gaussian(6, 9.0)
    e = encodings.truncated(6, 6, 4, fit="bias", p_x=p_x, p_w=p_w, fraction=10)
    mean = p_x @ (product_table(e) * e.step - e.target) @ p_w
    assert abs(mean) <= 2.0**-11
    plain = encodings.truncated(6, 6, 4, fit="none")
    assert abs(p_x @ (product_table(plain) - plain.target) @ p_w) > 1


def test_fitted_weights_are_no_worse_than_the_powers_of_two():
    errors = [
        ((product_table(e) * e.step - e.target) ** 2).mean()
        for e in (encodings.truncated(5, 5, 3, fit=fit, fraction=16) for fit in ("weights", "bias"))
    ]
    assert errors[0] <= errors[1]


@pytest.mark.parametrize(("a", "b"), [(1, 1), (2, 3), (4, 4), (5, 4)])
@pytest.mark.parametrize(("x_signed", "w_signed"), SIGNS)
def test_any_table_comes_back(a, b, x_signed, w_signed):
    table = np.random.default_rng(a * b).integers(-50, 60, (1 << a, 1 << b))
    e = encodings.from_table(table, a, b, x_signed, w_signed, fraction=3)
    np.testing.assert_array_equal(e.table, table)
    assert e.fraction == 3
    assert e.n_bits <= 7


def test_an_unsigned_8x8_table_comes_back():
    table = np.outer(np.arange(256), np.arange(256)) // 7 * 7
    np.testing.assert_array_equal(product_table(encodings.from_table(table, 8, 8, False, False)), table)


def test_gates_and_least_squares_find_the_exact_product():
    exact = encodings.exact(3, 4)
    e = from_gates(exact.gates, 3, 4, fraction=8)
    assert e.position_weights.tolist() == (exact.position_weights << 8).tolist()
    assert e.bias == 0
    np.testing.assert_array_equal(refitted(e, uniform(3), uniform(4), 0).position_weights, exact.position_weights)


def test_levels_change_the_target():
    levels = np.array([-3.0, -1.0, 0.5, 4.0])
    builder = GateBuilder(4)
    gates = builder.build([builder.gate(AND, 0, 2), builder.gate(XOR, 1, 3), 0, 1, 2, 3])
    e = from_gates(gates, 2, 2, x_levels=levels, w_levels=levels)
    np.testing.assert_array_equal(e.target, np.outer(levels, levels))


def test_refusals():
    with pytest.raises(ArtifactError, match=r"product table: got int64 \[16, 8\], expected integers \[2\^4, 2\^4\]"):
        encodings.from_table(np.zeros((16, 8), np.int64), 4, 4)
    with pytest.raises(ArtifactError, match="product table: got float64"):
        encodings.from_table(np.zeros((16, 16)), 4, 4)
    with pytest.raises(ArtifactError, match="at most 40 bits"):
        encodings.from_table(np.full((4, 4), 1 << 41), 2, 2)
    with pytest.raises(UsageError, match=r"fit: got 'best', expected one of none, bias, weights"):
        encodings.truncated(4, 4, fit="best")
    with pytest.raises(UsageError, match=r"n_bits: got 17, expected 1…16"):
        encodings.truncated(4, 4, n_bits=17)
    with pytest.raises(UsageError, match="column: got 9"):
        encodings.booth(4, 4, 9)
    with pytest.raises(ShapeError, match=r"operand bits: got 11 and 4, expected 1…10"):
        encodings.exact(11, 4)
    with pytest.raises(ArtifactError, match=r"reads missing bits: got 9 inputs, expected 4 \+ 4"):
        from_gates(GateBuilder(9).build([8]), 4, 4)
    with pytest.raises(ShapeError, match=r"distribution of x: got shape \[3\]"):
        encodings.truncated(4, 4, 2, p_x=np.ones(3))
    with pytest.raises(ShapeError, match="sigma: got 0"):
        gaussian(4, 0)
    with pytest.raises(UsageError, match=r"a gate reads a missing signal: got 2, expected -2\.\.1"):
        GateBuilder(2).gate(AND, 0, 2)
    with pytest.raises(UsageError, match="fraction: got 2, expected 8 or more"):
        encodings.with_bias_fitted(from_gates(encodings.exact(2, 2).gates, 2, 2, fraction=8), fraction=2)


def test_gates_fold_and_are_shared():
    g = GateBuilder(8)
    assert g.gate(AND, 0, CONST0) == CONST0
    assert g.gate(0b1110, 0, CONST1) == CONST1
    assert g.gate(XOR, 3, CONST0) == 3
    assert g.gate(0b11001010, 4, 4, 5) == 4
    assert g.gate(0b0010, 1, 0) == g.gate(0b0100, 0, 1)
    with pytest.raises(UsageError, match="gate fan-in: got 7"):
        g.gate(1 << 127, *range(7))


def test_functions_of_many_inputs_split_into_multiplexers():
    rng = np.random.default_rng(3)
    for k in (1, 2, 3, 6, 7, 8, 10):
        table = rng.integers(0, 2, 1 << k).astype(np.uint8)
        g = GateBuilder(k)
        out = g.build([g.function(table, list(range(k)))])
        x = (np.arange(1 << k)[:, None] >> np.arange(k)) & 1
        np.testing.assert_array_equal(out.reference(x)[:, 0], table)


def test_copied_gates_compute_the_same():
    e = encodings.booth(3, 4)
    g = GateBuilder(9)
    gates = g.build(copy_gates(g, e.gates, [2, 1, 0, 5, 6, 7, 8]))
    x = np.random.default_rng(1).integers(0, 2, (40, 9))
    np.testing.assert_array_equal(gates.reference(x), e.gates.reference(x[:, [2, 1, 0, 5, 6, 7, 8]]))


@pytest.mark.parametrize(("a", "b"), [(1, 1), (2, 2), (3, 3), (4, 3), (3, 5)])
def test_packed_truth_tables_equal_the_references(a, b):
    e = encodings.booth(a, b)
    np.testing.assert_array_equal(bit_tables(e), e.bit_tables)
    np.testing.assert_array_equal(product_table(e), e.table)
    rows = np.random.default_rng(5).integers(0, 2, (3, 70)).astype(np.uint8)
    np.testing.assert_array_equal(unpack(pack(rows), 70), rows)
