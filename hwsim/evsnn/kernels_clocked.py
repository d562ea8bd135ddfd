"""Kernels of clocked layers: events in, events out, a block of neurons at a time.

    a_j = 2^shift·Σ x·w_ij over the events of a step;   u, v, spike and reset as in `hwsim.ir.populations`

Events are sorted by (sample, step); `cuts[s]` … `cuts[s + 1]` are those of slot s = sample·steps + step. Rows of four
events are added in one pass over the accumulators, so that the memory port carries weights, not sums. dec(v) towards
zero is ⌊(v·kept + m)/2^k⌋ with m = 2^k − 1 for v < 0: no branch, so the loops over neurons become vector code.
"""

from __future__ import annotations

import numpy as np
from numba import njit

# entries of the parameter list
KEPT_V, BITS_V, CEILING_V, KEPT_I, BITS_I, CEILING_I, LOW, HIGH, SHIFT, RESET, SUBTRACT, CUBA, LINEAR = range(13)
REFRACTORY, LOSS_V, LOSS_I = range(13, 16)
N_PARAMETERS = 16
NARROW, NARROW_CUBA, GENERAL = range(3)


@njit(cache=True, nogil=True)
def cut(cuts, address, time, offsets, steps):
    """Slots of sorted events: cuts int64 [batch·steps + 1] filled. Returns whether addresses rise inside every slot."""
    rising, last, before, at = True, np.int64(-1), np.int32(-1), 0
    for b in range(offsets.shape[0] - 1):
        for e in range(offsets[b], offsets[b + 1]):
            slot = np.int64(b) * steps + time[e]
            while at <= slot:
                cuts[at] = e
                at += 1
            rising = rising and (slot != last or address[e] > before)
            last, before = slot, address[e]
    cuts[at:] = offsets[-1]
    return rising


@njit(cache=True, nogil=True)
def add_rows(acc, w, addr, low, high):
    """acc[j] += Σ w[addr[e], j] over events low … high − 1; acc has a type that holds any such sum."""
    n = acc.shape[0]
    e = low
    while e + 8 <= high:  # one load and store of acc for eight rows
        a0, a1, a2, a3 = w[addr[e]], w[addr[e + 1]], w[addr[e + 2]], w[addr[e + 3]]
        b0, b1, b2, b3 = w[addr[e + 4]], w[addr[e + 5]], w[addr[e + 6]], w[addr[e + 7]]
        for j in range(n):
            acc[j] += ((a0[j] + a1[j]) + (a2[j] + a3[j])) + ((b0[j] + b1[j]) + (b2[j] + b3[j]))
        e += 8
    while e < high:
        a = w[addr[e]]
        for j in range(n):
            acc[j] += a[j]
        e += 1


@njit(cache=True, nogil=True)
def add_values(acc, w, addr, values, low, high):
    """acc[j] += Σ values[e]·w[addr[e], j]."""
    for e in range(low, high):
        row, x = w[addr[e]], np.int32(values[e])
        for j in range(acc.shape[0]):
            acc[j] += x * np.int32(row[j])


@njit(cache=True, nogil=True)
def add_sparse(acc, offsets, targets, w, addr, values, low, high):
    """As `add_values` for compressed rows; no values: each 1."""
    for e in range(low, high):
        x = np.int32(values[e]) if len(values) else np.int32(1)
        for k in range(offsets[addr[e]], offsets[addr[e] + 1]):
            acc[targets[k]] += x * np.int32(w[k])


@njit(cache=True, nogil=True)
def update_narrow(v, acc, theta, bias, fired, p):
    """lif and if whose products and sums stay below 2^31: a step of all neurons. Returns (spikes, neurons at work)."""
    kept, k, ceiling = np.int32(p[KEPT_V]), np.int32(p[BITS_V]), np.int32(p[CEILING_V])
    low, high, shift = np.int32(p[LOW]), np.int32(p[HIGH]), np.int32(p[SHIFT])
    rest, subtract = np.int32(p[RESET]), p[SUBTRACT] != 0
    count, busy = np.int32(0), np.int32(0)
    for j in range(v.shape[0]):
        old, a = v[j], np.int32(acc[j])
        busy += np.int32((old | a | bias[j]) != 0)
        m = np.int32(np.int32(old >> np.int32(31)) & ceiling)
        new = np.int32(np.int32(np.int32(np.int32(old * kept) + m) >> k) + np.int32(bias[j] + np.int32(a << shift)))
        new = min(max(new, low), high)
        up = new >= theta[j]
        after = np.int32(new - theta[j]) if subtract else rest
        v[j] = after if up else new
        fired[j] = up
        count += np.int32(up)
        acc[j] = 0
    return count, busy


