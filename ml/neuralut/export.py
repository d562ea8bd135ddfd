"""From a trained network to truth tables: enumerate every L-LUT, prove the rounding, hand over the IR.

A table row is one address, Σ_j code_j·2^{β(F−1−j)}: the first connection is the most significant. All
arithmetic is float64. Two float64 evaluations of the same sub-network may differ in the order of their
sums; each is within

    e = γ_m · M,   γ_m = m·u/(1 − m·u),  u = 2^−53,
    M = gain·f(|θ|, |x|) + |offset|      (f with absolute values bounds every partial sum)

of the exact value, m being the roundings on a path (Higham, Accuracy and Stability, section 3.1). An entry
whose distance to the next rounding boundary exceeds e has the same code in any order of summation;
`Margin` reports the smallest distance beside the largest e.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hwsim.ir.lut import LutLayer, LutNetwork, SumLayer, code_dtype
from ml.neuralut.model import LayerFunction, LutNet

_BLOCK_ENTRIES = 1 << 15  # table entries at a time: 16 float64 rows of these are 4 MiB
_UNIT = 2.0**-53


@dataclass(frozen=True)
class Margin:
    """Distance of all table entries to a rounding boundary, in steps of the output scale.

    Attributes:
        distance: the smallest one.
        error_bound: float64 error bound of the entry with the largest one.
        unproven: entries whose distance does not exceed their L-LUT's bound (0 proves the tables).
    """

    distance: float
    error_bound: float
    unproven: int

    def merge(self, other: Margin) -> Margin:
        return Margin(
            min(self.distance, other.distance), max(self.error_bound, other.error_bound), self.unproven + other.unproven
        )


def address_codes(fan_in: int, bits: int) -> np.ndarray:
    """Codes uint16 [fan_in, 2^(bits·fan_in)] of every address; row 0 is the most significant.

    >>> address_codes(2, 1).tolist()
    [[0, 0, 1, 1], [0, 1, 0, 1]]
    """
    address = np.arange(1 << (bits * fan_in))
    shifts = bits * np.arange(fan_in - 1, -1, -1)
    return ((address >> shifts[:, None]) & ((1 << bits) - 1)).astype(np.uint16)


def _error_bound(function: LayerFunction, largest: float) -> np.ndarray:
    """e [n_out] for inputs no larger than `largest` in magnitude."""
    theta = function.theta.abs()
    x = torch.full((len(theta), function.conn.shape[1], 1), largest, dtype=torch.float64)
    magnitude = function.neuron.evaluate(theta, x)[:, 0].numpy()
    mu = (function.neuron.operations + 4) * _UNIT  # + decode of the code and the folded batch norm
    return mu / (1 - mu) * (np.abs(function.gain) * magnitude + np.abs(function.offset))


def _boundary_distance(v: np.ndarray, lo: int, hi: int) -> np.ndarray:
    """Distance of v to the nearest of the boundaries lo+½ .. hi−½."""
    nearest = np.clip(np.floor(v), lo, hi - 1) + 0.5
    return np.abs(v - nearest)


@torch.no_grad()
def layer_table(function: LayerFunction) -> tuple[np.ndarray, Margin]:
    """Table [n_out, 2^(β·F)] of one layer and its rounding margin, a few L-LUTs at a time."""
    n_out, fan_in = function.conn.shape
    states: Tensor = function.values(address_codes(fan_in, function.bits_in))
    table = np.empty((n_out, states.shape[1]), code_dtype(function.spec.bits))
    bound = _error_bound(function, float(states.abs().max()))
    margin = Margin(np.inf, float(bound.max()), 0)
    step = max(_BLOCK_ENTRIES // states.shape[1], 1)
    for start in range(0, n_out, step):
        rows = slice(start, min(start + step, n_out))
        v = function.real(states.expand(rows.stop - start, -1, -1), rows)
        table[rows] = function.codes(v)
        distance = _boundary_distance(v, function.spec.lo, function.spec.hi)
        unproven = int((distance <= bound[rows, None]).sum())
        margin = margin.merge(Margin(float(distance.min()), 0.0, unproven))
    return table, margin


def enumerate_tables(
    model: LutNet, progress: Callable[[int, int, str], None] | None = None
) -> tuple[list[np.ndarray], Margin]:
    """Tables of all layers and the margin over all their entries."""
    total = sum(layer.n_out for layer in model.config.layers)
    tables, margin, done = [], Margin(np.inf, 0.0, 0), 0
    for i, layer in enumerate(model.config.layers):
        table, own = layer_table(LayerFunction.of(model, i))
        tables.append(table)
        margin, done = margin.merge(own), done + layer.n_out
        if progress:
            progress(done, total, "L-LUTs enumerated")
    return tables, margin


def to_ir(
    model: LutNet, meta: dict[str, str] | None = None, progress: Callable[[int, int, str], None] | None = None
) -> LutNetwork:
    """The trained network as a `lut_network`; its input quantiser takes the data set's raw features.

    `meta` is stored with it (data set variant, training run). The output's affine map after the quantiser
    is dropped: it is the same for all classes and does not move the argmax.
    """
    tables, margin = enumerate_tables(model, progress)
    config = model.config
    layers: list[LutLayer | SumLayer] = []
    bits = config.input_bits
    for i, (layer, table) in enumerate(zip(config.layers, tables, strict=True)):
        conn = model.stack[i][0].conn.cpu().numpy().astype(np.int32)
        layers.append(LutLayer(conn, table, bits, layer.bits))
        bits = layer.bits
    notes = {
        "network": config.name,
        "rounding_margin": f"{margin.distance:.3e}",
        "rounding_error_bound": f"{margin.error_bound:.3e}",
        "unproven_entries": str(margin.unproven),
        **(meta or {}),
    }
    if votes := config.votes:
        offsets = np.arange(0, table.shape[0] + 1, votes, dtype=np.int32)
        sources, bias = np.arange(table.shape[0], dtype=np.int32), np.zeros(config.classes, np.int32)
        layers.append(SumLayer(offsets, sources, bias, -votes, 0, 1))  # a bit c is worth c − 1
    return LutNetwork(
        config.n_in, config.input_bits, tuple(layers), model.input_quantiser(), config.classes, True, notes
    )
