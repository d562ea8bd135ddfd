"""Whole networks of codes up to 8 bits on the compiled layers of `hwsim.neuralut.codegen`.

LUT layers run by permutes where the processor has them and the table is not too large, by index otherwise; sum
layers in between take the kernels of `hwsim.neuralut.kernels` on the same neuron-major rows.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from hwsim.core.revision import revision
from hwsim.ir.lut import LutLayer, LutNetwork
from hwsim.neuralut import emit, kernels
from hwsim.neuralut import program as flat
from hwsim.neuralut.codegen import TURN, gather_code, layer_code, unsupported
from hwsim.neuralut.emit import I64, LANES, MAX_SELECT_BITS, ROW, LutShape, pack_table
from hwsim.neuralut.program import N_OUT, WIRES, Program, program_of

_REVISION = revision(kernels, emit, flat)
_intrinsic: Any = intrinsic  # numba's annotations keep the typing context among the arguments


@dataclass(frozen=True, eq=False)
class VectorProgram:
    """What the driver needs beside the flat `Program`.

    Attributes:
        entry: int64 [n_layers, 2], address of a layer's compiled code (0: a sum layer) and of its tables.
        lookups: L-LUTs of all layers.
        gather: address of the input stage.
        blocks: 64-column blocks of an input row.
        alive: objects behind the addresses.
        scratch: buffers between runs; a run takes one out and puts it back, so that threads never share one.
    """

    entry: np.ndarray
    gather: int
    blocks: int
    lookups: int
    alive: list[Any]
    scratch: list[tuple[np.ndarray, ...]] = field(default_factory=list)


_PROGRAMS: weakref.WeakKeyDictionary[LutNetwork, dict[bool, VectorProgram]] = weakref.WeakKeyDictionary()


def fits_bytes(network: LutNetwork) -> bool:
    """Whether every code of the network is at most a byte, which `run_vector` asks for."""
    return max(network.code_bits) <= 8


def why_no_permute(network: LutNetwork) -> str | None:
    """Why no layer of `network` can run by permutes here; None when at least one can."""
    if (reason := unsupported()) is not None:
        return reason
    if not fits_bytes(network):
        return f"codes of {max(network.code_bits)} bits are wider than a byte"
    if not any(isinstance(layer, LutLayer) and _shape(layer, 1, True).method == "permute" for layer in network.layers):
        return "no layer has tables that fit in registers"
    return None


def _shape(layer: LutLayer, q: int, permute: bool) -> LutShape:
    shape = LutShape(layer.fan_in, layer.bits_in, layer.bits_out, q, "permute")
    if permute and shape.select_bits <= MAX_SELECT_BITS:
        return shape
    return LutShape(layer.fan_in, layer.bits_in, 8, q, "index")  # one code for any output width: entries are bytes


def aligned(size: int) -> np.ndarray:
    """Zeroed uint8 [size] on a register boundary."""
    store = np.zeros(size + LANES, np.uint8)
    skip = -store.ctypes.data % LANES
    return store[skip : skip + size]


def vector_program_of(network: LutNetwork, permute: bool) -> VectorProgram:
    """Compiled form of a network that `fits_bytes`, built once."""
    forms = _PROGRAMS.setdefault(network, {})
    if permute not in forms:
        forms[permute] = _compile(network, permute)
    return forms[permute]


def _compile(network: LutNetwork, permute: bool) -> VectorProgram:
    # A sum layer reads plain bytes, a LUT layer unpacks.
    packs = isinstance(network.layers[0], LutLayer)
    q = next(q for q in (4, 2, 1) if q == 1 or (packs and network.input_bits <= 8 // q))
    alive: list[Any] = [gather_code(q)]
    entry = np.zeros((len(network.layers), 2), np.int64)
    for i, layer in enumerate(network.layers):
        if isinstance(layer, LutLayer):
            shape = _shape(layer, q if i == 0 else 1, permute)
            code, table = layer_code(shape), np.ascontiguousarray(layer.table)
            if shape.method == "permute":
                packed = pack_table(layer.table, shape)
                table = aligned(packed.size)
                table[:] = packed.ravel()
            entry[i] = code.address, table.ctypes.data
            alive += [code, table]
    lookups = sum(layer.n_out for layer in network.layers if isinstance(layer, LutLayer))
    return VectorProgram(entry, alive[0].address, -(-network.n_inputs // LANES), lookups, alive)


def run_vector(network: LutNetwork, codes: np.ndarray, out: np.ndarray, classes: np.ndarray, permute: bool) -> int:
    """Codes uint8 [batch, n_in], contiguous → `out` uint8 [batch, n_out], `classes` int64 [batch] unless empty.

    Returns the union of the input codes.

    An input code that is too wide gives meaningless outputs but touches no foreign memory; the caller looks at
    the union.
    """
    program, vector = program_of(network), vector_program_of(network, permute)
    scratch = vector.scratch.pop() if vector.scratch else _new_scratch(program, vector)
    # A block reads 64 columns, past the end of a row when n_in is no multiple of 64: the last rows, where that
    # would leave the array, go through a padded copy.
    spare = -(-(LANES * vector.blocks - network.n_inputs) // network.n_inputs)
    body = max(0, len(codes) - spare) // LANES * LANES
    union, run = 0, _driver(_REVISION)
    tail = aligned(-(-(len(codes) - body) // LANES) * LANES * network.n_inputs + LANES * vector.blocks)
    view = tail[: (len(codes) - body) * network.n_inputs].reshape(-1, network.n_inputs)
    view[:] = codes[body:]
    for part, at, count in ((codes, 0, body), (tail, body, len(codes) - body)):
        if count:
            union |= run(
                program.layers, program.wires, program.offsets, program.bias, vector.entry, vector.gather,
                vector.blocks, part.ctypes.data, network.n_inputs, count, out[at:], classes[at:],
                vector.lookups, scratch,
            )  # fmt: skip
    vector.scratch.append(scratch)
    return union


def _new_scratch(program: Program, vector: VectorProgram) -> tuple[np.ndarray, ...]:
    """Signals of two layers in turn, squeezed input rows, addresses, sums, best code and its index."""
    rows = max(program.widest, LANES * vector.blocks)
    return (
        aligned(2 * rows * ROW).reshape(2, rows, ROW),
        aligned(TURN * LANES * LANES * vector.blocks),
        np.empty(ROW, np.uint16),
        np.empty(ROW, np.int64),
        aligned(ROW),
        aligned(ROW),
    )


@_intrinsic
def _call_layer(typingctx, code, table, signal, wires, out, n_out, groups, ahead, lines):
    """Call the compiled layer at address `code`."""

    def codegen(context, builder, signature, args):
        kind = ir.FunctionType(ir.VoidType(), [I64] * 8)
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])
        return context.get_dummy_value()

    return types.void(*([types.int64] * 9)), codegen


@_intrinsic
def _call_gather(typingctx, code, x, stride, groups, blocks, scratch, out):
    """Call the compiled input stage at address `code`; returns the union of the codes."""

    def codegen(context, builder, signature, args):
        kind = ir.FunctionType(I64, [I64] * 6)
        return builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])

    return types.int64(*([types.int64] * 7)), codegen


@cache
def _driver(sources: int) -> Any:
    """The compiled loop over chunks and layers; it closes over `revision` of the files it is made of."""

    @njit(cache=True, nogil=True)
    def run(
        layers, wires, offsets, bias, entry, gather, blocks, x, n_in, count, out, classes, lookups, scratch
    ):  # fmt: skip
        """All layers, chunk by chunk, over `count` samples at address `x`; returns the union of the codes."""
        signals, gathered, address, total, best, winner = scratch
        union = sources & 0  # a use, which makes the argument part of the cache key
        for start in range(0, count, ROW):
            size = min(ROW, count - start)
            source = x + start * n_in
            groups = (size + LANES - 1) // LANES
            union |= _call_gather(
                gather, source, n_in, groups, blocks, gathered.ctypes.data, signals[0].ctypes.data
            )  # fmt: skip
            ahead, left = source + ROW * n_in, max(0, min(ROW, count - start - ROW)) * n_in
            lines = (left + 64 * lookups - 1) // (64 * lookups) if lookups else 0
            for i in range(len(layers)):
                read, write = signals[i % 2], signals[1 - i % 2]
                if entry[i, 0]:
                    _call_layer(
                        entry[i, 0], entry[i, 1], read.ctypes.data, wires[layers[i, WIRES] :].ctypes.data,
                        write.ctypes.data, layers[i, N_OUT], groups, ahead, lines,
                    )  # fmt: skip
                    ahead += 64 * lines * layers[i, N_OUT]
                else:
                    kernels.sum_layer(layers[i], wires, offsets, bias, read, write, total, ROW)
            last = signals[len(layers) % 2]
            kernels.transpose_out(last, start, size, out)
            if len(classes):
                if out.shape[1] <= 256:
                    kernels.argmax_rows(last[: out.shape[1]], start, size, classes, best, winner)
                else:
                    kernels.argmax_rows(last[: out.shape[1]], start, size, classes, best, address)
        return union

    return run
