"""KANELÉ's published truth tables as a `LutNetwork`: one-input edge tables and saturating adders.

KANELÉ (FPGA 2026; github.com/Duchstf/KANELE, MIT) trains a Kolmogorov–Arnold network, prunes its edges and
stores every edge function as a table. Here a KAN layer becomes a `LutLayer` with fan-in 1 (a code in, a
signed value in offset binary out) and a `SumLayer` (sum of a neuron's edges, saturated between layers).

The file (`numpy.load`): ``edge`` [n, 3] = (layer, input, output), ``width`` [n] table lengths, ``values`` =
all tables end to end, ``bn_weight, bn_bias, bn_mean, bn_var`` [n_in], ``input_bias`` [1], ``input_threshold``.
Input code = clip(round((BN(x) + input_bias)/(input_threshold/32)), −32, 31) + 32; hidden code = saturated
signed sum + 64 (its width is that of the next layer's tables); class = argmax of the output sums.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np

from hwsim.ir.errors import ArtifactError, DataError
from hwsim.ir.lut import InputQuantiser, LutLayer, LutNetwork, SumLayer
from hwsim.ir.lut_layers import Layer, code_dtype

_BN_EPSILON = 1e-5  # torch.nn.BatchNorm1d's default, which the model was trained with
_KEYS = ("edge", "width", "values", "bn_weight", "bn_bias", "bn_mean", "bn_var", "input_bias", "input_threshold")


def load_kanele(path: str | os.PathLike[str]) -> LutNetwork:
    """Network of a KANELÉ table file; raises `DataError` when it is missing or lacks a field."""
    try:
        with np.load(path) as file:
            missing = [key for key in _KEYS if key not in file.files]
            if missing:
                raise DataError.of(
                    "KANELÉ tables", f"no {', '.join(missing)}", ", ".join(_KEYS), "Fetch the file again."
                )
            return from_tables({key: file[key] for key in _KEYS})
    except (OSError, ValueError) as error:
        if isinstance(error, DataError | ArtifactError):
            raise
        raise DataError.of("KANELÉ tables", error, "an npz file", "Set HWSIM_DATA, or fetch the file again.") from error


def from_tables(data: Mapping[str, np.ndarray]) -> LutNetwork:
    """Network of the arrays described above."""
    edge, width = data["edge"].astype(np.int64), data["width"].astype(np.int64)
    start = np.concatenate([[0], np.cumsum(width)])
    n_layers = int(edge[:, 0].max()) + 1
    layers: list[Layer] = []
    for k in range(n_layers):
        which = np.flatnonzero(edge[:, 0] == k)
        tables = [data["values"][start[i] : start[i + 1]].astype(np.int64) for i in which]
        if k + 1 < n_layers:
            half = int(width[edge[:, 0] == k + 1][0]) // 2
            lo, hi = -half, half - 1
        else:
            lo = hi = 0  # no saturation at the outputs: as wide as the sums get
        layers += _kan_layer(edge[which], tables, lo, hi)
    quantiser = _quantiser(data, int(width[edge[:, 0] == 0][0]))
    return LutNetwork(
        len(data["bn_mean"]),
        quantiser.bits,
        tuple(layers),
        quantiser,
        layers[-1].n_out,
        True,
        {"source": "KANELÉ published tables (github.com/Duchstf/KANELE, MIT)", "data": "JSC OpenML 42468"},
    )


def _kan_layer(edge: np.ndarray, tables: list[np.ndarray], lo: int, hi: int) -> list[Layer]:
    """Edge tables and adders of one KAN layer."""
    lengths = {len(table) for table in tables}
    bits_in = int(max(lengths)).bit_length() - 1
    if lengths != {1 << bits_in}:
        raise ArtifactError.of("KANELÉ table widths of a layer", sorted(lengths), "one power of two", "Check the file.")
    values = np.stack(tables)
    bits = max(int(values.max()).bit_length(), int(-values.min() - 1).bit_length(), 0) + 1
    codes = (values + (1 << (bits - 1))).astype(code_dtype(bits))
    lut = LutLayer(edge[:, 1:2].astype(np.int32), codes, bits_in, bits)
    n_out = int(edge[:, 2].max()) + 1
    sources = [np.flatnonzero(edge[:, 2] == out) for out in range(n_out)]
    if lo == hi:
        lo, hi = _range(values, sources)
    adders = SumLayer(
        np.concatenate([[0], np.cumsum([len(s) for s in sources])]).astype(np.int32),
        np.concatenate(sources).astype(np.int32),
        np.zeros(n_out, np.int32),
        lo,
        hi,
        bits,
    )
    return [lut, adders]


def _range(values: np.ndarray, sources: list[np.ndarray]) -> tuple[int, int]:
    """Symmetric two's complement range that no sum leaves."""
    low = min(int(values[s].min(axis=1).sum()) for s in sources)
    high = max(int(values[s].max(axis=1).sum()) for s in sources)
    half = 1 << max((-low - 1).bit_length() if low < 0 else 0, high.bit_length())
    return -half, half - 1


def _quantiser(data: Mapping[str, np.ndarray], width: int) -> InputQuantiser:
    """Batch norm, bias and scale folded to one gain and offset in float64."""
    scale = float(data["input_threshold"]) / (width // 2)
    slope = data["bn_weight"].astype(np.float64) / np.sqrt(data["bn_var"].astype(np.float64) + _BN_EPSILON)
    shift = data["bn_bias"].astype(np.float64) - data["bn_mean"].astype(np.float64) * slope
    bias = float(np.asarray(data["input_bias"]).reshape(-1)[0])
    return InputQuantiser(slope / scale, (shift + bias) / scale, width.bit_length() - 1, True)
