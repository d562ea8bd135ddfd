"""The torch face of encoded products: values equal to the unit's table, gradients as stated, nothing silently wrong."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from hwsim.encodingnet.encodings import booth, exact, from_table, truncated
from hwsim.ir.errors import UsageError
from hwsim.testing.strategies import generators
from hwsim.testing.strategies_mac import small_encodings
from ml.common.encoded_ops import (
    SPAN,
    Unit,
    encoded_conv2d,
    encoded_linear,
    encoded_matmul,
    exact_gemm,
    float_gemm,
    slopes,
)

UNITS = {
    "exact": exact(8, 8),
    "truncated": truncated(8, 8, n_bits=40, fit="weights", fraction=4),
    "booth": booth(8, 8, 4),
    "table": from_table(np.random.default_rng(0).integers(-500, 500, (16, 8)), 4, 3),
    "unsigned": truncated(4, 5, 2, x_signed=False),
}


def codes(encoding, rng, x_shape, w_shape):
    x = rng.integers(encoding.x_range[0], encoding.x_range[1] + 1, x_shape)
    w = rng.integers(encoding.w_range[0], encoding.w_range[1] + 1, w_shape)
    return x, w


def looked_up(encoding, x, w):
    """Σ_k T(x[t, k], w[n, k]) by the table."""
    rows, columns = encoding.check_codes(x, "x"), encoding.check_codes(w, "w")
    return encoding.table[rows[:, None, :], columns[None, :, :]].sum(-1)


@settings(max_examples=30, deadline=None)
@given(encoding=small_encodings(), rng=generators())
def test_any_unit_is_exact_in_integers_and_close_in_training(encoding, rng):
    x, w = codes(encoding, rng, (5, 7), (3, 7))
    unit, want = Unit(encoding), looked_up(encoding, x, w)
    assert exact_gemm(torch.from_numpy(x), torch.from_numpy(w), unit).tolist() == want.tolist()
    got = encoded_linear(torch.from_numpy(x).float(), torch.from_numpy(w).float(), unit)
    np.testing.assert_allclose(got.numpy(), want * encoding.step, rtol=1e-5, atol=1e-3 * encoding.step * 200)


@pytest.mark.parametrize("name", UNITS)
def test_sums_equal_the_table(name):
    encoding = UNITS[name]
    x, w = codes(encoding, np.random.default_rng(1), (9, 40), (6, 40))
    want = looked_up(encoding, x, w)
    unit = Unit(encoding)
    assert exact_gemm(torch.from_numpy(x), torch.from_numpy(w), unit).tolist() == want.tolist()
    assert float_gemm(torch.from_numpy(x), torch.from_numpy(w), unit).tolist() == want.tolist()  # what a GPU runs
    a, b = torch.from_numpy(x).float(), torch.from_numpy(w).float()
    largest = np.abs(encoding.table).max() * encoding.step * 40
    for got in (encoded_linear(a, b, unit), encoded_matmul(a, b, unit)):
        assert np.abs(got.numpy() - want * encoding.step).max() < 1e-6 * largest


@pytest.mark.parametrize("groups", [1, 2])
def test_convolution_pads_with_the_product_of_code_zero(groups):
    encoding, rng = UNITS["truncated"], np.random.default_rng(2)
    x, w = codes(encoding, rng, (2, 4, 5, 6), (4, 4 // groups, 3, 2))
    unit = Unit(encoding)
    got = encoded_conv2d(torch.from_numpy(x).float(), torch.from_numpy(w).float(), unit, (1, 2), (1, 0), groups)
    padded = np.pad(x, [(0, 0), (0, 0), (1, 1), (0, 0)])
    want = np.zeros(got.shape)
    for b, n, i, j in np.ndindex(*want.shape):
        first = n // (4 // groups) * (4 // groups)
        window = padded[b, first : first + 4 // groups, i : i + 3, 2 * j : 2 * j + 2]
        pairs = np.stack([window.ravel(), w[n].ravel()], 1)
        want[b, n, i, j] = encoding.reference(pairs).sum() * encoding.step
    np.testing.assert_allclose(got.numpy(), want, rtol=1e-5, atol=0.5)


def test_exact_sums_are_integers_with_the_same_gradients():
    encoding, rng = UNITS["truncated"], np.random.default_rng(6)
    x, w = (torch.from_numpy(v).double() for v in codes(encoding, rng, (3, 4, 6, 5), (6, 2, 3, 3)))
    unit, found = Unit(encoding), []
    for exact_sums in (True, False):
        a, b = x.clone().requires_grad_(), w.clone().requires_grad_()
        y = encoded_conv2d(a, b, unit, (2, 1), 1, 2, exact=exact_sums)
        y.sum().backward()
        found.append((y.detach(), a.grad, b.grad))
    units = found[0][0].numpy() / encoding.step
    assert (units == np.rint(units)).all()
    torch.testing.assert_close(found[0][0], found[1][0], rtol=1e-5, atol=0.1)
    torch.testing.assert_close(found[0][1:], found[1][1:])
    for layer, message in (({"s": torch.ones(41)}, "trained position"), ({"gradient": "difference"}, "'difference'")):
        with pytest.raises(UsageError, match=rf"exact sums with: got .*{message}"):
            encoded_conv2d(x, w, unit, groups=2, exact=True, **layer)


def test_straight_through_gradients_are_those_of_the_exact_product():
    rng = np.random.default_rng(3)
    x, w = (torch.from_numpy(v).float() for v in codes(UNITS["truncated"], rng, (6, 2, 5, 5), (3, 2, 3, 3)))
    unit, up = Unit(UNITS["truncated"]), torch.from_numpy(rng.normal(size=(6, 3, 5, 5))).float()
    grads = []
    for sums in (
        lambda a, b: encoded_conv2d(a, b, unit, padding=1),
        lambda a, b: torch.nn.functional.conv2d(a, b, padding=1),
    ):
        a, b = x.clone().requires_grad_(), w.clone().requires_grad_()
        (sums(a, b) * up).sum().backward()
        grads.append((a.grad, b.grad))
    torch.testing.assert_close(grads[0], grads[1])


def test_difference_gradients_are_those_of_the_table():
    encoding = UNITS["truncated"]
    x, w = codes(encoding, np.random.default_rng(4), (5, 6), (3, 6))
    x, w = np.clip(x, -100, 100), np.clip(w, -100, 100)
    a, b = torch.tensor(x).float().requires_grad_(), torch.tensor(w).float().requires_grad_()
    encoded_linear(a, b, Unit(encoding), gradient="difference").sum().backward()

    def product(x, w):
        return encoding.reference(np.stack([x.ravel(), w.ravel()], 1)).reshape(x.shape) * encoding.step

    pairs = np.broadcast_arrays(x[:, None], w[None])
    dx = (product(pairs[0] + SPAN, pairs[1]) - product(pairs[0] - SPAN, pairs[1])) / (2 * SPAN)
    dw = (product(pairs[0], pairs[1] + SPAN) - product(pairs[0], pairs[1] - SPAN)) / (2 * SPAN)
    np.testing.assert_allclose(a.grad.numpy(), dx.sum(1), atol=0.01)
    np.testing.assert_allclose(b.grad.numpy(), dw.sum(0), atol=0.01)


def test_slopes_of_an_exact_product_are_the_other_factor():
    unit = Unit(exact(4, 4))
    f, g = unit.fixed_factors
    np.testing.assert_allclose((slopes(f, True) @ g.T).numpy()[:, 3], 3.0, atol=1e-4)


def test_position_gradient_is_the_sum_over_all_products():
    encoding, rng = UNITS["truncated"], np.random.default_rng(5)
    x, w = codes(encoding, rng, (1, 2, 4, 4), (3, 2, 3, 3))
    unit, up = Unit(encoding), rng.normal(size=(1, 3, 2, 2))
    s = torch.from_numpy(np.append(encoding.position_weights, encoding.bias) * encoding.step).float().requires_grad_()
    sums = encoded_conv2d(torch.from_numpy(x).float(), torch.from_numpy(w).float(), unit, s=s)
    (sums * torch.from_numpy(up).float()).sum().backward()
    want = np.zeros(encoding.n_bits + 1)
    for n, i, j in np.ndindex(3, 2, 2):
        bits = encoding.wide_bits(x[0, :, i : i + 3, j : j + 3].ravel(), w[n].ravel()).astype(float)
        want[:-1] += up[0, n, i, j] * bits.sum(0)
        want[-1] += up[0, n, i, j] * len(bits)
    np.testing.assert_allclose(s.grad.numpy(), want, rtol=1e-4, atol=1e-3)
    plain = encoded_conv2d(torch.from_numpy(x).float(), torch.from_numpy(w).float(), unit)
    torch.testing.assert_close(sums.detach(), plain, rtol=1e-4, atol=0.1)


def test_low_rank_is_low():
    assert [Unit(UNITS[name]).rank for name in ("exact", "unsigned")] == [1, 4]
    assert Unit(UNITS["truncated"]).rank <= 9


def test_unknown_gradients_are_named():
    x = torch.zeros(1, 2)
    with pytest.raises(UsageError, match=r"gradient: got 'magic', expected one of ste, difference"):
        encoded_linear(x, x, Unit(UNITS["exact"]), gradient="magic")
    with pytest.raises(UsageError, match=r"'difference' with trained position weights"):
        encoded_linear(x, x, Unit(UNITS["exact"]), s=torch.ones(65), gradient="difference")
