"""Naive twin of `encoded_mac`: one sample, one number at a time, in plain Python integers.

Written from ``docs/ir/encoded_mac.md``. A tensor is a dictionary from index tuple to integer; a product is evaluated
gate by gate, never from a table. Numpy is only read element by element.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

from hwsim.ir.encoding import Encoding
from hwsim.ir.mac import EncodedMac
from hwsim.testing.naive import gate_netlist

Index = tuple[int, ...]
Tensor = dict[Index, int]
Product = Callable[[int, int], int]


def encoded_mac(network: EncodedMac, samples: Sequence[Any]) -> Any:
    """Output of one sample as nested lists; `samples` is one array an input, without the batch axis."""
    units = [_product_unit(e) for e in network.encodings]
    values = [_tensor(s) for s in samples]
    for op in network.ops:
        values.append(_RUN[op.type](op, [values[v] for v in op.inputs], units))
    return _nested(values[-1])


def requantise(requant: Any, acc: int, channel: int) -> int:
    """clip(⌊(acc · mult + 2^(shift−1)) / 2^shift⌋, lo, hi); no half is added for a shift of 0."""
    mult = int(requant.mult[channel if len(requant.mult) > 1 else 0])
    return _shifted(acc * mult, requant.shift, requant.lo, requant.hi)


def _shifted(value: int, shift: int, lo: int, hi: int) -> int:
    half = 2 ** (shift - 1) if shift else 0
    return max(lo, min(hi, (value + half) // 2**shift))


def _product_unit(encoding: Encoding) -> Product:
    """T(x, w) by gates; every pair of codes is computed once."""
    known: dict[tuple[int, int], int] = {}

    def unit(x: int, w: int) -> int:
        if (x, w) not in known:
            bits = [x // 2**i % 2 for i in range(encoding.x_bits)] + [w // 2**i % 2 for i in range(encoding.w_bits)]
            wide = gate_netlist(encoding.gates, bits)
            total = sum(int(s) * b for s, b in zip(encoding.position_weights, wide, strict=True))
            known[x, w] = total + encoding.bias
        return known[x, w]

    return unit


def _new() -> Tensor:
    return {}


def _tensor(array: Any) -> Tensor:
    return {index: int(array[index]) for index in product(*(range(n) for n in array.shape))}


def _shape(tensor: Tensor) -> Index:
    return tuple(1 + max(index[axis] for index in tensor) for axis in range(len(next(iter(tensor)))))


def _nested(tensor: Tensor, prefix: Index = ()) -> Any:
    shape = _shape(tensor)
    if len(prefix) == len(shape):
        return tensor[prefix]
    return [_nested(tensor, (*prefix, i)) for i in range(shape[len(prefix)])]


def _linear(op: Any, xs: list[Tensor], units: list[Product]) -> Tensor:
    x, out = xs[0], _new()
    n_out, n_in = op.weights.shape
    for lead in {index[:-1] for index in x}:
        for n in range(n_out):
            acc = int(op.bias[n])
            for k in range(n_in):
                acc += units[op.encoding](x[(*lead, k)], int(op.weights[n, k]))
            out[(*lead, n)] = requantise(op.requant, acc, n)
    return out


def _conv(op: Any, xs: list[Tensor], units: list[Product]) -> Tensor:
    x, out = xs[0], _new()
    channels, height, width = _shape(x)
    n_out, each, kh, kw = op.weights.shape
    rows = (height + 2 * op.padding[0] - kh) // op.stride[0] + 1
    columns = (width + 2 * op.padding[1] - kw) // op.stride[1] + 1
    for n, i, j in product(range(n_out), range(rows), range(columns)):
        first = n // (n_out // op.groups) * (channels // op.groups)
        acc = int(op.bias[n])
        for c, u, v in product(range(each), range(kh), range(kw)):
            place = (first + c, i * op.stride[0] + u - op.padding[0], j * op.stride[1] + v - op.padding[1])
            acc += units[op.encoding](x.get(place, 0), int(op.weights[n, c, u, v]))
        out[n, i, j] = requantise(op.requant, acc, n)
    return out


def _matmul(op: Any, xs: list[Tensor], units: list[Product]) -> Tensor:
    (a, b), out = xs, _new()
    *_, rows, inner = _shape(a)
    columns = _shape(b)[-2 if op.transposed else -1]
    for lead in {index[:-2] for index in a}:
        for t, n in product(range(rows), range(columns)):
            acc = 0
            for k in range(inner):
                acc += units[op.encoding](a[(*lead, t, k)], b[(*lead, n, k) if op.transposed else (*lead, k, n)])
            out[(*lead, t, n)] = requantise(op.requant, acc, n)
    return out


def _pairs(xs: list[Tensor]) -> list[tuple[Index, int, int]]:
    """(index, a, b) over the broadcast shape."""
    shapes = [_shape(x) for x in xs]
    rank = max(map(len, shapes))
    padded = [(1,) * (rank - len(s)) + s for s in shapes]
    shape = [max(sizes) for sizes in zip(*padded, strict=True)]
    found = []
    for index in product(*map(range, shape)):
        places = [
            tuple(0 if n == 1 else i for i, n in zip(index, p, strict=True))[rank - len(s) :]
            for p, s in zip(padded, shapes, strict=True)
        ]
        found.append((index, xs[0][places[0]], xs[1][places[1]]))
    return found


def _add(op: Any, xs: list[Tensor], units: list[Product]) -> Tensor:
    total = {i: a * op.mults[0] + b * op.mults[1] for i, a, b in _pairs(xs)}
    return {i: _shifted(v, op.shift, op.lo, op.hi) for i, v in total.items()}


def _mul(op: Any, xs: list[Tensor], units: list[Product]) -> Tensor:
    return {i: requantise(op.requant, a * b, i[-1] if i else 0) for i, a, b in _pairs(xs)}


def _divide(op: Any, xs: list[Tensor], units: list[Product]) -> Tensor:
    return {i: max(op.lo, min(op.hi, (a * 2**op.shift + b // 2) // b)) for i, a, b in _pairs(xs)}


def _table(op: Any, xs: list[Tensor], units: list[Product]) -> Tensor:
    return {i: int(op.table[v - op.first]) for i, v in xs[0].items()}


def _rescale(op: Any, xs: list[Tensor], units: list[Product]) -> Tensor:
    return {i: requantise(op.requant, v, i[op.axis]) for i, v in xs[0].items()}


def _reduced(op: Any, values: list[int]) -> int:
    return max(values) if op.how == "max" else requantise(op.requant, sum(values), 0)


def _pool(op: Any, xs: list[Tensor], units: list[Product]) -> Tensor:
    x, out = xs[0], _new()
    channels, height, width = _shape(x)
    rows = (height + 2 * op.padding[0] - op.size[0]) // op.stride[0] + 1
    columns = (width + 2 * op.padding[1] - op.size[1]) // op.stride[1] + 1
    for c, i, j in product(range(channels), range(rows), range(columns)):
        places = [
            (c, i * op.stride[0] + u - op.padding[0], j * op.stride[1] + v - op.padding[1])
            for u, v in product(range(op.size[0]), range(op.size[1]))
        ]
        out[c, i, j] = _reduced(op, [x.get(place, op.fill) for place in places])
    return out


def _reduce(op: Any, xs: list[Tensor], units: list[Product]) -> Tensor:
    x = xs[0]
    groups: dict[Index, list[int]] = {}
    axis = op.axis % len(_shape(x))
    for index, value in x.items():
        groups.setdefault((*index[:axis], 0, *index[axis + 1 :]), []).append(value)
    return {index: _reduced(op, values) for index, values in groups.items()}


def _reshape(op: Any, xs: list[Tensor], units: list[Product]) -> Tensor:
    flat = [xs[0][index] for index in sorted(xs[0])]
    known = 1
    for n in op.shape:
        known *= n if n > 0 else 1
    shape = [n if n > 0 else len(flat) // known for n in op.shape]
    return dict(zip(product(*map(range, shape)), flat, strict=True))


def _transpose(op: Any, xs: list[Tensor], units: list[Product]) -> Tensor:
    return {tuple(index[a] for a in op.axes): value for index, value in xs[0].items()}


def _concat(op: Any, xs: list[Tensor], units: list[Product]) -> Tensor:
    out: Tensor = {}
    axis, offset = op.axis % len(_shape(xs[0])), 0
    for x in xs:
        for index, value in x.items():
            out[(*index[:axis], index[axis] + offset, *index[axis + 1 :])] = value
        offset += _shape(x)[axis]
    return out


def _const(op: Any, xs: list[Tensor], units: list[Product]) -> Tensor:
    return _tensor(op.value)


_RUN: dict[str, Callable[[Any, list[Tensor], list[Product]], Tensor]] = {
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
