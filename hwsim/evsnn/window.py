"""Window layers of a spiking net (STD-ED) on the CPU: events of a window in, events of the next window out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwsim.evsnn import kernels_window as kernels
from hwsim.ir.spiking import Layer
from hwsim.ir.synapses import Conv, Dense, Pool, Sparse


@dataclass(frozen=True, eq=False)
class Singles:
    """Single spikes of all samples, in order of time inside each.

    Attributes:
        address, time: int32 [n].   cuts: int64 [batch + 1].
    """

    address: np.ndarray
    time: np.ndarray
    cuts: np.ndarray


def run_layer(layer: Layer, spikes: Singles, steps: int, lanes: int) -> tuple[Singles, np.ndarray, np.ndarray]:
    """A layer of window or pool neurons over a batch.

    Returns:
        The spikes, ticks that its neurons were visited and stalls (`LayerActivity`), int64 [batch].
    """
    synapse, n, batch = layer.synapse, layer.population.n, len(spikes.cuts) - 1
    address, time = np.empty(batch * n, np.int32), np.empty(batch * n, np.int32)
    cuts, ticks, stalls = np.zeros(batch + 1, np.int64), np.zeros(batch, np.int64), np.zeros(batch, np.int64)
    given, out = (spikes.address, spikes.time, spikes.cuts), (address, time, cuts)
    if isinstance(synapse, Pool):
        kernels.pool_layer(synapse.targets(), n, steps, *given, *out)
    elif isinstance(synapse, Dense):
        kernels.dense_layer(synapse.weights, synapse.fraction, steps, lanes, *given, *out, ticks, stalls)
    else:
        rows = synapse.sparse() if isinstance(synapse, Conv) else synapse
        packed = (rows.offsets, rows.targets, rows.weights, n, synapse.fraction, steps, lanes)
        kernels.sparse_layer(*packed, *given, *out, ticks, stalls)
    used = int(cuts[-1])
    return Singles(address[:used], time[:used], cuts), ticks, stalls


def run_readout(layer: Layer, spikes: Singles, steps: int) -> np.ndarray:
    """z int64 [batch, n] = bias + Σ w·(2T − t)."""
    synapse, p = layer.synapse, layer.population
    weights = synapse.weights if isinstance(synapse, Dense) else _full(synapse)
    z = np.zeros((len(spikes.cuts) - 1, p.n), np.int64)
    kernels.readout(z, weights, spikes.address, spikes.time, spikes.cuts, steps)
    return z + p.bias if len(p.bias) else z


def _full(synapse: Sparse | Conv | Pool) -> np.ndarray:
    return synapse.matrix().astype(np.int16)
