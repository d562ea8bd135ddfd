"""`encoded_mac`: a network of integer operations whose products go through encodings.

The graph is SSA: values 0 … n_inputs−1 are the inputs, every op adds one value, the last value is the output. Matrix
products (`Linear`, `Conv`, `MatMul`) run on an array of product units (EncodingNet, arXiv 2402.18595); the other ops
run on a vector unit beside it. Specification and a worked example: ``docs/ir/encoded_mac.md``.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Protocol, Self

import numpy as np

from hwsim.ir.artifact import Artifact, Cost, Header, Tensors, register
from hwsim.ir.encoding import Encoding
from hwsim.ir.errors import ArtifactError, ShapeError, check_shape
from hwsim.ir.mac_ops import LIMIT, Bounds, Conv, Gemm, Linear, Mac, MatMul, Op, Requant, Shape, Units
from hwsim.ir.mac_vector import Add, Concat, Const, Divide, Mul, Pool, Reduce, Rescale, Reshape, Table, Transpose

OPS: dict[str, type[Op]] = {
    op.type: op
    for op in (
        Linear, Conv, MatMul, Add, Mul, Divide, Table, Rescale, Pool, Reduce, Reshape, Transpose, Concat, Const,
    )
}  # fmt: skip


@dataclass(frozen=True)
class Input:
    """One input tensor.

    Attributes:
        shape: without the batch.
        lo, hi: code range.
        scale: a real feature is code · scale; 0 when inputs are codes only.
    """

    shape: Shape
    lo: int
    hi: int
    scale: float = 0.0


@register
@dataclass(frozen=True, eq=False)
class EncodedMac(Artifact):
    """A network of integer operations over encoded products.

    Attributes:
        inputs: shapes and code ranges.
        encodings: the product units; ops name one by index, so that layers may differ in position weights.
        ops: in order of evaluation.
        n_classes: > 0 when the class is the argmax of the output's last axis (lowest index wins ties).
        output_scale: a real output is code · scale; 0 when unknown.
        meta: free-form strings.
    """

    kind: ClassVar[str] = "encoded_mac"
    spec_version: ClassVar[int] = 1

    inputs: tuple[Input, ...]
    encodings: tuple[Encoding, ...]
    ops: tuple[Op, ...]
    n_classes: int = 0
    output_scale: float = 0.0
    meta: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.validate()

    def validate(self) -> None:
        """Raise `ArtifactError` for any broken rule; runs on construction."""
        if not self.inputs or not self.ops:
            got = f"{len(self.inputs)} inputs, {len(self.ops)} ops"
            raise ArtifactError.of("encoded_mac", got, "at least one of each", "Export the network again.")
        for i, one in enumerate(self.inputs):
            if not -LIMIT <= one.lo <= one.hi <= LIMIT or min(one.shape, default=1) < 1:
                got = f"shape {list(one.shape)}, codes {one.lo}…{one.hi}"
                raise ArtifactError.of(f"input {i}", got, "sizes ≥ 1 and lo ≤ hi, below 2^62", "Mend the input.")
        for name, scale in [(f"input {i}: scale", one.scale) for i, one in enumerate(self.inputs)] + [
            ("output_scale", self.output_scale)
        ]:
            if not 0 <= scale < np.inf:
                raise ArtifactError.of(name, scale, "0 (unknown) or a positive number", "Mend the scale.")
        shape = self.shapes[-1]
        if self.n_classes and (not shape or shape[-1] != self.n_classes):
            raise ArtifactError.of("n_classes", self.n_classes, f"0 or the last axis of {list(shape)}", "Mend it.")

    @cached_property
    def _typed(self) -> tuple[tuple[Shape, ...], tuple[Bounds, ...]]:
        """Shapes and ranges of every value, checked op by op."""
        units = Units(
            tuple(e.x_range for e in self.encodings),
            tuple(e.w_range for e in self.encodings),
            tuple(int(np.abs(e.table).max()) for e in self.encodings),
        )
        shapes: list[Shape] = [tuple(one.shape) for one in self.inputs]
        bounds: list[Bounds] = [(one.lo, one.hi) for one in self.inputs]
        for i, op in enumerate(self.ops):
            where = f"op {i} ({op.type})"
            count, known = len(op.inputs), len(shapes)
            if count != op.n_inputs and not (op.n_inputs < 0 and count):
                raise ArtifactError.of(f"{where}: inputs", count, abs(op.n_inputs), "Mend the inputs.")
            if not all(0 <= v < known for v in op.inputs):
                got = list(op.inputs)
                raise ArtifactError.of(f"{where}: inputs", got, f"values 0…{known - 1}", "Sort the ops.")
            shape, bound = op.check(where, [shapes[v] for v in op.inputs], [bounds[v] for v in op.inputs], units)
            shapes.append(shape)
            bounds.append(bound)
        return tuple(shapes), tuple(bounds)

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """Shape of every value, without the batch."""
        return self._typed[0]

    @property
    def bounds(self) -> tuple[Bounds, ...]:
        """Range (lo, hi) of every value."""
        return self._typed[1]

    @property
    def n_outputs(self) -> int:
        """Elements of the output."""
        return int(np.prod(self.shapes[-1]))

    @cached_property
    def gemms(self) -> tuple[tuple[int, Gemm], ...]:
        """(index of the op, matrix product per sample), in order."""
        return tuple((i, gemm) for i, op in enumerate(self.ops) for gemm in op.gemms(self._shapes_into(op)))

    def _shapes_into(self, op: Op) -> list[Shape]:
        return [self.shapes[v] for v in op.inputs]

    def check_codes(self, x: Any) -> tuple[np.ndarray, ...]:
        """Inputs as checked int64 arrays [batch, *shape]; one array, or a tuple of one an input.

        Raises:
            ShapeError: wrong number, shape, dtype or range.
        """
        arrays = tuple(np.asarray(a) for a in (x if isinstance(x, tuple | list) else (x,)))
        if len(arrays) != len(self.inputs):
            raise ShapeError.of("inputs", len(arrays), len(self.inputs), "Pass a tuple of arrays, one an input.")
        for i, (array, one) in enumerate(zip(arrays, self.inputs, strict=True)):
            check_shape(f"input {i}", array.shape, f"[batch, {', '.join(map(str, one.shape))}]", (None, *one.shape))
            if array.dtype.kind not in "iub":
                raise ShapeError.of(f"input {i} dtype", array.dtype, "integer codes", "Call quantise(x) first.")
            if array.size and (int(array.min()) < one.lo or int(array.max()) > one.hi):
                got = f"{array.min()}…{array.max()}"
                raise ShapeError.of(
                    f"input {i}: a code is out of range", got, f"{one.lo}…{one.hi}", "Clip or quantise."
                )
        if len({len(a) for a in arrays}) > 1:
            raise ShapeError.of("batches", [len(a) for a in arrays], "one batch size", "Pass equally many samples.")
        return tuple(a.astype(np.int64) for a in arrays)

    def quantise(self, x: Any) -> tuple[np.ndarray, ...]:
        """Input codes for real features: clip(round half even(x / scale), lo, hi), one array an input."""
        arrays = x if isinstance(x, tuple | list) else (x,)
        out = []
        for i, (array, one) in enumerate(zip(arrays, self.inputs, strict=True)):
            if not one.scale:
                raise ArtifactError.of(f"input {i} has no scale", "real features", "codes", "Quantise outside.")
            values = np.rint(np.asarray(array, np.float64) / one.scale)
            if not np.isfinite(values).all():
                raise ShapeError.of(f"input {i}", "NaN or infinity", "finite features", "Clean the data.")
            out.append(np.clip(values, one.lo, one.hi).astype(np.int64))
        return tuple(out)

    def evaluate(self, x: Any, mac: Mac) -> Iterator[np.ndarray]:
        """Every op's output in order, int64 [batch, *shape], with `mac` as product unit."""
        values = list(self.check_codes(x))
        last = {v: i for i, op in enumerate(self.ops) for v in op.inputs}  # values are dropped after their last use
        for i, op in enumerate(self.ops):
            values.append(op.run([values[v] for v in op.inputs], mac))
            yield values[-1]
            for v in op.inputs:
                if last[v] == i:
                    values[v] = np.empty(0)

    def reference(self, x: Any) -> np.ndarray:
        """Output codes int64 [batch, *shape] for input codes, every product read from the encoding's table."""
        return deque(self.evaluate(x, self.table_mac), maxlen=1)[0]

    def table_mac(self, x: np.ndarray, w: np.ndarray, unit: int) -> np.ndarray:
        """int64 [T, N]: Σ_k T(x[t, k], w[n, k]), one term after the other."""
        return table_mac(self.encodings[unit], x, w)

    def classify(self, outputs: np.ndarray) -> np.ndarray:
        """Class int64 [batch] = argmax of the output codes, lowest index on ties."""
        if not self.n_classes:
            raise ArtifactError.of("the network has no classes", "n_classes 0", "> 0", "Read the codes instead.")
        return np.asarray(outputs).argmax(axis=-1)

    def with_encodings(self, *encodings: Encoding) -> EncodedMac:
        """The same graph on other product units: one for all, or one for each.

        Where the new unit has finer products, biases and shifts follow; where it has coarser ones, it is scaled up.

        Raises:
            ArtifactError: another number of units, or codes that do not fit the new ones.
        """
        units = encodings * len(self.encodings) if len(encodings) == 1 else encodings
        if len(units) != len(self.encodings):
            raise ArtifactError.of("encodings", len(units), f"1 or {len(self.encodings)}", "Give one, or one each.")
        finer = [max(new.fraction - old.fraction, 0) for new, old in zip(units, self.encodings, strict=True)]
        scaled = [_finer(new, old.fraction - new.fraction) for new, old in zip(units, self.encodings, strict=True)]
        ops = tuple(_rescaled(op, finer) for op in self.ops)
        return dataclasses.replace(self, encodings=tuple(scaled), ops=ops)

    def cost(self) -> Cost:
        """Multiply-accumulates, weight bits and element-wise work a sample."""
        stored = sum(
            op.weights.size * self.encodings[op.encoding].w_bits for op in self.ops if isinstance(op, Linear | Conv)
        )
        vector = sum(
            int(np.prod(shape))
            for op, shape in zip(self.ops, self.shapes[len(self.inputs) :], strict=True)
            if not isinstance(op, Reshape | Transpose | Concat | Const)
        )
        return Cost(
            {"macs": sum(g.macs for _, g in self.gemms), "weight_bits": stored, "vector_elements": vector},
            {
                "macs": "Σ t · k · n · groups over matrix products, per sample",
                "weight_bits": "Σ weights · w_bits",
                "vector_elements": "Σ output elements of ops that compute, per sample",
            },
        )

    def to_tensors(self) -> tuple[Tensors, Header]:
        """Arrays ``op<i>.<field>`` and ``encoding<i>.<field>``, and a JSON-able header."""
        tensors: Tensors = {}
        units = [describe_part(encoding, f"encoding{i}.", tensors) for i, encoding in enumerate(self.encodings)]
        ops = [describe_op(op, f"op{i}.", tensors) for i, op in enumerate(self.ops)]
        inputs = [{**dataclasses.asdict(one), "shape": list(one.shape)} for one in self.inputs]
        header: Header = {"inputs": inputs, "encodings": units, "ops": ops, "n_classes": self.n_classes}
        return tensors, {**header, "output_scale": self.output_scale, "meta": dict(self.meta)}

    @classmethod
    def from_tensors(cls, tensors: Tensors, header: Header) -> Self:
        """Inverse of `to_tensors`; raises `ArtifactError` when a rule is broken."""
        units = rebuild_encodings(header, tensors)
        inputs = tuple(Input(**{**one, "shape": tuple(one["shape"])}) for one in header["inputs"])
        ops = tuple(rebuild_op(spec, f"op{i}.", tensors) for i, spec in enumerate(header["ops"]))
        return cls(inputs, units, ops, header["n_classes"], header["output_scale"], dict(header["meta"]))


