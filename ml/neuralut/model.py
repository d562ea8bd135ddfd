"""The trainable network: input quantiser, layers of L-LUTs with batch norm and quantisers, class scores.

    x → BN + offset → signed quantiser → [L-LUTs → BN → quantiser] … → (q + b)·w        (paper section III)

Everything is neuron-major, [rows, batch], so that reading a mask is reading contiguous rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from hwsim.ir.errors import check_shape
from hwsim.ir.lut import InputQuantiser, code_dtype
from ml.common.quant import BatchNormQuant, QuantSpec
from ml.common.seed import torch_generator
from ml.neuralut.configs import OUTPUT_OFFSET, OUTPUT_WEIGHT, NetConfig
from ml.neuralut.input_stage import input_stage
from ml.neuralut.lut_layer import LutLayer, Neuron
from ml.neuralut.masks import group_mask, random_mask
from ml.neuralut.scores import class_scores


class LutNet(nn.Module):
    """Network of L-LUTs after `config`, drawn from `seed`.

    Args:
        config: shape.
        seed: masks come from the stream "mask", weights from "weights".
        features: (gain, offset) that turn a raw feature of the data set into the x of training.
        fused: use the numba kernels on the CPU; False is the plain torch reference.
    """

    features: Tensor

    def __init__(
        self, config: NetConfig, seed: int, features: tuple[float, float] = (1.0, 0.0), fused: bool = True
    ) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("features", torch.tensor(features, dtype=torch.float64))
        self.quantise_input = input_stage(config, features, fused)
        layers: list[nn.Module] = []
        quantisers: list[nn.Module] = []
        n_in, last = config.n_in, len(config.layers) - 1
        for i, layer in enumerate(config.layers):
            if layer.mask == "group":
                conn = group_mask(layer.n_out, layer.fan_in)
            else:
                conn = random_mask(n_in, layer.n_out, layer.fan_in, torch_generator(seed, "mask", i))
            layers.append(LutLayer(layer, conn, torch_generator(seed, "weights", i), fused))
            quantisers.append(BatchNormQuant(layer.n_out, config.output_spec(i), None, fused, i == last))
            n_in = layer.n_out
        self.layers = nn.ModuleList(layers)
        self.quantisers = nn.ModuleList(quantisers)
        self.out_offset = nn.Parameter(torch.tensor(OUTPUT_OFFSET))
        self.out_weight = nn.Parameter(torch.tensor(OUTPUT_WEIGHT / max(config.votes, 1) ** 0.5))

    @property
    def stack(self) -> list[tuple[LutLayer, BatchNormQuant]]:
        """The layers of L-LUTs, each with the quantiser behind it."""
        pairs = zip(self.layers, self.quantisers, strict=True)
        return [(cast(LutLayer, layer), cast(BatchNormQuant, quantise)) for layer, quantise in pairs]

    @torch.no_grad()
    def set_masks(self, masks: list[Tensor]) -> None:
        """Replace the connections of every layer by `masks`, int [n_out, fan_in] each.

        Raises:
            ShapeError: a mask of another shape.
        """
        for (layer, _), mask in zip(self.stack, masks, strict=True):
            check_shape("mask", mask.shape, "[n_out, fan_in]", tuple(layer.conn.shape))
            layer.conn.copy_(mask)

    def fix_statistics(self, fixed: bool) -> None:
        """Let batch norm keep its statistics while training, or follow the batches again."""
        for _, quantise in self.stack:
            quantise.fixed = fixed

    def forward(self, x: Tensor) -> Tensor:
        """Class scores [batch, classes] from x [n_in, batch]."""
        q = self.quantise_input(x)
        for layer, quantise in self.stack:
            q = quantise(layer(q))
        return class_scores(q, self.out_offset, self.out_weight, self.quantisers[-1], self.config.votes)

    def input_quantiser(self) -> InputQuantiser:
        """Raw features to codes with normalisation, batch norm and scale folded once, in float64."""
        gain, offset = self.quantise_input.folded()
        feature_gain, feature_offset = self.features.cpu().numpy()
        spec = self.quantise_input.spec
        return InputQuantiser(gain * feature_gain, offset + gain * feature_offset, spec.bits, spec.signed)

    @torch.no_grad()
    def codes(self, x: np.ndarray, block: int = 1000) -> list[np.ndarray]:
        """Integer codes in evaluation mode, computed in float64 from the sub-networks (not from tables).

        Args:
            x: raw features [batch, n_in], as the data set has them.
            block: samples at a time; bounds the memory.

        Returns:
            Codes [batch, n] of the inputs and of every layer, and the counts where classes are voted for;
            signed codes as offset binary.

        Raises:
            ShapeError: wrong shape or not finite.
        """
        check_shape("x", x.shape, "[batch, n_in]", (None, self.config.n_in))
        quantise = self.input_quantiser()
        functions = [LayerFunction.of(self, i) for i in range(len(self.layers))]
        outputs: list[list[np.ndarray]] = [[] for _ in range(len(functions) + 1)]
        for start in range(0, len(x), block):
            codes = quantise.reference(x[start : start + block])
            outputs[0].append(codes)
            for function, output in zip(functions, outputs[1:], strict=True):
                inputs = function.values(codes.T)[function.conn]
                codes = function.codes(function.real(inputs)).T
                output.append(codes)
        codes_of = [np.concatenate(parts) for parts in outputs]
        if votes := self.config.votes:
            counts = codes_of[-1].reshape(len(x), -1, votes).sum(2)
            codes_of.append(counts.astype(code_dtype(votes.bit_length())))
        return codes_of


@dataclass(frozen=True)
class LayerFunction:
    """One layer frozen for evaluation in float64: code in → value → sub-network → folded BN → code out.

    value = (code + lo_in)·s_in; v = gain·f(θ, value) + offset; code = clip(rint(v), lo, hi) − lo.
    """

    neuron: Neuron
    theta: Tensor
    conn: Tensor
    gain: np.ndarray
    offset: np.ndarray
    scale_in: float
    lo_in: int
    bits_in: int
    spec: QuantSpec

    @classmethod
    def of(cls, model: LutNet, index: int) -> LayerFunction:
        """Layer `index` of a model."""
        layer, quantise = model.stack[index]
        before = model.stack[index - 1][1] if index else model.quantise_input
        gain, offset = quantise.folded()
        return cls(
            layer.neuron,
            layer.theta.detach().double().cpu(),
            layer.conn.long().cpu(),
            gain,
            offset,
            float(before.scale.detach().double()),
            before.spec.lo,
            before.spec.bits,
            quantise.spec,
        )

    def values(self, codes: np.ndarray) -> Tensor:
        """Real values float64 of stored input codes, same shape."""
        return (torch.from_numpy(codes.astype(np.float64)) + self.lo_in) * self.scale_in

    def real(self, inputs: Tensor, rows: slice = slice(None)) -> np.ndarray:
        """v float64 [rows, batch], in steps of the output scale, from gathered values [rows, F, batch]."""
        z = self.neuron.evaluate(self.theta[rows], inputs).numpy()
        return z * self.gain[rows, None] + self.offset[rows, None]

    def codes(self, v: np.ndarray) -> np.ndarray:
        """Stored codes of real outputs v."""
        spec = self.spec
        return (np.clip(np.rint(v), spec.lo, spec.hi) - spec.lo).astype(code_dtype(spec.bits))
