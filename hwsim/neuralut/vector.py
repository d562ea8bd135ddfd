"""Whole networks on the in-register kernels of `hwsim.neuralut.permute`.

Layers with 8-bit codes and tables of at most 2^6 permutes run in registers; sum layers and wider addresses in
between take the portable kernels on the same neuron-major rows.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numba import njit

from hwsim.ir.lut import LutLayer, LutNetwork
from hwsim.neuralut import kernels
from hwsim.neuralut.permute import (
    LANES,
    MAX_SELECT_BITS,
    ROW,
    LutShape,
    call_gather,
    call_layer,
    gather_code,
    layer_code,
    pack_table,
    unsupported,
)
from hwsim.neuralut.program import N_OUT, WIRES, Program, program_of


@dataclass(frozen=True, eq=False)
class VectorProgram:
    """What the driver needs beside the flat `Program`.

    Attributes:
        entry: int64 [n_layers, 2], address of a layer's compiled code (0: portable) and of its packed tables.
        gather: address of the input stage.
        blocks: 64-column blocks of an input row.
        alive: objects behind the addresses.
        scratch: buffers between runs; a run takes one out and puts it back, so that threads never share one.
    """

    entry: np.ndarray
    gather: int
    blocks: int
    alive: list[Any]
    scratch: list[tuple[np.ndarray, ...]] = field(default_factory=list)


_PROGRAMS: weakref.WeakKeyDictionary[LutNetwork, VectorProgram] = weakref.WeakKeyDictionary()


def why_not(network: LutNetwork) -> str | None:
    """Why `network` can not (or not usefully) run in vector registers here; None when it can."""
    if (reason := unsupported()) is not None:
        return reason
    if max(network.code_bits) > 8:
        return f"codes of {max(network.code_bits)} bits are wider than a byte"
    if not any(_in_registers(layer) for layer in network.layers):
        return "no layer has tables that fit in registers"
    return None


def _in_registers(layer: object) -> bool:
    return (
        isinstance(layer, LutLayer)
        and layer.bits_out <= 8
        and LutShape(layer.fan_in, layer.bits_in, layer.bits_out).select_bits <= MAX_SELECT_BITS
    )


def aligned(size: int) -> np.ndarray:
    """Zeroed uint8 [size] on a register boundary."""
    store = np.zeros(size + LANES, np.uint8)
    skip = -store.ctypes.data % LANES
    return store[skip : skip + size]


def vector_program_of(network: LutNetwork) -> VectorProgram:
    """Compiled form of a network that `why_not` has nothing against, built once."""
    program = _PROGRAMS.get(network)
    if program is None:
        program = _PROGRAMS[network] = _compile(network)
    return program


def _compile(network: LutNetwork) -> VectorProgram:
    first = network.layers[0]
    q = 1
    if _in_registers(first):
        q = next(q for q in (4, 2, 1) if network.input_bits <= 8 // q)
    alive: list[Any] = [gather_code(q)]
    entry = np.zeros((len(network.layers), 2), np.int64)
    for i, layer in enumerate(network.layers):
        if isinstance(layer, LutLayer) and _in_registers(layer):
            shape = LutShape(layer.fan_in, layer.bits_in, layer.bits_out, q if i == 0 else 1)
            code, packed = layer_code(shape), pack_table(layer.table, shape)
            tables = aligned(packed.size)
            tables[:] = packed.ravel()
            entry[i] = code.address, tables.ctypes.data
            alive += [code, tables]
    return VectorProgram(entry, alive[0].address, -(-network.n_inputs // LANES), alive)


def run_vector(network: LutNetwork, codes: np.ndarray, out: np.ndarray, classes: np.ndarray) -> int:
    """Codes uint8 [batch, n_in], contiguous → `out` uint8 [batch, n_out], `classes` int64 [batch] unless empty.

    Returns the union of the input codes.

    An input code that is too wide gives meaningless outputs but touches no foreign memory; the caller looks at
    the union.
    """
    program, vector = program_of(network), vector_program_of(network)
    scratch = vector.scratch.pop() if vector.scratch else _new_scratch(program, vector)
    # A block reads 64 columns, past the end of a row when n_in is no multiple of 64: the last rows, where that
    # would leave the array, go through a padded copy.
    spare = -(-(LANES * vector.blocks - network.n_inputs) // network.n_inputs)
    body = max(0, len(codes) - spare) // LANES * LANES
    union = 0
    tail = aligned(-(-(len(codes) - body) // LANES) * LANES * network.n_inputs + LANES * vector.blocks)
    view = tail[: (len(codes) - body) * network.n_inputs].reshape(-1, network.n_inputs)
    view[:] = codes[body:]
    for part, at, count in ((codes, 0, body), (tail, body, len(codes) - body)):
        if count:
            union |= _run(
                program.layers, program.wires, program.tables, program.offsets, program.bias, vector.entry,
                vector.gather, vector.blocks, part.ctypes.data, network.n_inputs, count, out[at:], classes[at:],
                scratch,
            )  # fmt: skip
    vector.scratch.append(scratch)
    return union


def _new_scratch(program: Program, vector: VectorProgram) -> tuple[np.ndarray, ...]:
    """Signals of two layers in turn, squeezed input rows, addresses, sums, best code and its index."""
    rows = max(program.widest, LANES * vector.blocks)
    return (
        aligned(2 * rows * ROW).reshape(2, rows, ROW),
        aligned(ROW * LANES * vector.blocks),
        np.empty(ROW, np.uint16),
        np.empty(ROW, np.int64),
        aligned(ROW),
        aligned(ROW),
    )


@njit(cache=True, nogil=True)
def _run(layers, wires, tables, offsets, bias, entry, gather, blocks, x, n_in, count, out, classes, scratch):
    """All layers, chunk by chunk, over `count` samples at address `x`; returns the union of the codes."""
    signals, gathered, address, total, best, winner = scratch
    union = 0
    for start in range(0, count, ROW):
        size = min(ROW, count - start)
        groups = (size + LANES - 1) // LANES
        union |= call_gather(
            gather, x + start * n_in, n_in, groups, blocks, gathered.ctypes.data, signals[0].ctypes.data
        )  # fmt: skip
        for i in range(len(layers)):
            source, target = signals[i % 2], signals[1 - i % 2]
            if entry[i, 0]:
                call_layer(
                    entry[i, 0], entry[i, 1], source.ctypes.data, wires[layers[i, WIRES] :].ctypes.data,
                    target.ctypes.data, layers[i, N_OUT],
                )  # fmt: skip
            else:
                kernels.run_layer(layers[i], wires, tables, offsets, bias, source, target, address, total, ROW)
        last = signals[len(layers) % 2]
        kernels.transpose_out(last, start, size, out)
        if len(classes):
            if out.shape[1] <= 256:
                kernels.argmax_rows(last[: out.shape[1]], start, size, classes, best, winner)
            else:
                kernels.argmax_rows(last[: out.shape[1]], start, size, classes, best, address)
    return union
