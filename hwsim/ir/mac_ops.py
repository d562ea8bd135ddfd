"""The operations of an `encoded_mac` graph: integer tensors in, integer tensors out.

Every value is an integer tensor [batch, *shape] with a known range lo…hi. Products of *moving* codes x and *stationary*
(or second) codes w are summed by a product unit, ``mac(x [T, K], w [N, K], encoding) → int64 [T, N]``, in units of
2^(−fraction): the reference passes a table look-up, the simulators pass their kernels. All else is exact integer
arithmetic. A real value is code · scale; scales are folded into `Requant` at export.

    requantise(a) = clip( ⌊(a · mult + 2^(shift−1)) / 2^shift⌋, lo, hi )        (round half up)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from hwsim.ir.errors import ArtifactError

Shape = tuple[int, ...]
Bounds = tuple[int, int]
Mac = Callable[[np.ndarray, np.ndarray, int], np.ndarray]  # x [T, K], w [N, K], index of the encoding

MAX_SHIFT = 48
LIMIT = (1 << 62) - 1


@dataclass(frozen=True, eq=False)
class Requant:
    """Rescaling of accumulators to codes.

    Attributes:
        mult: int64 [1] or [channels], ≥ 0 or negative.
        shift: 0…48.
        lo, hi: saturation; lo = 0 is a ReLU.
    """

    mult: np.ndarray
    shift: int
    lo: int
    hi: int

    def __call__(self, acc: np.ndarray, channel_axis: int = -1) -> np.ndarray:
        """int64 codes for int64 accumulators; `mult` runs along `channel_axis`."""
        mult = self.mult
        if len(mult) > 1:
            mult = mult.reshape([-1 if i == channel_axis % acc.ndim else 1 for i in range(acc.ndim)])
        half = (1 << self.shift) >> 1
        return np.clip((acc * mult + half) >> self.shift, self.lo, self.hi)

    def check(self, where: str, channels: int, bounds: Bounds) -> Bounds:
        """The code range; raises `ArtifactError` for wrong shapes or products past 62 bits."""
        mult = self.mult
        if not isinstance(mult, np.ndarray) or mult.dtype != np.int64 or mult.shape not in ((1,), (channels,)):
            got = f"{getattr(mult, 'dtype', type(mult))} {getattr(mult, 'shape', '')}"
            raise ArtifactError.of(f"{where}: mult", got, f"int64 [1] or [{channels}]", "One factor a channel, or one.")
        if not 0 <= self.shift <= MAX_SHIFT or not -LIMIT <= self.lo <= self.hi <= LIMIT:
            got = f"shift {self.shift}, lo {self.lo}, hi {self.hi}"
            want = f"shift 0…{MAX_SHIFT}, −2^62 < lo ≤ hi < 2^62"
            raise ArtifactError.of(f"{where}: requantisation", got, want, "Mend the export.")
        largest = max(abs(bounds[0]), abs(bounds[1])) * max(-int(mult.min()), int(mult.max()))
        if largest + (1 << self.shift) > LIMIT:
            mend = "Use a smaller mult and shift."
            raise ArtifactError.of(f"{where}: requantisation overflows", f"2^{largest.bit_length()}", "2^62", mend)
        return self.lo, self.hi


@dataclass(frozen=True)
class Gemm:
    """One product of matrices that an op runs on the array, per sample: [t, k] × [k, n], `groups` times."""

    t: int
    k: int
    n: int
    groups: int = 1

    @property
    def macs(self) -> int:
        return self.t * self.k * self.n * self.groups


@dataclass(frozen=True, eq=False)
class Op:
    """Base: `inputs` are value numbers; 0…n−1 are the network's inputs, then every op's output in order."""

    type: ClassVar[str]
    n_inputs: ClassVar[int] = 1
    inputs: tuple[int, ...]

    def check(
        self, where: str, shapes: Sequence[Shape], bounds: Sequence[Bounds], units: Units
    ) -> tuple[Shape, Bounds]:
        """Shape and range of the output; raises `ArtifactError` naming `where` for a broken rule."""
        raise NotImplementedError

    def run(self, xs: Sequence[np.ndarray], mac: Mac) -> np.ndarray:
        """Output int64 [batch, *shape] for inputs int64 [batch, *shape]."""
        raise NotImplementedError

    def gemms(self, shapes: Sequence[Shape]) -> tuple[Gemm, ...]:
        """Matrix products on the array, per sample."""
        return ()


@dataclass(frozen=True)
class Units:
    """What an op must know of the product units: ranges of x and w codes, and |product| at most, one an encoding."""

    x_ranges: tuple[Bounds, ...]
    w_ranges: tuple[Bounds, ...]
    largest: tuple[int, ...]

    def check(self, where: str, unit: int, x: Bounds, w: Bounds, terms: int, bias: int = 0) -> Bounds:
        """Range of a sum of `terms` products plus a bias; raises when an operand does not fit the unit."""
        if not 0 <= unit < len(self.largest):
            want = f"0…{len(self.largest) - 1}"
            raise ArtifactError.of(f"{where}: encoding", unit, want, "Add the encoding to the network.")
        for name, have, fit in (("x", x, self.x_ranges[unit]), ("w", w, self.w_ranges[unit])):
            if have[0] < fit[0] or have[1] > fit[1]:
                got, want = f"{have[0]}…{have[1]}", f"{fit[0]}…{fit[1]}, what encoding {unit} takes"
                raise ArtifactError.of(f"{where}: {name} codes out of range", got, want, "Requantise before this op.")
        top = terms * self.largest[unit] + bias
        if top > LIMIT:
            raise ArtifactError.of(
                f"{where}: sums overflow", f"2^{top.bit_length()}", "2^62", "Use fewer fraction bits."
            )
        return -top, top


@dataclass(frozen=True, eq=False)
class Linear(Op):
    """y[…, n] = requantise( Σ_k T(x[…, k], w[n, k]) + bias[n] ).

    Attributes:
        weights: int16 [n, k].   bias: int64 [n], in product units.   encoding: which product unit.
    """

    type: ClassVar[str] = "linear"
    weights: np.ndarray
    bias: np.ndarray
    requant: Requant
    encoding: int = 0

    def check(
        self, where: str, shapes: Sequence[Shape], bounds: Sequence[Bounds], units: Units
    ) -> tuple[Shape, Bounds]:
        _check_weights(where, self.weights, self.bias, (None, shapes[0][-1] if shapes[0] else 0))
        n, k = self.weights.shape
        acc = units.check(where, self.encoding, bounds[0], _bounds_of(self.weights), k, int(np.abs(self.bias).max()))
        return (*shapes[0][:-1], n), self.requant.check(where, n, acc)

    def run(self, xs: Sequence[np.ndarray], mac: Mac) -> np.ndarray:
        x = xs[0]
        acc = mac(x.reshape(-1, x.shape[-1]), self.weights, self.encoding) + self.bias
        return self.requant(acc).reshape(*x.shape[:-1], len(self.weights))

    def gemms(self, shapes: Sequence[Shape]) -> tuple[Gemm, ...]:
        n, k = self.weights.shape
        return (Gemm(prod(shapes[0][:-1]), k, n),)


@dataclass(frozen=True, eq=False)
class Conv(Op):
    """2-D convolution [c, h, w] → [n, h', w'] as one matrix product a group; padding feeds code 0 to the array.

    Attributes:
        weights: int16 [n, c / groups, kh, kw].   bias: int64 [n].   stride, padding: (rows, columns).
    """

    type: ClassVar[str] = "conv"
    weights: np.ndarray
    bias: np.ndarray
    requant: Requant
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    groups: int = 1
    encoding: int = 0

    def check(
        self, where: str, shapes: Sequence[Shape], bounds: Sequence[Bounds], units: Units
    ) -> tuple[Shape, Bounds]:
        _need_rank(where, shapes[0], 3, "[channels, height, width]")
        per_group = shapes[0][0] // max(self.groups, 1)
        _check_weights(where, self.weights, self.bias, (None, per_group, None, None))
        n, k = len(self.weights), prod(self.weights.shape[1:])
        if self.groups < 1 or shapes[0][0] % self.groups or n % self.groups:
            got = f"{self.groups} groups for {shapes[0][0]} → {n} channels"
            raise ArtifactError.of(f"{where}: groups", got, "a divisor of both", "Mend the groups.")
        x = (min(bounds[0][0], 0), max(bounds[0][1], 0)) if any(self.padding) else bounds[0]
        acc = units.check(where, self.encoding, x, _bounds_of(self.weights), k, int(np.abs(self.bias).max()))
        size = window_shape(where, shapes[0], self.weights.shape[2:], self.stride, self.padding)
        return (n, *size), self.requant.check(where, n, acc)

    def run(self, xs: Sequence[np.ndarray], mac: Mac) -> np.ndarray:
        columns = windows(xs[0], self.weights.shape[2:], self.stride, self.padding, 0)  # [b, c, h, w, kh, kw]
        batch, c, h, w = columns.shape[:4]
        n, each = len(self.weights), c // self.groups
        acc = np.empty((batch, h, w, n), np.int64)
        for g in range(self.groups):
            some = slice(g * n // self.groups, (g + 1) * n // self.groups)
            kernel = self.weights[some].reshape(n // self.groups, -1)
            rows = columns[:, g * each : (g + 1) * each].transpose(0, 2, 3, 1, 4, 5)
            sums = mac(rows.reshape(batch * h * w, kernel.shape[1]), kernel, self.encoding)
            acc[..., some] = sums.reshape(batch, h, w, n // self.groups)
        return self.requant(acc + self.bias).transpose(0, 3, 1, 2)

    def gemms(self, shapes: Sequence[Shape]) -> tuple[Gemm, ...]:
        size = window_shape("conv", shapes[0], self.weights.shape[2:], self.stride, self.padding)
        return (Gemm(prod(size), prod(self.weights.shape[1:]), len(self.weights) // self.groups, self.groups),)


@dataclass(frozen=True, eq=False)
class MatMul(Op):
    """Product of two values: a […, t, k] and b […, n, k] (`transposed`) or [..., k, n]; b is the stationary side."""

    type: ClassVar[str] = "matmul"
    n_inputs: ClassVar[int] = 2
    requant: Requant
    transposed: bool = False
    encoding: int = 0

    def check(
        self, where: str, shapes: Sequence[Shape], bounds: Sequence[Bounds], units: Units
    ) -> tuple[Shape, Bounds]:
        a, b = shapes
        n, k = (b[-2:] if self.transposed else b[-2:][::-1]) if len(b) > 1 else (0, -1)
        if len(a) < 2 or len(a) != len(b) or a[:-2] != b[:-2] or a[-1] != k:
            want = "[…, t, k] and " + ("[…, n, k]" if self.transposed else "[…, k, n]")
            raise ArtifactError.of(f"{where}: shapes", f"{list(a)} and {list(b)}", want, "Transpose one of them.")
        acc = units.check(where, self.encoding, bounds[0], bounds[1], k)
        return (*a[:-1], n), self.requant.check(where, n, acc)

    def run(self, xs: Sequence[np.ndarray], mac: Mac) -> np.ndarray:
        a, b = xs
        b = b if self.transposed else b.swapaxes(-1, -2)
        flat_a, flat_b = a.reshape(-1, *a.shape[-2:]), b.reshape(-1, *b.shape[-2:])
        acc = np.empty((len(flat_a), a.shape[-2], b.shape[-2]), np.int64)
        for i, (one, two) in enumerate(zip(flat_a, flat_b, strict=True)):
            acc[i] = mac(one, two, self.encoding)
        return self.requant(acc).reshape(*a.shape[:-1], b.shape[-2])

    def gemms(self, shapes: Sequence[Shape]) -> tuple[Gemm, ...]:
        a, b = shapes
        n = b[-2] if self.transposed else b[-1]
        return (Gemm(a[-2], a[-1], n),) * prod(a[:-2])


def windows(x: np.ndarray, size: Sequence[int], stride: Sequence[int], padding: Sequence[int], fill: int) -> np.ndarray:
    """View [batch, c, h', w', kh, kw] of all windows of x [batch, c, h, w], edges filled with `fill`."""
    if any(padding):
        pad = [(0, 0), (0, 0), (padding[0], padding[0]), (padding[1], padding[1])]
        x = np.pad(x, pad, constant_values=fill)
    return np.lib.stride_tricks.sliding_window_view(x, tuple(size), (2, 3))[:, :, :: stride[0], :: stride[1]]


def window_shape(
    where: str, shape: Shape, size: Sequence[int], stride: Sequence[int], padding: Sequence[int]
) -> tuple[int, int]:
    """(h', w') of a sliding window; raises `ArtifactError` when none fits."""
    if min(stride) < 1 or min(padding) < 0 or min(size) < 1:
        got = f"size {tuple(size)}, stride {tuple(stride)}, padding {tuple(padding)}"
        raise ArtifactError.of(f"{where}: window", got, "sizes and strides ≥ 1, padding ≥ 0", "Mend the window.")
    out = [(n + 2 * p - s) // step + 1 for n, s, step, p in zip(shape[1:], size, stride, padding, strict=True)]
    if min(out) < 1:
        raise ArtifactError.of(f"{where}: window", f"{tuple(size)} over {shape[1:]}", "a fit", "Use a smaller window.")
    return out[0], out[1]


def _bounds_of(codes: np.ndarray) -> Bounds:
    return int(codes.min(initial=0)), int(codes.max(initial=0))


def _need_rank(where: str, shape: Shape, rank: int, symbols: str) -> None:
    if len(shape) != rank:
        raise ArtifactError.of(f"{where}: input shape", list(shape), symbols, "Reshape before this op.")


def _check_weights(where: str, weights: np.ndarray, bias: np.ndarray, shape: tuple[int | None, ...]) -> None:
    fits = isinstance(weights, np.ndarray) and weights.dtype == np.int16 and weights.ndim == len(shape)
    if not fits or weights.size == 0 or any(s not in (None, n) for s, n in zip(shape, weights.shape, strict=True)):
        got = f"{getattr(weights, 'dtype', type(weights))} {list(getattr(weights, 'shape', []))}"
        want = "int16 [" + ", ".join("any" if s is None else str(s) for s in shape) + "]"
        raise ArtifactError.of(f"{where}: weights", got, want, "Match the input's width.")
    if not isinstance(bias, np.ndarray) or bias.dtype != np.int64 or bias.shape != (len(weights),):
        got = f"{getattr(bias, 'dtype', type(bias))} {list(getattr(bias, 'shape', []))}"
        raise ArtifactError.of(f"{where}: bias", got, f"int64 [{len(weights)}]", "One bias an output.")
