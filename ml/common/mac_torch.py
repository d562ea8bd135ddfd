"""The torch twin of `EncodedMac`: every operation on int64 tensors, on any device; equal to `reference` bit for bit.

Written from ``docs/ir/encoded_mac.md``. Products run on the numba kernels on a CPU, and as float64 matrix products of
integers elsewhere (`ml.common.encoded_ops.exact_gemm`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from hwsim.ir.mac import EncodedMac
from hwsim.ir.mac_ops import Requant
from ml.common.encoded_ops import Unit, exact_gemm

Units = Sequence[Unit]


class TorchMac:
    """Evaluates a network on tensors.

    Example:
        >>> import numpy as np, torch
        >>> from hwsim.encodingnet.encodings import exact
        >>> from hwsim.ir.mac import EncodedMac, Input
        >>> from hwsim.ir.mac_ops import Linear, Requant
        >>> one = Requant(np.array([1]), 0, -99, 99)
        >>> layer = Linear((0,), np.array([[1, -2]], np.int16), np.array([3]), one)
        >>> network = EncodedMac((Input((2,), -8, 7),), (exact(4, 4),), (layer,))
        >>> TorchMac(network)(torch.tensor([[5, 1]])).tolist()
        [[6]]
    """

    def __init__(self, network: EncodedMac, units: Units | None = None) -> None:
        self.network = network
        self.units = [Unit(e) for e in network.encodings] if units is None else units

    def quantise(self, *features: Tensor) -> tuple[Tensor, ...]:
        """Input codes int64 of real features, one tensor an input; as `EncodedMac.quantise`."""
        made = []
        for x, one in zip(features, self.network.inputs, strict=True):
            made.append((x.double() / one.scale).round().clamp(one.lo, one.hi).to(torch.int64))
        return tuple(made)

    def __call__(self, *codes: Tensor) -> Tensor:
        """Output codes int64 [batch, *shape] for input codes int64 [batch, *shape], one tensor an input."""
        values: list[Any] = list(codes)
        last = {v: i for i, op in enumerate(self.network.ops) for v in op.inputs}
        for i, op in enumerate(self.network.ops):
            values.append(_RUN[op.type](op, [values[v] for v in op.inputs], self.units))
            for v in op.inputs:
                if last[v] == i:
                    values[v] = None
        return values[-1]


def requantise(requant: Requant, acc: Tensor, axis: int = -1) -> Tensor:
    """clip((acc · mult + half) >> shift, lo, hi); the factors run along `axis`."""
    mult = torch.from_numpy(requant.mult).to(acc.device)
    if len(mult) > 1:
        mult = mult.reshape([-1 if i == axis % acc.ndim else 1 for i in range(acc.ndim)])
    return _shifted(acc * mult, requant.shift, requant.lo, requant.hi)


def _shifted(value: Tensor, shift: int, lo: int, hi: int) -> Tensor:
    return ((value + ((1 << shift) >> 1)) >> shift).clamp(lo, hi)


def _tensor(array: np.ndarray, like: Tensor) -> Tensor:
    return torch.from_numpy(array.astype(np.int64)).to(like.device)


def _linear(op: Any, xs: list[Tensor], units: Units) -> Tensor:
    x = xs[0]
    weights = _tensor(op.weights, x)
    acc = exact_gemm(x.reshape(-1, x.shape[-1]), weights, units[op.encoding]) + _tensor(op.bias, x)
    return requantise(op.requant, acc).reshape(*x.shape[:-1], len(weights))


def _windows(x: Tensor, size: Sequence[int], op: Any, fill: int) -> Tensor:
    """View [batch, c, h', w', kh, kw]."""
    rows, columns = op.padding
    x = functional.pad(x, (columns, columns, rows, rows), value=fill) if rows or columns else x
    return x.unfold(2, size[0], op.stride[0]).unfold(3, size[1], op.stride[1])


def _conv(op: Any, xs: list[Tensor], units: Units) -> Tensor:
    weights = _tensor(op.weights, xs[0])
    view = _windows(xs[0], weights.shape[2:], op, 0)
    batch, c, h, w = view.shape[:4]
    parts = []
    for x, kernel in zip(view.split(c // op.groups, 1), weights.chunk(op.groups), strict=True):
        kernel = kernel.flatten(1)
        rows = x.permute(0, 2, 3, 1, 4, 5).reshape(batch * h * w, kernel.shape[1])
        parts.append(exact_gemm(rows, kernel, units[op.encoding]))
    acc = torch.cat(parts, 1) + _tensor(op.bias, xs[0])
    return requantise(op.requant, acc).reshape(batch, h, w, len(weights)).permute(0, 3, 1, 2)


def _matmul(op: Any, xs: list[Tensor], units: Units) -> Tensor:
    a, b = xs[0], xs[1] if op.transposed else xs[1].transpose(-1, -2)
    pairs = zip(a.reshape(-1, *a.shape[-2:]), b.reshape(-1, *b.shape[-2:]), strict=True)
    sums = [exact_gemm(one.contiguous(), two.contiguous(), units[op.encoding]) for one, two in pairs]
    shape = (*a.shape[:-1], b.shape[-2])
    acc = torch.stack(sums).reshape(shape) if sums else a.new_zeros(shape)
    return requantise(op.requant, acc)


def _aligned(xs: list[Tensor]) -> list[Tensor]:
    rank = max(x.ndim for x in xs)
    return [x.reshape(len(x), *(1,) * (rank - x.ndim), *x.shape[1:]) for x in xs]


def _add(op: Any, xs: list[Tensor], units: Units) -> Tensor:
    a, b = _aligned(xs)
    return _shifted(a * op.mults[0] + b * op.mults[1], op.shift, op.lo, op.hi)


def _mul(op: Any, xs: list[Tensor], units: Units) -> Tensor:
    a, b = _aligned(xs)
    return requantise(op.requant, a * b)


def _divide(op: Any, xs: list[Tensor], units: Units) -> Tensor:
    a, b = _aligned(xs)
    return torch.div((a << op.shift) + (b >> 1), b, rounding_mode="floor").clamp(op.lo, op.hi)


def _table(op: Any, xs: list[Tensor], units: Units) -> Tensor:
    return _tensor(op.table, xs[0])[xs[0] - op.first]


def _axis(op: Any) -> int:
    return int(op.axis + 1 if op.axis >= 0 else op.axis)


def _rescale(op: Any, xs: list[Tensor], units: Units) -> Tensor:
    return requantise(op.requant, xs[0], _axis(op))


def _pool(op: Any, xs: list[Tensor], units: Units) -> Tensor:
    view = _windows(xs[0], op.size, op, op.fill)
    return view.amax((-1, -2)) if op.requant is None else requantise(op.requant, view.sum((-1, -2)))


def _reduce(op: Any, xs: list[Tensor], units: Units) -> Tensor:
    if op.requant is None:
        return xs[0].amax(_axis(op), keepdim=True)
    return requantise(op.requant, xs[0].sum(_axis(op), keepdim=True))


def _reshape(op: Any, xs: list[Tensor], units: Units) -> Tensor:
    shape = np.empty(tuple(xs[0].shape[1:]), np.int8).reshape(op.shape).shape
    return xs[0].reshape(len(xs[0]), *shape)


def _transpose(op: Any, xs: list[Tensor], units: Units) -> Tensor:
    return xs[0].permute(0, *(a + 1 for a in op.axes))


def _concat(op: Any, xs: list[Tensor], units: Units) -> Tensor:
    return torch.cat(xs, _axis(op))


def _const(op: Any, xs: list[Tensor], units: Units) -> Tensor:
    return _tensor(op.value, xs[0]).expand(len(xs[0]), *op.value.shape)


_RUN: dict[str, Callable[[Any, list[Tensor], Units], Tensor]] = {
    "linear": _linear,
    "conv": _conv,
    "matmul": _matmul,
    "add": _add,
    "mul": _mul,
    "divide": _divide,
    "table": _table,
    "rescale": _rescale,
    "pool": _pool,
    "reduce": _reduce,
    "reshape": _reshape,
    "transpose": _transpose,
    "concat": _concat,
    "const": _const,
}
