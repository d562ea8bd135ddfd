"""The hand-over: every node of a quantised graph as integer operations of the IR.

A value is (number, Δ); shapes and ranges are derived by the operations' own checks while they are added, so that
requantisation factors get as many bits as the sums leave.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn

from hwsim.ir.errors import UsageError
from hwsim.ir.mac import Input
from hwsim.ir.mac_build import WIDE, Builder, Value, fixed_point
from hwsim.ir.mac_ops import Conv, Linear, MatMul, Op, Requant, Shape
from hwsim.ir.mac_vector import Add, Concat, Divide, Mul, Rescale, Reshape, Table, Transpose
from ml.common.quantised.graph import Step
from ml.common.quantised.kinds import describe
from ml.common.quantised.layers import ArrayLayer, QuantConv2d, QuantMatMul
from ml.common.quantised.scale import Scale

EXP_BITS = 15  # e^0 of a softmax is 2^15
DIVIDE_BITS = 20  # fraction bits of a quotient before it is rounded to its scale
CONST_TOP = (1 << 15) - 1  # largest code of a scalar operand


class Emitter:
    """Walks a quantised graph in order; `values` maps its nodes to what they became."""

    def __init__(self, graph: fx.GraphModule, steps: dict[str, Step], inputs: Sequence[Input]) -> None:
        self.graph, self.steps = graph, steps
        self.net = Builder(inputs)
        self.values: dict[str, Value] = {}
        self.output: Value | None = None

    def run(self) -> Value:
        """Emit all nodes; the network's output."""
        taken = 0
        for node in self.graph.graph.nodes:
            step = self.steps.get(node.name)
            if step is None:
                self._through(node)
            elif step.kind == "placeholder":
                self.values[node.name] = Value(taken, self.net.inputs[taken].scale)
                taken += 1
            elif step.kind == "output":
                self.output = self.operand(node.args[0], node)
            elif step.fused:
                self.values[node.name] = self.operand(node.args[0], node)
            else:
                self.values[node.name] = _EMIT[step.kind](self, node)
        assert self.output is not None
        return self.output

    def _through(self, node: fx.Node) -> None:
        """An inserted scale hands its value on."""
        source = node.args[0] if node.args else None
        if node.op == "call_module" and isinstance(source, fx.Node) and source.name in self.values:
            self.values[node.name] = self.values[source.name]

    def module(self, node: fx.Node) -> nn.Module:
        return self.graph.get_submodule(str(node.target))

    def out(self, node: fx.Node) -> tuple[float, int, int]:
        """(Δ, lo, hi) of the node's scale."""
        scale = self.graph.get_submodule(self.steps[node.name].scale)
        assert isinstance(scale, Scale)
        return scale.value, scale.lo, scale.hi

    def operand(self, node: Any, at: fx.Node) -> Value:
        """The value of an operand.

        Raises:
            UsageError: several outputs, or an operand that is not a tensor of the network.
        """
        if not isinstance(node, fx.Node) or node.name not in self.values:
            where = describe(self.graph, at)
            raise UsageError.of(f"{where}: an operand", node, "one tensor of the network", "Return or pass a tensor.")
        return self.values[node.name]

    def shape(self, value: Value) -> Shape:
        return self.net.shape(value)

    def requant(self, ratio: Any, largest: int, node: fx.Node) -> Requant:
        """From sums to the node's scale: ratio = Δ of the sums / Δ."""
        _, lo, hi = self.out(node)
        mult, shift = fixed_point(ratio, largest)
        return Requant(mult, shift, lo, hi)


