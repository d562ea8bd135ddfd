"""Portable numba kernels: neuron-major layout, one chunk of samples at a time.

Signals of a chunk lie as [signal][sample], so that building an address is a vector operation over samples:

    address[s] = Σ_j signal[connections[k, j]][s] · 2^(β·(F−1−j)),   out[k][s] = table[k, address[s]]

(NeuraLUT, FPL 2024, section III). A chunk is small enough for its signals to stay in the second-level cache.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from hwsim.neuralut.program import BITS_IN, FAN_IN, HI, LO, N_OUT, OP, OP_LUT, TABLE, WIRES

CHUNK = 1024  # samples; 784 + 256 signals of one byte are 1 MiB, and the address row is 2 KiB


@njit(cache=True, nogil=True)
def quantise(x, gain, offset, lo, hi, codes):
    """codes = clip(rint(x·gain + offset), lo, hi) − lo in float64; returns whether every feature is finite.

    The product and the sum round separately, as in numpy: numba fuses them only under fastmath.
    """
    unfit = 0
    for s in range(x.shape[0]):
        for i in range(x.shape[1]):
            value = np.float64(x[s, i])
            unfit |= not (abs(value) < np.inf)
            codes[s, i] = np.int32(min(max(np.rint(value * gain[i] + offset[i]), lo), hi) - lo)
    return unfit == 0


@njit(cache=True, nogil=True)
def transpose_in(x, start, count, signal):
    """signal[i, s] = x[start + s, i] for s < count.

    Eight bytes of a column are put together before they are stored: one store instead of eight.
    """
    whole = count // 8 * 8 if signal.itemsize == 1 else 0
    if whole:
        columns = signal.view(np.uint64)
        for s in range(0, whole, 8):
            rows = x[start + s : start + s + 8]
            for i in range(x.shape[1]):
                word = np.uint64(rows[0, i])
                for j in range(1, 8):
                    word |= np.uint64(rows[j, i]) << np.uint64(8 * j)
                columns[i, s // 8] = word
    for s in range(whole, count):
        for i in range(x.shape[1]):
            signal[i, s] = x[start + s, i]


@njit(cache=True, nogil=True)
def transpose_out(signal, start, count, out):
    """out[start + s, i] = signal[i, s] for s < count."""
    for s in range(count):
        for i in range(out.shape[1]):
            out[start + s, i] = signal[i, s]


@njit(cache=True, nogil=True)
def argmax_rows(signal, start, count, classes, best, winner):
    """classes[start + s] = argmax_i signal[i, s], lowest index on ties; `best`, `winner` are scratch."""
    for s in range(count):
        best[s] = signal[0, s]
        winner[s] = 0
    for i in range(1, signal.shape[0]):
        row = signal[i]
        for s in range(count):
            larger = row[s] > best[s]
            winner[s] = i if larger else winner[s]
            best[s] = max(row[s], best[s])
    for s in range(count):
        classes[start + s] = winner[s]


@njit(cache=True, nogil=True)
def lut_layer(row, wires, tables, signal, out, address, count):
    """One LUT layer over a chunk: `signal` [n_in, CHUNK] → `out` [n_out, CHUNK]."""
    fan_in, size = row[FAN_IN], 1 << (row[FAN_IN] * row[BITS_IN])
    # address·2^β + code in 16-bit arithmetic: a product, not a shift, so that the compiler keeps 16-bit lanes
    scale = np.uint16((1 << row[BITS_IN]) & 0xFFFF)
    for k in range(row[N_OUT]):
        first = row[WIRES] + k * fan_in
        address[:count] = signal[wires[first], :count]
        for j in range(1, fan_in):
            source = signal[wires[first + j]]
            for s in range(count):
                address[s] = np.uint16(address[s] * scale + source[s])
        table = tables[row[TABLE] + k * size : row[TABLE] + (k + 1) * size]
        target = out[k]
        for s in range(count):
            target[s] = table[address[s]]


@njit(cache=True, nogil=True)
def sum_layer(row, wires, offsets, bias, signal, out, total, count):
    """One layer of saturating adders over a chunk; `total` is int32 [CHUNK]."""
    lo, hi = row[LO], row[HI]
    for k in range(row[N_OUT]):
        first = row[WIRES] + offsets[row[TABLE] + k]
        last = row[WIRES] + offsets[row[TABLE] + k + 1]
        # Σ (code − 2^(β−1)) = Σ code − terms·2^(β−1): the constant part moves into the bias.
        start = np.int64(bias[row[TABLE] + k]) - (last - first) * (np.int64(1) << (row[BITS_IN] - 1))
        total[:count] = start
        for term in range(first, last):
            source = signal[wires[term]]
            for s in range(count):
                total[s] += source[s]
        target = out[k]
        for s in range(count):
            target[s] = min(max(total[s], lo), hi) - lo


@njit(cache=True, nogil=True)
def run_layer(row, wires, tables, offsets, bias, signal, out, address, total, count):
    """One layer of either sort over a chunk."""
    if row[OP] == OP_LUT:
        lut_layer(row, wires, tables, signal, out, address, count)
    else:
        sum_layer(row, wires, offsets, bias, signal, out, total, count)


@njit(cache=True, nogil=True)
def run_network(layers, wires, tables, offsets, bias, x, out, classes, signals, address, total):
    """All layers: codes `x` [batch, n_in] → `out` [batch, n_out], and `classes` [batch] unless it is empty.

    `signals` [2, widest, CHUNK] holds a layer's input and output in turn; `address` uint16 and `total` int64
    [CHUNK] are scratch.
    """
    for start in range(0, len(x), CHUNK):
        count = min(CHUNK, len(x) - start)
        transpose_in(x, start, count, signals[0])
        for i in range(len(layers)):
            run_layer(
                layers[i], wires, tables, offsets, bias, signals[i % 2], signals[1 - i % 2], address, total, count
            )
        last = signals[len(layers) % 2]
        transpose_out(last, start, count, out)
        if len(classes):
            argmax_rows(last[: out.shape[1]], start, count, classes, total, address)


@njit(cache=True, nogil=True)
def run_one_layer(row, wires, tables, offsets, bias, x, out, signals, address, total):
    """A single layer for its own sake: codes `x` [batch, n_in] → `out` [batch, n_out]."""
    for start in range(0, len(x), CHUNK):
        count = min(CHUNK, len(x) - start)
        transpose_in(x, start, count, signals[0])
        run_layer(row, wires, tables, offsets, bias, signals[0], signals[1], address, total, count)
        transpose_out(signals[1], start, count, out)


@njit(cache=True, nogil=True)
def count_toggles(codes):
    """Bits that differ between successive rows of `codes` [batch, n], the first one against reset (0)."""
    toggles = 0
    for i in range(codes.shape[1]):
        previous = np.uint64(0)
        for s in range(codes.shape[0]):
            current = np.uint64(codes[s, i])
            difference = previous ^ current
            while difference:
                difference &= difference - np.uint64(1)
                toggles += 1
            previous = current
    return toggles


@njit(cache=True, nogil=True)
def stream_kernel(in_valid, out_ready, n_samples, stages, in_fire, out_fire, out_valid, entered, held):
    """Global-stall pipeline, one turn of the loop a clock cycle (see `hwsim.neuralut.pipeline`).

    `stages` [latency] holds the index of the sample in each register, −1 for a bubble; `held` [cycles, latency]
    receives its content in every cycle, `entered` [n_samples] the cycle in which a sample was accepted.
    Returns the numbers of samples accepted and emitted.
    """
    depth = len(stages)
    accepted = emitted = 0
    for t in range(len(in_valid)):
        held[t] = stages
        out_valid[t] = stages[depth - 1] >= 0
        advance = out_ready[t] or not out_valid[t]
        out_fire[t] = out_valid[t] and out_ready[t]
        in_fire[t] = in_valid[t] and advance and accepted < n_samples
        emitted += out_fire[t]
        if advance:
            for i in range(depth - 1, 0, -1):
                stages[i] = stages[i - 1]
            stages[0] = accepted if in_fire[t] else -1
        if in_fire[t]:
            entered[accepted] = t
            accepted += 1
    return accepted, emitted
