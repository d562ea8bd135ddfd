"""Synapses of a `spiking_net`: how the events of one layer become currents of the next.

Every kind is a linear map from inputs i to neurons j with integer codes w_ij: an event of value x adds x·w_ij·2^shift
to the current of neuron j. `matrix` is its definition; simulators and RTL never build it. A code w stands for
w·2^(−fraction). Neurons and inputs of an image have index (channel · height + row) · width + column.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hwsim.ir.errors import ArtifactError

Shape3 = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Dense:
    """All to all.

    Attributes:
        weights: int16 [n_in, n_out], a row an input; within −2^(bits−1) … 2^(bits−1) − 1.
        bits: width of a code, 2…16.
        fraction: a code stands for w·2^(−fraction), 0…24.
        shift: the current is w·2^shift, 0…15 (Loihi: 6).
        shadow: int16 [n_in, n_out] with weights = shadow >> 8, for learning with 8-bit weights; or None.
    """

    type: ClassVar[str] = "dense"
    weights: np.ndarray
    bits: int = 8
    fraction: int = 0
    shift: int = 0
    shadow: np.ndarray | None = None

    @property
    def n_in(self) -> int:
        return len(self.weights)

    @property
    def n_out(self) -> int:
        return self.weights.shape[1]

    def validate(self, where: str) -> None:
        """Raise `ArtifactError` for a broken rule."""
        check_array(where, "weights", self.weights, np.int16, 2)
        check_codes(where, self.weights, self.bits, self.fraction, self.shift)
        if self.shadow is not None:
            check_array(where, "shadow", self.shadow, np.int16, 2)
            if self.bits != 8 or not np.array_equal(self.shadow >> 8, self.weights):
                raise ArtifactError.of(
                    f"{where}: shadow", f"{self.bits}-bit weights that differ from it", "weights = shadow >> 8",
                    "Make it with `with_shadow`.",
                )  # fmt: skip

    def matrix(self) -> np.ndarray:
        """int64 [n_in, n_out]."""
        return self.weights.astype(np.int64)

    def fan_out(self) -> np.ndarray:
        """int64 [n_in]: neurons that an event of each input reaches."""
        return np.full(self.n_in, self.n_out, np.int64)

    def to_tensors(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and JSON-able fields."""
        tensors = {"weights": self.weights}
        if self.shadow is not None:
            tensors["shadow"] = self.shadow
        return tensors, {"bits": self.bits, "fraction": self.fraction, "shift": self.shift}

    @classmethod
    def from_tensors(cls, tensors: dict[str, np.ndarray], fields: dict[str, Any]) -> Dense:
        return cls(tensors["weights"], fields["bits"], fields["fraction"], fields["shift"], tensors.get("shadow"))

    def with_shadow(self) -> Dense:
        """The same weights with 16-bit shadows in the middle of their steps: 256·w + 128."""
        shadow = (self.weights.astype(np.int32) * 256 + 128).astype(np.int16)
        return Dense(self.weights, self.bits, self.fraction, self.shift, shadow)


