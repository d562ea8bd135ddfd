"""Synaptic operations of a backward pass, counted: events against a dense product at every step.

An operation is one multiply-add of a weight gradient or of an error sent back. A layer between spikes needs two a
pair (one with the weight, one with its gradient); a first layer needs one, because nothing is sent back. With
direct input both sides sum the errors of a neuron over the steps first, so that the input is multiplied once.

| | dense BPTT over T steps | MPD-ED | STD-ED |
|---|---|---|---|
| first layer, direct input | N_in N_out | nonzero inputs × neurons with an error | – |
| layer between spikes | 2 T N_in N_out | 2 · pairs (module `event_form`) | 2 · fired inputs × in-window outputs |
| first layer, spikes | T N_in N_out | pairs | fired inputs × in-window outputs |
| readout | 2 N_in N_out | 2 · neurons that spiked × N_out | same |

Pairs are counted from h ≠ 0, whatever the loss: an upper bound on the pairs with e ≠ 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hwsim.ir.errors import UsageError
from ml.evsnn.mpd import MpdNet
from ml.evsnn.shape import Dense, Shape
from ml.evsnn.spike_time import Spikes, dense_sums
from ml.evsnn.std import StdNet


@dataclass(frozen=True)
class LayerCount:
    """Backward operations of one layer for one sample (mean over the samples).

    Attributes:
        n_in, n_out: size of the layer.
        event, dense: operations by events and by a dense product at every step.
        rate_in, rate_out: share of (neuron, step) that spiked (STD-ED: share of neurons).
    """

    n_in: int
    n_out: int
    event: float
    dense: float
    rate_in: float
    rate_out: float

    @property
    def ratio(self) -> float:
        """Dense operations for each operation by events."""
        return self.dense / self.event if self.event else float("inf")


def whole(counts: list[LayerCount]) -> float:
    """Dense operations for each operation by events, over all layers."""
    return sum(c.dense for c in counts) / sum(c.event for c in counts)


def _dense_only(shape: Shape) -> list[Dense]:
    layers = [layer for layer in shape.layers if isinstance(layer, Dense)]
    if len(layers) < len(shape.layers):
        raise UsageError.of("counts of backward operations", shape.text, "dense layers only", "Name another network.")
    return layers


@torch.no_grad()
def mpd_counts(net: MpdNet, x: Tensor) -> list[LayerCount]:
    """Counts of every layer of a dense network, readout last, as a mean over the samples `x`."""
    layers = _dense_only(net.shape)
    _, records = net.records(x)
    out = []
    for layer, record in zip(layers, records, strict=False):
        steps, batch = record.spikes.shape[:2]
        area, spikes = layer.n_in * layer.n_out, record.spikes
        counted = spikes * (record.factor != 0)
        rate_out = float(spikes.mean())
        if record.source.dim() == 2:
            inputs = (record.source != 0).to(spikes.dtype)
            event = float((inputs.sum(1) * (counted.sum(0) > 0).sum(1)).mean())
            out.append(LayerCount(layer.n_in, layer.n_out, event, area, float(inputs.mean()), rate_out))
            continue
        arrived = record.source.flatten(2).sum(2, keepdim=True)
        pairs, run = 0.0, torch.zeros_like(spikes[0])
        for t in range(steps):
            run = run + arrived[t]
            pairs += float((run * counted[t]).sum())
            run = run * (1 - spikes[t])
        each = 1 if record is records[0] else 2
        rate_in = float(record.source.mean())
        out.append(LayerCount(layer.n_in, layer.n_out, each * pairs / batch, each * steps * area, rate_in, rate_out))
    spoke = float((records[-1].spikes.sum(0) > 0).to(x.dtype).sum(1).mean())
    last = layers[-1]
    out.append(_readout(last, spoke))
    return out


def _readout(layer: Dense, spoke: float) -> LayerCount:
    dense = 2.0 * layer.n_in * layer.n_out
    return LayerCount(layer.n_in, layer.n_out, 2 * spoke * layer.n_out, dense, spoke / layer.n_in, 1.0)


@torch.no_grad()
def std_counts(net: StdNet, x: Tensor, steps: int = 10) -> list[LayerCount]:
    """Counts of every layer of a dense network, as a mean over `x`; the dense side has `steps` time steps."""
    layers, out = _dense_only(net.shape), []
    spikes = net.spikes(x)
    for i, layer in enumerate(layers[:-1]):
        inside = _inside(net, spikes[i], i)
        fired = spikes[i].fired.flatten(1)
        each = 1 if i == 0 else 2
        event = each * float((fired.sum(1) * inside.sum(1)).mean())
        dense = each * steps * layer.n_in * layer.n_out
        out.append(
            LayerCount(layer.n_in, layer.n_out, event, dense, float(fired.mean()), float(spikes[i + 1].fired.mean()))
        )
    out.append(_readout(layers[-1], float(spikes[-1].fired.sum(1).mean())))
    return out


def _inside(net: StdNet, spikes: Spikes, i: int) -> Tensor:
    """1 where a neuron crosses inside its window and so gets a gradient."""
    s, offset = dense_sums(Spikes(spikes.time.flatten(1), spikes.fired.flatten(1)), net.weight(i))
    threshold = net.rule.threshold
    return ((s - offset < threshold.start) & (2 * s - offset >= threshold.start - threshold.slope)).to(s.dtype)
