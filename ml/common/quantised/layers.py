"""Layers that run on the array: convolution, linear and product of two values, in quantised codes.

In training they see real values that are code · Δ, form sums of encoded products (`ml.common.encoded_ops`) and return
real values; `bias` already holds the correction of the unit's mean error.

| symbol | here |
|---|---|
| s | `position`: position weights and bias of the unit, relative to their start, when trained for this layer |
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hwsim.ir.encoding import Encoding
from hwsim.ir.errors import UsageError
from ml.common.encoded_ops import Unit, encoded_conv2d, encoded_linear, encoded_matmul
from ml.common.quantised.scale import Scale, rounded, weight_steps

POSITION_FRACTION = 4  # fraction bits of trained position weights


class ArrayLayer(nn.Module):
    """What layers with stationary weights share.

    Args:
        weight, bias: real parameters; a missing bias starts at zero.
        source: scale of the input values.
        unit: product unit.
        w_top: largest weight code.
        per_channel: one weight scale an output channel, or one for all.
    """

    def __init__(
        self, weight: Tensor, bias: Tensor | None, source: Scale, unit: Unit, w_top: int, per_channel: bool
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.detach().clone())
        start = torch.zeros(len(weight)) if bias is None else bias.detach().clone()
        self.bias = nn.Parameter(start)
        self._source = (source,)  # in a tuple: the scale is a module of the graph already
        self.unit, self.w_top, self.per_channel = unit, w_top, per_channel
        self.gradient = "ste"
        self.plain = False  # exact products instead of the unit's, while operand statistics are taken
        self.position: nn.Parameter | None = None
        self.correction: tuple[Tensor, Tensor] | None = None

    @property
    def source(self) -> Scale:
        """Scale of the input."""
        return self._source[0]

    def weight_codes(self) -> tuple[Tensor, Tensor]:
        """Integer-valued weight codes, and Δ of each output channel [n, 1, …]."""
        steps = weight_steps(self.weight, self.w_top, self.per_channel)
        return rounded((self.weight / steps).clamp(-self.w_top, self.w_top)), steps

    @torch.no_grad()
    def correct(self, gain: Tensor, offset: Tensor) -> None:
        """Scale the weights of every channel (their codes stay) and shift its bias, in the place of an earlier one.

        Args:
            gain, offset: [n], real values.
        """
        self.weight.mul_(gain.reshape(-1, *[1] * (self.weight.ndim - 1)))
        self.bias.add_(offset)
        self.correction = (gain, offset)

    @torch.no_grad()
    def uncorrect(self) -> None:
        """Take back the last `correct`: the unit it was made for is to be another one."""
        if self.correction is not None:
            gain, offset = (v.to(self.weight) for v in self.correction)
            self.weight.div_(gain.reshape(-1, *[1] * (self.weight.ndim - 1)))
            self.bias.sub_(offset)
            self.correction = None

    # -- position weights ----------------------------------------------------------------------------------

    def train_position(self, fraction: int = POSITION_FRACTION) -> None:
        """Make the position weights of this layer a trainable parameter, starting at the unit's own."""
        e = self.unit.encoding
        finer = max(fraction - e.fraction, 0)
        e = e.with_weights(e.position_weights << finer, e.bias << finer, e.fraction + finer)
        self.unit = Unit(e)
        self.position = nn.Parameter(torch.ones(e.n_bits + 1))

    def _position_start(self) -> Tensor:
        """Position weights and bias of the unit, in products; the bias moves in units of the largest weight."""
        e = self.unit.encoding
        return torch.from_numpy(np.append(e.position_weights, e.bias) * e.step).float()

    def s(self) -> Tensor | None:
        """Trained position weights and bias [M + 1] in units of products, rounded to the unit's fraction."""
        if self.position is None:
            return None
        e = self.unit.encoding
        start = self._position_start().to(self.position)
        span = torch.cat([start[:-1].abs(), start[:-1].abs().mean().reshape(1)])
        s = start + (self.position - 1) * span
        return rounded(s / e.step) * e.step

    def encoding(self) -> Encoding:
        """The layer's product unit, trained position weights included."""
        e, s = self.unit.encoding, self.s()
        if s is None:
            return e
        codes = np.rint(s.detach().double().cpu().numpy() / e.step).astype(np.int64)
        return e.with_weights(codes[:-1], int(codes[-1]), e.fraction)

    def sums(self, x: Tensor, w: Tensor) -> Tensor:
        """Σ T(x, w) of integer-valued codes, in units of products."""
        raise NotImplementedError

    def operands(self, x: Tensor) -> Tensor:
        """Codes that meet weights, padding included, in any order: for operand statistics."""
        return self.source.codes(x)

    def rows(self, x: Tensor, count: int) -> Tensor:
        """Up to `count` rows of operands int64 [t, k] that meet all weights of a channel, spread evenly."""
        flat = self.source.codes(x).reshape(-1, x.shape[-1])
        return flat[:: max(len(flat) // count, 1)][:count].to(torch.int64)

    def forward(self, x: Tensor) -> Tensor:
        w, steps = self.weight_codes()
        sums = self.sums(self.source.codes(x), w)
        channels = [1, -1] + [1] * (sums.ndim - 2) if isinstance(self, QuantConv2d) else [-1]
        return sums * (steps * self.source.step).reshape(channels) + self.bias.reshape(channels)


class QuantLinear(ArrayLayer):
    """y = x Wᵀ + b over the last axis."""

    @classmethod
    def of(cls, layer: nn.Linear, source: Scale, unit: Unit, w_top: int, per_channel: bool) -> QuantLinear:
        """From a real layer."""
        return cls(layer.weight, layer.bias, source, unit, w_top, per_channel)

    def sums(self, x: Tensor, w: Tensor) -> Tensor:
        if self.plain:
            return nn.functional.linear(x, w)
        return encoded_linear(x, w, self.unit, s=self.s(), gradient=self.gradient)


class QuantConv2d(ArrayLayer):
    """2-D convolution; also carries a 1-D one (a height of 1)."""

    stride: tuple[int, int]
    padding: tuple[int, int]
    groups: int

    @classmethod
    def of(cls, layer: nn.Conv2d, source: Scale, unit: Unit, w_top: int, per_channel: bool) -> QuantConv2d:
        """From a real layer.

        Raises:
            UsageError: dilation, named padding or a padding mode other than zeros.
        """
        plain = layer.padding_mode == "zeros" and set(layer.dilation) == {1} and not isinstance(layer.padding, str)
        if not plain:
            got = f"dilation {layer.dilation}, padding {layer.padding!r} of {layer.padding_mode}"
            mend = "Write the padding as numbers."
            raise UsageError.of("convolution", got, "dilation 1 and zero padding in numbers", mend)
        made = cls(layer.weight, layer.bias, source, unit, w_top, per_channel)
        made.stride, made.groups = (layer.stride[0], layer.stride[1]), layer.groups
        made.padding = (int(layer.padding[0]), int(layer.padding[1]))
        return made

    def sums(self, x: Tensor, w: Tensor) -> Tensor:
        if self.plain:
            return nn.functional.conv2d(x, w, None, self.stride, self.padding, 1, self.groups)
        options: dict[str, Any] = {"s": self.s(), "gradient": self.gradient}
        return encoded_conv2d(x, w, self.unit, self.stride, self.padding, self.groups, **options)

    def operands(self, x: Tensor) -> Tensor:
        rows, columns = self.padding
        return nn.functional.pad(self.source.codes(x), (columns, columns, rows, rows))

    def rows(self, x: Tensor, count: int) -> Tensor:
        size = self.weight.shape[2:]
        view = self.operands(x).unfold(2, size[0], self.stride[0]).unfold(3, size[1], self.stride[1])
        flat = view.permute(0, 2, 3, 1, 4, 5)
        picked = torch.arange(0, flat[..., 0, 0, 0].numel(), max(flat[..., 0, 0, 0].numel() // count, 1))[:count]
        place = [torch.div(picked, flat.shape[1] * flat.shape[2], rounding_mode="floor")]
        place += [torch.div(picked, flat.shape[2], rounding_mode="floor") % flat.shape[1], picked % flat.shape[2]]
        return flat[place[0], place[1], place[2]].flatten(1).to(torch.int64)


class QuantMatMul(nn.Module):
    """Product of two values, a […, t, k] and b […, k, n]; b is the stationary side."""

    def __init__(self, a: Scale, b: Scale, unit: Unit) -> None:
        super().__init__()
        self._sources = (a, b)
        self.unit = unit

    def encoding(self) -> Encoding:
        """The product unit."""
        return self.unit.encoding

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        one, two = self._sources
        sums = encoded_matmul(one.codes(a), two.codes(b).transpose(-1, -2), self.unit)
        return sums * (one.step * two.step)
