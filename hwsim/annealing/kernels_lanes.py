"""Sweeps of 16 reads side by side, one read a vector lane: Metropolis and rotor, on neighbour lists or on rows.

All reads visit the spins in the same order, each with its own random numbers. A spin's couplings are then read once
for 16 reads and no branch depends on a single read. On rows, the fields outside the current block of 16 spins are
brought up to date once a block, with the block's 16 changes in registers: each field adds the same changes in the
same order as if it had been done at once.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from hwsim.annealing import aligned, angles, draws, intrinsics, kernels_dense, lanes, vectors
from hwsim.annealing.aligned import like
from hwsim.annealing.intrinsics import (
    count_bits,
    fma,
    metropolis_spin,
    rotor_spin,
    spread_block,
    spread_row,
    spread_sparse,
)
from hwsim.annealing.kernels_dense import sweep_rows
from hwsim.annealing.lanes import L, fill_bases, key_space, keys, load, store
from hwsim.core.revision import revision

_REVISION = revision(aligned, angles, draws, vectors, intrinsics, kernels_dense, lanes)


@njit(cache=True, nogil=True)
def _start_sparse(h, start, column, weight, value, f):
    """f = h + Σ_j J_j·value_j, for every lane."""
    for i in range(len(h)):
        f[i] = h[i]
    for j in range(len(h)):
        for e in range(start[j], start[j + 1]):
            for lane in range(L):
                f[column[e], lane] = fma(weight[e], value[j, lane], f[column[e], lane])


@njit(cache=True, nogil=True)
def _start_strips(h, strips, value, f, delta):
    n = len(h)
    for i in range(n):
        f[i] = h[i]
    for block in range(strips.shape[0]):
        delta[:] = 0
        delta[: min(L, n - block * L)] = value[block * L : block * L + L]
        spread_block(f, delta, strips, block * n * L, 0, n)


@njit(cache=True, nogil=True)
def _spread_outside(f, delta, strips, low, high):
    """Fields outside the block low … high − 1 follow the block's changes."""
    spread_block(f, delta, strips, low * len(f), 0, low)
    spread_block(f, delta, strips, low * len(f), high, len(f))


@njit(cache=True, nogil=True)
def _project(angle, cos, sin, z, x):
    for i in range(len(angle)):
        for lane in range(L):
            z[i, lane], x[i, lane] = cos[angle[i, lane]], sin[angle[i, lane]]


@njit(cache=True, nogil=True)
def metropolis_sparse(h, start, column, weight, half_t, states, seed, first, lo, hi):
    """Reads lo…hi−1 of `states` int8 [reads, n], in place; lo is a multiple of 16. All weights float32."""
    _REVISION  # noqa: B018
    n = len(h)
    s, f, delta = like(h, n, L), like(h, n, L), like(h, L, L)
    a, b, bases = key_space()
    for r in range(lo, hi, L):
        load(states[:hi], r, s)
        _start_sparse(h, start, column, weight, s, f)
        fill_bases(seed, first + r, bases)
        for sweep in range(len(half_t)):
            keys(bases, sweep, a, b)
            for i in range(n):
                if metropolis_spin(s, f, a, b, delta, i, 0, half_t[sweep]):
                    spread_sparse(f, delta, 0, column, weight, start[i], start[i + 1])
        store(s, states[:hi], r)


@njit(cache=True, nogil=True)
def sweep_strips(strips, s, f, a, b, delta, half_t):
    """One Metropolis sweep of 16 reads; returns the number of flips."""
    n, flips = len(f), 0
    for block in range(strips.shape[0]):
        low, high, moved = block * L, min(n, block * L + L), 0
        delta[:] = 0
        for i in range(low, high):
            mask = metropolis_spin(s, f, a, b, delta, i, i - low, half_t)
            if mask:
                moved += count_bits(mask)
                spread_row(f, delta, i - low, strips, (block * n + i) * L, low, high - low)
        if moved:
            _spread_outside(f, delta, strips, low, high)
        flips += moved
    return flips