def table_mac(encoding: Encoding, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """int64 [T, N]: Σ_k T(x[t, k], w[n, k]) of one product unit, one term after the other."""
    rows, columns = encoding.check_codes(x, "x"), encoding.check_codes(w, "w")
    acc = np.zeros((len(x), len(w)), np.int64)
    for k in range(x.shape[1]):
        acc += encoding.table[rows[:, k, None], columns[None, :, k]]
    return acc


def _finer(encoding: Encoding, bits: int) -> Encoding:
    """The same products with `bits` more fraction bits; itself when `bits` ≤ 0."""
    if bits <= 0:
        return encoding
    return encoding.with_weights(encoding.position_weights << bits, encoding.bias << bits, encoding.fraction + bits)


def _rescaled(op: Op, finer: Sequence[int]) -> Op:
    """The op for sums whose unit became `finer[encoding]` bits finer."""
    if not isinstance(op, Linear | Conv | MatMul) or not finer[op.encoding]:
        return op
    up = finer[op.encoding]
    requant = dataclasses.replace(op.requant, shift=op.requant.shift + up)
    if isinstance(op, MatMul):
        return dataclasses.replace(op, requant=requant)
    return dataclasses.replace(op, requant=requant, bias=op.bias << up)


class Part(Protocol):
    """What can be stored inside an artifact."""

    def to_tensors(self) -> tuple[Tensors, Header]: ...


def describe_part(part: Part, prefix: str, tensors: Tensors) -> Header:
    """Header of a part of an artifact; its arrays go into `tensors` under names that begin with `prefix`."""
    inner, described = part.to_tensors()
    tensors |= {f"{prefix}{name}": array for name, array in inner.items()}
    return described


def under(prefix: str, tensors: Tensors) -> Tensors:
    """The arrays that `describe_part` put under `prefix`, by their own names."""
    return {name.removeprefix(prefix): array for name, array in tensors.items() if name.startswith(prefix)}


def rebuild_encodings(header: Header, tensors: Tensors) -> tuple[Encoding, ...]:
    """The encodings of a network's header; inverse of `describe_part` on each."""
    headers = enumerate(header["encodings"])
    return tuple(Encoding.from_tensors(under(f"encoding{i}.", tensors), described) for i, described in headers)


def describe_op(op: Op, prefix: str, tensors: Tensors) -> Header:
    """JSON-able fields of an op; arrays go to `tensors` under `prefix`."""
    header: Header = {"type": op.type}
    for item in dataclasses.fields(op):
        value = getattr(op, item.name)
        if isinstance(value, np.ndarray):
            tensors[prefix + item.name] = value
        elif isinstance(value, Requant):
            tensors[f"{prefix}{item.name}.mult"] = value.mult
            header[item.name] = {"shift": value.shift, "lo": value.lo, "hi": value.hi}
        else:
            header[item.name] = list(value) if isinstance(value, tuple) else value
    return header


def rebuild_op(spec: Header, prefix: str, tensors: Tensors, known: dict[str, type[Op]] = OPS) -> Op:
    """The op of one of the `known` types that `describe_op` wrote; raises `ArtifactError` for another type."""
    if spec.get("type") not in known:
        raise ArtifactError.of(f"{prefix}type", repr(spec.get("type")), f"one of {', '.join(known)}", "Update hwsim.")
    fields: dict[str, Any] = {}
    for item in dataclasses.fields(known[spec["type"]]):
        value = spec.get(item.name)
        if isinstance(value, dict):
            fields[item.name] = Requant(tensors[f"{prefix}{item.name}.mult"], **value)
        elif isinstance(value, list):
            fields[item.name] = tuple(value)
        else:
            fields[item.name] = tensors.get(prefix + item.name, value)
    return known[spec["type"]](**fields)