@dataclass(frozen=True, eq=False)
class Sparse:
    """Compressed rows, one an input.

    Attributes:
        offsets: int32 [n_in + 1]; input i reaches targets[offsets[i] : offsets[i + 1]].
        targets: int32 [n], below n_out, rising inside a row.
        weights: int16 [n].
        n_out: neurons.
        bits, fraction, shift: as in `Dense`.
    """

    type: ClassVar[str] = "sparse"
    offsets: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    n_out: int
    bits: int = 8
    fraction: int = 0
    shift: int = 0

    @property
    def n_in(self) -> int:
        return len(self.offsets) - 1

    def validate(self, where: str) -> None:
        """Raise `ArtifactError` for a broken rule."""
        for name, dtype in (("offsets", np.int32), ("targets", np.int32), ("weights", np.int16)):
            check_array(where, name, getattr(self, name), dtype, 1)
        check_codes(where, self.weights, self.bits, self.fraction, self.shift)
        cuts, n = self.offsets, len(self.targets)
        if len(cuts) < 2 or cuts[0] != 0 or cuts[-1] != n or (np.diff(cuts) < 0).any() or len(self.weights) != n:
            got = f"{cuts[:2].tolist()} … {cuts[-1:].tolist()} for {n} targets and {len(self.weights)} weights"
            raise ArtifactError.of(f"{where}: offsets", got, f"0, never falling, {n}", "Sort the synapses by input.")
        rising = np.ones(n, bool)
        rising[1:] = np.diff(self.targets) > 0
        rising[cuts[:-1][np.diff(cuts) > 0]] = True
        if n and (int(self.targets.min()) < 0 or int(self.targets.max()) >= self.n_out or not rising.all()):
            expected = f"0…{self.n_out - 1}, rising in every row"
            got = f"{self.targets.min()}…{self.targets.max()}, {int((~rising).sum())} out of order"
            raise ArtifactError.of(f"{where}: targets", got, expected, "Sort each row and merge repeated synapses.")

    def matrix(self) -> np.ndarray:
        """int64 [n_in, n_out]."""
        out = np.zeros((self.n_in, self.n_out), np.int64)
        out[np.repeat(np.arange(self.n_in), np.diff(self.offsets)), self.targets] = self.weights
        return out

    def fan_out(self) -> np.ndarray:
        """int64 [n_in]."""
        return np.diff(self.offsets).astype(np.int64)

    def to_tensors(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and JSON-able fields."""
        tensors = {"offsets": self.offsets, "targets": self.targets, "weights": self.weights}
        fields = {"n_out": self.n_out, "bits": self.bits, "fraction": self.fraction, "shift": self.shift}
        return tensors, fields

    @classmethod
    def from_tensors(cls, tensors: dict[str, np.ndarray], fields: dict[str, Any]) -> Sparse:
        arrays = (tensors["offsets"], tensors["targets"], tensors["weights"])
        return cls(*arrays, fields["n_out"], fields["bits"], fields["fraction"], fields["shift"])


@dataclass(frozen=True, eq=False)
class Conv:
    """Two-dimensional cross-correlation, as torch's ``conv2d`` without bias.

    Attributes:
        kernel: int16 [channels out, channels in, height, width].
        in_shape: (channels, height, width) of the input.
        stride, padding: of both axes.
        bits, fraction, shift: as in `Dense`.
    """

    type: ClassVar[str] = "conv"
    kernel: np.ndarray
    in_shape: Shape3
    stride: int = 1
    padding: int = 0
    bits: int = 8
    fraction: int = 0
    shift: int = 0

    @property
    def n_in(self) -> int:
        return int(np.prod(self.in_shape))

    @property
    def out_shape(self) -> Shape3:
        """(channels, height, width) of the output."""
        out, _, kh, kw = self.kernel.shape
        _, h, w = self.in_shape
        pad, stride = 2 * self.padding, self.stride
        return out, (h + pad - kh) // stride + 1, (w + pad - kw) // stride + 1

    @property
    def n_out(self) -> int:
        return int(np.prod(self.out_shape))

    def validate(self, where: str) -> None:
        """Raise `ArtifactError` for a broken rule."""
        check_array(where, "kernel", self.kernel, np.int16, 4)
        check_codes(where, self.kernel, self.bits, self.fraction, self.shift)
        fits = len(self.in_shape) == 3 and min(self.in_shape) > 0 and self.in_shape[0] == self.kernel.shape[1]
        if not fits or self.stride < 1 or self.padding < 0 or min(self.out_shape) < 1:
            got = f"input {self.in_shape}, kernel {self.kernel.shape}, stride {self.stride}, padding {self.padding}"
            raise ArtifactError.of(f"{where}: conv", got, "a kernel that fits the input", "Mend in_shape or kernel.")

    def places(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(input, neuron, weight) int64 of every synapse."""
        (oc, ic, kh, kw), (_, h, w), (_, oh, ow) = self.kernel.shape, self.in_shape, self.out_shape
        o, i, a, b, y, x = (g.ravel() for g in np.indices((oc, ic, kh, kw, oh, ow)))
        row, col = y * self.stride + a - self.padding, x * self.stride + b - self.padding
        inside = (row >= 0) & (row < h) & (col >= 0) & (col < w)
        source, target = (i * h + row) * w + col, (o * oh + y) * ow + x
        return source[inside], target[inside], self.kernel[o, i, a, b][inside].astype(np.int64)

    def matrix(self) -> np.ndarray:
        """int64 [n_in, n_out]."""
        out = np.zeros((self.n_in, self.n_out), np.int64)
        source, target, weight = self.places()
        out[source, target] = weight
        return out

    def fan_out(self) -> np.ndarray:
        """int64 [n_in]."""
        return np.bincount(self.places()[0], minlength=self.n_in).astype(np.int64)

    def sparse(self) -> Sparse:
        """The same synapses as compressed rows: what the simulator runs."""
        source, target, weight = self.places()
        order = np.lexsort((target, source))
        offsets = np.concatenate([[0], np.cumsum(np.bincount(source, minlength=self.n_in))]).astype(np.int32)
        arrays = target[order].astype(np.int32), weight[order].astype(np.int16)
        return Sparse(offsets, *arrays, self.n_out, self.bits, self.fraction, self.shift)

    def to_tensors(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and JSON-able fields."""
        fields = {name: getattr(self, name) for name in ("stride", "padding", "bits", "fraction", "shift")}
        return {"kernel": self.kernel}, {"in_shape": list(self.in_shape), **fields}

    @classmethod
    def from_tensors(cls, tensors: dict[str, np.ndarray], fields: dict[str, Any]) -> Conv:
        named = {name: fields[name] for name in ("stride", "padding", "bits", "fraction", "shift")}
        return cls(tensors["kernel"], tuple(fields["in_shape"]), **named)


@dataclass(frozen=True, eq=False)
class Pool:
    """Windows of size × size without overlap; for a population of kind ``"pool"``: the earliest event passes.

    Attributes:
        in_shape: (channels, height, width); rows and columns beyond a multiple of `size` are left out.
        size: edge of a window, ≥ 1.
    """

    type: ClassVar[str] = "pool"
    in_shape: Shape3
    size: int
    bits: ClassVar[int] = 2
    fraction: ClassVar[int] = 0
    shift: ClassVar[int] = 0

    @property
    def n_in(self) -> int:
        return int(np.prod(self.in_shape))

    @property
    def out_shape(self) -> Shape3:
        """(channels, height, width) of the output."""
        return self.in_shape[0], self.in_shape[1] // self.size, self.in_shape[2] // self.size

    @property
    def n_out(self) -> int:
        return int(np.prod(self.out_shape))

    def validate(self, where: str) -> None:
        """Raise `ArtifactError` for a broken rule."""
        if len(self.in_shape) != 3 or self.size < 1 or min(self.in_shape) < 1 or min(self.out_shape) < 1:
            got = f"input {self.in_shape}, size {self.size}"
            raise ArtifactError.of(f"{where}: pool", got, "a window that fits the input", "Use a smaller window.")

    def targets(self) -> np.ndarray:
        """int32 [n_in]: the neuron of each input, −1 for a margin that no window covers."""
        c, y, x = np.indices(self.in_shape)
        _, oh, ow = self.out_shape
        row, col = y // self.size, x // self.size
        return np.where((row < oh) & (col < ow), (c * oh + row) * ow + col, -1).ravel().astype(np.int32)

    def matrix(self) -> np.ndarray:
        """int64 [n_in, n_out] of 0 and 1."""
        to = self.targets()
        return (to[:, None] == np.arange(self.n_out)).astype(np.int64)

    def fan_out(self) -> np.ndarray:
        """int64 [n_in]."""
        return (self.targets() >= 0).astype(np.int64)

    def to_tensors(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and JSON-able fields."""
        return {}, {"in_shape": list(self.in_shape), "size": self.size}

    @classmethod
    def from_tensors(cls, tensors: dict[str, np.ndarray], fields: dict[str, Any]) -> Pool:
        return cls(tuple(fields["in_shape"]), fields["size"])


Synapse = Dense | Sparse | Conv | Pool
SYNAPSES: dict[str, type[Dense] | type[Sparse] | type[Conv] | type[Pool]] = {
    cls.type: cls for cls in (Dense, Sparse, Conv, Pool)
}


def check_array(where: str, name: str, array: np.ndarray, dtype: type, ndim: int) -> None:
    """Raise `ArtifactError` unless `array` has this dtype and number of axes."""
    if not isinstance(array, np.ndarray) or array.dtype != dtype or array.ndim != ndim or 0 in array.shape[1:]:
        got = f"{array.dtype} {list(array.shape)}" if isinstance(array, np.ndarray) else type(array).__name__
        raise ArtifactError.of(f"{where}: {name}", got, f"{np.dtype(dtype)} with {ndim} axes", "Convert the array.")


def check_codes(where: str, codes: np.ndarray, bits: int, fraction: int, shift: int) -> None:
    """Raise `ArtifactError` unless codes and Q-format fit."""
    for name, value, low, high in (("bits", bits, 2, 16), ("fraction", fraction, 0, 24), ("shift", shift, 0, 15)):
        if not isinstance(value, int) or not low <= value <= high:
            raise ArtifactError.of(f"{where}: {name}", value, f"{low}…{high}", "Choose another Q-format.")
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    if codes.size and not low <= int(codes.min()) <= int(codes.max()) <= high:
        wrong = np.argwhere((codes < low) | (codes > high))[0]
        got = f"{int(codes[tuple(wrong)])} at {wrong.tolist()}"
        raise ArtifactError.of(f"{where}: weight outside the Q-format", got, f"{low}…{high}", "Clip, or use more bits.")
