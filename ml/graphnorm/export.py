"""Hand-over: a trained GIN as a `graph_mac` network of 8-bit codes, GraphNorm on a statistics unit.

Every channel of a linear layer in front of GraphNorm has a Δ of its own for code 1: GraphNorm divides it out again, so
nothing is rounded twice. Sums over neighbours are exact and then rounded to the array's codes; residuals
are kept in `residual_bits`.

BatchNorm folds into the linear layer in front of it and needs no unit. GraphNorm does not: ``fold=True`` does it all
the same, with the mean statistics of the calibration graphs, to show what that costs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hwsim.ir.encoding import Encoding
from hwsim.ir.errors import UsageError
from hwsim.ir.graph_mac import GraphCodes, GraphMac
from hwsim.ir.graph_norm import GraphNormUnit
from hwsim.ir.graph_ops import Neighbours, Normalise, Readout
from hwsim.ir.mac import Input
from hwsim.ir.mac_build import fixed_point
from hwsim.ir.mac_ops import Linear, Op, Requant
from hwsim.ir.mac_vector import Add
from ml.graphnorm.graphs import Batch, GraphSet
from ml.graphnorm.models import GinLayer, GraphNetwork
from ml.graphnorm.norms import GraphNorm, RowNorm
from ml.graphnorm.segments import segment_mean

OWN_FRACTION, MEAN_FRACTION = 8, 8
OUT_TOP = 1 << 20  # scores are compared, not multiplied: they stay wide
READOUT_SHARE = 0.95  # of graphs whose readout fits; the few largest saturate, or sums of all others lose their bits
MARGIN = 1.25  # of codes in front of GraphNorm: other graphs may lie outside the calibration's range
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Widths:
    """Number formats of the hand-over.

    Attributes:
        w_bits: of weights.   x_bits: of operands on the array, sign included.
        in_bits: of what the statistics unit takes.   residual_bits: unsigned, of node features between layers.
        alpha_fraction, table_bits, root_bits, keep, gain_bits: of the statistics unit, see `GraphNormUnit`.

    Raises:
        UsageError: operands of fewer than 2 bits.
    """

    w_bits: int = 8
    x_bits: int = 8
    in_bits: int = 12
    residual_bits: int = 8
    alpha_fraction: int = 8
    table_bits: int = 8
    root_bits: int = 8
    keep: int = 8
    gain_bits: int = 12

    def __post_init__(self) -> None:
        if min(self.w_bits, self.x_bits, self.in_bits, self.residual_bits) < 2:
            got = f"weights {self.w_bits}, operands {self.x_bits}, unit {self.in_bits}, residuals {self.residual_bits}"
            raise UsageError.of("widths", got, "2 bits or more", "Use more bits.")


def graph_codes(graphs: GraphSet, indices: Any) -> GraphCodes:
    """The chosen graphs as input of the integer network: one-hot codes 0 and 1."""
    feature, start, neighbour, sizes = graphs.parts(indices)
    x = np.zeros((len(feature), graphs.n_features), np.int64)
    x[np.arange(len(feature)), feature] = 1
    return GraphCodes(x, start, neighbour, sizes)


@torch.no_grad()
def to_ir(
    model: GraphNetwork,
    graphs: GraphSet,
    calibration: Any,
    encoding: Encoding,
    widths: Widths | None = None,
    *,
    fold: bool = False,
    meta: dict[str, str] | None = None,
) -> GraphMac:
    """The integer network of a trained GIN.

    Args:
        model: GIN with graph, instance or batch norm.   graphs, calibration: indices of graphs that ranges come from.
        encoding: product unit of all layers.   widths: default `Widths()`.
        fold: fold GraphNorm with mean statistics, as if it were BatchNorm.   meta: strings for the artifact.

    Raises:
        UsageError: GCN or a norm that neither folds nor fits the unit; operands wider than the encoding's.
    """
    widths = widths or Widths()
    if widths.x_bits > encoding.x_bits or widths.w_bits > encoding.w_bits:
        got, want = f"{widths.x_bits} × {widths.w_bits} bits", f"at most {encoding.x_bits} × {encoding.w_bits}"
        raise UsageError.of("operand widths", got, want, "Use another product unit, or fewer bits.")
    for layer in model.layers:
        known = isinstance(layer, GinLayer) and isinstance(layer.norm1, GraphNorm | RowNorm)
        norm = layer.norm1 if known else None
        plain = isinstance(norm, RowNorm) and not isinstance(norm.layer, nn.BatchNorm1d)
        if not known or plain:
            name = type(norm.layer if isinstance(norm, RowNorm) else layer).__name__
            raise UsageError.of("hand-over", name, "GIN with graph, instance or batch norm", "Train another one.")
    index = np.asarray(calibration, np.int64)
    export = _Export(model.double().eval(), graphs, index, encoding, widths, fold)
    try:
        return export.network(meta or {})
    finally:
        model.float()


@dataclass
class _Value:
    """A value of the network: its number, real values of the calibration nodes, Δ of a code (one or one a channel)."""

    number: int
    real: Tensor
    step: Any


class _Export:
    def __init__(
        self, model: GraphNetwork, graphs: GraphSet, index: NDArray[np.int64], encoding: Encoding, widths: Widths,
        fold: bool,
    ) -> None:  # fmt: skip
        self.model, self.encoding, self.widths, self.fold = model, encoding, widths, fold
        self.graphs, self.batch = graphs, _double(graphs.batch(index))
        self.x_top, self.w_top = (1 << (widths.x_bits - 1)) - 1, (1 << (widths.w_bits - 1)) - 1
        self.ops: list[Op] = []
        self.norms: list[tuple[Array, Array, Array]] = []  # α, γ/Δ and β/Δ of each layer on the unit

    def network(self, meta: dict[str, str]) -> GraphMac:
        """All layers, readout and classifier."""
        h = _Value(0, self.batch.x, 1.0)
        for i, layer in enumerate(self.model.layers):
            assert isinstance(layer, GinLayer)
            out = self._half(self._aggregate(layer, h), layer.linear1, layer.norm1)
            out = self._half(out, layer.linear2, layer.norm2)
            h = self._residual(out, h) if i else out
        self._classify(h)
        n_max, degree = int(self.graphs.sizes.max()), int(self.graphs.degrees.max(initial=0))
        source = Input((self.graphs.n_features,), 0, 1, 1.0)
        head = self.model.head.out_features
        return GraphMac(source, (self.encoding,), tuple(self.ops), self._unit(n_max), n_max, degree, head, meta=meta)

    def _add(self, op: Op, real: Tensor, step: Any) -> _Value:
        self.ops.append(op)
        return _Value(len(self.ops), real, step)

    def _aggregate(self, layer: GinLayer, h: _Value) -> _Value:
        """z on the array's codes; exact sums of codes before the rounding."""
        z = layer.aggregate(h.real, self.batch)
        step = _largest(z) / self.x_top
        own = round((2.0 + float(layer.epsilon)) * (1 << OWN_FRACTION))
        mult, shift = fixed_point(h.step / (1 << OWN_FRACTION) / step, 1 << 40)
        lo = 0 if float(z.min()) >= 0 else -self.x_top
        return self._add(
            Neighbours((h.number,), own, OWN_FRACTION, Requant(mult, shift, lo, self.x_top)), z, step
        )  # fmt: skip

    def _linear(self, x: _Value, weight: Tensor, bias: Tensor, step: Array, lo: int, hi: int) -> _Value:
        """Codes of Δ `step` [n], clipped to lo … hi, for x · weightᵀ + bias."""
        w = weight.numpy()
        steps = np.maximum(np.abs(w).max(axis=1), 1e-12) / self.w_top
        codes = np.clip(np.rint(w / steps[:, None]), -self.w_top, self.w_top).astype(np.int16)
        unit = x.step * steps * self.encoding.step  # real value of one unit of a channel's sum
        top = int(np.abs(self.encoding.table).max()) * w.shape[1]
        offset = np.clip(np.rint(bias.numpy() / unit), -(1 << 40), 1 << 40).astype(np.int64)
        mult, shift = fixed_point(unit / step, top + int(np.abs(offset).max()))
        real = x.real @ weight.T + bias
        return self._add(Linear((x.number,), codes, offset, Requant(mult, shift, lo, hi)), real, step)

    def _half(self, x: _Value, linear: nn.Linear, layer: nn.Module) -> _Value:
        """ReLU(Norm(linear(x))) in codes 0 … x_top."""
        a = linear(x.real)
        y = torch.relu(layer(a, self.batch.graph, self.batch.counts))
        step = _largest(y) / self.x_top
        if isinstance(layer, GraphNorm) and not self.fold:
            top = (1 << (self.widths.in_bits - 1)) - 1
            fine = np.maximum(a.abs().amax(0).numpy(), 1e-9) * MARGIN / top
            on_unit = self._linear(x, linear.weight, linear.bias, fine, -top - 1, top)
            params = [p.numpy() for p in (layer.alpha, layer.weight, layer.bias)]
            self.norms.append((params[0], params[1] / step, params[2] / step))
            return self._add(Normalise((on_unit.number,), len(self.norms) - 1), y, step)
        slope, shift = self._folded(a, layer)
        weight, bias = linear.weight * slope[:, None], linear.bias * slope + shift
        out = self._linear(x, weight, bias, np.full(len(slope), step), 0, self.x_top)
        return _Value(out.number, y, step)

    def _folded(self, a: Tensor, layer: nn.Module) -> tuple[Tensor, Tensor]:
        """(slope, shift) of y = slope · a + shift: running statistics, or the mean ones of the calibration graphs."""
        if isinstance(layer, GraphNorm):
            mean = segment_mean(a, self.batch.graph, self.batch.counts)
            u = a - (layer.alpha * mean)[self.batch.graph]
            root = (segment_mean(u * u, self.batch.graph, self.batch.counts) + layer.eps).sqrt()
            slope = layer.weight / root.mean(0)
            return slope, layer.bias - slope * layer.alpha * mean.mean(0)
        assert isinstance(layer, RowNorm)
        norm: Any = layer.layer
        slope = norm.weight / (norm.running_var + norm.eps).sqrt()
        return slope, norm.bias - slope * norm.running_mean

    def _residual(self, y: _Value, h: _Value) -> _Value:
        real = y.real + h.real
        top = (1 << self.widths.residual_bits) - 1
        step = _largest(real) / top
        mults, shift = fixed_point(np.array([y.step, h.step]) / step, 1 << 20)
        return self._add(Add((y.number, h.number), (int(mults[0]), int(mults[1])), shift, 0, top), real, step)

    def _classify(self, h: _Value) -> None:
        pooled, mean = self.model.pooled(h.real, self.batch), self.model.readout == "mean"
        fraction = MEAN_FRACTION if mean else 0
        step = max(float(torch.quantile(pooled.abs().amax(1), READOUT_SHARE)), 1e-9) / self.x_top
        mult, shift = fixed_point(h.step / (1 << fraction) / step, 1 << 36)
        readout = Readout((h.number,), Requant(mult, shift, 0, self.x_top), mean, fraction)
        out = self._add(readout, pooled, step)
        head = self.model.head
        scores = head(pooled)
        wide = np.full(head.out_features, _largest(scores) / (OUT_TOP >> 2))
        self._linear(out, head.weight, head.bias, wide, -OUT_TOP, OUT_TOP)

    def _unit(self, max_nodes: int) -> GraphNormUnit | None:
        """The statistics unit with the parameters of all layers."""
        if not self.norms:
            return None
        w = self.widths
        alpha, gain, offset = (np.stack(part) for part in zip(*self.norms, strict=True))
        return GraphNormUnit.from_real(
            alpha, gain, offset, gain_bits=w.gain_bits, in_bits=w.in_bits, max_nodes=max_nodes,
            alpha_fraction=w.alpha_fraction, table_bits=w.table_bits, root_bits=w.root_bits, keep=w.keep, lo=0,
            hi=self.x_top,
        )  # fmt: skip


def _double(batch: Batch) -> Batch:
    return Batch(
        batch.x.double(), batch.adjacency.double(), batch.graph, batch.counts.double(), batch.degree.double()
    )  # fmt: skip


def _largest(x: Tensor) -> float:
    return max(float(x.abs().max()), 1e-9)
