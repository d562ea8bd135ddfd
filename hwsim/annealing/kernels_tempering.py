"""Parallel tempering: replicas of a read at fixed temperatures, one Metropolis sweep each, then exchanges."""

from __future__ import annotations

import numpy as np
from numba import njit

from hwsim.annealing import aligned, draws, intrinsics, vectors
from hwsim.annealing.aligned import like
from hwsim.annealing.draws import SECOND, base_of, draw, key_of, neglog
from hwsim.annealing.intrinsics import add_row, fill_limits, flip_block
from hwsim.core.revision import revision

_REVISION = revision(aligned, draws, vectors, intrinsics)


@njit(cache=True, nogil=True)
def _energy(h, f, s):
    """Σ s·(h + f)/2 in float64."""
    total = 0.0
    for i in range(len(h)):
        total += np.float64(s[i]) * (np.float64(h[i]) + np.float64(f[i]))
    return 0.5 * total


@njit(cache=True, nogil=True)
def _exchange(betas, energy, order, base, sweep, parity):
    """Temperatures t and t + 1, t of the given parity, swap with probability exp((β_t − β_t+1)(E_t − E_t+1))."""
    a, b = key_of(base, sweep)
    swaps = 0
    for t in range(parity, len(betas) - 1, 2):
        low, high = order[t], order[t + 1]
        gain = (betas[t] - betas[t + 1]) * (energy[low] - energy[high])
        if -gain < np.float64(neglog(draw(a, b, np.uint32(t) | SECOND))):
            order[t], order[t + 1] = high, low
            swaps += 1
    return swaps


@njit(cache=True, nogil=True)
def tempering_rows(h, rows, betas, half_t, sweeps, keep_best, states, seed, first, lo, hi):
    """Reads lo…hi−1 of `states` int8 [reads, n]: in, where all replicas start; out, the coldest replica's last state,
    or the best one met. Returns the number of accepted exchanges.
    """
    _REVISION  # noqa: B018
    n, pad = rows.shape
    count = len(betas)
    f, s, limit = like(h, count, pad), like(h, count, pad), like(h, 1, pad)[0]
    energy, order = np.empty(count), np.arange(count)
    s[:] = 1
    swaps = 0
    for r in range(lo, hi):
        for replica in range(count):
            f[replica, :] = 0
            f[replica, :n] = h
            for i in range(n):
                s[replica, i] = states[r, i]
                add_row(f[replica], rows, i * pad, s[replica, i], pad)
            order[replica] = replica
        best, base = np.inf, base_of(seed, first + r)
        for sweep in range(sweeps):
            for t in range(count):
                replica = order[t]
                a, b = key_of(base, sweep * (count + 1) + t)
                fill_limits(limit, a, b, half_t[t], n)
                limit[n:] = np.inf
                for block in range(0, n, 16):
                    flip_block(s[replica], f[replica], limit, rows, block, pad)
                energy[replica] = _energy(h, f[replica], s[replica])
                if keep_best and energy[replica] < best:
                    best = energy[replica]
                    for i in range(n):
                        states[r, i] = np.int8(s[replica, i])
            swaps += _exchange(betas, energy, order, base, sweep * (count + 1) + count, sweep % 2)
        if not keep_best:
            for i in range(n):
                states[r, i] = np.int8(s[order[count - 1], i])
    return swaps
