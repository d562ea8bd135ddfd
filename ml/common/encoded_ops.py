"""Encoded products in torch: sums Σ_k T(x[t, k], w[n, k]) with gradients, and trainable position weights.

The product of a unit with gates b_k and position weights s_k (EncodingNet, section III) is a polynomial in the bits
of x whose coefficients are functions of w, linear in s:

    T(x, w) = bias + Σ_k s_k · b_k(x, w) = Σ_S x^S · D_S(w),   D_S(w) = Σ_k s_k · d_kS(w)

x^S is the AND of the bits in S; d_kS are integers (Möbius transform of b_k over x). Few sets S occur (nine for products
of one x and one w bit), so that T has a low rank r and

    training    y ≈ Σ_r f_r(x) · g_r(w)     one float32 product of r times the depth, factors by SVD of T
    exact       the numba kernels of `hwsim.encodingnet` on a CPU; else Σ_S x^S · D_S(w) in float64, exact below 2^53

| gradient | of x and w |
|---|---|
| ``"ste"`` | that of the exact product x·w (the paper's code) |
| ``"difference"`` | central differences of T: (T(x + d, w) − T(x − d, w)) / 2d |

dL/ds_k = Σ_{x,w} H(x, w) · b_k(x, w) with H the sum of dL/dy over all places where x meets w; it is computed from the
D_S on a share of the batch (unbiased for shuffled batches), since it costs as many products as there are sets S.
"""

from __future__ import annotations

from functools import cached_property
from math import gcd
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.grad import conv2d_input, conv2d_weight

from hwsim.encodingnet.emulator import Emulator, emulator
from hwsim.ir.encoding import Encoding
from hwsim.ir.errors import UsageError

GRADIENTS = ("ste", "difference")
SPAN = 4  # d of the table differences, in codes: wide enough to average over the steps of low bits
SHARE = 8  # one of so many samples of a batch counts for dL/ds
RANK_TOLERANCE = 1e-9  # relative to the largest singular value; float32 has 6e-8


class Unit:
    """A product unit as torch sees it: value tables, factors, and derivative with respect to the position weights.

    Args:
        encoding: the unit.

    Example:
        >>> from hwsim.encodingnet.encodings import truncated
        >>> unit = Unit(truncated(8, 8, n_bits=40))
        >>> len(unit.sets), unit.rank
        (9, 8)
    """

    def __init__(self, encoding: Encoding) -> None:
        self.encoding = encoding

    @cached_property
    def _polynomial(self) -> tuple[np.ndarray, np.ndarray]:
        """Sets S as bit masks int64 [n_sets], and d_kS(w) float64 [M + 1, n_sets, 2^b] (row M: the constant 1)."""
        tables = self.encoding.bit_tables.astype(np.int64)
        d = np.concatenate([tables, np.ones((1, *tables.shape[1:]), np.int64)])
        for bit in range(self.encoding.x_bits):  # Möbius transform over the bits of x
            pairs = d.reshape(len(d), -1, 2, 1 << bit, tables.shape[2])
            pairs[:, :, 1] -= pairs[:, :, 0]
        used = np.flatnonzero(np.abs(d).max(axis=(0, 2)))
        return used, np.ascontiguousarray(d[:, used], dtype=np.float64)

    @property
    def sets(self) -> np.ndarray:
        """The sets S of x bits that occur, as bit masks int64 [n_sets]."""
        return self._polynomial[0]

    @cached_property
    def x_features(self) -> np.ndarray:
        """x^S float64 [2^a, n_sets] for every bit pattern of x: zeros and ones."""
        x = np.arange(1 << self.encoding.x_bits)[:, None]
        return ((x & self.sets) == self.sets).astype(np.float64)

    @cached_property
    def _orthogonal(self) -> tuple[np.ndarray, np.ndarray]:
        return np.linalg.qr(self.x_features)

    def w_features(self, s: np.ndarray, bias: float) -> np.ndarray:
        """D_S(w) float64 [2^b, n_sets] for position weights s [M] and bias, in the units of s."""
        return np.tensordot(np.append(s, bias), self._polynomial[1], 1).T

    def factors(self, s: np.ndarray | None = None, bias: float | None = None) -> tuple[Tensor, Tensor]:
        """f float32 [2^a, r], g float32 [2^b, r] with T ≈ f gᵀ in units of products; default: the unit's weights."""
        step = self.encoding.step
        s = self.encoding.position_weights * step if s is None else s
        q, r = self._orthogonal
        u, size, v = np.linalg.svd(r @ self.w_features(s, self.encoding.bias * step if bias is None else bias).T)
        n = max(int((size > RANK_TOLERANCE * size[0]).sum()), 1)
        root = np.sqrt(size[:n])
        return torch.from_numpy(q @ u[:, :n] * root).float(), torch.from_numpy(v[:n].T * root).float()

    @cached_property
    def fixed_factors(self) -> tuple[Tensor, Tensor]:
        """`factors` of the unit's own weights, computed once."""
        return self.factors()

    @property
    def rank(self) -> int:
        """Rank r of the product table."""
        return int(self.fixed_factors[0].shape[1])

    def weight_gradient(self, h: Tensor) -> Tensor:
        """dL/d(s, bias) float32 [M + 1] for h [2^b, n_sets] = dL/dD."""
        d = torch.from_numpy(self._polynomial[1])
        return torch.einsum("ksw,ws->k", d, h.double().cpu()).float()

    @cached_property
    def plan(self) -> Emulator:
        """The fastest bit-exact numba kernel for this unit."""
        return emulator(self.encoding)

    def x_index(self, codes: Tensor) -> Tensor:
        """Bit patterns int64 of integer-valued x codes."""
        return codes.to(torch.int64) & ((1 << self.encoding.x_bits) - 1)

    def w_index(self, codes: Tensor) -> Tensor:
        """Bit patterns int64 of integer-valued w codes."""
        return codes.to(torch.int64) & ((1 << self.encoding.w_bits) - 1)


