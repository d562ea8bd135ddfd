"""Metropolis sweeps on rows of couplings, vector after vector; the same results as one spin after the other.

A spin's random number belongs to (seed, read, sweep, spin), so that the acceptance limits of a whole sweep are one
vector computation. The sweep then looks at a vector of spins at once: the lowest lane that accepts flips, its row
is added to the fields, and the lanes above it are looked at again. Where nothing accepts, a vector of spins costs
one comparison.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from hwsim.annealing import aligned, draws, intrinsics, vectors
from hwsim.annealing.aligned import like
from hwsim.annealing.draws import base_of, key_of
from hwsim.annealing.intrinsics import add_row, fill_limits, flip_block
from hwsim.core.revision import revision

_REVISION = revision(aligned, draws, vectors, intrinsics)


@njit(cache=True, nogil=True)
def _start(h, rows, states, s, f):
    """Spins and fields of one read."""
    n, pad = rows.shape
    f[:] = 0
    f[:n] = h
    s[:] = 1
    for i in range(n):
        s[i] = states[i]
        add_row(f, rows, i * pad, s[i], pad)


@njit(cache=True, nogil=True)
def sweep_rows(rows, s, f, limit, bases, count, sweep, half_t, never, stretch):
    """One sweep of `count` reads, which take turns on every `stretch` spins."""
    n, pad = rows.shape
    for g in range(count):
        a, b = key_of(bases[g], sweep)
        fill_limits(limit[g], a, b, half_t, n)
        limit[g, n:] = never
    for low in range(0, n, stretch):
        for g in range(count):
            for block in range(low, min(n, low + stretch), 64 // s.itemsize):
                flip_block(s[g], f[g], limit[g], rows, block, pad)


@njit(cache=True, nogil=True)
def metropolis_rows(h, rows, half_t, never, group, stretch, states, seed, first, lo, hi):
    """Reads lo…hi−1 of `states` int8 [reads, n], in place; fields and spins have the type of `h`.

    h float32, int32 or int16 [n]; rows [n, n_pad] of that type or a narrower integer, zero beyond n; half_t float32
    [sweeps]; `never` is a limit that no field exceeds. `group` reads take turns on every `stretch` spins, so that
    those spins' rows are fetched once for all of them.
    """
    _REVISION  # noqa: B018
    n, pad = rows.shape
    f, s, limit = like(h, group, pad), like(h, group, pad), like(h, group, pad)
    bases = np.empty(group, np.uint64)
    for r in range(lo, hi, group):
        count = min(group, hi - r)
        for g in range(count):
            _start(h, rows, states[r + g], s[g], f[g])
            bases[g] = base_of(seed, first + r + g)
        for sweep in range(len(half_t)):
            sweep_rows(rows, s, f, limit, bases, count, sweep, half_t[sweep], never, stretch)
        for g in range(count):
            for i in range(n):
                states[r + g, i] = np.int8(s[g, i])
