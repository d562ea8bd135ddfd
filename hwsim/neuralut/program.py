"""A LUT network laid out flat for the kernels: one row of integers a layer, tables end to end.

A kernel can not walk Python objects, so every layer becomes a row of `FIELDS` numbers that point into
arrays shared by all layers.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass

import numpy as np

from hwsim.ir.lut import LutLayer, LutNetwork, code_dtype

# Columns of Program.layers. numba compiles them into `kernels`, whose cache does not see a change made here: edit
# both files together.
OP, N_OUT, FAN_IN, BITS_IN, BITS_OUT, WIRES, TABLE, LO, HI = range(9)
FIELDS = 9
OP_LUT, OP_SUM = 0, 1


@dataclass(frozen=True, eq=False)
class Program:
    """Flat form of one network.

    Attributes:
        layers: int64 [n_layers, FIELDS]; WIRES indexes `wires` (LUT connections, sum sources), TABLE indexes
            `tables` (LUT) or the pair `offsets`/`bias` (sum).
        wires: int32, all connections and sources.
        tables: uint8 or uint16, all truth tables.
        offsets, bias: int32, CSR offsets (n_out + 1 a layer) and biases (padded to n_out + 1) of sum layers.
        widest: signals in the widest group.
        dtype: of every signal.
    """

    layers: np.ndarray
    wires: np.ndarray
    tables: np.ndarray
    offsets: np.ndarray
    bias: np.ndarray
    widest: int
    dtype: np.dtype


_PROGRAMS: weakref.WeakKeyDictionary[LutNetwork, Program] = weakref.WeakKeyDictionary()


def program_of(network: LutNetwork) -> Program:
    """The network's flat form, built once.

    The network's arrays become read-only: a table changed afterwards would not reach the kernels.
    """
    program = _PROGRAMS.get(network)
    if program is None:
        freeze(network)
        program = _PROGRAMS[network] = _flatten(network)
    return program


def freeze(network: LutNetwork) -> None:
    """Make every layer array read-only."""
    for layer in network.layers:
        for value in vars(layer).values():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False


def _flatten(network: LutNetwork) -> Program:
    dtype = np.dtype(code_dtype(max(network.code_bits)))
    rows: list[list[int]] = []
    wires, tables, offsets, bias = ([np.zeros(0, np.int32)], [np.zeros(0, dtype)], [], [])
    n_wires = n_table = n_bias = 0
    for layer in network.layers:
        if isinstance(layer, LutLayer):
            rows.append(
                [OP_LUT, layer.n_out, layer.fan_in, layer.bits_in, layer.bits_out, n_wires, n_table, 0, 0]
            )  # fmt: skip
            wires.append(layer.connections.ravel())
            tables.append(layer.table.ravel().astype(dtype))
            n_table += layer.table.size
        else:
            rows.append([OP_SUM, layer.n_out, 0, layer.bits_in, layer.bits_out, n_wires, n_bias, layer.lo, layer.hi])
            wires.append(layer.sources)
            offsets.append(layer.offsets)
            bias.append(np.append(layer.bias, np.int32(0)))
            n_bias += layer.n_out + 1
        n_wires += len(wires[-1])
    none = [np.zeros(0, np.int32)]
    return Program(
        np.array(rows, np.int64), np.concatenate(wires), np.concatenate(tables),
        np.concatenate(offsets or none), np.concatenate(bias or none), max(network.widths), dtype,
    )  # fmt: skip