@njit(cache=True, nogil=True)
def add_current(u, acc, p):
    """u ← dec_i(u) + a of cuba neurons, in 32 bits; acc becomes 0. Returns neurons with a current now or before."""
    kept, k, ceiling = np.int32(p[KEPT_I]), np.int32(p[BITS_I]), np.int32(p[CEILING_I])
    low, high, shift = np.int32(p[LOW]), np.int32(p[HIGH]), np.int32(p[SHIFT])
    for j in range(u.shape[0]):
        old, a = u[j], np.int32(acc[j])
        m = np.int32(np.int32(old >> np.int32(31)) & ceiling)
        new = np.int32(np.int32(np.int32(np.int32(old * kept) + m) >> k) + np.int32(a << shift))
        u[j] = min(max(new, low), high)
        acc[j] = 0


@njit(cache=True, nogil=True)
def update_cuba(v, u, theta, bias, fired, p):
    """v, spikes and reset of cuba neurons after `add_current`, in 32 bits; at work: v or u not 0."""
    kept, k, ceiling = np.int32(p[KEPT_V]), np.int32(p[BITS_V]), np.int32(p[CEILING_V])
    low, high = np.int32(p[LOW]), np.int32(p[HIGH])
    rest, subtract = np.int32(p[RESET]), p[SUBTRACT] != 0
    count, busy = np.int32(0), np.int32(0)
    for j in range(v.shape[0]):
        old, a = v[j], u[j]
        busy += np.int32((old | a | bias[j]) != 0)
        m = np.int32(np.int32(old >> np.int32(31)) & ceiling)
        new = np.int32(np.int32(np.int32(np.int32(old * kept) + m) >> k) + np.int32(bias[j] + a))
        new = min(max(new, low), high)
        up = new >= theta[j]
        after = np.int32(new - theta[j]) if subtract else rest
        v[j] = after if up else new
        fired[j] = up
        count += np.int32(up)
    return count, busy


@njit(cache=True, nogil=True)
def shrunk(v, loss):
    """sgn(v)·max(|v| − loss, 0)."""
    return max(v - loss, 0) if v > 0 else min(v + loss, 0)


@njit(cache=True, nogil=True)
def decayed(v, kept, k, ceiling):
    """v·kept / 2^k, towards zero or down."""
    return (v * kept + ((v >> 63) & ceiling)) >> k


@njit(cache=True, nogil=True)
def update_general(u, v, held, acc, theta, bias, fired, p):
    """Any neuron, in 64 bits: every width, both sorts of leak, refractory time."""
    low, high, linear = p[LOW], p[HIGH], p[LINEAR] != 0
    count, busy = np.int32(0), np.int32(0)
    for j in range(v.shape[0]):
        a, i, old = np.int64(acc[j]) << p[SHIFT], np.int64(u[j]), np.int64(v[j])
        if p[CUBA]:
            kept = shrunk(i, p[LOSS_I]) if linear else decayed(i, p[KEPT_I], p[BITS_I], p[CEILING_I])
            a = min(max(kept + a, low), high)
            u[j] = a
        busy += np.int32((old | a | bias[j]) != 0)
        kept = shrunk(old, p[LOSS_V]) if linear else decayed(old, p[KEPT_V], p[BITS_V], p[CEILING_V])
        new = min(max(kept + bias[j] + a, low), high)
        fired[j] = False
        if held[j] > 0:
            held[j] -= 1
            new = p[RESET]
        elif new >= theta[j]:
            fired[j] = True
            count += np.int32(1)
            held[j] = p[REFRACTORY]
            new = new - theta[j] if p[SUBTRACT] else p[RESET]
        v[j] = new
        acc[j] = 0
    return count, busy


