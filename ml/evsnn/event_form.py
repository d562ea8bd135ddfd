"""MPD-ED's backward pass by pairs of spikes, as a chip does it: no dense product, only what spikes touch.

For the k-th spike of neuron j at t_k (the one before at t_{k−1}, or before the start),

    e_j^k = g_j[t_k] h_j[t_k]
    ∂L/∂w_ij += e_j^k Σ_{t_{k−1} < t ≤ t_k} κ^{t_k − t} s_i[t]
    g_i[t]   += w_ij κ^{t_k − t} e_j^k          for t_{k−1} < t ≤ t_k with s_i[t] = 1

Equal to the masked recursion of `ml.evsnn.potential` (hard reset, mask ``spike``) up to rounding. Spikes with
e = 0 are skipped. A pair is one (input spike, output spike) inside an interval that ends in a spike with e ≠ 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwsim.ir.errors import UsageError
from ml.evsnn.mpd import MpdNet, Record
from ml.evsnn.shape import Dense

_Real = NDArray[np.float64]


@dataclass(frozen=True)
class EventGradients:
    """Gradients by events, and what they cost.

    Attributes:
        weights: by the weights that the forward pass uses, one [n_out, n_in] a layer, of the loss summed over the
            batch as the given score gradients are.
        pairs: one count a spiking layer, over the whole batch; for a layer with direct input, pairs of a nonzero
            input and a neuron with an error.
    """

    weights: list[_Real]
    pairs: list[int]


@cache
def _pairs_kernel() -> Any:
    from numba import njit

    @njit
    def kernel(source, spikes, factor, errors, weight, kept, d_weight, d_source):
        steps, batch, n_out = spikes.shape
        pairs = 0
        for b in range(batch):
            for j in range(n_out):
                first = 0
                for last in range(steps):
                    if spikes[last, b, j] == 0:
                        continue
                    e = errors[last, b, j] * factor[last, b, j]
                    if e != 0:
                        for t in range(last, first - 1, -1):
                            carried = e * kept ** (last - t)
                            for i in range(source.shape[2]):
                                if source[t, b, i] != 0:
                                    pairs += 1
                                    d_weight[j, i] += carried
                                    d_source[t, b, i] += weight[j, i] * carried
                    first = last + 1
        return pairs

    return kernel


def _direct(source: _Real, record: Record, errors: _Real, kept: float) -> tuple[_Real, int]:
    """Gradient of a first layer with constant input [batch, n_in]: the sums over an interval are geometric."""
    spikes, factor = record.spikes.numpy(), record.factor.numpy()
    total = np.zeros(spikes.shape[1:])
    run = np.zeros_like(total)
    for t in range(len(spikes)):
        run = run * kept + 1.0
        total += errors[t] * factor[t] * spikes[t] * run
        run *= 1 - spikes[t]
    pairs = int(((total != 0).sum(1) * (source != 0).sum(1)).sum())
    return total.T @ source, pairs


def _array(x: Tensor) -> _Real:
    return np.ascontiguousarray(x.detach().double().numpy())


def event_gradients(net: MpdNet, x: Tensor, score_gradients: Tensor) -> EventGradients:
    """Gradients of a dense network for inputs `x` and ∂L/∂scores [batch, classes], by pairs of spikes.

    Raises:
        UsageError: the network has convolutions or pooling, another mask than ``spike``, soft reset or synapses.
    """
    rule = net.rule
    if rule.lif.mask != "spike" or rule.lif.soft or rule.synapse or any(type(i) is not Dense for i in net.shape.layers):
        got = f"{net.shape.text}, mask {rule.lif.mask}, soft {rule.lif.soft}, synapse {rule.synapse}"
        raise UsageError.of("event form", got, "dense layers, mask spike, hard reset, no synapse", "Change the net.")
    with torch.no_grad():
        _, records = net.records(x)
    top, d_scores = _array(net.weight(len(net.weights) - 1)), _array(score_gradients)
    steps = len(records[-1].spikes)
    weights: list[_Real] = [d_scores.T @ _array(records[-1].spikes.mean(0))]
    errors = np.repeat((d_scores @ top / steps)[None], steps, axis=0)
    pairs: list[int] = []
    for i in range(len(records) - 1, -1, -1):
        record = records[i]
        source = _array(record.source)
        if source.ndim == 2:
            d_weight, count = _direct(source, record, errors, rule.lif.kept)
        else:
            source = source.reshape(*source.shape[:2], -1)
            weight = _array(net.weight(i))
            d_weight, d_source = np.zeros_like(weight), np.zeros_like(source)
            spikes, factor = _array(record.spikes), _array(record.factor)
            count = int(_pairs_kernel()(source, spikes, factor, errors, weight, rule.lif.kept, d_weight, d_source))
            errors = d_source
        weights.append(d_weight)
        pairs.append(count)
    return EventGradients(weights[::-1], pairs[::-1])
