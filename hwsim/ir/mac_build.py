"""Writing an `encoded_mac` graph: operations are checked as they come, so that the next one knows shapes and ranges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from hwsim.ir.encoding import Encoding
from hwsim.ir.mac import EncodedMac, Input
from hwsim.ir.mac_ops import Bounds, Op, Requant, Shape, Units
from hwsim.ir.mac_vector import Const, Rescale

MULT_BITS = 24  # of requantisation factors: 16 below the rounding of an 8-bit code
WIDE: Bounds = (-(1 << 40), 1 << 40)  # of values that are rounded to fewer bits later
_SUM_BITS = 61  # products of sums and factors stay below 2^61
_MAX_SHIFT = 48


class Value(NamedTuple):
    """A value of the network being written: its number, and the real value Δ of one code."""

    number: int
    step: float


class Builder:
    """An `encoded_mac` while it is written.

    Args:
        inputs: as of the network.

    Example:
        >>> net = Builder([Input((2,), -8, 7, 0.5)])
        >>> half = net.rescaled(Value(0, 0.5), 1.0, -4, 3)
        >>> net.finish(half).reference(np.array([[7, -3]])).tolist()
        [[3, -1]]
    """

    def __init__(self, inputs: Sequence[Input]) -> None:
        self.inputs = tuple(inputs)
        self.ops: list[Op] = []
        self.encodings: list[Encoding] = []
        self.largest: list[int] = []
        self.shapes: list[Shape] = [tuple(i.shape) for i in inputs]
        self.bounds: list[Bounds] = [(i.lo, i.hi) for i in inputs]

    def unit(self, encoding: Encoding) -> int:
        """Index of a product unit; the same object is stored once."""
        for i, known in enumerate(self.encodings):
            if known is encoding:
                return i
        self.encodings.append(encoding)
        self.largest.append(int(np.abs(encoding.table).max()))
        return len(self.encodings) - 1

    def add(self, op: Op, step: float) -> Value:
        """Append an operation; raises `ArtifactError` when it breaks a rule."""
        units = Units(
            tuple(e.x_range for e in self.encodings), tuple(e.w_range for e in self.encodings), tuple(self.largest)
        )
        shapes, bounds = [self.shapes[v] for v in op.inputs], [self.bounds[v] for v in op.inputs]
        shape, bound = op.check(f"op {len(self.ops)} ({op.type})", shapes, bounds, units)
        self.ops.append(op)
        self.shapes.append(shape)
        self.bounds.append(bound)
        return Value(len(self.shapes) - 1, step)

    def shape(self, value: Value) -> Shape:
        """Shape of a value without batch."""
        return self.shapes[value.number]

    def top(self, value: Value) -> int:
        """Largest magnitude of a value."""
        return max(abs(b) for b in self.bounds[value.number])

    def rescaled(self, value: Value, step: float, lo: int, hi: int) -> Value:
        """The value in another scale and range; itself when nothing changes."""
        low, high = self.bounds[value.number]
        if step == value.step and lo <= low and high <= hi:
            return value
        mult, shift = fixed_point(value.step / step, self.top(value))
        return self.add(Rescale((value.number,), Requant(mult, shift, lo, hi)), step)

    def constant(self, codes: np.ndarray, step: float) -> Value:
        """A fixed tensor of codes."""
        return self.add(Const((0,), codes.astype(np.int64)), step)

    def finish(self, output: Value, n_classes: int = 0, meta: dict[str, str] | None = None) -> EncodedMac:
        """The network; its output is `output`, moved to the end when other values came later."""
        if output.number != len(self.shapes) - 1 or not self.ops:
            lo, hi = self.bounds[output.number]
            output = self.add(Rescale((output.number,), Requant(np.array([1]), 0, lo, hi)), output.step)
        return EncodedMac(self.inputs, tuple(self.encodings), tuple(self.ops), n_classes, output.step, dict(meta or {}))


def fixed_point(ratio: Any, largest: int) -> tuple[np.ndarray, int]:
    """(mult int64 [n], shift) with mult / 2^shift ≈ ratio, for sums up to `largest`: as many bits as fit.

    Example:
        >>> mult, shift = fixed_point(np.array([0.75]), 1 << 20)
        >>> float(mult[0]) / 2**shift
        0.75
    """
    ratio = np.atleast_1d(np.asarray(ratio, np.float64))
    top = float(np.abs(ratio).max())
    if top == 0:
        return np.zeros(len(ratio), np.int64), 0
    bits = min(MULT_BITS, _SUM_BITS - int(largest).bit_length())
    shift = int(np.floor(bits - np.log2(top))) - 1
    shift = max(min(shift, _MAX_SHIFT), 0)
    return np.rint(np.ldexp(ratio, shift)).astype(np.int64), shift