@njit(cache=True, nogil=True)
def metropolis_strips(h, strips, rows, half_t, share, stretch, states, seed, first, lo, hi):
    """As `metropolis_sparse`, with strips float32 [blocks, n, 16]: strips[b, j, k] = J[j, 16·b + k].

    After the first sweep in which less than `share` of the spins flip, the reads go on one by one on `rows` float32
    [n, n_pad], as in `hwsim.annealing.kernels_dense`: the same numbers in another layout.
    """
    _REVISION  # noqa: B018
    n, pad = len(h), rows.shape[1]
    s, f, delta = like(h, n, L), like(h, n, L), like(h, L, L)
    row_s, row_f, limit = like(h, L, pad), like(h, L, pad), like(h, L, pad)
    a, b, bases = key_space()
    for r in range(lo, hi, L):
        load(states[:hi], r, s)
        _start_strips(h, strips, s, f, delta)
        fill_bases(seed, first + r, bases)
        sweep, flips, count = 0, n * L, min(L, hi - r)
        while sweep < len(half_t) and flips >= share * (n * L):
            keys(bases, sweep, a, b)
            flips = sweep_strips(strips, s, f, a, b, delta, half_t[sweep])
            sweep += 1
        if sweep < len(half_t):
            _transpose(s, row_s[:, :n])
            _transpose(f, row_f[:, :n])
            row_s[:, n:], row_f[:, n:] = 1, 0
            while sweep < len(half_t):
                sweep_rows(rows, row_s, row_f, limit, bases, count, sweep, half_t[sweep], np.inf, stretch)
                sweep += 1
            _transpose(row_s[:, :n], s)
        store(s, states[:hi], r)


@njit(cache=True, nogil=True)
def _transpose(source, target):
    for i in range(source.shape[0]):
        for j in range(source.shape[1]):
            target[j, i] = source[i, j]


@njit(cache=True, nogil=True)
def rotor_sparse(h, start, column, weight, hp, hd, width, steps, cos, sin, states, seed, first, lo, hi):
    """Reads lo…hi−1 of `states` int32 [reads, n], angles, in place; hp, hd float32, width int32 [sweeps]."""
    _REVISION  # noqa: B018
    n = len(h)
    angle, z, x, f, delta = like(width, n, L), like(h, n, L), like(h, n, L), like(h, n, L), like(h, L, L)
    a, b, bases = key_space()
    for r in range(lo, hi, L):
        load(states[:hi], r, angle)
        _project(angle, cos, sin, z, x)
        _start_sparse(h, start, column, weight, z, f)
        fill_bases(seed, first + r, bases)
        for sweep in range(len(hp)):
            keys(bases, sweep, a, b)
            if width[sweep] > 0:
                for i in range(n):
                    if rotor_spin(angle, z, x, f, a, b, delta, i, 0, hp[sweep], hd[sweep], width[sweep], steps):
                        spread_sparse(f, delta, 0, column, weight, start[i], start[i + 1])
        store(angle, states[:hi], r)


@njit(cache=True, nogil=True)
def rotor_strips(h, strips, hp, hd, width, steps, cos, sin, states, seed, first, lo, hi):
    """As `rotor_sparse`, with strips as in `metropolis_strips`."""
    _REVISION  # noqa: B018
    n = len(h)
    angle, z, x, f, delta = like(width, n, L), like(h, n, L), like(h, n, L), like(h, n, L), like(h, L, L)
    a, b, bases = key_space()
    for r in range(lo, hi, L):
        load(states[:hi], r, angle)
        _project(angle, cos, sin, z, x)
        _start_strips(h, strips, z, f, delta)
        fill_bases(seed, first + r, bases)
        for sweep in range(len(hp)):
            keys(bases, sweep, a, b)
            if width[sweep] == 0:
                continue
            for block in range(strips.shape[0]):
                low, high, moved = block * L, min(n, block * L + L), 0
                delta[:] = 0
                for i in range(low, high):
                    if rotor_spin(angle, z, x, f, a, b, delta, i, i - low, hp[sweep], hd[sweep], width[sweep], steps):
                        moved = 1
                        spread_row(f, delta, i - low, strips, (block * n + i) * L, low, high - low)
                if moved:
                    _spread_outside(f, delta, strips, low, high)
        store(angle, states[:hi], r)