@njit(cache=True, nogil=True)
def flags_of(n):
    """uint8 flags of n neurons, padded with zeros to whole words of eight, and the same memory as uint64."""
    flags = np.zeros((n + 7) // 8 * 8, np.uint8)
    return flags, flags.view(np.uint64)


@njit(cache=True, nogil=True)
def emit(flags, words, count, first, address, at):
    """Appends first + j of every neuron whose flag is set, `count` in all; needs one place more than that.

    Eight flags at a time; within them every address is written and only those of flags are kept: nothing to guess for
    the branch predictor. Returns the next free place.
    """
    end, k = at + count, 0
    while at < end:
        if words[k]:
            for j in range(8 * k, 8 * k + 8):
                address[at] = first + j
                at += np.int64(flags[j])
        k += 1
    return at


@njit(cache=True, nogil=True)
def dense_layer(w, addr, values, cuts, steps, p, mode, acc, theta, bias, first, address, counts, busy, probe):
    """One block of neurons of a dense layer over a batch.

    w [n_in, block] (rows contiguous), acc of the block's length and any integer type, mode NARROW, NARROW_CUBA or
    GENERAL. address: room for spikes (grown by the caller's retry); counts int32 [slots] of spikes; busy int64
    [1]; probe int32 [samples, steps, block] takes v after each step, or has length 0.
    Returns spikes written, or −1 when there was no room.
    """
    n = acc.shape[0]
    u, v, held = np.zeros(n, np.int32), np.zeros(n, np.int32), np.zeros(n, np.int32)
    fired, words = flags_of(n)
    at = 0
    for slot in range(cuts.shape[0] - 1):
        if slot % steps == 0:
            u[:] = 0
            v[:] = 0
            held[:] = 0
        if len(values):
            add_values(acc, w, addr, values, cuts[slot], cuts[slot + 1])
        else:
            add_rows(acc, w, addr, cuts[slot], cuts[slot + 1])
        count, work = _update(u, v, held, acc, theta, bias, fired, p, mode)
        busy[0] += work
        if count:
            if at + count >= address.shape[0]:
                return -1
            at = emit(fired, words, count, first, address, at)
            counts[slot] = count
        if probe.shape[0]:
            probe[slot // steps, slot % steps] = v
    return at


@njit(cache=True, nogil=True)
def sparse_layer(
    offsets, targets, w, addr, values, cuts, steps, p, mode, acc, theta, bias, first, address, counts, busy, probe
):
    """As `dense_layer` for compressed rows: all neurons of the layer at once."""
    n = acc.shape[0]
    u, v, held = np.zeros(n, np.int32), np.zeros(n, np.int32), np.zeros(n, np.int32)
    fired, words = flags_of(n)
    at = 0
    for slot in range(cuts.shape[0] - 1):
        if slot % steps == 0:
            u[:] = 0
            v[:] = 0
            held[:] = 0
        add_sparse(acc, offsets, targets, w, addr, values, cuts[slot], cuts[slot + 1])
        count, work = _update(u, v, held, acc, theta, bias, fired, p, mode)
        busy[0] += work
        if count:
            if at + count >= address.shape[0]:
                return -1
            at = emit(fired, words, count, first, address, at)
            counts[slot] = count
        if probe.shape[0]:
            probe[slot // steps, slot % steps] = v
    return at


@njit(cache=True, nogil=True)
def readout(z, w, addr, values, cuts, steps):
    """z[b] += Σ x·w[i] over all events of sample b; z int64 [batch, n]."""
    for b in range(z.shape[0]):
        low, high = cuts[b * steps], cuts[(b + 1) * steps]
        if len(values):
            add_values(z[b], w, addr, values, low, high)
        else:
            add_rows(z[b], w, addr, low, high)


@njit(cache=True, nogil=True)
def sparse_readout(z, offsets, targets, w, addr, values, cuts, steps):
    """As `readout` for compressed rows."""
    for b in range(z.shape[0]):
        add_sparse(z[b], offsets, targets, w, addr, values, cuts[b * steps], cuts[(b + 1) * steps])


@njit(cache=True, nogil=True, inline="always")
def _update(u, v, held, acc, theta, bias, fired, p, mode):
    if mode == NARROW:
        return update_narrow(v, acc, theta, bias, fired, p)
    if mode == NARROW_CUBA:
        add_current(u, acc, p)
        return update_cuba(v, u, theta, bias, fired, p)
    return update_general(u, v, held, acc, theta, bias, fired, p)
