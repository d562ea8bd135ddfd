"""Kernels of MPD-ED on the chip: clocked neurons, errors that start at spikes, replay of the event logs.

    e_j^k = round(err'·h / 2^8),  h = ⌊max(0, 2^s − |v − θ|)·2^8 / 2^s⌋ at the k-th spike, v before the reset
    ΔW_ij += e_j^k·x·trace[t_k − t] for every input event (i, t, x) since the spike before;   err as in kernels_learn

Walking back in time, the spike that an input event belongs to is the last one loaded: one register a neuron.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from hwsim.core import rng as random_module
from hwsim.core.revision import revision
from hwsim.evsnn import kernels_clocked as clocked_module
from hwsim.evsnn import kernels_learn as engine_module
from hwsim.evsnn.kernels_clocked import (
    BITS_V,
    CEILING_V,
    HIGH,
    KEPT_V,
    LINEAR,
    LOSS_V,
    LOW,
    RESET,
    decayed,
    shrunk,
)  # fmt: skip
from hwsim.evsnn.kernels_learn import (
    BUSY,
    EVENTS,
    PAIRS,
    REACHED,
    REPLAY,
    SPIKES,
    STALLS,
    TICKS,
    busiest,
    clipped,
    replay_event,
    rounded,
    softmax_errors,
)  # fmt: skip

_COMPILED_WITH = revision(random_module, clocked_module, engine_module)

ADDRESS, VALUE, SLOPE = range(3)  # rows of a log


@njit(cache=True, nogil=True)
def mpd_layer(w, steps, lanes, log, cuts, p, strict, theta, bias, s, log_out, cuts_out, stats):
    """A clocked layer of one sample: log and cuts [steps + 1] in, the same of its spikes out, with their slopes h."""
    n, at = w.shape[1], np.int64(0)
    v, acc, stalls = np.zeros(n, np.int64), np.zeros(n, np.int64), np.int64(0)
    for t in range(steps):
        for k in range(cuts[t], cuts[t + 1]):
            row, x = w[log[ADDRESS, k]], log[VALUE, k]
            for j in range(n):
                acc[j] += x * (row[j] >> 8)
        first, word = at, np.int64(-1)
        for j in range(n):
            stats[BUSY] += np.int64((v[j] | acc[j] | bias[j]) != 0)
            if p[LINEAR]:
                kept = shrunk(v[j], p[LOSS_V])
            else:
                kept = decayed(v[j], p[KEPT_V], p[BITS_V], p[CEILING_V])
            new = min(max(kept + bias[j] + acc[j], p[LOW]), p[HIGH])
            acc[j] = 0
            if new >= theta[j] + strict:
                over = max((np.int64(1) << s) - (new - theta[j]), np.int64(0))
                log_out[ADDRESS, at], log_out[VALUE, at], log_out[SLOPE, at] = j, 1, (over << 8) >> s
                stalls += np.int64(at > first and word == j // lanes)
                word = j // lanes
                at += 1
                new = p[RESET]
            v[j] = new
        cuts_out[t + 1] = at
    stats[SPIKES], stats[TICKS], stats[STALLS] = at, steps, stalls


@njit(cache=True, nogil=True)
def mpd_replay(shadow, steps, lanes, log, cuts, own, own_cuts, e_own, e, trace, lr, p, rng, err, stats):
    """Learning of one layer of one sample.

    own, own_cuts: log of its spikes and e_own their errors (0 = takes no part), or own_cuts of length 0 for the
    readout, whose errors e [n] hold in every step. err: out, error of each input event.
    """
    n, readout = shadow.shape[1], len(own_cuts) == 0
    active, factor, when = np.empty(n, np.int64), np.empty(n, np.int64), np.zeros(n, np.int64)
    load, lane, count, most = np.empty(lanes, np.int64), np.empty(n, np.int64), 0, 0
    if not readout:
        e[:n] = 0
    for t in range(steps - 1, -1, -1):
        if not readout:
            for k in range(own_cuts[t], own_cuts[t + 1]):
                e[own[ADDRESS, k]], when[own[ADDRESS, k]] = e_own[k], t
        if (t == steps - 1) if readout else (own_cuts[t + 1] > own_cuts[t]):
            count = 0
            for j in range(n):
                if e[j] != 0:
                    active[count] = j
                    count += 1
            most = busiest(active, count, lanes, lane, load)
        for k in range(count):
            factor[active[k]] = trace[0] if readout else trace[when[active[k]] - t]
        for k in range(cuts[t + 1] - 1, cuts[t] - 1, -1):
            x, row = log[VALUE, k], shadow[log[ADDRESS, k]]
            err[k] = replay_event(row, active, lane, count, e, factor, 0, x, lr, p, rng)
            stats[PAIRS] += count
            stats[REPLAY] += max(most, 1)


@njit(cache=True, nogil=True)
def mpd_errors(err, err_shift, log, count, limit, skip, e_own):
    """e of every spike from its error and slope; returns how many take part."""
    n = 0
    for k in range(count):
        found = clipped(rounded(rounded(err[k], err_shift) * log[SLOPE, k], 8), limit)
        e_own[k] = found if abs(found) >= skip else 0
        n += e_own[k] != 0
    return n


@njit(cache=True, nogil=True)
def mpd_backward(shadows, steps, lanes, logs, cuts, e, errs, owns, numbers, trace, lr, p, rng, stats):
    """Learning of one sample from the readout's errors e; stops where no error is left."""
    limit, skip, last = numbers[0], numbers[1], len(shadows) - 1
    some = False
    for k in range(shadows[last].shape[1]):
        e[k] = e[k] if abs(e[k]) >= skip else 0
        some = some or e[k] != 0
    nothing = np.zeros(0, np.int64)
    for at in range(last, -1, -1):
        if not some:
            return
        stats[at, REACHED] = 1
        if at == last:
            mpd_replay(
                shadows[at], steps, lanes, logs[at], cuts[at], logs[at], nothing, nothing, e, trace, lr[at], p, rng,
                errs[at], stats[at],
            )  # fmt: skip
        else:
            mpd_replay(
                shadows[at], steps, lanes, logs[at], cuts[at], logs[at + 1], cuts[at + 1], owns[at + 1], e, trace,
                lr[at], p, rng, errs[at], stats[at],
            )  # fmt: skip
        if at:
            some = mpd_errors(errs[at], numbers[2 + at], logs[at], cuts[at, steps], limit, skip, owns[at]) > 0


