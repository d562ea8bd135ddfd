"""Network shapes in the field's notation: ``784-400-10``, ``1x28x28-16C5-P2-32C5-P2-10``.

| token | layer |
|---|---|
| ``784`` first | n inputs; ``CxHxW`` first: channels × height × width |
| ``400`` | fully connected, 400 neurons (the last one is the readout) |
| ``16C5`` | 16 maps, 5 × 5 kernel, no padding; ``16C5s`` pads to the same size |
| ``P2`` | pooling over 2 × 2, stride 2 |
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from hwsim.ir.errors import UsageError


@dataclass(frozen=True)
class Dense:
    """Fully connected layer of `n_out` neurons."""

    n_in: int
    n_out: int

    @property
    def fan_in(self) -> int:
        return self.n_in

    @property
    def weight_size(self) -> tuple[int, ...]:
        return (self.n_out, self.n_in)


@dataclass(frozen=True)
class Conv:
    """Convolution, stride 1, `channels` maps from `n_in` maps, square odd `kernel`, symmetric `padding`."""

    n_in: int
    channels: int
    kernel: int
    padding: int

    @property
    def fan_in(self) -> int:
        return self.n_in * self.kernel**2

    @property
    def weight_size(self) -> tuple[int, ...]:
        return (self.channels, self.n_in, self.kernel, self.kernel)


@dataclass(frozen=True)
class Pool:
    """Pooling over `size` × `size`, stride `size`; an incomplete border is dropped."""

    size: int


Layer = Dense | Conv | Pool


@dataclass(frozen=True)
class Shape:
    """A parsed network: input dimensions ``(n,)`` or ``(channels, height, width)``, layers, text."""

    text: str
    inputs: tuple[int, ...]
    layers: tuple[Layer, ...]

    @property
    def n_classes(self) -> int:
        """Width of the readout."""
        last = self.layers[-1]
        assert isinstance(last, Dense)  # checked by `parse`
        return last.n_out


def parse(text: str) -> Shape:
    """The shape written as `text`.

    Raises:
        UsageError: an unknown token, a convolution after a dense layer, maps smaller than a kernel, no readout.

    >>> [type(layer).__name__ for layer in parse("1x8x8-4C3-P2-10").layers]
    ['Conv', 'Pool', 'Dense']
    """
    head, *tokens = text.split("-")
    if not re.fullmatch(r"\d+(x\d+x\d+)?", head) or not tokens or not tokens[-1].isdigit():
        raise UsageError.of("network shape", repr(text), "inputs-layers-classes such as 784-400-10", "Correct it.")
    inputs = dims = tuple(int(n) for n in head.split("x"))
    layers: list[Layer] = []
    for token in tokens:
        layer = _layer(token, dims, text)
        dims = _dims_after(layer, dims)
        if min(dims) < 1:
            raise UsageError.of(f"token {token} of {text}", f"maps of {dims}", "at least 1 pixel", "Use smaller ones.")
        layers.append(layer)
    return Shape(text, inputs, tuple(layers))


def _layer(token: str, dims: tuple[int, ...], text: str) -> Layer:
    if token.isdigit():
        return Dense(math.prod(dims), int(token))
    conv, pool = re.fullmatch(r"(\d+)C(\d+)(s?)", token), re.fullmatch(r"P(\d+)", token)
    if len(dims) == 3 and pool:
        return Pool(int(pool[1]))
    if len(dims) == 3 and conv:
        kernel = int(conv[2])
        if conv[3] and kernel % 2 == 0:
            raise UsageError.of(f"token {token} of {text}", "an even padded kernel", "an odd one", "Change it.")
        return Conv(dims[0], int(conv[1]), kernel, kernel // 2 if conv[3] else 0)
    raise UsageError.of(f"token {token} of {text}", f"inputs {dims}", "n, nCk, nCks or Pk after maps", "Correct it.")


def _dims_after(layer: Layer, dims: tuple[int, ...]) -> tuple[int, ...]:
    if isinstance(layer, Dense):
        return (layer.n_out,)
    if isinstance(layer, Pool):
        return (dims[0], dims[1] // layer.size, dims[2] // layer.size)
    shrink = 2 * layer.padding - layer.kernel + 1
    return (layer.channels, dims[1] + shrink, dims[2] + shrink)


def sizes(shape: Shape) -> list[tuple[int, ...]]:
    """Dimensions of the input and after every layer."""
    out = [shape.inputs]
    for layer in shape.layers:
        out.append(_dims_after(layer, out[-1]))
    return out
