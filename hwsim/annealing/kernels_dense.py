"""Metropolis sweeps on rows of couplings, vector after vector; the same results as one spin after the other.

A spin's random number belongs to (seed, read, sweep, spin), so that the acceptance limits of a whole sweep are one
vector computation. The sweep then looks at a vector of spins at once: the lowest lane that accepts flips, its row
is added to the fields, and the lanes above it are looked at again. Where nothing accepts, a vector of spins costs
one comparison.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from hwsim.annealing import draws, intrinsics, vectors
from hwsim.annealing.draws import base_of, key_of
from hwsim.annealing.intrinsics import add_row, fill_limits, flip_block
from hwsim.core.revision import revision

_REVISION = revision(draws, vectors, intrinsics)


@njit(cache=True, nogil=True)
def metropolis_rows(h, rows, half_t, never, states, seed, first, lo, hi):
    """Reads lo…hi−1 of `states` int8 [reads, n], in place; fields and spins have the type of `h`.

    h float32, int32 or int16 [n]; rows [n, n_pad] of that type or a narrower integer, zero beyond n; half_t float32
    [sweeps]; `never` is a limit that no field exceeds.
    """
    _REVISION  # noqa: B018
    n, pad = rows.shape
    f, s, limit = np.zeros(pad, h.dtype), np.ones(pad, h.dtype), np.empty(pad, h.dtype)
    lanes = 64 // h.itemsize
    for r in range(lo, hi):
        f[:] = 0
        f[:n] = h
        for i in range(n):
            s[i] = states[r, i]
            add_row(f, rows, i * pad, s[i], pad)
        base = base_of(seed, first + r)
        for sweep in range(len(half_t)):
            a, b = key_of(base, sweep)
            fill_limits(limit, a, b, half_t[sweep], n)
            limit[n:] = never
            for block in range(0, n, lanes):
                flip_block(s, f, limit, rows, block, pad)
        for i in range(n):
            states[r, i] = np.int8(s[i])
