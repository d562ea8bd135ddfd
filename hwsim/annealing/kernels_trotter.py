"""Path-integral Monte Carlo: each spin is a ring of P slices.

    S = (Hp/P)·Σ_p E(s_p) − J⊥·Σ_p Σ_i s_p,i s_p+1,i,   J⊥ = −½ ln tanh(Hd/P)

(Suzuki, 1976; Martoňák, Santoro, Tosatti, PRB 66, 094203, 2002). A sweep visits every slice and spin, then every
spin's whole ring, which keeps the sampling ergodic where J⊥ is large.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from hwsim.annealing import draws, vectors
from hwsim.annealing.draws import base_of, draw, key_of, neglog
from hwsim.core.revision import revision

_REVISION = revision(draws, vectors)


@njit(cache=True, nogil=True)
def _flip(s, f, p, i, start, column, weight):
    change = np.float32(-2) * s[p, i]
    s[p, i] = -s[p, i]
    for e in range(start[i], start[i + 1]):
        f[p, column[e]] += change * weight[e]


@njit(cache=True, nogil=True)
def _slices(s, f, start, column, weight, scale, bond, a, b):
    """One pass over all slices and spins; scale = 2·Hp/P, bond = 2·J⊥."""
    count, n = s.shape
    for p in range(count):
        above, below = (p + 1) % count, (p - 1) % count
        for i in range(n):
            action = bond * (s[p, i] * (s[above, i] + s[below, i])) - scale * (s[p, i] * f[p, i])
            if action < neglog(draw(a, b, p * n + i)):
                _flip(s, f, p, i, start, column, weight)


@njit(cache=True, nogil=True)
def _rings(s, f, start, column, weight, scale, a, b):
    """One pass over all spins, whole rings at once."""
    count, n = s.shape
    for i in range(n):
        total = np.float32(0)
        for p in range(count):
            total += s[p, i] * f[p, i]
        if -(scale * total) < neglog(draw(a, b, count * n + i)):
            for p in range(count):
                _flip(s, f, p, i, start, column, weight)


@njit(cache=True, nogil=True)
def trotter_lists(h, start, column, weight, scale, bond, slices, states, seed, first, lo, hi):
    """Reads lo…hi−1 of `states` int8 [reads, n], in place: all slices start there, slice 0 comes back."""
    _REVISION  # noqa: B018
    n = len(h)
    s, f = np.empty((slices, n), np.float32), np.empty((slices, n), np.float32)
    for r in range(lo, hi):
        f[0] = h
        for j in range(n):
            for e in range(start[j], start[j + 1]):
                f[0, column[e]] += weight[e] * states[r, j]
        for p in range(slices):
            f[p] = f[0]
            for i in range(n):
                s[p, i] = states[r, i]
        base = base_of(seed, first + r)
        for sweep in range(len(scale)):
            a, b = key_of(base, sweep)
            _slices(s, f, start, column, weight, scale[sweep], bond[sweep], a, b)
            _rings(s, f, start, column, weight, scale[sweep], a, b)
        for i in range(n):
            states[r, i] = np.int8(s[0, i])