def _layer(e: Emitter, node: fx.Node) -> Value:
    """Linear layer or convolution."""
    layer = e.module(node)
    assert isinstance(layer, ArrayLayer)
    x, (step, _, _) = e.operand(node.args[0], node), e.out(node)
    codes, steps = layer.weight_codes()
    encoding = layer.encoding()
    sums = steps.detach().double().cpu().numpy().ravel() * x.step * encoding.step
    bias = np.rint(layer.bias.detach().double().cpu().numpy() / sums).astype(np.int64)
    weights = codes.detach().cpu().numpy().astype(np.int16)
    unit = e.net.unit(encoding)
    largest = prod(weights.shape[1:]) * e.net.largest[unit] + int(np.abs(bias).max())
    requant = e.requant(sums / step, largest, node)
    if isinstance(layer, QuantConv2d):
        op: Op = Conv((x.number,), weights, bias, requant, layer.stride, layer.padding, layer.groups, unit)
    else:
        op = Linear((x.number,), weights, bias, requant, unit)
    return e.net.add(op, step)


def _matmul(e: Emitter, node: fx.Node) -> Value:
    layer = e.module(node)
    assert isinstance(layer, QuantMatMul)
    a, b = (e.operand(arg, node) for arg in node.args[:2])
    step, encoding = e.out(node)[0], layer.encoding()
    unit = e.net.unit(encoding)
    largest = e.shape(a)[-1] * e.net.largest[unit]
    requant = e.requant(a.step * b.step * encoding.step / step, largest, node)
    return e.net.add(MatMul((a.number, b.number), requant, False, unit), step)


def _const(e: Emitter, node: fx.Node) -> Value:
    step, lo, hi = e.out(node)
    value: Any = e.graph
    for name in str(node.target).split("."):
        value = getattr(value, name)
    codes = (value.detach().double() / step).round().clamp(lo, hi).cpu().numpy()
    return e.net.constant(codes.reshape(codes.shape or (1,)), step)


def _pair(e: Emitter, node: fx.Node) -> tuple[Value, Value]:
    """Both operands: scalars become constants, constants lose a batch axis of one."""
    made: list[Value] = []
    for arg in node.args[:2]:
        if isinstance(arg, int | float):
            made.append(e.net.constant(np.array([np.sign(arg) * CONST_TOP]), max(abs(arg), 1e-30) / CONST_TOP))
        else:
            made.append(e.operand(arg, node))
    ranks = [len(e.shape(v)) for v in made]
    for i, (value, other) in enumerate(zip(tuple(made), ranks[::-1], strict=True)):
        shape = e.shape(value)
        if len(shape) == other + 1 and shape[0] == 1:
            made[i] = e.net.add(Reshape((value.number,), shape[1:]), value.step)
    return made[0], made[1]


def _add(e: Emitter, node: fx.Node) -> Value:
    if node.kwargs:
        where = describe(e.graph, node)
        raise UsageError.of(f"{where}: options", dict(node.kwargs), "none", "Multiply before the sum.")
    (a, b), (step, lo, hi) = _pair(e, node), e.out(node)
    sign = -1 if e.steps[node.name].kind == "sub" else 1
    mult, shift = fixed_point(np.array([a.step, sign * b.step]) / step, e.net.top(a) + e.net.top(b))
    return e.net.add(Add((a.number, b.number), (int(mult[0]), int(mult[1])), shift, lo, hi), step)


def _scaled(e: Emitter, node: fx.Node, value: Value, factor: float) -> Value:
    step = e.out(node)[0]
    requant = e.requant(np.array([factor * value.step / step]), e.net.top(value), node)
    return e.net.add(Rescale((value.number,), requant), step)


def _mul(e: Emitter, node: fx.Node) -> Value:
    for arg, other in (node.args[:2], node.args[1::-1]):
        if isinstance(other, int | float):
            return _scaled(e, node, e.operand(arg, node), float(other))
    (a, b), step = _pair(e, node), e.out(node)[0]
    requant = e.requant(np.array([a.step * b.step / step]), e.net.top(a) * e.net.top(b), node)
    return e.net.add(Mul((a.number, b.number), requant), step)


def _neg(e: Emitter, node: fx.Node) -> Value:
    return _scaled(e, node, e.operand(node.args[0], node), -1.0)