@njit(cache=True, nogil=True)
def mpd_samples(
    shadows, steps, lanes, addr, values, slots, labels, listed, strict, theta, bias, logs, cuts, numbers, exp, trace,
    exp_shift, s, lr, p, rng, z, stats,
):  # fmt: skip
    """All samples, one after another. shadows and rng change in place."""
    layers, width, most = len(shadows), 0, 0
    for at in range(layers):
        width, most = max(width, shadows[at].shape[1]), max(most, logs[at].shape[1])
    e = np.zeros(width, np.int64)
    errs, owns = np.zeros((layers, most), np.int64), np.zeros((layers, most), np.int64)
    for b in range(len(labels)):
        low = slots[b * steps]
        cuts[0] = slots[b * steps : (b + 1) * steps + 1] - low
        for k in range(cuts[0, steps]):
            logs[0][ADDRESS, k], logs[0][VALUE, k] = addr[low + k], values[low + k]
        for at in range(layers):
            stats[b, at, EVENTS] = cuts[at, steps]
            if at < layers - 1:
                mpd_layer(
                    shadows[at], steps, lanes, logs[at], cuts[at], listed[at], strict[at], theta[at], bias[at], s,
                    logs[at + 1], cuts[at + 1], stats[b, at],
                )  # fmt: skip
        z[b] = bias[layers - 1]
        for k in range(cuts[layers - 1, steps]):
            row, x = shadows[layers - 1][logs[layers - 1][ADDRESS, k]], logs[layers - 1][VALUE, k]
            for j in range(z.shape[1]):
                z[b, j] += x * (row[j] >> 8)
        softmax_errors(z[b], labels[b], exp, exp_shift, e)
        mpd_backward(shadows, steps, lanes, logs, cuts, e, errs, owns, numbers, trace, lr, p, rng, stats[b])