class _Feature(torch.autograd.Function):
    """table[code] with the table's central difference as derivative."""

    @staticmethod
    def forward(ctx: Any, codes: Tensor, index: Tensor, table: Tensor, slope: Tensor) -> Tensor:
        ctx.save_for_backward(index, slope)
        return table[index]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        index, slope = ctx.saved_tensors
        return (grads[0] * slope[index]).sum(-1), None, None, None


def slopes(table: Tensor, signed: bool) -> Tensor:
    """Central differences over codes of table [2^n, r] by bit pattern, one-sided at the ends of the range."""
    n = len(table)
    order = torch.arange(n).roll(n // 2) if signed else torch.arange(n)  # codes in rising order
    place = torch.arange(n)
    low, high = (place - SPAN).clamp(min=0), (place + SPAN).clamp(max=n - 1)
    rising = table[order]
    out = torch.empty_like(table)
    out[order] = (rising[high] - rising[low]) / (high - low)[:, None]
    return out


def _convolved(x: Tensor, w: Tensor, window: tuple[Any, Any, int]) -> Tensor:
    """Convolution of features x [b, c, h, w, r] (edges already padded) with w [n, c/g, kh, kw, r]."""
    stride, _, groups = window
    inputs = x.permute(0, 1, 4, 2, 3).flatten(1, 2)
    return functional.conv2d(inputs, w.permute(0, 1, 4, 2, 3).flatten(1, 2), stride=stride, groups=groups)


def _exact_convolved(x: Tensor, w: Tensor, unit: Unit, window: tuple[Any, Any, int]) -> Tensor:
    """The same sums by `exact_gemm`, rounded to x's dtype once."""
    stride, _, groups = window
    down, right = (stride, stride) if isinstance(stride, int) else stride
    view = x.to(torch.int64).unfold(2, w.shape[2], down).unfold(3, w.shape[3], right)
    parts = []
    for part, kernel in zip(view.chunk(groups, 1), w.to(torch.int64).chunk(groups), strict=True):
        rows = part.permute(0, 2, 3, 1, 4, 5).reshape(-1, kernel[0].numel())
        parts.append(exact_gemm(rows, kernel.flatten(1), unit))
    sums = torch.cat(parts, 1).reshape(len(x), *view.shape[2:4], len(w)).permute(0, 3, 1, 2)
    return (sums.double() * unit.encoding.step).to(x)


class _Encoded(torch.autograd.Function):
    """Low-rank or exact forward, exact-product backward, and dL/ds from a share of the batch."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, w: Tensor, s: Tensor | None, unit: Unit, window: tuple[Any, Any, int], exact: bool
    ) -> Tensor:
        ctx.save_for_backward(x, w)
        ctx.plan = unit, window
        if exact:
            return _exact_convolved(x, w, unit, window)
        if s is None:
            f, g = unit.fixed_factors
        else:
            values = s.detach().double().cpu().numpy()
            f, g = unit.factors(values[:-1], float(values[-1]))
        f, g = f.to(x), g.to(x)
        return _convolved(f[unit.x_index(x)], g[unit.w_index(w)], window)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (x, w), (unit, window), grad = ctx.saved_tensors, ctx.plan, grads[0].contiguous()
        stride, _, groups = window
        dx = conv2d_input(list(x.shape), w, grad, stride, 0, 1, groups) if ctx.needs_input_grad[0] else None
        dw = conv2d_weight(x, list(w.shape), grad, stride, 0, 1, groups) if ctx.needs_input_grad[1] else None
        ds = _position_gradient(x, w, grad, unit, window) if ctx.needs_input_grad[2] else None
        return dx, dw, ds, None, None, None


def _position_gradient(x: Tensor, w: Tensor, grad: Tensor, unit: Unit, window: tuple[Any, Any, int]) -> Tensor:
    """dL/d(s, bias) from every SHARE-th part of the batch."""
    stride, _, groups = window
    some = max(len(x) // SHARE, 1)
    features = torch.from_numpy(unit.x_features).to(x)[unit.x_index(x[:some])]
    n, c, kh, kw = w.shape
    sets = features.shape[-1]
    inputs = features.permute(0, 1, 4, 2, 3).flatten(1, 2)
    dg = conv2d_weight(inputs, [n, c * sets, kh, kw], grad[:some], stride, 0, 1, groups)
    dg = dg.reshape(n, c, sets, kh, kw).permute(0, 1, 3, 4, 2).reshape(-1, sets)
    h = torch.zeros(1 << unit.encoding.w_bits, sets, dtype=dg.dtype, device=dg.device)
    h.index_add_(0, unit.w_index(w).reshape(-1), dg)
    return unit.weight_gradient(h).to(x) * (len(x) / some)


def encoded_conv2d(
    x: Tensor,
    w: Tensor,
    unit: Unit,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    groups: int = 1,
    *,
    s: Tensor | None = None,
    gradient: str = "ste",
    exact: bool = False,
) -> Tensor:
    """Sums of encoded products over windows, for training, in units of products (bias of the unit included).

    Args:
        x: integer-valued codes [batch, c, h, w]; edges are padded with code 0, which the unit multiplies.
        w: integer-valued codes [n, c / groups, kh, kw].
        s: trainable position weights and bias [M + 1] in units of products; None for the unit's own.
        gradient: ``"ste"`` or ``"difference"`` (which does not train s).
        exact: sums by the bit-exact kernels, rounded to x's dtype once (float64 holds them all).

    Returns:
        Sums [batch, n, h', w'], equal to the exact integers up to float32 rounding; to the bit when `exact`.

    Raises:
        UsageError: unknown gradient, or s or exact sums with what does not have them.
    """
    if exact and (s is not None or gradient != "ste"):
        got = "trained position weights" if s is not None else f"gradient {gradient!r}"
        raise UsageError.of("exact sums with", got, "the unit's own weights and 'ste'", "Leave exact out.")
    if gradient not in GRADIENTS or (gradient == "difference" and s is not None):
        got = f"{gradient!r}{' with trained position weights' if s is not None else ''}"
        raise UsageError.of("gradient", got, f"one of {', '.join(GRADIENTS)}; 'ste' to train s", "Choose one.")
    window = (stride, padding, groups)
    rows, columns = (padding, padding) if isinstance(padding, int) else padding
    x = functional.pad(x, (columns, columns, rows, rows)) if rows or columns else x
    if gradient == "ste":
        return _Encoded.apply(x, w, s, unit, window, exact)
    f, g = (t.to(x) for t in unit.fixed_factors)
    e = unit.encoding
    fx = _Feature.apply(x, unit.x_index(x), f, slopes(f, e.x_signed and e.x_levels is None))
    gw = _Feature.apply(w, unit.w_index(w), g, slopes(g, e.w_signed and e.w_levels is None))
    return _convolved(fx, gw, window)


def encoded_linear(
    x: Tensor, w: Tensor, unit: Unit, *, s: Tensor | None = None, gradient: str = "ste", exact: bool = False
) -> Tensor:
    """Σ_k T(x[…, k], w[n, k]) for training: codes x […, k], w [n, k] → sums […, n]; arguments as `encoded_conv2d`."""
    rows = x.reshape(-1, x.shape[-1], 1, 1)
    sums = encoded_conv2d(rows, w[:, :, None, None], unit, s=s, gradient=gradient, exact=exact)
    return sums.reshape(*x.shape[:-1], len(w))


def encoded_matmul(a: Tensor, b: Tensor, unit: Unit) -> Tensor:
    """Σ_k T(a[…, t, k], b[…, n, k]) for training, exact-product gradients: codes → sums […, t, n]."""
    exact = a @ b.transpose(-1, -2)
    with torch.no_grad():
        f, g = (t.to(a) for t in unit.fixed_factors)
        fa, gb = f[unit.x_index(a)].flatten(-2), g[unit.w_index(b)].flatten(-2)
        error = fa @ gb.transpose(-1, -2) - exact
    return exact + error


def exact_gemm(x: Tensor, w: Tensor, unit: Unit) -> Tensor:
    """Σ_k T(x[t, k], w[n, k]) int64 [t, n] in units of 2^(−fraction), bit-exact with `Encoding.table`.

    Args:
        x: int64 codes [t, k].
        w: int64 codes [n, k].
    """
    if x.device.type == "cpu":
        return torch.from_numpy(unit.plan(x.numpy(), unit.plan.prepare_weights(w.numpy())))
    return float_gemm(x, w, unit)


def float_gemm(x: Tensor, w: Tensor, unit: Unit) -> Tensor:
    """`exact_gemm` as one float64 product of integers, for any device."""
    encoding = unit.encoding
    s = encoding.position_weights
    g = unit.w_features(s.astype(np.float64), float(encoding.bias))
    # sums and their parts stay below 2^53 when the weights share no more than their own factor of two
    common = gcd(*(int(v) for v in s), encoding.bias) or 1
    f = torch.from_numpy(unit.x_features).to(x.device)[unit.x_index(x)].flatten(-2)
    h = torch.from_numpy(g / common).to(x.device)[unit.w_index(w)].flatten(-2)
    return (f @ h.T).round().to(torch.int64) * common
