"""Networks of one-input tables and adders (KANELÉ, HGQ-LUT): every edge is an L-LUT with F = 1.

    e_oi = clip(rint(f_oi(x_i)/s)),   code_o = clip(Σ_i e_oi + bias_o, lo, hi)

f_oi is a sub-network with one input (L=2, S=2: a hidden layer and a linear residual), s one learned scale a
layer that the edges and their sum share, so that a sum needs no multiplier and no rounding. There is no
batch norm between layers: it would make all edges alike, and pruning compares them. Edges whose output
varies least over the data are pruned during training; what is left becomes a `lut_network` of one table an
edge and a `SumLayer`.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from hwsim.ir.lut import InputQuantiser, LutLayer, LutNetwork, SumLayer, code_dtype
from ml.common.quant import BatchNormQuant, QuantSpec, quantise
from ml.common.seed import torch_generator
from ml.neuralut import lut_layer
from ml.neuralut.configs import INPUT_THRESHOLD, LayerConfig, OneInputConfig


class EdgeLayer(nn.Module):
    """All edges between two signal groups, and their sums; [n_in, batch] to [n_out, batch].

    Edge o·n_in + i goes from input i to output o. `keep` [n_out·n_in] is 0 for pruned edges; `activity` is the
    running standard deviation of each edge's quantised output.
    """

    keep: Tensor
    activity: Tensor

    def __init__(self, n_in: int, n_out: int, bits: int, width: int, generator: torch.Generator, fused: bool) -> None:
        super().__init__()
        self.n_in, self.n_out = n_in, n_out
        self.spec = QuantSpec(bits, True, 4.0)  # sums of many edges: start with a wide range
        conn = torch.arange(n_in).repeat(n_out)[:, None]
        edges = LayerConfig(n_in * n_out, 1, bits, width=width, depth=2, skip=2)
        self.edges = lut_layer.LutLayer(edges, conn, generator, fused)
        with torch.no_grad():
            self.edges.theta.mul_(1 / np.sqrt(n_in))  # sums of n_in edges start with the spread of one
        self.bias = nn.Parameter(torch.zeros(n_out, 1))
        self.threshold = nn.Parameter(torch.tensor(self.spec.threshold))
        self.register_buffer("keep", torch.ones(n_in * n_out))
        self.register_buffer("activity", torch.ones(n_in * n_out))

    @property
    def scale(self) -> Tensor:
        return self.threshold.clamp(min=1e-3) / self.spec.steps

    def forward(self, x: Tensor) -> Tensor:
        e = quantise(self.edges(x), self.scale, self.spec, inward=True)
        if self.training:
            with torch.no_grad():
                self.activity.lerp_(e.std(1), 0.02)
        e = e * self.keep[:, None]
        bias = quantise(self.bias, self.scale, self.spec, inward=True)
        total = e.reshape(self.n_out, self.n_in, -1).sum(1) + bias
        return quantise(total, self.scale, self.spec, inward=True)

    @torch.no_grad()
    def prune(self, share: float) -> None:
        """Keep the `share` of all edges that varies most; at least one an output."""
        score = self.activity * self.keep
        count = max(round(share * len(score)), 1)
        keep = torch.zeros_like(score)
        keep[score.topk(count).indices] = 1
        first = torch.arange(0, len(score), self.n_in, device=score.device)
        keep[first + score.reshape(self.n_out, self.n_in).argmax(1)] = 1
        self.keep.copy_(keep)


class OneInputNet(nn.Module):
    """Input quantiser, edge layers, and class scores (code·s·w of the last sums); arguments as `LutNet`."""

    features: Tensor

    def __init__(
        self, config: OneInputConfig, seed: int, features: tuple[float, float] = (1.0, 0.0), fused: bool = True
    ) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("features", torch.tensor(features, dtype=torch.float64))
        spec = QuantSpec(config.bits[0], True, 2 * INPUT_THRESHOLD)
        self.quantise_input = BatchNormQuant(config.n_in, spec, 0.0, fused)
        layers, n_in = [], config.n_in
        for i, (n_out, bits) in enumerate(zip(config.widths, config.bits[1:], strict=True)):
            generator = torch_generator(seed, "weights", i)
            layers.append(EdgeLayer(n_in, n_out, bits, config.width, generator, fused))
            n_in = n_out
        self.layers = nn.ModuleList(layers)
        self.out_weight = nn.Parameter(torch.tensor(1.0))

    @property
    def stack(self) -> list[EdgeLayer]:
        """The layers, typed."""
        return [cast(EdgeLayer, layer) for layer in self.layers]

    def forward(self, x: Tensor) -> Tensor:
        """Class scores [batch, classes] from x [n_in, batch]."""
        q = self.quantise_input(x)
        for layer in self.layers:
            q = layer(q)
        return (q * self.out_weight.abs()).t()

    def prune(self, progress: float) -> None:
        """Prune on a cubic schedule that ends at the configured share of edges."""
        left = (1 - min(progress, 1.0)) ** 3
        for layer in self.stack:
            layer.prune(self.config.keep + (1 - self.config.keep) * left)

    @torch.no_grad()
    def codes(self, x: np.ndarray) -> list[np.ndarray]:
        """Signal codes [batch, n] of the inputs and after every sum, in float64; offset binary."""
        codes = [_input_quantiser(self).reference(x)]
        before, scale = self.quantise_input.spec, float(self.quantise_input.scale.detach().double())
        for layer in self.stack:
            values = (torch.from_numpy(codes[-1].T.astype(np.float64)) + before.lo) * scale
            edge, bias = _edge_values(layer, values[layer.edges.conn[:, 0].long()][:, None])
            total = (edge * layer.keep.numpy()[:, None]).reshape(layer.n_out, layer.n_in, -1).sum(1) + bias[:, None]
            spec = layer.spec
            codes.append((np.clip(total, spec.lo, spec.hi) - spec.lo).astype(code_dtype(spec.bits)).T)
            before, scale = spec, float(layer.scale.detach().double())
        return codes


def _input_quantiser(model: OneInputNet) -> InputQuantiser:
    gain, offset = model.quantise_input.folded()
    feature_gain, feature_offset = model.features.cpu().numpy()
    bits = model.quantise_input.spec.bits
    return InputQuantiser(gain * feature_gain, offset + gain * feature_offset, bits, True)


def _edge_values(layer: EdgeLayer, inputs: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Integer outputs [edges, n] of all edges for inputs [edges, 1, n] in float64, and integer biases [n_out]."""
    scale, spec = float(layer.scale.detach().double()), layer.spec
    z = layer.edges.neuron.evaluate(layer.edges.theta.detach().double(), inputs).numpy()
    bias = layer.bias.detach().double().numpy()[:, 0]
    return np.clip(np.rint(z / scale), spec.lo, spec.hi), np.clip(np.rint(bias / scale), spec.lo, spec.hi)


