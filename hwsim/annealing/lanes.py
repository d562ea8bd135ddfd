"""Sixteen reads side by side, one a vector lane: loading, storing, and the keys of their random numbers."""

from __future__ import annotations

import numpy as np
from numba import njit

from hwsim.annealing import draws
from hwsim.annealing.draws import base_of, key_of
from hwsim.core.revision import revision

_REVISION = revision(draws)
L = 16


@njit(cache=True, nogil=True)
def load(states, first, tile):
    """tile[i, lane] = states[first + lane, i]; lanes without a read follow the last one."""
    for lane in range(L):
        r = min(first + lane, len(states) - 1)
        for i in range(states.shape[1]):
            tile[i, lane] = states[r, i]


@njit(cache=True, nogil=True)
def store(tile, states, first):
    """The inverse of `load`, for lanes with a read."""
    for lane in range(min(L, len(states) - first)):
        for i in range(states.shape[1]):
            states[first + lane, i] = tile[i, lane]


@njit(cache=True, nogil=True)
def key_space():
    """Uninitialised (a, b uint32 [16] for `keys`, bases uint64 [16] for `fill_bases`)."""
    return np.empty(L, np.uint32), np.empty(L, np.uint32), np.empty(L, np.uint64)


@njit(cache=True, nogil=True)
def fill_bases(seed, first, bases):
    """What the random numbers of reads `first` … `first` + 15 have in common over all sweeps."""
    _REVISION  # noqa: B018
    for lane in range(L):
        bases[lane] = base_of(seed, first + lane)


@njit(cache=True, nogil=True)
def keys(bases, sweep, a, b):
    """Keys of one sweep."""
    _REVISION  # noqa: B018
    for lane in range(L):
        a[lane], b[lane] = key_of(bases[lane], sweep)
