"""The trainable network: input quantiser, layers of L-LUTs with batch norm and quantisers, class scores.

    x → BN + offset → signed quantiser → [L-LUTs → BN → quantiser] … → (q + b)·w        (paper section III)

Everything is neuron-major, [rows, batch], so that reading a mask is reading contiguous rows.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ml.common.quant import BatchNormQuant
from ml.common.seed import torch_generator
from ml.neuralut.configs import INPUT_OFFSET, OUTPUT_OFFSET, OUTPUT_WEIGHT, NetConfig
from ml.neuralut.lut_layer import LutLayer
from ml.neuralut.masks import group_mask, random_mask


class LutNet(nn.Module):
    """Network of L-LUTs after `config`, drawn from `seed`.

    Args:
        config: shape.
        seed: masks come from the stream "mask", weights from "weights".
        fused: use the numba kernels on the CPU; False is the plain torch reference.
    """

    def __init__(self, config: NetConfig, seed: int, fused: bool = True) -> None:
        super().__init__()
        self.config = config
        self.quantise_input = BatchNormQuant(config.n_in, config.input_spec(), INPUT_OFFSET, fused)
        layers, quantisers = [], []
        n_in = config.n_in
        for i, layer in enumerate(config.layers):
            if layer.mask == "group":
                conn = group_mask(layer.n_out, layer.fan_in)
            else:
                conn = random_mask(n_in, layer.n_out, layer.fan_in, torch_generator(seed, "mask", i))
            layers.append(LutLayer(layer, conn, torch_generator(seed, "weights", i), fused))
            quantisers.append(BatchNormQuant(layer.n_out, config.output_spec(i), None, fused))
            n_in = layer.n_out
        self.layers = nn.ModuleList(layers)
        self.quantisers = nn.ModuleList(quantisers)
        self.out_offset = nn.Parameter(torch.tensor(OUTPUT_OFFSET))
        self.out_weight = nn.Parameter(torch.tensor(OUTPUT_WEIGHT))

    def forward(self, x: Tensor) -> Tensor:
        """Class scores [batch, classes] from x [n_in, batch]."""
        q = self.quantise_input(x)
        for layer, quantise in zip(self.layers, self.quantisers, strict=True):
            q = quantise(layer(q))
        return ((q + self.out_offset) * self.out_weight).t()