@torch.no_grad()
def to_ir(model: OneInputNet, meta: dict[str, str] | None = None) -> LutNetwork:
    """One table an edge that is left, then one `SumLayer`, for every layer."""
    layers: list[LutLayer | SumLayer] = []
    before, scale = model.quantise_input.spec, float(model.quantise_input.scale.detach().double())
    for layer in model.stack:
        spec = layer.spec
        states = (torch.arange(1 << before.bits, dtype=torch.float64) + before.lo) * scale
        edge, bias = _edge_values(layer, states.expand(len(layer.keep), 1, -1))
        left = np.flatnonzero(layer.keep.numpy())
        table = (edge[left] - spec.lo).astype(code_dtype(spec.bits))
        layers.append(LutLayer((left % layer.n_in).astype(np.int32)[:, None], table, before.bits, spec.bits))
        ends = np.searchsorted(left // layer.n_in, np.arange(layer.n_out + 1))
        sources = np.arange(len(left), dtype=np.int32)
        layers.append(SumLayer(ends.astype(np.int32), sources, bias.astype(np.int32), spec.lo, spec.hi, spec.bits))
        before, scale = spec, float(layer.scale.detach().double())
    config = model.config
    notes = {"network": config.name, **(meta or {})}
    return LutNetwork(
        config.n_in, config.bits[0], tuple(layers), _input_quantiser(model), config.widths[-1], True, notes
    )
