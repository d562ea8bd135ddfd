"""Compiled sweeps over one spin after the other; see `hwsim.annealing.anneal` for the update rules."""

from __future__ import annotations

import numpy as np
from numba import njit

from hwsim.annealing import draws
from hwsim.annealing.draws import SECOND, base_of, draw, key_of, neglog
from hwsim.core.revision import revision

_REVISION = revision(draws)


@njit(cache=True, nogil=True)
def energies(h, start, column, weight, states, out):
    """out[r] = Σ_i s_i·(h_i + Σ_{j<i} J_ij s_j) in float64."""
    for r in range(len(states)):
        s = states[r]
        total = 0.0
        for i in range(len(h)):
            field = h[i]
            for e in range(start[i], start[i + 1]):
                if column[e] >= i:
                    break
                field += weight[e] * s[column[e]]
            total += s[i] * field
        out[r] = total


@njit(inline="always")
def _fields(h, start, column, weight, value, f):
    """f = h + Σ_j J_j value_j, column after column."""
    for i in range(len(h)):
        f[i] = h[i]
    for j in range(len(h)):
        for e in range(start[j], start[j + 1]):
            f[column[e]] += weight[e] * value[j]


@njit(cache=True, nogil=True)
def metropolis_sparse(h, start, column, weight, half_t, states, seed, first, lo, hi):
    """Reads lo…hi−1 of `states` int8 [reads, n], in place; half_t float32 [sweeps] holds T/2."""
    _REVISION  # noqa: B018
    n = len(h)
    f, s = np.empty(n, np.float32), np.empty(n, np.float32)
    for r in range(lo, hi):
        for i in range(n):
            s[i] = states[r, i]
        _fields(h, start, column, weight, s, f)
        base = base_of(seed, first + r)
        for sweep in range(len(half_t)):
            a, b = key_of(base, sweep)
            for i in range(n):
                if s[i] * f[i] > -(half_t[sweep] * neglog(draw(a, b, i))):
                    d = np.float32(-2) * s[i]
                    s[i] = -s[i]
                    for e in range(start[i], start[i + 1]):
                        f[column[e]] += d * weight[e]
        for i in range(n):
            states[r, i] = np.int8(s[i])


@njit(cache=True, nogil=True)
def rotor_sparse(h, start, column, weight, hp, hd, width, cos, sin, angles, seed, first, lo, hi):
    """Reads lo…hi−1 of `angles` int16 [reads, n], steps of π/S, in place; hp, hd, width [sweeps]."""
    _REVISION  # noqa: B018
    n, full = len(h), np.int32(len(cos) - 1)
    f, z = np.empty(n, np.float32), np.empty(n, np.float32)
    for r in range(lo, hi):
        angle = angles[r]
        for i in range(n):
            z[i] = cos[angle[i]]
        _fields(h, start, column, weight, z, f)
        base = base_of(seed, first + r)
        for sweep in range(len(hp)):
            if width[sweep] == 0:
                continue
            a, b = key_of(base, sweep)
            span = np.uint32(2 * width[sweep] + 1)
            for i in range(n):
                old = np.int32(angle[i])
                step = np.int32(np.uint32(np.uint32(draw(a, b, i) >> np.uint32(16)) * span) >> np.uint32(16))
                new = abs(np.int32(old + step - width[sweep]))
                new = min(new, np.int32(2 * full - new))
                dz, dx = cos[new] - cos[old], sin[new] - sin[old]
                limit = neglog(draw(a, b, np.uint32(i) | SECOND)) + hd[sweep] * dx
                if (hp[sweep] * dz) * f[i] < limit:
                    angle[i] = new
                    for e in range(start[i], start[i + 1]):
                        f[column[e]] += dz * weight[e]
