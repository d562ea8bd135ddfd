"""Networks of spike-time neurons (STD-ED; with a constant threshold STDBP): layers, pooling, readout.

`StdNet(parse("784-400-10"), StdRule(), seed=0)(x)` maps intensities in [0, 1] to scores. Weights have levels
(`ml.evsnn.levels`); they start with level `mean` and deviation spread / √fan-in.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from hwsim.ir.errors import UsageError
from ml.common.seed import torch_generator
from ml.evsnn.levels import levelled
from ml.evsnn.shape import Conv, Dense, Pool, Shape
from ml.evsnn.spike_time import (
    FALLING,
    Spikes,
    Threshold,
    conv_sums,
    dense_sums,
    encode,
    fire,
    flat,
    min_pool,
    readout,
    silence,
)


@dataclass(frozen=True)
class StdRule:
    """How the neurons of a network fire and start.

    Attributes:
        threshold: falling (STD-ED) or constant (STDBP).
        mean, spread: start level, and deviation of the start weights in units of 1/√fan-in.
        ticks: > 0 puts all times on a grid of so many ticks a window, as the chip does.
        weight_bits, fraction: > 0 rounds weights to this many bits with 2^−fraction as step (straight-through).
        wake, wanted: training adds wake · Σ over layers of `silence(…, wanted)` to the loss.
        analogue: the first layer is a convolution of plain numbers clipped to [0, 1], then t = 1 − value.
    """

    threshold: Threshold = field(default_factory=lambda: FALLING)
    mean: float = 1.0
    spread: float = 1.5
    ticks: int = 0
    weight_bits: int = 0
    fraction: int = 0
    wake: float = 1.0
    wanted: float = 0.05
    analogue: bool = False

    def __post_init__(self) -> None:
        if self.ticks < 0 or not 0 <= self.weight_bits <= 16 or self.fraction < 0 or self.spread <= 0:
            raise UsageError.of("rule", self, "ticks ≥ 0, weight_bits 0 … 16, fraction ≥ 0, spread > 0", "Change it.")


class _Rounded(torch.autograd.Function):
    """Weights on the chip's grid, gradient passed straight through inside the range."""

    @staticmethod
    def forward(ctx, weight: Tensor, bits: int, fraction: int) -> Tensor:
        scale, top = 2.0**fraction, 2 ** (bits - 1) - 1
        return (weight * scale).round().clamp(-top, top) / scale

    @staticmethod
    def backward(ctx, *grads: Tensor):
        return grads[0], None, None


class StdNet(nn.Module):
    """A network of `shape` under `rule`; weights drawn from `seed`.

    `forward(x)`: x float [batch, n] or [batch, c, h, w] in [0, 1] → scores [batch, classes].
    """

    def __init__(self, shape: Shape, rule: StdRule, seed: int) -> None:
        super().__init__()
        self.shape, self.rule = shape, rule
        if rule.analogue and not isinstance(shape.layers[0], Conv):
            raise UsageError.of("analogue first layer", shape.text, "a convolution first", "Change the shape.")
        weights = []
        for i, layer in enumerate(shape.layers):
            if isinstance(layer, Pool):
                continue
            weights.append(nn.Parameter(self._start(i, layer, seed)))
        self.weights = nn.ParameterList(weights)
        levels = [torch.full((len(w),), rule.mean if w is not weights[-1] else 0.0) for w in weights[rule.analogue :]]
        self.levels = nn.ParameterList(levels)
        self.bias = nn.Parameter(torch.zeros(weights[0].shape[0])) if rule.analogue else None

    def _start(self, i: int, layer: Dense | Conv, seed: int) -> Tensor:
        draw = torch.randn(layer.weight_size, generator=torch_generator(seed, "std", i))
        last, first = i == len(self.shape.layers) - 1, i == 0 and self.rule.analogue
        return draw * ((1.0 if last or first else self.rule.spread) / layer.fan_in**0.5)

    def weight(self, i: int) -> Tensor:
        """Weights of the i-th layer that has some, as the forward pass uses them."""
        rule, weight = self.rule, self.weights[i]
        if i >= int(rule.analogue):
            weight = levelled(weight, self.levels[i - int(rule.analogue)])
        return _Rounded.apply(weight, rule.weight_bits, rule.fraction) if rule.weight_bits else weight

    def spikes(self, x: Tensor) -> list[Spikes]:
        """Spikes of the input and after every layer but the readout."""
        rule, number, first = self.rule, 0, 0
        self.penalty = x.new_zeros(())
        if rule.analogue:
            conv = self.shape.layers[0]
            assert isinstance(conv, Conv)  # checked by the constructor
            x = functional.conv2d(x, self.weight(0), self.bias, padding=conv.padding).clamp(0, 1)
            first = number = 1
        out = [encode(x.reshape(len(x), *self.shape.inputs) if not first else x, rule.ticks)]
        for layer in self.shape.layers[first:-1]:
            spikes = out[-1]
            if isinstance(layer, Pool):
                out.append(min_pool(spikes, layer.size))
                continue
            if isinstance(layer, Conv):
                sums = conv_sums(spikes, self.weight(number), layer.padding)
            else:
                sums = dense_sums(flat(spikes), self.weight(number))
            out.append(fire(*sums, rule.threshold, rule.ticks))
            if self.training and rule.wake:
                self.penalty = self.penalty + rule.wake * silence(*sums, out[-1], rule.threshold, rule.wanted)
            number += 1
        return out

    def loss(self, scores: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
        """Cross-entropy of the last forward pass, plus the penalty that wakes silent neurons."""
        return functional.cross_entropy(scores, labels, label_smoothing=smoothing) + self.penalty

    def forward(self, x: Tensor) -> Tensor:
        return readout(flat(self.spikes(x)[-1]), self.weight(len(self.weights) - 1))
