"""Kernels of window layers (STD-ED, arXiv 2403.00270): single spikes, add-only accumulation, a falling threshold.

S_j = Σ w_ij,  M_j = Σ w_ij·t_i;   D_j(τ) = T·S_j − M_j − T·2^f + τ·(S_j + 2^f);   fires at the first D_j ≥ 0
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def accumulate(S, M, w, addr, time, low, high):
    """S and M int32 [n] of events low … high − 1; w [n_in, n], any integer type."""
    S[:] = 0
    M[:] = 0
    for e in range(low, high):
        row, t = w[addr[e]], np.int32(time[e])
        for j in range(S.shape[0]):
            x = np.int32(row[j])
            S[j] += x
            M[j] += np.int32(x * t)


@njit(cache=True, nogil=True)
def accumulate_sparse(S, M, offsets, targets, w, addr, time, low, high):
    """As `accumulate` for compressed rows."""
    S[:] = 0
    M[:] = 0
    for e in range(low, high):
        for k in range(offsets[addr[e]], offsets[addr[e] + 1]):
            S[targets[k]] += np.int32(w[k])
            M[targets[k]] += np.int32(w[k]) * np.int32(time[e])


@njit(cache=True, nogil=True)
def fire(S, M, f, steps, lanes, times, address, out_time, at, waits):
    """Spike times of all neurons and their events, in order of tick, then neuron.

    Args:
        S, M: int32 [n].   f: fraction.   steps: T.   lanes: W.
        times: int32 [n], filled with 0 … T − 1, or −1.
        address, out_time: int32, filled from `at` on.
        waits: int32 [n words · T], scratch.

    Returns:
        (next free place, ticks run, stalls Σ max(0, fired lanes of a word − 1)).
    """
    n, last = S.shape[0], 0
    one = np.int64(1) << f
    words = (n + lanes - 1) // lanes
    waits[: words * steps] = 0
    count = np.zeros(steps + 1, np.int64)
    for j in range(n):
        need = steps * one + M[j] - steps * np.int64(S[j])
        slope = S[j] + one
        tau = steps
        if need <= 0:
            tau = 0
        elif slope > 0 and need <= slope * (steps - 1):
            tau = (need + slope - 1) // slope
        times[j] = tau if tau < steps else -1
        if tau < steps:
            count[tau + 1] += 1
            waits[tau * words + j // lanes] += 1
            last = max(last, tau)
    for tau in range(steps):
        count[tau + 1] += count[tau]
    for j in range(n):
        if times[j] >= 0:
            place = at + count[times[j]]
            count[times[j]] += 1
            address[place] = j
            out_time[place] = times[j]
    stalls = np.int64(0)
    for k in range((last + 1) * words):
        stalls += max(waits[k] - 1, 0)
    return at + count[steps], last + 1, stalls


@njit(cache=True, nogil=True)
def pool(targets, n, steps, addr, time, low, high, times, address, out_time, at):
    """First events of each window, in order of arrival of their windows' first events. Returns the next free place."""
    times[:] = -1
    for e in range(low, high):
        j = targets[addr[e]]
        if j >= 0 and times[j] < 0:
            times[j] = time[e]
    for tau in range(steps):
        for j in range(n):
            if times[j] == tau:
                address[at] = j
                out_time[at] = tau
                at += 1
    return at


@njit(cache=True, nogil=True)
def read(z, w, addr, time, low, high, steps):
    """z int64 [n] += Σ w·(2T − t)."""
    for e in range(low, high):
        x = np.int64(2 * steps - time[e])
        row = w[addr[e]]
        for j in range(z.shape[0]):
            z[j] += x * row[j]


@njit(cache=True, nogil=True)
def dense_layer(w, f, steps, lanes, addr, time, cuts, address, out_time, out_cuts, ticks, stalls):
    """A dense window layer over a batch; address and out_time have room for batch·n spikes."""
    n = w.shape[1]
    S, M, times = np.zeros(n, np.int32), np.zeros(n, np.int32), np.zeros(n, np.int32)
    waits = np.zeros(((n + lanes - 1) // lanes) * steps, np.int32)
    at = np.int64(0)
    for b in range(len(cuts) - 1):
        accumulate(S, M, w, addr, time, cuts[b], cuts[b + 1])
        at, ticks[b], stalls[b] = fire(S, M, f, steps, lanes, times, address, out_time, at, waits)
        out_cuts[b + 1] = at


@njit(cache=True, nogil=True)
def sparse_layer(offsets, targets, w, n, f, steps, lanes, addr, time, cuts, address, out_time, out_cuts, ticks, stalls):
    """As `dense_layer` for compressed rows."""
    S, M, times = np.zeros(n, np.int32), np.zeros(n, np.int32), np.zeros(n, np.int32)
    waits = np.zeros(((n + lanes - 1) // lanes) * steps, np.int32)
    at = np.int64(0)
    for b in range(len(cuts) - 1):
        accumulate_sparse(S, M, offsets, targets, w, addr, time, cuts[b], cuts[b + 1])
        at, ticks[b], stalls[b] = fire(S, M, f, steps, lanes, times, address, out_time, at, waits)
        out_cuts[b + 1] = at


@njit(cache=True, nogil=True)
def pool_layer(targets, n, steps, addr, time, cuts, address, out_time, out_cuts):
    """A pooling layer over a batch."""
    times = np.zeros(n, np.int32)
    at = np.int64(0)
    for b in range(len(cuts) - 1):
        at = pool(targets, n, steps, addr, time, cuts[b], cuts[b + 1], times, address, out_time, at)
        out_cuts[b + 1] = at


@njit(cache=True, nogil=True)
def readout(z, w, addr, time, cuts, steps):
    """z int64 [batch, n] of a dense readout."""
    for b in range(len(cuts) - 1):
        read(z[b], w, addr, time, cuts[b], cuts[b + 1], steps)
