"""Truth tables of a whole netlist, 64 operand pairs a word.

Pair (x, w) of bit patterns is bit p = x·2^b + w of a row, the order of `Encoding.table`. A gate over k signals is
evaluated by Shannon expansion on words, f = f₀ ⊕ s·(f₀ ⊕ f₁): about 2^k word operations for 64 pairs.
"""

from __future__ import annotations

import weakref

import numpy as np
from numba import njit

from hwsim.ir.encoding import Encoding
from hwsim.ir.gates import CONST1, GateNetlist

WORD = np.uint64(0xFFFFFFFFFFFFFFFF)
_CACHE: weakref.WeakKeyDictionary[Encoding, np.ndarray] = weakref.WeakKeyDictionary()


@njit(cache=True, nogil=True)
def evaluate_kernel(n_inputs, offsets, fan_in, tables, signals):
    """Fill rows n_inputs… of `signals` uint64 [n_inputs + n_nodes, words] from the input rows."""
    buffer = np.empty(64, np.uint64)
    for i in range(len(tables)):
        first, k = offsets[i], offsets[i + 1] - offsets[i]
        for word in range(signals.shape[1]):
            for a in range(1 << k):
                buffer[a] = np.uint64(0) - ((tables[i] >> np.uint64(a)) & np.uint64(1))
            for j in range(k - 1, -1, -1):
                half = 1 << j
                s = signals[fan_in[first + j], word]
                for a in range(half):
                    buffer[a] ^= s & (buffer[a] ^ buffer[a + half])
            signals[n_inputs + i, word] = buffer[0]


def input_words(n_bits: int, order: np.ndarray) -> np.ndarray:
    """uint64 [len(order), max(1, 2^n_bits / 64)]: bit p of row i is bit ``order[i]`` of p."""
    pairs = np.arange(1 << n_bits, dtype=np.int64)
    rows = ((pairs[None, :] >> np.asarray(order)[:, None]) & 1).astype(np.uint8)
    return pack(rows)


def pack(rows: np.ndarray) -> np.ndarray:
    """uint64 [n, ⌈p / 64⌉] of Boolean rows uint8 [n, p]; the bits beyond p are zero."""
    rows = np.ascontiguousarray(rows)
    padded = np.zeros((len(rows), -(-rows.shape[1] // 64) * 64), np.uint8)
    padded[:, : rows.shape[1]] = rows
    return np.packbits(padded, axis=1, bitorder="little").view(np.uint64)


def unpack(words: np.ndarray, count: int) -> np.ndarray:
    """uint8 [n, count]: inverse of `pack`."""
    return np.unpackbits(np.ascontiguousarray(words).view(np.uint8), axis=1, bitorder="little")[:, :count]


def netlist_words(gates: GateNetlist, x_bits: int, w_bits: int) -> np.ndarray:
    """uint64 [n_outputs, words]: every output for every operand pair."""
    order = np.concatenate([w_bits + np.arange(x_bits), np.arange(w_bits)])
    inputs = input_words(x_bits + w_bits, order)
    signals = np.empty((gates.n_inputs + gates.n_nodes, inputs.shape[1]), np.uint64)
    signals[: gates.n_inputs] = inputs
    evaluate_kernel(gates.n_inputs, gates.offsets, gates.fan_in, gates.tables, signals)
    out = np.zeros((gates.n_outputs, inputs.shape[1]), np.uint64)
    out[gates.outputs >= 0] = signals[gates.outputs[gates.outputs >= 0]]
    out[gates.outputs == CONST1] = WORD
    if (tail := (1 << (x_bits + w_bits)) % 64) != 0:
        out &= np.uint64((1 << tail) - 1)
    return out


def bit_tables(encoding: Encoding) -> np.ndarray:
    """uint8 [M, 2^a, 2^b]: equal to `Encoding.bit_tables`, computed 64 pairs at a time."""
    a, b = 1 << encoding.x_bits, 1 << encoding.w_bits
    return unpack(packed_bits(encoding), a * b).reshape(-1, a, b)


def packed_bits(encoding: Encoding) -> np.ndarray:
    """uint64 [M, words]: every wide bit for every operand pair; kept as long as the encoding lives."""
    if encoding not in _CACHE:
        _CACHE[encoding] = netlist_words(encoding.gates, encoding.x_bits, encoding.w_bits)
    return _CACHE[encoding]


def product_table(encoding: Encoding) -> np.ndarray:
    """int64 [2^a, 2^b]: equal to `Encoding.table`, in units of 2^(−fraction)."""
    table = np.full((1 << encoding.x_bits, 1 << encoding.w_bits), encoding.bias, np.int64)
    for bit, weight in zip(bit_tables(encoding), encoding.position_weights, strict=True):
        table += bit * weight
    return table
