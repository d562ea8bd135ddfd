"""Networks without the L-LUTs that no output depends on.

Random masks leave signals that nothing reads (about a tenth of HDR-5L's first layer). Synthesis drops them, and
so may a simulation that only asks for outputs: the output codes are the same for every input.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from hwsim.ir.lut import Layer, LutLayer, LutNetwork, SumLayer


def live_network(network: LutNetwork) -> LutNetwork:
    """`network` without dead L-LUTs and adders; inputs and outputs keep their number and order.

    A signal is live when it is an output, or a live L-LUT or adder of the next layer reads it.

    Example:
        >>> import numpy as np
        >>> first = LutLayer(np.zeros((3, 1), np.int32), np.tile(np.array([0, 1], np.uint8), (3, 1)), 1, 1)
        >>> second = LutLayer(np.array([[2]], np.int32), np.array([[1, 0]], np.uint8), 1, 1)
        >>> live_network(LutNetwork(1, 1, (first, second))).widths
        (1, 1, 1)
    """
    layers: list[Layer] = []
    live = np.arange(network.n_outputs)
    for i in range(len(network.layers) - 1, -1, -1):
        layer = _keep(network.layers[i], live)
        if i:
            # A layer whose adders read nothing still needs one signal in front of it.
            live = np.unique(_sources(layer)) if _sources(layer).size else np.zeros(1, np.int64)
            layer = _renumber(layer, live)
        layers.insert(0, layer)
    return dataclasses.replace(network, layers=tuple(layers))


def dead_counts(network: LutNetwork) -> list[int]:
    """Dead L-LUTs and adders of each layer."""
    return [layer.n_out - kept.n_out for layer, kept in zip(network.layers, live_network(network).layers, strict=True)]


def _keep(layer: Layer, live: np.ndarray) -> Layer:
    if isinstance(layer, LutLayer):
        return dataclasses.replace(layer, connections=layer.connections[live], table=layer.table[live])
    terms = [layer.sources[layer.offsets[k] : layer.offsets[k + 1]] for k in live]
    offsets = np.concatenate([[0], np.cumsum([len(t) for t in terms])]).astype(np.int32)
    return dataclasses.replace(
        layer, offsets=offsets, sources=np.concatenate(terms).astype(np.int32), bias=layer.bias[live]
    )


def _sources(layer: Layer) -> np.ndarray:
    return layer.connections if isinstance(layer, LutLayer) else layer.sources


def _renumber(layer: Layer, live: np.ndarray) -> Layer:
    """Connections as places in `live` (sorted) instead of in the whole previous layer."""
    places = np.searchsorted(live, _sources(layer)).astype(np.int32)
    if isinstance(layer, SumLayer):
        return dataclasses.replace(layer, sources=places)
    return dataclasses.replace(layer, connections=places)
