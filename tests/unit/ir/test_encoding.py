"""`encoding`: its rules, each by its message, and everything that an IR kind must do."""

from __future__ import annotations

import numpy as np
import pytest

from hwsim.encodingnet.gatebuilder import AND, GateBuilder
from hwsim.ir.encoding import Encoding, signed_digits
from hwsim.ir.errors import ShapeError
from hwsim.testing import naive_encoding
from hwsim.testing.conformance import ArtifactConformance
from hwsim.testing.strategies import generators
from hwsim.testing.strategies_encoding import encodings

I64 = np.int64


def _two_by_two() -> Encoding:
    g = GateBuilder(4)
    gates = g.build([g.gate(AND, i, 2 + j) for i in range(2) for j in range(2)])
    return Encoding(gates, 2, 2, np.array([1, -2, -2, 4]))


SMALL = _two_by_two()


class TestEncoding(ArtifactConformance):
    artifacts = encodings()

    def inputs(self, draw, artifact):
        rng = draw(generators())
        (x_lo, x_hi), (w_lo, w_hi) = artifact.x_range, artifact.w_range
        return np.stack([rng.integers(x_lo, x_hi + 1, 5), rng.integers(w_lo, w_hi + 1, 5)], axis=1)

    def naive(self, artifact, sample):
        return naive_encoding.product(artifact, sample)

    def broken(self):
        for changes, message in [
            ({"x_bits": 11}, r"encoding operands: got 11 and 2 bits, expected 1…10"),
            ({"x_bits": 3}, r"encoding\.gates reads missing bits: got 4 inputs, expected 3 \+ 2 operand bits"),
            (
                {"position_weights": np.array([1, 2, 3])},
                r"encoding\.position_weights: got int64 \(3,\), expected int64",
            ),
            ({"position_weights": np.ones(4)}, r"encoding\.position_weights: got float64"),
            ({"position_weights": np.array([1, 2, 3, 1 << 41])}, r"weights outside their width: got \|weight\|"),
            ({"bias": -(1 << 41)}, r"weights outside their width"),
            ({"fraction": 33}, r"weights outside their width: .*fraction 33"),
            ({"x_levels": np.zeros(3)}, r"encoding\.x_levels: got float64 \(3,\), expected float64 \[4\]"),
            ({"w_levels": np.array([0, 1, np.nan, 2])}, r"encoding\.w_levels: got NaN or infinity"),
        ]:
            yield SMALL, changes, message


def test_the_exact_two_bit_product():
    codes = np.arange(-2, 2)
    np.testing.assert_array_equal(SMALL.table, np.outer(codes, codes)[np.ix_([2, 3, 0, 1], [2, 3, 0, 1])])
    np.testing.assert_array_equal(SMALL.table, SMALL.target)
    assert SMALL.cost().values == {"wide_bits": 4, "gates": 4, "signed_digits": 4}
    assert SMALL.step == 1


def test_codes_outside_the_operand_range_are_refused():
    with pytest.raises(ShapeError, match=r"x code out of range: got 2…2, expected -2…1"):
        SMALL.reference(np.array([[2, 0]]))
    with pytest.raises(ShapeError, match=r"w codes dtype: got float64"):
        SMALL.check_codes(np.zeros(2), "w")


def test_other_weights_keep_the_gates():
    e = SMALL.with_weights(np.array([4, 3, 2, 1]), 7, 2, run="fit")
    assert (e.gates, e.bias, e.fraction, e.step, e.meta) == (SMALL.gates, 7, 2, 0.25, {"run": "fit"})


def test_signed_digits_of_small_numbers_by_search():
    """The fewest terms ±2^i that add up, by trying sums of up to three of them."""
    powers = [0] + [s << i for i in range(7) for s in (1, -1)]
    for value in range(-40, 41):
        best = min(sum(p != 0 for p in (a, b, c)) for a in powers for b in powers for c in powers if a + b + c == value)
        assert signed_digits(value) == best
