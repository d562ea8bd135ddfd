"""Hypothesis strategies for `encoded_mac` graphs: random product units, random operations, inputs that fit."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from hypothesis import strategies as st

from hwsim.ir.encoding import Encoding
from hwsim.ir.gates import GateNetlist
from hwsim.ir.mac import EncodedMac, Input
from hwsim.ir.mac_ops import Bounds, Conv, Linear, MatMul, Op, Requant, Shape
from hwsim.ir.mac_vector import Add, Concat, Const, Divide, Mul, Pool, Reduce, Rescale, Reshape, Table, Transpose
from hwsim.testing.strategies import generators

INPUT_SHAPES: tuple[Shape, ...] = ((3,), (2, 3), (4, 4), (1, 4, 4), (2, 3, 4), (4, 3, 3), (2, 2, 3, 2))


@st.composite
def small_encodings(draw: Any, max_bits: int = 4) -> Encoding:
    """Product units of random gates: any widths and signs, not at all like a product."""
    rng = draw(generators())
    a, b, n = draw(st.integers(1, max_bits)), draw(st.integers(1, max_bits)), draw(st.integers(1, 6))
    fan_in = np.stack([rng.choice(a + b, 2, replace=False) for _ in range(n)]).ravel()
    gates = GateNetlist(
        a + b,
        2 * np.arange(n + 1, dtype=np.int32),
        fan_in.astype(np.int32),
        rng.integers(0, 16, n).astype(np.uint64),
        (a + b + np.arange(n)).astype(np.int32),
    )
    weights = rng.integers(-200, 201, n)
    bias, fraction = int(rng.integers(-50, 51)), draw(st.integers(0, 4))
    return Encoding(gates, a, b, weights, bias, fraction, draw(st.booleans()), draw(st.booleans()))


@dataclass
class _Graph:
    """A network while it grows: operations, and shape and range of every value."""

    rng: np.random.Generator
    units: tuple[Encoding, ...]
    inputs: tuple[Input, ...]
    ops: list[Op] = dataclasses.field(default_factory=list)
    network: EncodedMac | None = None

    def push(self, op: Op) -> int:
        """Add an op; its value number. Raises `ArtifactError` when it breaks a rule."""
        self.network = EncodedMac(self.inputs, self.units, (*self.ops, op))
        self.ops.append(op)
        return len(self.inputs) + len(self.ops) - 1

    def shape(self, value: int) -> Shape:
        return self.network.shapes[value] if self.network else tuple(self.inputs[value].shape)

    def bounds(self, value: int) -> Bounds:
        return self.network.bounds[value] if self.network else (self.inputs[value].lo, self.inputs[value].hi)

    def requant(self, channels: int, bounds: Bounds | None = None) -> Requant:
        """Random factors, one or one a channel; a random range, or one inside `bounds`."""
        mult = self.rng.integers(-9, 20, channels if self.rng.random() < 0.5 else 1)
        lo, hi = sorted(int(v) for v in self.rng.integers(-40, 41, 2))
        if bounds is not None:
            lo, hi = (int(np.clip(v, *bounds)) for v in (lo, hi))
        return Requant(mult, int(self.rng.integers(0, 9)), lo, hi)

    def narrowed(self, value: int, unit: int, side: str) -> int:
        """The value squeezed into the codes that a product unit takes."""
        fit = self.units[unit].x_range if side == "x" else self.units[unit].w_range
        have, shape = self.bounds(value), self.shape(value)
        if fit[0] <= have[0] and have[1] <= fit[1] and fit[0] <= 0:
            return value
        axis = int(self.rng.integers(-len(shape), len(shape)))
        return self.push(Rescale((value,), self.requant(shape[axis], fit), axis))


@st.composite
def encoded_macs(draw: Any, max_ops: int = 6, max_inputs: int = 1) -> EncodedMac:
    """Random graphs of every operation, with up to two product units; dead values, reused values, any rank."""
    rng = draw(generators())
    units = tuple(draw(st.lists(small_encodings(), min_size=1, max_size=2)))
    inputs = []
    for _ in range(draw(st.integers(1, max_inputs))):
        lo = int(rng.integers(-9, 1))
        shape = draw(st.sampled_from(INPUT_SHAPES))
        inputs.append(Input(shape, lo, lo + int(rng.integers(0, 20)), float(draw(st.sampled_from((0.0, 0.5))))))
    graph = _Graph(rng, units, tuple(inputs))
    wanted = draw(st.lists(st.sampled_from(sorted(_MAKERS)), min_size=1, max_size=max_ops))
    for name in wanted:
        total = len(inputs) + len(graph.ops)
        # mostly the newest value, so that graphs are deep
        value = total - 1 if rng.random() < 0.7 else int(rng.integers(0, total))
        if prod(graph.shape(value)) <= 200:
            _MAKERS[name](graph, value)
    network = graph.network or EncodedMac(graph.inputs, units, (Reshape((0,), (-1,)),))
    n_classes = network.shapes[-1][-1] if draw(st.booleans()) else 0
    return dataclasses.replace(network, n_classes=n_classes, output_scale=draw(st.sampled_from((0.0, 0.25))))


@st.composite
def mac_inputs(draw: Any, network: EncodedMac, sizes: tuple[int, ...] = (1, 2, 3)) -> tuple[np.ndarray, ...]:
    """Input codes for a network, one array an input, of one batch size."""
    rng, batch = draw(generators()), draw(st.sampled_from(sizes))
    dtype = draw(st.sampled_from((np.int16, np.int32, np.int64)))
    return tuple(rng.integers(one.lo, one.hi + 1, (batch, *one.shape)).astype(dtype) for one in network.inputs)


def _codes(graph: _Graph, unit: int, shape: Shape) -> np.ndarray:
    lo, hi = graph.units[unit].w_range
    return graph.rng.integers(lo, hi + 1, shape).astype(np.int16)


def _some_unit(graph: _Graph) -> int:
    return int(graph.rng.integers(0, len(graph.units)))


def _linear(graph: _Graph, value: int) -> None:
    unit, n = _some_unit(graph), int(graph.rng.integers(1, 4))
    value = graph.narrowed(value, unit, "x")
    weights = _codes(graph, unit, (n, graph.shape(value)[-1]))
    graph.push(Linear((value,), weights, graph.rng.integers(-99, 100, n), graph.requant(n), unit))


def _image(graph: _Graph, value: int) -> int:
    """The value as [c, h, w]."""
    shape = graph.shape(value)
    if len(shape) == 3:
        return value
    return graph.push(Reshape((value,), (1, 1, -1) if len(shape) < 2 else (shape[0], -1, shape[-1])))


def _window(graph: _Graph, shape: Shape) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    rows, columns = (int(graph.rng.integers(1, min(n, 3) + 1)) for n in shape[1:])
    steps, edges = graph.rng.integers(1, 3, 2), graph.rng.integers(0, 2, 2)
    return (rows, columns), (int(steps[0]), int(steps[1])), (int(edges[0]), int(edges[1]))


def _conv(graph: _Graph, value: int) -> None:
    unit = _some_unit(graph)
    value = graph.narrowed(_image(graph, value), unit, "x")
    shape = graph.shape(value)
    size, stride, padding = _window(graph, shape)
    groups = shape[0] if graph.rng.random() < 0.4 else 1
    n = groups * int(graph.rng.integers(1, 3))
    weights = _codes(graph, unit, (n, shape[0] // groups, *size))
    bias = graph.rng.integers(-99, 100, n)
    graph.push(Conv((value,), weights, bias, graph.requant(n), stride, padding, groups, unit))


def _matmul(graph: _Graph, value: int) -> None:
    if len(graph.shape(value)) < 2:
        value = graph.push(Reshape((value,), (1, -1)))
    unit = _some_unit(graph)
    a, b = graph.narrowed(value, unit, "x"), graph.narrowed(value, unit, "w")
    transposed = bool(graph.rng.random() < 0.5)
    if not transposed:
        rank = len(graph.shape(b))
        b = graph.push(Transpose((b,), (*range(rank - 2), rank - 1, rank - 2)))
    graph.push(MatMul((a, b), graph.requant(graph.shape(a)[-2]), transposed, unit))


def _partner(graph: _Graph, value: int) -> int:
    """A second operand that broadcasts with the value: itself, its maximum along an axis, or a constant."""
    shape, pick = graph.shape(value), int(graph.rng.integers(0, 3))
    if pick == 0:
        return value
    if pick == 1:
        return graph.push(Reduce((value,), "max", int(graph.rng.integers(-len(shape), len(shape)))))
    return graph.push(Const((value,), graph.rng.integers(-5, 6, shape[-1:])))


def _add(graph: _Graph, value: int) -> None:
    pair, requant = (value, _partner(graph, value)), graph.requant(1)
    mults = graph.rng.integers(-3, 4, 2)
    graph.push(Add(pair, (int(mults[0]), int(mults[1])), requant.shift, requant.lo, requant.hi))


def _mul(graph: _Graph, value: int) -> None:
    pair = (value, _partner(graph, value))
    graph.push(Mul(pair, graph.requant(graph.shape(value)[-1])))


def _divide(graph: _Graph, value: int) -> None:
    below = _partner(graph, value)
    positive = graph.push(Rescale((below,), Requant(np.array([1]), 0, 1, 30)))
    graph.push(Divide((value, positive), int(graph.rng.integers(0, 8)), -50, 60))


def _table(graph: _Graph, value: int) -> None:
    lo, hi = graph.bounds(value)
    if hi - lo < 1000:
        first = lo - int(graph.rng.integers(0, 3))
        graph.push(Table((value,), graph.rng.integers(-20, 21, hi - first + 1 + int(graph.rng.integers(0, 3))), first))


def _rescale(graph: _Graph, value: int) -> None:
    shape = graph.shape(value)
    axis = int(graph.rng.integers(-len(shape), len(shape)))
    graph.push(Rescale((value,), graph.requant(shape[axis]), axis))


def _pool(graph: _Graph, value: int) -> None:
    value = _image(graph, value)
    size, stride, padding = _window(graph, graph.shape(value))
    fill = int(graph.rng.integers(-5, 6))
    if graph.rng.random() < 0.5:
        graph.push(Pool((value,), "max", size, stride, padding, None, fill))
    else:
        graph.push(Pool((value,), "sum", size, stride, padding, graph.requant(1), fill))


def _reduce(graph: _Graph, value: int) -> None:
    rank = len(graph.shape(value))
    axis = int(graph.rng.integers(-rank, rank))
    how, requant = ("max", None) if graph.rng.random() < 0.5 else ("sum", graph.requant(1))
    graph.push(Reduce((value,), how, axis, requant))  # type: ignore[arg-type]


def _reshape(graph: _Graph, value: int) -> None:
    shape = graph.shape(value)
    shapes: list[Shape] = [(-1,), (prod(shape),), (1, *shape), shape[::-1], (shape[0], -1)]
    graph.push(Reshape((value,), shapes[int(graph.rng.integers(0, len(shapes)))]))


def _transpose(graph: _Graph, value: int) -> None:
    order = graph.rng.permutation(len(graph.shape(value)))
    graph.push(Transpose((value,), tuple(int(a) for a in order)))


def _concat(graph: _Graph, value: int) -> None:
    shape = graph.shape(value)
    same = [v for v in range(len(graph.inputs) + len(graph.ops)) if graph.shape(v) == shape]
    axis = int(graph.rng.integers(-len(shape), len(shape)))
    picked = graph.rng.choice(same, int(graph.rng.integers(1, 4)))
    graph.push(Concat(tuple(int(v) for v in picked), axis))


def _const(graph: _Graph, value: int) -> None:
    graph.push(Const((value,), graph.rng.integers(-9, 10, graph.shape(value))))


_MAKERS: dict[str, Callable[[_Graph, int], None]] = {
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
