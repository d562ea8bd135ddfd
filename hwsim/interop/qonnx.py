"""QONNX in: a network that Brevitas or QKeras exported (``Quant`` nodes in a float ONNX graph) as `EncodedMac`.

A Quant node means y = Δ · clip(round(x / Δ), lo, hi). Between two of them the graph is real arithmetic; here a value is
either integers times one Δ, or the sums of a layer with a real gain and offset a channel that wait for their Quant:

| node | becomes |
|---|---|
| Quant of a constant | weight codes and their Δ (one, or one an output channel) |
| Quant of a value | requantisation to its Δ |
| Conv, Gemm, MatMul by a constant | sums on product units; gain Δx·Δw, offset the bias |
| BatchNormalization, Add and Mul by constants | into gain and offset |
| Relu | lower bound 0 of the next requantisation |
| Add, Concat of values | a common Δ |
| MaxPool, AveragePool, GlobalAveragePool, Flatten, Reshape, Transpose, Squeeze, Unsqueeze | the IR's |

Rounding: Quant rounds halves to even, the IR halves up, so codes differ by one where a sum falls on a half exactly, or
nearer to it than the factors' 24 bits tell. Needs the extra ``hwsim[onnx]``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hwsim.interop.qonnx_nodes import Node, constants_of, nodes_of, shape_of
from hwsim.ir.encoding import Encoding
from hwsim.ir.errors import ArtifactError, UsageError
from hwsim.ir.mac import EncodedMac, Input
from hwsim.ir.mac_build import WIDE, Builder, Value, fixed_point
from hwsim.ir.mac_ops import Conv, Linear, Op, Requant
from hwsim.ir.mac_vector import Add, Concat, Pool, Reshape, Transpose

FINE_BITS = 8  # a sum of two values keeps so many bits below the finer of their codes
MEND = "Quantise it in the model, or compute that part outside."


@dataclass(frozen=True)
class Weights:
    """A quantised constant: codes, and Δ as one number or one an output channel."""

    codes: np.ndarray
    step: np.ndarray


@dataclass(frozen=True, eq=False)
class Sums:
    """A layer whose sums wait for a Quant: real value = gain[n] · sum + offset[n], then a ReLU when `relu`."""

    x: Value
    weights: np.ndarray
    gain: np.ndarray
    offset: np.ndarray
    relu: bool = False
    window: tuple[tuple[int, int], tuple[int, int], int] | None = None


Any_ = Value | Sums | Weights


class _Importer:
    """Walks the nodes in order; `values` maps tensor names to what they became."""

    def __init__(self, model: Any, encoding: Encoding) -> None:
        self.encoding = encoding
        self.constants = constants_of(model)
        self.nodes = nodes_of(model)
        self.feeds = {i.name: shape_of(i) for i in model.graph.input if i.name not in self.constants}
        self.output = model.graph.output[0].name
        self.values: dict[str, Any_] = {}
        self.net = Builder([self._input(name) for name in self.feeds])
        for number, name in enumerate(self.feeds):
            self.values[name] = Value(number, self.net.inputs[number].scale)

    def _input(self, name: str) -> Input:
        readers = [n for n in self.nodes if name in n.inputs]
        if not readers or any(n.op != "Quant" for n in readers):
            got = ", ".join(str(n) for n in readers) or "no reader"
            raise UsageError.of(f"input {name!r} feeds", got, "Quant nodes only", "Quantise the model's input.")
        step, lo, hi = self._quantiser(readers[0])
        return Input(self.feeds[name], lo, hi, float(step.ravel()[0]))

    def run(self, n_classes: int, meta: dict[str, str]) -> EncodedMac:
        """The whole graph."""
        for node in self.nodes:
            handler = getattr(self, f"_{node.op.lower()}", None)
            if handler is None:
                known = ", ".join(sorted(OPERATORS))
                raise UsageError.of("operator without a mapping", str(node), f"one of {known}", MEND)
            if all(name in self.constants for name in node.inputs if name) and node.op != "Quant":
                raise UsageError.of(f"{node}: inputs", "constants only", "a value", "Fold constants before export.")
            try:
                self.values[node.output] = handler(node)
            except ArtifactError as error:
                raise ArtifactError(f"{node}: {error}") from error
        return self.net.finish(self._value(self.output, None), n_classes, meta)

    # -- operands ------------------------------------------------------------------------------------------

    def _of(self, name: str, node: Node | None) -> Any_:
        if name not in self.values:
            raise UsageError.of(f"{node}: input {name!r}", "a float tensor", "a quantised value", MEND)
        return self.values[name]

    def _value(self, name: str, node: Node | None) -> Value:
        """Integers times one Δ; sums are rounded to 1/256 of their finest step, wide enough for anything."""
        found = self._of(name, node)
        if isinstance(found, Sums):
            step = float(np.abs(found.gain[found.gain != 0]).min(initial=np.inf)) * self.encoding.step
            value = self._rounded(found, step if np.isfinite(step) else 1.0, *WIDE)
            self.values[name] = value
            return value
        if isinstance(found, Weights):
            raise UsageError.of(f"{node}: input {name!r}", "a constant", "a value of the network", MEND)
        return found

    def _constant(self, name: str) -> np.ndarray | None:
        """Real values of a constant, quantised or not; None for a value."""
        if name in self.constants:
            return np.asarray(self.constants[name], np.float64)
        found = self.values.get(name)
        return found.codes * found.step if isinstance(found, Weights) else None

    def _rounded(self, sums: Sums, step: float, lo: int, hi: int) -> Value:
        """Emit a layer whose codes stand for multiples of `step`."""
        unit = self.net.unit(self.encoding)
        per_sum = sums.gain * self.encoding.step
        safe = np.where(per_sum == 0, 1.0, per_sum)
        bias = np.rint(sums.offset / safe).astype(np.int64)
        terms = int(np.prod(sums.weights.shape[1:]))
        mult, shift = fixed_point(per_sum / step, terms * self.net.largest[unit] + int(np.abs(bias).max()))
        requant = Requant(mult, shift, max(lo, 0) if sums.relu else lo, hi)
        op: Op
        if sums.window is None:
            op = Linear((sums.x.number,), sums.weights, bias, requant, unit)
        else:
            op = Conv((sums.x.number,), sums.weights, bias, requant, *sums.window, unit)
        return self.net.add(op, step)

    # -- quantisers ----------------------------------------------------------------------------------------

    def _quantiser(self, node: Node) -> tuple[np.ndarray, int, int]:
        """(Δ, lo, hi) of a Quant node."""
        step, zero, width = (self._constant(name) for name in node.inputs[1:4])
        if step is None or zero is None or width is None:
            raise UsageError.of(f"{node}: scale, zero point, bits", "computed ones", "constants", "Export constants.")
        if np.any(zero != 0) or np.any(step <= 0) or width.size != 1 or not 1 <= int(width.ravel()[0]) <= 32:
            got = f"scale {step.min():g}, zero point {zero.ravel()[0]:g}, {width.ravel()[0]:g} bits"
            raise UsageError.of(f"{node}", got, "scale > 0, zero point 0, 1…32 bits", "Quantise symmetrically.")
        if (mode := node.options.get("rounding_mode", "ROUND")) not in ("ROUND", "HALF_EVEN"):
            raise UsageError.of(f"{node}: rounding_mode", mode, "ROUND", "Round to nearest.")
        bits = int(width.ravel()[0])
        if not node.options.get("signed", 1):
            return step, 0, (1 << bits) - 1
        return step, -(1 << (bits - 1)) + int(node.options.get("narrow", 0)), (1 << (bits - 1)) - 1

    def _quant(self, node: Node) -> Any_:
        step, lo, hi = self._quantiser(node)
        if node.inputs[0] in self.constants:
            codes = np.clip(np.rint(np.asarray(self.constants[node.inputs[0]], np.float64) / step), lo, hi)
            return Weights(codes.astype(np.int64), step)
        if step.size != 1:
            raise UsageError.of(f"{node}: scale", f"{step.size} values", "one for a value", "Use per-tensor scales.")
        found, delta = self._of(node.inputs[0], node), float(step.ravel()[0])
        if isinstance(found, Sums):
            return self._rounded(found, delta, lo, hi)
        return self.net.rescaled(self._value(node.inputs[0], node), delta, lo, hi)

    # -- layers --------------------------------------------------------------------------------------------

    def _weights(self, name: str, node: Node) -> Weights:
        found = self.values.get(name)
        if not isinstance(found, Weights):
            raise UsageError.of(f"{node}: weights {name!r}", "not quantised", "a Quant of a constant", MEND)
        return found

    def _layer(self, node: Node, codes: np.ndarray, step: np.ndarray, window: Any = None) -> Sums:
        """Sums of weights [n, …]; `step` has one Δ, or one an output channel."""
        n, x = len(codes), self._value(node.inputs[0], node)
        if step.size not in (1, n):
            raise UsageError.of(f"{node}: weight scales", step.size, f"1 or {n}", "One a tensor or output channel.")
        offset = np.zeros(n)
        if len(node.inputs) > 2 and node.inputs[2]:
            bias = self._constant(node.inputs[2])
            if bias is None:
                raise UsageError.of(f"{node}: bias", node.inputs[2], "a constant", MEND)
            offset = np.broadcast_to(bias.ravel(), n).copy()
        gain = np.broadcast_to(step.ravel() * x.step, n).copy()
        return Sums(x, codes.astype(np.int16), gain, offset, False, window)

    def _gemm(self, node: Node) -> Sums:
        if node.options.get("alpha", 1.0) != 1.0 or node.options.get("beta", 1.0) != 1.0 or node.options.get("transA"):
            raise UsageError.of(f"{node}: options", node.options, "alpha = beta = 1, transA = 0", "Scale the weights.")
        w = self._weights(node.inputs[1], node)
        codes, step = (w.codes, w.step) if node.options.get("transB") else (w.codes.T, w.step.T)
        return self._layer(node, codes, step)

    def _matmul(self, node: Node) -> Sums:
        w = self._weights(node.inputs[1], node)
        if w.codes.ndim != 2:
            raise UsageError.of(f"{node}: weights", list(w.codes.shape), "[k, n]", MEND)
        return self._layer(node, w.codes.T, w.step.T)

    def _conv(self, node: Node) -> Sums:
        w, size, stride, padding = self._weights(node.inputs[1], node), *self._window(node)
        if w.codes.ndim != 4 or tuple(w.codes.shape[2:]) != size:
            raise UsageError.of(f"{node}: weights", list(w.codes.shape), "[n, c, kh, kw]", "Use 2-D convolutions.")
        return self._layer(node, w.codes, w.step, (stride, padding, int(node.options.get("group", 1))))

    def _window(self, node: Node) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
        """(size, stride, padding) of a 2-D window."""
        o = node.options
        pads = list(o.get("pads", [0, 0, 0, 0]))
        size = list(o.get("kernel_shape", []))
        if not size and node.op == "Conv":
            size = list(self._weights(node.inputs[1], node).codes.shape[2:])
        odd = {
            "dilations": any(d != 1 for d in o.get("dilations", [1])),
            "auto_pad": o.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"),
            "ceil_mode": bool(o.get("ceil_mode", 0)),
            "pads that differ": len(pads) != 4 or pads[:2] != pads[2:],
            "kernel_shape": len(size) != 2,
            "count_include_pad": node.op == "AveragePool" and any(pads) and not o.get("count_include_pad", 0),
        }
        if any(odd.values()):
            got = ", ".join(name for name, on in odd.items() if on)
            raise UsageError.of(f"{node}: options", got, "plain 2-D windows", "Export with explicit equal padding.")
        stride = list(o.get("strides", [1, 1]))
        return (size[0], size[1]), (stride[0], stride[1]), (pads[0], pads[1])

    # -- between layers and quantisers ---------------------------------------------------------------------

    def _affine(self, node: Node, name: str, gain: np.ndarray, offset: np.ndarray) -> Any_:
        """gain · value + offset, one a channel or one for all."""
        found = self._of(name, node)
        if isinstance(found, Sums) and not found.relu:
            n = len(found.gain)
            if gain.size in (1, n) and offset.size in (1, n):
                return replace(
                    found, gain=found.gain * gain.ravel(), offset=found.offset * gain.ravel() + offset.ravel()
                )
        value = self._value(name, node)
        if gain.size == 1 and not offset.any() and float(gain.ravel()[0]) > 0:
            return Value(value.number, value.step * float(gain.ravel()[0]))
        raise UsageError.of(f"{node}", "a factor or offset of an activation", "behind a layer", MEND)

    def _batchnormalization(self, node: Node) -> Any_:
        parts = [self._constant(name) for name in node.inputs[1:5]]
        if any(p is None for p in parts):
            raise UsageError.of(f"{node}: parameters", "computed ones", "constants", "Export constants.")
        scale, shift, mean, var = (np.asarray(p) for p in parts)
        gain = scale / np.sqrt(var + float(node.options.get("epsilon", 1e-5)))
        return self._affine(node, node.inputs[0], gain, shift - gain * mean)

    def _relu(self, node: Node) -> Any_:
        found = self._of(node.inputs[0], node)
        if isinstance(found, Sums):
            return replace(found, relu=True)
        value = self._value(node.inputs[0], node)
        return self.net.rescaled(value, value.step, 0, max(self.net.bounds[value.number][1], 0))

    def _split(self, node: Node) -> tuple[str, np.ndarray] | None:
        """(name of the value, the constant) of a node with one of each."""
        for name, other in (node.inputs, node.inputs[::-1]):
            if (constant := self._constant(other)) is not None:
                return name, constant
        return None

    def _add(self, node: Node) -> Any_:
        if (pair := self._split(node)) is not None:
            return self._affine(node, pair[0], np.ones(1), pair[1])
        a, b = (self._value(name, node) for name in node.inputs)
        step = min(a.step, b.step) / (1 << FINE_BITS)
        mult, shift = fixed_point(np.array([a.step, b.step]) / step, self.net.top(a) + self.net.top(b))
        return self.net.add(Add((a.number, b.number), (int(mult[0]), int(mult[1])), shift, *WIDE), step)

    def _mul(self, node: Node) -> Any_:
        if (pair := self._split(node)) is None:
            raise UsageError.of(f"{node}", "a product of two values", "a constant factor", MEND)
        return self._affine(node, pair[0], pair[1], np.zeros(1))

    def _div(self, node: Node) -> Any_:
        constant = self._constant(node.inputs[1])
        if constant is None:
            raise UsageError.of(f"{node}", "a quotient of two values", "a constant divisor", MEND)
        return self._affine(node, node.inputs[0], 1 / constant, np.zeros(1))

    def _concat(self, node: Node) -> Value:
        values = [self._value(name, node) for name in node.inputs]
        step = min(v.step for v in values)
        bounds = [(self.net.bounds[v.number], v.step / step) for v in values]
        lo, hi = min(int(b[0] * r) for b, r in bounds), max(int(b[1] * r) + 1 for b, r in bounds)
        axis = int(node.options["axis"]) % (len(self.net.shape(values[0])) + 1)
        parts = tuple(self.net.rescaled(v, step, lo, hi).number for v in values)
        return self.net.add(Concat(parts, axis - 1), step)

    # -- pools and shapes ----------------------------------------------------------------------------------

    def _maxpool(self, node: Node) -> Value:
        value, (size, stride, padding) = self._value(node.inputs[0], node), self._window(node)
        fill = self.net.bounds[value.number][0]
        return self.net.add(Pool((value.number,), "max", size, stride, padding, None, fill), value.step)

    def _averagepool(self, node: Node) -> Value:
        return self._summed(node, *self._window(node))

    def _globalaveragepool(self, node: Node) -> Value:
        _, h, w = self.net.shape(self._value(node.inputs[0], node))
        return self._summed(node, (h, w), (1, 1), (0, 0))

    def _summed(self, node: Node, size: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int]) -> Value:
        """A sum keeps every bit; its Δ holds the division."""
        value, count = self._value(node.inputs[0], node), size[0] * size[1]
        requant = Requant(np.array([1]), 0, *WIDE)
        return self.net.add(Pool((value.number,), "sum", size, stride, padding, requant), value.step / count)

    def _reshaped(self, node: Node, shape: tuple[int, ...]) -> Value:
        value = self._value(node.inputs[0], node)
        return self.net.add(Reshape((value.number,), shape), value.step)

    def _flatten(self, node: Node) -> Value:
        if int(node.options.get("axis", 1)) != 1:
            raise UsageError.of(f"{node}: axis", node.options["axis"], 1, "Keep the batch as first axis.")
        return self._reshaped(node, (-1,))

    def _reshape(self, node: Node) -> Value:
        wanted = self._constant(node.inputs[1])
        if wanted is None or len(wanted) < 2:
            raise UsageError.of(f"{node}: shape", "computed, or of the batch", "a constant [batch, …]", "Fold it.")
        have = self.net.shape(self._value(node.inputs[0], node))
        shape = [have[i] if n == 0 else int(n) for i, n in enumerate(wanted[1:].astype(int))]
        return self._reshaped(node, tuple(shape))

    def _axes(self, node: Node, rank: int) -> list[int]:
        """Axes named by an input or an attribute, without the batch; `rank` is the input's, with the batch."""
        given = self._constant(node.inputs[1]) if len(node.inputs) > 1 else np.array(node.options.get("axes", []))
        named = [int(a) for a in (np.array([]) if given is None else given).ravel()]
        axes = [a % (rank + (len(named) if node.op == "Unsqueeze" else 0)) for a in named]
        if not axes or 0 in axes:
            raise UsageError.of(f"{node}: axes", axes, "constant axes without the batch", "Name the axes.")
        return sorted(a - 1 for a in axes)

    def _squeeze(self, node: Node) -> Value:
        shape = self.net.shape(self._value(node.inputs[0], node))
        axes = self._axes(node, len(shape) + 1)
        return self._reshaped(node, tuple(n for i, n in enumerate(shape) if i not in axes))

    def _unsqueeze(self, node: Node) -> Value:
        shape = list(self.net.shape(self._value(node.inputs[0], node)))
        for axis in self._axes(node, len(shape) + 1):
            shape.insert(axis, 1)
        return self._reshaped(node, tuple(shape))

    def _transpose(self, node: Node) -> Value:
        order = [int(a) for a in node.options.get("perm", [])]
        if not order or order[0] != 0:
            raise UsageError.of(f"{node}: perm", order, "an order with the batch first", "Leave the batch alone.")
        value = self._value(node.inputs[0], node)
        return self.net.add(Transpose((value.number,), tuple(a - 1 for a in order[1:])), value.step)

    def _identity(self, node: Node) -> Any_:
        return self._of(node.inputs[0], node)

    _dropout = _identity


OPERATORS = (
    "Quant", "Conv", "Gemm", "MatMul", "BatchNormalization", "Relu", "Add", "Mul", "Div", "Concat", "MaxPool",
    "AveragePool", "GlobalAveragePool", "Flatten", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "Identity",
    "Dropout",
)  # fmt: skip


def from_qonnx(model: Any, encoding: Encoding, *, n_classes: int = 0, meta: dict[str, str] | None = None) -> EncodedMac:
    """The network of a QONNX model, with `encoding` as product unit of all layers.

    Args:
        model: path of an ``.onnx`` file, its bytes, or an ``onnx.ModelProto``.
        encoding: operands must hold the model's codes (8×8 signed for usual exports).
        n_classes: > 0 when the output's argmax is a class.

    Raises:
        UsageError: onnx is not installed, or an operator or option without mapping: names it and the node.
        ArtifactError: not an ONNX file, or codes and sums beyond what the unit and the IR hold; names the node.
    """
    from hwsim.interop.qonnx_nodes import read

    loaded = read(os.fspath(model) if isinstance(model, os.PathLike) else model)
    return _Importer(loaded, encoding).run(n_classes, {"from": "qonnx", **(meta or {})})
