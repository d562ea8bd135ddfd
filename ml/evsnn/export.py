"""From trained networks to the integer `spiking_net`, and the same integers in torch.

STD-ED becomes a window net, in integers only (T ticks a window, weights w = code · 2^−f, one f a layer):

    S_j = Σ_F code,  M_j = Σ_F code·t,  D_j(τ) = T S_j − M_j − T 2^f + τ (S_j + 2^f)
    t_j = the first τ in 0 … T − 1 with D_j(τ) ≥ 0,  that is ⌈−D_j(0) / (S_j + 2^f)⌉;   z_k = Σ_F code (2T − t)

MPD-ED becomes a clocked net of lif neurons with direct input as graded events: weights w = code · 2^−f, inputs
x = value / top, potential and threshold in units of 2^−f (of 2^−f / top in the first layer), and the leak
λ ≈ 1 − v_loss / 2^12 rounded down. Only λ and θ are rounded beside the weights.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from hwsim.ir import spiking
from hwsim.ir.errors import ShapeError, UsageError
from hwsim.ir.populations import PopulationKind
from ml.evsnn.mpd import MpdNet
from ml.evsnn.shape import Conv, Layer, Pool, Shape, sizes
from ml.evsnn.std import StdNet

TICKS, BITS, DECAY_BITS = 16, 8, 12
MAX_FRACTION = 14

_Codes = NDArray[np.int64]


def spike_ticks(x: NDArray[np.generic], top: int, ticks: int = TICKS) -> _Codes:
    """Input times of intensities 0 … top, integers of any shape: round((1 − x/top)·T), halves up; −1 when T or more.

    Raises:
        ShapeError: a value outside 0 … top.

    >>> spike_ticks(np.array([0, 8, 128, 255]), 255).tolist()
    [-1, 15, 8, 0]
    """
    values = np.asarray(x).astype(np.int64)
    if values.size and not 0 <= int(values.min()) <= int(values.max()) <= top:
        raise ShapeError.of("intensities", f"{values.min()} … {values.max()}", f"0 … {top}", "Scale the input.")
    late = (2 * (top - values) * ticks + top) // (2 * top)
    return np.where(late < ticks, late, -1)


def best_fraction(weight: Tensor, bits: int = BITS) -> int:
    """The f in 0 … 14 whose rounded and clipped codes have the least squared error."""
    top = 2 ** (bits - 1) - 1

    def error(f: int) -> float:
        return float((torch.clamp(torch.round(weight * 2**f), -top, top) / 2**f - weight).square().sum())

    return min(range(MAX_FRACTION + 1), key=error)


@dataclass(frozen=True, eq=False)
class IntegerNet:
    """A trained network in integers, computed by torch in float64 (exact below 2^53).

    Attributes:
        shape: of the network.
        codes: one int64 array a layer with weights, as torch lays it out.
        fractions: f of each of them.
        ticks: T.
    """

    shape: Shape
    codes: tuple[_Codes, ...]
    fractions: tuple[int, ...]
    ticks: int

    def times(self, times: _Codes) -> list[_Codes]:
        """Times int64 [batch, n], −1 for no spike, of the input and after every layer but the readout."""
        out, number = [times], 0
        spots = sizes(self.shape)
        for layer, dims in zip(self.shape.layers[:-1], spots, strict=False):
            x = torch.from_numpy(out[-1]).double().reshape(len(times), *dims)
            if isinstance(layer, Pool):
                late = torch.where(x < 0, float(self.ticks), x)
                first = -functional.max_pool2d(-late, layer.size)
                result = torch.where(first < self.ticks, first, -1.0)
            else:
                result = self._fire(layer, x, number)
                number += 1
            out.append(result.flatten(1).long().numpy())
        return out

    def _sums(self, layer: Layer, x: Tensor, number: int) -> Tensor:
        weight = torch.from_numpy(self.codes[number]).double()
        if isinstance(layer, Conv):
            return functional.conv2d(x, weight, padding=layer.padding)
        return x.flatten(1) @ weight.t()

    def _fire(self, layer: Layer, x: Tensor, number: int) -> Tensor:
        s = self._sums(layer, (x >= 0).double(), number).long()
        m = self._sums(layer, x.clamp(min=0), number).long()
        unit = 2 ** self.fractions[number]
        begin, rise = self.ticks * (s - unit) - m, s + unit
        tick = -torch.div(begin, rise.clamp(min=1), rounding_mode="floor")  # ⌈−begin / rise⌉
        late = (begin < 0) & ((rise <= 0) | (tick >= self.ticks))
        return torch.where(late, -1, tick.clamp(min=0)).double()

    def scores(self, times: _Codes) -> _Codes:
        """z int64 [batch, classes] of input times [batch, n]."""
        last = torch.from_numpy(self.times(times)[-1]).double()
        value = torch.where(last >= 0, 2 * self.ticks - last, 0.0)
        return (value @ torch.from_numpy(self.codes[-1]).double().t()).long().numpy()

    def to_ir(self, meta: dict[str, str] | None = None, bits: int = BITS) -> spiking.SpikingNet:
        """The same integers as a window `spiking_net`."""
        layers, number = [], 0
        spots = sizes(self.shape)
        for i, layer in enumerate(self.shape.layers):
            kind: PopulationKind = "readout" if i == len(self.shape.layers) - 1 else "window"
            f = 0 if isinstance(layer, Pool) else self.fractions[number]
            codes = self.codes[number] if not isinstance(layer, Pool) else np.zeros(0)
            layers.append(_ir_layer(layer, codes, f, bits, spots[i], spiking.Population(kind, math.prod(spots[i + 1]))))
            number += not isinstance(layer, Pool)
        n_in = math.prod(self.shape.inputs)
        notes = {"network": self.shape.text, **(meta or {})}
        return spiking.SpikingNet(
            n_in, self.ticks, tuple(layers), window=True, n_classes=self.shape.n_classes, meta=notes
        )


def _ir_layer(
    layer: Layer, codes: NDArray[np.generic], f: int, bits: int, dims: tuple[int, ...], population: spiking.Population
) -> spiking.Layer:
    if isinstance(layer, Pool):
        pool = spiking.Pool((dims[0], dims[1], dims[2]), layer.size)
        return spiking.Layer(pool, spiking.Population("pool", pool.n_out))
    if isinstance(layer, Conv):
        kernel = codes.astype(np.int16)
        where = (dims[0], dims[1], dims[2])
        return spiking.Layer(spiking.Conv(kernel, where, 1, layer.padding, bits, f), population)
    return spiking.Layer(spiking.Dense(np.ascontiguousarray(codes.T.astype(np.int16)), bits, f), population)


def _codes(
    weights: Sequence[Tensor], bits: int, fractions: Sequence[int]
) -> tuple[tuple[_Codes, ...], tuple[int, ...]]:
    top = 2 ** (bits - 1) - 1
    chosen = tuple(fractions) or tuple(best_fraction(w, bits) for w in weights)
    if len(chosen) != len(weights):
        raise UsageError.of("fractions", chosen, f"{len(weights)} of them", "Give one a layer with weights.")
    codes = [torch.round(w * 2**f).clamp(-top, top).long().numpy() for w, f in zip(weights, chosen, strict=True)]
    return tuple(codes), chosen


@torch.no_grad()
def integer_net(net: StdNet, ticks: int = TICKS, bits: int = BITS, fractions: Sequence[int] = ()) -> IntegerNet:
    """Codes of a trained STD-ED network; `fractions` default to the best ones.

    Raises:
        UsageError: constant threshold, analogue first layer, or ticks that are not a power of two.
    """
    if net.rule.analogue or net.rule.threshold.slope != 1 or net.rule.threshold.start != 1:
        raise UsageError.of("network to export", net.rule, "falling threshold and spiking inputs", "Train another one.")
    if ticks < 2 or ticks & (ticks - 1):
        raise UsageError.of("ticks", ticks, "a power of two", "Use 16, 32, ….")
    weights = [net.weight(i).double() for i in range(len(net.weights))]
    return IntegerNet(net.shape, *_codes(weights, bits, fractions), ticks)


def to_ir(
    net: nn.Module,
    *,
    ticks: int = TICKS,
    bits: int = BITS,
    fractions: Sequence[int] = (),
    top: int = 255,
    meta: dict[str, str] | None = None,
) -> spiking.SpikingNet:
    """The `spiking_net` of a trained `StdNet` (window net) or `MpdNet` (clocked net).

    Args:
        ticks: T of a window net.
        bits, fractions: Q-format of the weights, one fraction a layer with weights; default: least squared error.
        top: value of a direct input that stands for 1 (clocked nets; event frames use 1).
        meta: stored with the net.

    Raises:
        UsageError: the network has what the chip does not.
    """
    if isinstance(net, StdNet):
        return integer_net(net, ticks, bits, fractions).to_ir(meta, bits)
    if isinstance(net, MpdNet):
        return _clocked(net, bits, fractions, top, meta or {})
    raise UsageError.of("network to export", type(net).__name__, "StdNet or MpdNet", "Train one of these.")


@torch.no_grad()
def _clocked(net: MpdNet, bits: int, fractions: Sequence[int], top: int, meta: dict[str, str]) -> spiking.SpikingNet:
    rule = net.rule
    if rule.synapse or rule.adapt == "window":
        got = f"synapse {rule.synapse:g}, threshold {rule.adapt}"
        raise UsageError.of("network to export", got, "no synapse, a constant threshold", "Train another one.")
    codes, chosen = _codes([net.weight(i).double() for i in range(len(net.weights))], bits, fractions)
    layers, number, spots = [], 0, sizes(net.shape)
    for i, layer in enumerate(net.shape.layers):
        n = math.prod(spots[i + 1])
        last = i == len(net.shape.layers) - 1
        if isinstance(layer, Pool):
            layers.append(_ir_layer(layer, codes[0], 0, bits, spots[i], spiking.Population("pool", n)))
            continue
        population = spiking.Population("readout", n)
        if not last:
            scale = 2 ** chosen[number] * (top if number == 0 else 1)
            population = _lif_population(net, n, round(float(net.theta[number]) * scale))
        layers.append(_ir_layer(layer, codes[number], chosen[number], bits, spots[i], population))
        number += 1
    n_in, notes = math.prod(net.shape.inputs), {"network": net.shape.text, **meta}
    return spiking.SpikingNet(n_in, rule.steps, tuple(layers), n_classes=net.shape.n_classes, meta=notes)


def _lif_population(net: MpdNet, n: int, theta: int) -> spiking.Population:
    loss = round((1 - net.rule.lif.leak) * 2**DECAY_BITS)
    return spiking.Population(
        "lif" if loss else "if",
        n,
        spiking.threshold(theta, n),
        reset="subtract" if net.rule.lif.soft else "value",
        v_loss=loss,
        decay_bits=DECAY_BITS,
        leak="floor" if loss else "toward_zero",
    )
