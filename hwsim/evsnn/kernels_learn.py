"""Kernels of on-chip learning: the engine of `hwsim.ir.plasticity`, sample by sample, in the chip's order.

    ΔW_ij = ⌊(e·P + r) / 2^lr⌋,  err_i += w_ij·e (std) or w_ij·e·trace (mpd),  w = W >> 8

Every layer's log is replayed from its last event to its first; for each event the active neurons of a lane come in
rising order, and each takes one step of that lane's random state. Lanes do not see each other.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from hwsim.core import rng as random_module
from hwsim.core.revision import revision
from hwsim.core.rng import step
from hwsim.evsnn import kernels_window as window_module
from hwsim.evsnn.kernels_window import fire

_COMPILED_WITH = revision(random_module, window_module)  # numba's cache does not see changes of other files

# columns of the statistics int64 [batch, layers, 8]
EVENTS, SPIKES, TICKS, STALLS, REACHED, PAIRS, REPLAY, BUSY = range(8)


@njit(cache=True, nogil=True)
def rounded(x, s):
    """x / 2^s rounded, halves up; s < 0 multiplies."""
    return (x + (np.int64(1) << (s - 1))) >> s if s > 0 else x << -s


@njit(cache=True, nogil=True)
def clipped(x, limit):
    """x within −limit … limit."""
    return min(max(x, -limit), limit)


@njit(cache=True, nogil=True)
def softmax_errors(z, label, exp, exp_shift, e):
    """e[k] = 2^8·[k = label] − p_k with p_k = ⌊2^8·exp[u_k] / Σ exp[u]⌋, u_k = min((max z − z_k) >> exp_shift, 255)."""
    top, total = z.max(), np.int64(0)
    for k in range(len(z)):
        e[k] = np.int64(exp[min((top - z[k]) >> exp_shift, 255)])
        total += e[k]
    for k in range(len(z)):
        e[k] = (np.int64(256) if k == label else np.int64(0)) - (e[k] << 8) // total


@njit(cache=True, nogil=True)
def reciprocal_error(err, q, f, table, limit):
    """e = err·2^f / q by table: round(err·table[⌊q·2^8 / 2^m⌋ − 2^8]·2^f / 2^(8 + m)), m = ⌊log2 q⌋; saturated."""
    m = 0
    while q >> (m + 1):
        m += 1
    at = (q >> (m - 8) if m >= 8 else q << (8 - m)) - 256
    return clipped(rounded(err * table[at], 8 + m - f), limit)


@njit(cache=True, nogil=True)
def busiest(active, count, lanes, lane, load):
    """Most active neurons on one lane; fills lane[k] of active neuron k. load int64 [lanes] is scratch."""
    load[:] = 0
    for k in range(count):
        lane[k] = active[k] % lanes
        load[lane[k]] += 1
    return load.max()


@njit(cache=True, nogil=True)
def replay_event(row, active, lane, count, e, factor, base, scale, lr, p, rng):
    """One input event meets the active neurons: weights of its row change, its error comes back.

    row: int16 [n] shadows. e: int64 [n]. P = factor[j] + base for std (scale 0); P = scale·factor[j] for mpd, and
    the error is weighted with factor[j].
    """
    err, bits = np.int64(0), (np.uint64(1) << np.uint64(lr)) - np.uint64(1)
    zero, one, galois, mask = np.uint64(0), np.uint64(1), p[0] == np.uint64(1), p[2]
    for k in range(count):
        j, s = active[k], rng[lane[k]]
        s = (s >> one) ^ (mask & (zero - (s & one))) if galois else step(p, s)
        rng[lane[k]] = s
        w = np.int64(row[j])
        if scale == 0:
            weight, part = factor[j] + base, e[j]
        else:
            weight, part = scale * factor[j], e[j] * factor[j]
        err += (w >> 8) * part
        moved = w + ((e[j] * weight + np.int64(s & bits)) >> lr)
        row[j] = min(max(moved, -32768), 32767)
    return err


@njit(cache=True, nogil=True)
def std_forward(shadows, f, steps, lanes, logs, times, sizes, S, M, t_out, waits, z, stats):
    """Forward pass of one sample; logs[l], times[l] hold the events into layer l, sizes[l] their number; z starts as
    the readout's bias."""
    for at in range(len(shadows)):
        w, n = shadows[at], shadows[at].shape[1]
        stats[at, EVENTS] = sizes[at]
        if at == len(shadows) - 1:
            for k in range(sizes[at]):
                x = np.int64(2 * steps - times[at][k])
                for j in range(n):
                    z[j] += x * (w[logs[at][k], j] >> 8)
            return
        S[at][:] = 0
        M[:n] = 0
        for k in range(sizes[at]):
            row, t = w[logs[at][k]], np.int32(times[at][k])
            for j in range(n):
                code = np.int32(row[j] >> 8)
                S[at][j] += code
                M[j] += np.int32(code * t)
        sizes[at + 1], stats[at, TICKS], stats[at, STALLS] = fire(
            S[at], M[:n], f[at], steps, lanes, t_out[at], logs[at + 1], times[at + 1], 0, waits
        )
        stats[at, SPIKES] = sizes[at + 1]


