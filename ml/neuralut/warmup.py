"""Learned masks: train the layers dense and linear, prune every neuron to its fan-in, keep what is left.

The warm-up network has the widths, quantisers and classes of the L-LUT network, but each neuron is a dot
product over all its possible inputs. Between epochs every neuron loses its least important inputs, on a
cubic schedule (Zhu and Gupta, 2017) that ends at the fan-in F:

    k(t) = F + (n_in − F)·(1 − t)³,   importance of input i for neuron o: |W[o, i]|·std(x_i).

The remaining epochs train the sparse network, so that early choices can still be outweighed by later ones
only among survivors. All layers are pruned together: a mask is learned for the codes that its inputs
really emit. Related: SparseLUT (2025) and NeuraLUT-Assemble's dense first step.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn

from ml.common.quant import BatchNormQuant
from ml.common.seed import torch_generator
from ml.neuralut.configs import OUTPUT_OFFSET, OUTPUT_WEIGHT, NetConfig
from ml.neuralut.input_stage import input_stage
from ml.neuralut.masks import group_mask
from ml.neuralut.scores import class_scores


class MaskedLinear(nn.Module):
    """y = (W∘M) x + b on [n_in, batch]; remembers the standard deviation of its inputs."""

    keep: Tensor
    spread: Tensor

    def __init__(self, n_in: int, n_out: int, generator: torch.Generator) -> None:
        super().__init__()
        bound = 1 / math.sqrt(n_in)
        self.weight = nn.Parameter(torch.empty(n_out, n_in).uniform_(-bound, bound, generator=generator))
        self.bias = nn.Parameter(torch.empty(n_out, 1).uniform_(-bound, bound, generator=generator))
        self.register_buffer("keep", torch.ones(n_out, n_in))
        self.register_buffer("spread", torch.ones(n_in))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            with torch.no_grad():
                self.spread.lerp_(x.std(1), 0.02)  # over about the last 50 batches
        return torch.addmm(self.bias, self.weight * self.keep, x)

    @torch.no_grad()
    def prune(self, fan_in: int) -> None:
        """Keep the `fan_in` most important of each neuron's remaining inputs."""
        score = self.weight.abs() * self.spread * self.keep
        top = score.topk(fan_in, dim=1).indices
        self.keep.zero_().scatter_(1, top, 1.0)


class WarmupNet(nn.Module):
    """Dense linear stand-in of `config`'s network. Layers with a "group" mask keep it from the start."""

    def __init__(
        self, config: NetConfig, seed: int, features: tuple[float, float] = (1.0, 0.0), fused: bool = True
    ) -> None:
        super().__init__()
        self.config = config
        self.quantise_input = input_stage(config, features, fused)
        layers: list[nn.Module] = []
        quantisers: list[nn.Module] = []
        n_in, last = config.n_in, len(config.layers) - 1
        for i, layer in enumerate(config.layers):
            linear = MaskedLinear(n_in, layer.n_out, torch_generator(seed, "warmup", i))
            if layer.mask == "group":
                linear.keep.zero_().scatter_(1, group_mask(layer.n_out, layer.fan_in), 1.0)
            layers.append(linear)
            quantisers.append(BatchNormQuant(layer.n_out, config.output_spec(i), None, fused, i == last))
            n_in = layer.n_out
        self.layers, self.quantisers = nn.ModuleList(layers), nn.ModuleList(quantisers)
        self.out_offset = nn.Parameter(torch.tensor(OUTPUT_OFFSET))
        self.out_weight = nn.Parameter(torch.tensor(OUTPUT_WEIGHT / max(config.votes, 1) ** 0.5))

    @property
    def stack(self) -> list[tuple[MaskedLinear, BatchNormQuant]]:
        """The layers, each with the quantiser behind it."""
        pairs = zip(self.layers, self.quantisers, strict=True)
        return [(cast(MaskedLinear, layer), cast(BatchNormQuant, quantise)) for layer, quantise in pairs]

    def forward(self, x: Tensor) -> Tensor:
        """Class scores [batch, classes] from x [n_in, batch]."""
        q = self.quantise_input(x)
        for layer, quantise in self.stack:
            q = quantise(layer(q))
        return class_scores(q, self.out_offset, self.out_weight, self.quantisers[-1], self.config.votes)

    def prune(self, progress: float) -> None:
        """Prune all layers to the schedule's fan-in at `progress` in 0..1."""
        left = (1 - min(progress, 1.0)) ** 3
        for (layer, _), config in zip(self.stack, self.config.layers, strict=True):
            if config.mask != "group":
                n_in = layer.keep.shape[1]
                layer.prune(config.fan_in + round((n_in - config.fan_in) * left))

    def masks(self) -> list[Tensor]:
        """Connections int64 [n_out, F] of every layer, sorted.  Valid after the last pruning."""
        return [
            layer.keep.topk(config.fan_in, dim=1).indices.sort(1).values.cpu()
            for (layer, _), config in zip(self.stack, self.config.layers, strict=True)
        ]
