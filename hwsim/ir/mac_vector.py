"""The element-wise and shape operations of an `encoded_mac` graph: what a vector unit beside the array does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar, Literal

import numpy as np

from hwsim.ir.errors import ArtifactError
from hwsim.ir.mac_ops import LIMIT, MAX_SHIFT, Bounds, Mac, Op, Requant, Shape, Units, window_shape, windows

MAX_TABLE = 1 << 16


@dataclass(frozen=True, eq=False)
class Add(Op):
    """y = clip( ⌊(a · mult_a + b · mult_b + 2^(shift−1)) / 2^shift⌋, lo, hi ), shapes broadcast as numpy's.

    Attributes:
        mults: (mult_a, mult_b); a negative one subtracts.
    """

    type: ClassVar[str] = "add"
    n_inputs: ClassVar[int] = 2
    mults: tuple[int, int]
    shift: int
    lo: int
    hi: int

    def check(
        self, where: str, shapes: Sequence[Shape], bounds: Sequence[Bounds], units: Units
    ) -> tuple[Shape, Bounds]:
        top = sum(max(abs(lo), abs(hi)) * abs(m) for (lo, hi), m in zip(bounds, self.mults, strict=True))
        return _broadcast(where, shapes), Requant(np.ones(1, np.int64), self.shift, self.lo, self.hi).check(
            where, 1, (-top, top)
        )

    def run(self, xs: Sequence[np.ndarray], mac: Mac) -> np.ndarray:
        a, b = _aligned(xs)
        acc = a * self.mults[0] + b * self.mults[1]
        return np.clip((acc + ((1 << self.shift) >> 1)) >> self.shift, self.lo, self.hi)


@dataclass(frozen=True, eq=False)
class Mul(Op):
    """y = requantise(a · b), element by element, by an exact multiplier; shapes broadcast."""

    type: ClassVar[str] = "mul"
    n_inputs: ClassVar[int] = 2
    requant: Requant

    def check(
        self, where: str, shapes: Sequence[Shape], bounds: Sequence[Bounds], units: Units
    ) -> tuple[Shape, Bounds]:
        top = prod(max(abs(lo), abs(hi)) for lo, hi in bounds)
        shape = _broadcast(where, shapes)
        return shape, self.requant.check(where, shape[-1] if shape else 1, (-top, top))

    def run(self, xs: Sequence[np.ndarray], mac: Mac) -> np.ndarray:
        a, b = _aligned(xs)
        return self.requant(a * b)


@dataclass(frozen=True, eq=False)
class Divide(Op):
    """y = clip( ⌊(a · 2^shift + ⌊b/2⌋) / b⌋, lo, hi ) for b > 0: the end of a softmax or a norm; shapes broadcast."""

    type: ClassVar[str] = "divide"
    n_inputs: ClassVar[int] = 2
    shift: int
    lo: int
    hi: int

    def check(
        self, where: str, shapes: Sequence[Shape], bounds: Sequence[Bounds], units: Units
    ) -> tuple[Shape, Bounds]:
        if bounds[1][0] < 1:
            got = f"divisor {bounds[1][0]}…{bounds[1][1]}"
            raise ArtifactError.of(f"{where}: divisor", got, "1 or more", "Add one, or clip before this op.")
        if not 0 <= self.shift <= MAX_SHIFT:
            raise ArtifactError.of(f"{where}: shift", self.shift, f"0…{MAX_SHIFT}", "Mend the export.")
        top = max(abs(bounds[0][0]), abs(bounds[0][1]))
        Requant(np.array([1 << self.shift]), 0, self.lo, self.hi).check(where, 1, (-top, top))
        return _broadcast(where, shapes), (self.lo, self.hi)

    def run(self, xs: Sequence[np.ndarray], mac: Mac) -> np.ndarray:
        a, b = _aligned(xs)
        return np.clip(((a << self.shift) + (b >> 1)) // b, self.lo, self.hi)


@dataclass(frozen=True, eq=False)
class Table(Op):
    """y = table[x − first]: any function of one code (tanh, exp, sigmoid, rsqrt, …).

    Attributes:
        table: int64 [n], n ≤ 65 536; x lies in first … first + n − 1.
    """

    type: ClassVar[str] = "table"
    table: np.ndarray
    first: int

    def check(
        self, where: str, shapes: Sequence[Shape], bounds: Sequence[Bounds], units: Units
    ) -> tuple[Shape, Bounds]:
        table = self.table
        if not isinstance(table, np.ndarray) or table.dtype != np.int64 or table.ndim != 1 or len(table) > MAX_TABLE:
            got = f"{getattr(table, 'dtype', type(table))} {list(getattr(table, 'shape', []))}"
            raise ArtifactError.of(f"{where}: table", got, f"int64 [at most {MAX_TABLE}]", "Use a shorter table.")
        if bounds[0][0] < self.first or bounds[0][1] >= self.first + len(table):
            got, want = f"x {bounds[0][0]}…{bounds[0][1]}", f"{self.first}…{self.first + len(table) - 1}"
            raise ArtifactError.of(f"{where}: x beyond the table", got, want, "Requantise first, or widen the table.")
        return shapes[0], (int(table.min()), int(table.max()))

    def run(self, xs: Sequence[np.ndarray], mac: Mac) -> np.ndarray:
        return self.table[xs[0] - self.first]


@dataclass(frozen=True, eq=False)
class Rescale(Op):
    """y = requantise(x): another scale or range, channels along `axis` (of the shape without batch; [] has one)."""

    type: ClassVar[str] = "rescale"
    requant: Requant
    axis: int = -1

    def check(
        self, where: str, shapes: Sequence[Shape], bounds: Sequence[Bounds], units: Units
    ) -> tuple[Shape, Bounds]:
        if shapes[0]:
            _need_axis(where, self.axis, shapes[0])
        return shapes[0], self.requant.check(where, shapes[0][self.axis] if shapes[0] else 1, bounds[0])

    def run(self, xs: Sequence[np.ndarray], mac: Mac) -> np.ndarray:
        return self.requant(xs[0], self.axis + 1 if self.axis >= 0 else self.axis)


@dataclass(frozen=True, eq=False)
class Pool(Op):
    """Windows of [c, h, w]: maximum, or requantised sum (an average).

    Attributes:
        requant: for sums; None for a maximum.
        fill: the code beyond the edges.
    """

    type: ClassVar[str] = "pool"
    how: Literal["max", "sum"]
    size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int] = (0, 0)
    requant: Requant | None = None
    fill: int = 0

    def check(
        self, where: str, shapes: Sequence[Shape], bounds: Sequence[Bounds], units: Units
    ) -> tuple[Shape, Bounds]:
        if len(shapes[0]) != 3:
            raise ArtifactError.of(f"{where}: input shape", list(shapes[0]), "[channels, height, width]", "Reshape.")
        shape = (shapes[0][0], *window_shape(where, shapes[0], self.size, self.stride, self.padding))
        fill = (min(bounds[0][0], self.fill), max(bounds[0][1], self.fill)) if any(self.padding) else bounds[0]
        return shape, _reduced(where, self.how, self.requant, fill, prod(self.size))

    def run(self, xs: Sequence[np.ndarray], mac: Mac) -> np.ndarray:
        view = windows(xs[0], self.size, self.stride, self.padding, self.fill)
        if self.requant is None:
            return np.asarray(view.max(axis=(-1, -2)))
        return self.requant(view.sum(axis=(-1, -2)))


@dataclass(frozen=True, eq=False)
class Reduce(Op):
    """Maximum or requantised sum along one axis, which stays with length 1."""

    type: ClassVar[str] = "reduce"
    how: Literal["max", "sum"]
    axis: int
    requant: Requant | None = None

    def check(
        self, where: str, shapes: Sequence[Shape], bounds: Sequence[Bounds], units: Units
    ) -> tuple[Shape, Bounds]:
        _need_axis(where, self.axis, shapes[0])
        shape = list(shapes[0])
        terms, shape[self.axis] = shape[self.axis], 1
        return tuple(shape), _reduced(where, self.how, self.requant, bounds[0], terms)

    def run(self, xs: Sequence[np.ndarray], mac: Mac) -> np.ndarray:
        axis = self.axis + 1 if self.axis >= 0 else self.axis
        if self.requant is None:
            return np.asarray(xs[0].max(axis=axis, keepdims=True))
        return self.requant(xs[0].sum(axis=axis, keepdims=True))


@dataclass(frozen=True, eq=False)
class Reshape(Op):
    """The same elements in another shape; at most one −1."""

    type: ClassVar[str] = "reshape"
    shape: tuple[int, ...]

    def check(
        self, where: str, shapes: Sequence[Shape], bounds: Sequence[Bounds], units: Units
    ) -> tuple[Shape, Bounds]:
        try:
            shape = np.empty(shapes[0], np.int8).reshape(self.shape).shape
        except ValueError:
            got = f"{list(shapes[0])} to {list(self.shape)}"
            raise ArtifactError.of(f"{where}: reshape", got, "as many elements", "Mend the shape.") from None
        return shape, bounds[0]

    def run(self, xs: Sequence[np.ndarray], mac: Mac) -> np.ndarray:
        shape = np.empty(xs[0].shape[1:], np.int8).reshape(self.shape).shape  # −1 is unclear in an empty batch
        return xs[0].reshape(len(xs[0]), *shape)


@dataclass(frozen=True, eq=False)
class Transpose(Op):
    """Axes in another order (of the shape without batch)."""

    type: ClassVar[str] = "transpose"
    axes: tuple[int, ...]

    def check(
        self, where: str, shapes: Sequence[Shape], bounds: Sequence[Bounds], units: Units
    ) -> tuple[Shape, Bounds]:
        if sorted(self.axes) != list(range(len(shapes[0]))):
            want = f"an order of 0…{len(shapes[0]) - 1}"
            raise ArtifactError.of(f"{where}: axes", list(self.axes), want, "Name every axis once.")
        return tuple(shapes[0][a] for a in self.axes), bounds[0]

    def run(self, xs: Sequence[np.ndarray], mac: Mac) -> np.ndarray:
        return xs[0].transpose(0, *(a + 1 for a in self.axes))


@dataclass(frozen=True, eq=False)
class Concat(Op):
    """Any number of values side by side along `axis`; they share one scale."""

    type: ClassVar[str] = "concat"
    n_inputs: ClassVar[int] = -1
    axis: int

    def check(
        self, where: str, shapes: Sequence[Shape], bounds: Sequence[Bounds], units: Units
    ) -> tuple[Shape, Bounds]:
        _need_axis(where, self.axis, shapes[0])
        axis = self.axis % len(shapes[0])
        if len({(*s[:axis], *s[axis + 1 :]) for s in shapes}) != 1 or len({len(s) for s in shapes}) != 1:
            got = ", ".join(str(list(s)) for s in shapes)
            raise ArtifactError.of(f"{where}: shapes", got, f"equal but for axis {self.axis}", "Reshape one of them.")
        total = sum(s[axis] for s in shapes)
        shape = (*shapes[0][:axis], total, *shapes[0][axis + 1 :])
        return shape, (min(b[0] for b in bounds), max(b[1] for b in bounds))

    def run(self, xs: Sequence[np.ndarray], mac: Mac) -> np.ndarray:
        return np.concatenate(list(xs), axis=self.axis + 1 if self.axis >= 0 else self.axis)


@dataclass(frozen=True, eq=False)
class Const(Op):
    """A fixed tensor: position codes, masks, class vectors. Its input gives the batch size only.

    Attributes:
        value: int64 [*shape].
    """

    type: ClassVar[str] = "const"
    value: np.ndarray

    def check(
        self, where: str, shapes: Sequence[Shape], bounds: Sequence[Bounds], units: Units
    ) -> tuple[Shape, Bounds]:
        if not isinstance(self.value, np.ndarray) or self.value.dtype != np.int64 or self.value.size == 0:
            raise ArtifactError.of(f"{where}: value", type(self.value), "int64, not empty", "Convert it.")
        return self.value.shape, (int(self.value.min()), int(self.value.max()))

    def run(self, xs: Sequence[np.ndarray], mac: Mac) -> np.ndarray:
        return np.broadcast_to(self.value, (len(xs[0]), *self.value.shape))


def _broadcast(where: str, shapes: Sequence[Shape]) -> Shape:
    try:
        return tuple(np.broadcast_shapes(*shapes))
    except ValueError:
        got = " and ".join(str(list(s)) for s in shapes)
        raise ArtifactError.of(f"{where}: shapes", got, "shapes that broadcast", "Reshape one of them.") from None


def _aligned(xs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Inputs with singleton axes after the batch, so that shapes of different rank broadcast."""
    rank = max(x.ndim for x in xs)
    return [x.reshape(len(x), *(1,) * (rank - x.ndim), *x.shape[1:]) for x in xs]


def _need_axis(where: str, axis: int, shape: Shape) -> None:
    if not -len(shape) <= axis < len(shape):
        raise ArtifactError.of(f"{where}: axis", axis, f"an axis of {list(shape)}", "Count axes without the batch.")


def _reduced(where: str, how: str, requant: Requant | None, bounds: Bounds, terms: int) -> Bounds:
    if how not in ("max", "sum") or (how == "sum") != (requant is not None):
        got = f"{how!r} {'with' if requant else 'without'} requantisation"
        raise ArtifactError.of(f"{where}: how", got, "'max' without, or 'sum' with it", "Mend the op.")
    if requant is None:
        return bounds
    low, high = bounds[0] * terms, bounds[1] * terms
    if max(-low, high) > LIMIT:
        raise ArtifactError.of(f"{where}: sums overflow", f"{low}…{high}", "62 bits", "Use narrower codes.")
    return requant.check(where, 1, (low, high))