@njit(cache=True, nogil=True)
def std_errors(at, f, err_shift, addr, count, S, t_out, err, table, limit, skip, e, active):
    """e of layer `at`'s neurons from the errors of its `count` spikes; returns how many are active, sorted."""
    e[:] = 0
    for k in range(count):
        j = addr[k]
        if t_out[j] > 0:  # a neuron that fires at its window's start has no gradient
            q = np.int64(S[j]) + (np.int64(1) << f)
            found = reciprocal_error(rounded(err[j], err_shift), q, f, table, limit)
            e[j] = found if abs(found) >= skip else 0
    n = 0
    for j in range(len(e)):
        if e[j] != 0:
            active[n] = j
            n += 1
    return n


@njit(cache=True, nogil=True)
def std_backward(shadows, f, steps, lanes, logs, times, sizes, S, t_out, e, err, numbers, tables, lr, p, rng, stats):
    """Learning of one sample; e holds the readout's errors, `numbers` (limit, skip, shifts of errors a layer)."""
    limit, skip, last = numbers[0], numbers[1], len(shadows) - 1
    load, lane = np.empty(lanes, np.int64), np.empty(len(err), np.int64)
    active, factor = np.empty(len(err), np.int64), np.empty(len(err), np.int64)
    n = 0
    for j in range(shadows[last].shape[1]):
        if abs(e[j]) >= skip:
            active[n] = j
            n += 1
    for at in range(last, -1, -1):
        if at < last:
            shift = numbers[2 + at + 1]
            width = shadows[at].shape[1]
            n = std_errors(
                at, f[at], shift, logs[at + 1], sizes[at + 1], S[at], t_out[at], err, tables, limit, skip, e[:width],
                active,
            )  # fmt: skip
        if n == 0:
            return
        for k in range(n):
            factor[active[k]] = 2 * steps if at == last else steps + t_out[at][active[k]]
        stats[at, REACHED], stats[at, PAIRS] = 1, n * sizes[at]
        stats[at, REPLAY] = sizes[at] * busiest(active, n, lanes, lane, load)
        for k in range(sizes[at] - 1, -1, -1):
            i = logs[at][k]
            err[i] = replay_event(shadows[at][i], active, lane, n, e, factor, -times[at][k], 0, lr[at], p, rng)


@njit(cache=True, nogil=True)
def std_samples(
    shadows, f, steps, lanes, addr, time, cuts, labels, logs, times, S, t_out, numbers, exp, table, exp_shift, lr, p,
    rng, z, stats,
):  # fmt: skip
    """All samples, one after another. shadows and rng change in place."""
    layers, width = len(shadows), 0
    for at in range(layers):
        width = max(width, max(shadows[at].shape[0], shadows[at].shape[1]))
    M, waits = np.zeros(width, np.int32), np.zeros((width // lanes + 1) * steps, np.int32)
    e, err, sizes = np.zeros(width, np.int64), np.zeros(width, np.int64), np.zeros(layers, np.int64)
    for b in range(len(labels)):
        sizes[0] = cuts[b + 1] - cuts[b]
        logs[0][: sizes[0]] = addr[cuts[b] : cuts[b + 1]]
        times[0][: sizes[0]] = time[cuts[b] : cuts[b + 1]]
        std_forward(shadows, f, steps, lanes, logs, times, sizes, S, M, t_out, waits, z[b], stats[b])
        softmax_errors(z[b], labels[b], exp, exp_shift, e)
        std_backward(
            shadows, f, steps, lanes, logs, times, sizes, S, t_out, e, err, numbers, table, lr, p, rng, stats[b]
        )  # fmt: skip