def _div(e: Emitter, node: fx.Node) -> Value:
    if isinstance(node.args[1], int | float):
        return _scaled(e, node, e.operand(node.args[0], node), 1.0 / float(node.args[1]))
    (a, b), (step, lo, hi) = _pair(e, node), e.out(node)
    b = e.net.rescaled(b, b.step, 1, max(e.net.bounds[b.number][1], 1))
    quotient = e.net.add(Divide((a.number, b.number), DIVIDE_BITS, *WIDE), a.step / b.step / 2**DIVIDE_BITS)
    return e.net.rescaled(quotient, step, lo, hi)


def _table(e: Emitter, node: fx.Node) -> Value:
    """Any function of one value: evaluated at every code."""
    x, (step, lo, hi) = e.operand(node.args[0], node), e.out(node)
    first, last = e.net.bounds[x.number]
    values = torch.arange(first, last + 1, dtype=torch.float64) * x.step
    if node.op == "call_module":
        made = e.module(node)(values)
    else:
        rest = node.args[1:]
        if any(isinstance(arg, fx.Node) for arg in (*rest, *node.kwargs.values())):
            where = describe(e.graph, node)
            raise UsageError.of(f"{where}: operands", node.args, "one tensor, and numbers", "Use mul or div.")
        made = _call(node, values, rest)
    codes = np.nan_to_num(made.detach().numpy() / step, nan=0.0, posinf=hi, neginf=lo)
    return e.net.add(Table((x.number,), np.clip(np.rint(codes), lo, hi).astype(np.int64), first), step)


def _call(node: fx.Node, value: Tensor, rest: Any) -> Tensor:
    if node.op == "call_method":
        return getattr(value, str(node.target))(*rest, **node.kwargs)
    assert callable(node.target)
    return node.target(value, *rest, **node.kwargs)


def _relu(e: Emitter, node: fx.Node) -> Value:
    x = e.operand(node.args[0], node)
    return e.net.rescaled(x, x.step, 0, max(e.net.bounds[x.number][1], 0))


def _same(e: Emitter, node: fx.Node) -> Value:
    return e.operand(node.args[0], node)


def _reshape(e: Emitter, node: fx.Node) -> Value:
    x = e.operand(node.args[0], node)
    return e.net.add(Reshape((x.number,), e.steps[node.name].shape), x.step)


def _permute(e: Emitter, node: fx.Node) -> Value:
    x = e.operand(node.args[0], node)
    rank = len(e.shape(x)) + 1
    marked = torch.empty(tuple(range(2, rank + 2)), device="meta")  # every axis has a length of its own
    axes = tuple(n - 2 for n in _call(node, marked, node.args[1:]).shape)
    if axes[0] != 0:
        where = describe(e.graph, node)
        raise UsageError.of(f"{where}: axes", list(axes), "the batch first", "Leave the batch in its place.")
    return e.net.add(Transpose((x.number,), tuple(a - 1 for a in axes[1:])), x.step)


def _cat(e: Emitter, node: fx.Node) -> Value:
    step, lo, hi = e.out(node)
    parts: Any = node.args[0]
    axis = int(node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0))  # type: ignore[arg-type]
    values = [e.net.rescaled(e.operand(part, node), step, lo, hi) for part in parts]
    axis = axis % (len(e.shape(values[0])) + 1)
    if axis == 0:
        raise UsageError.of(f"{describe(e.graph, node)}: axis", 0, "another axis", "Leave the batch alone.")
    return e.net.add(Concat(tuple(v.number for v in values), axis - 1), step)


_EMIT: dict[str, Callable[[Emitter, fx.Node], Value]] = {
    "linear": _layer,
    "conv": _layer,
    "matmul": _matmul,
    "const": _const,
    "add": _add,
    "sub": _add,
    "mul": _mul,
    "neg": _neg,
    "div": _div,
    "table": _table,
    "relu": _relu,
    "same": _same,
    "reshape": _reshape,
    "permute": _permute,
    "cat": _cat,
}
