"""Fused cases, pooling and errors of `ml.evsnn.spike_time` on the CPU: one pass over memory where torch needs a dozen.

Arrays are float32 and contiguous; the window is 1. Imported when training on a CPU only: it loads numba.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_ONE, _ZERO, _TWO = np.float32(1), np.float32(0), np.float32(2)


@njit(cache=True)
def fire(s, i, start, slope, ticks, gain_max, time, fired, gain):
    """Fills time, fired and bounded gain [n] from slopes s and offsets i [n]; `ticks` 0 for times off the grid."""
    grid, late = np.float32(ticks), np.float32(1e-4)
    for j in range(len(s)):
        rise = slope + s[j]
        at_start = s[j] - i[j] >= start
        inside = (_TWO * s[j] - i[j] >= start - slope) and not at_start and rise > _ZERO
        g = _ONE / rise if inside else _ZERO
        t = min(max((start + slope + i[j]) * g - (_ONE if inside else _ZERO), _ZERO), _ONE)
        if ticks:
            t = np.ceil(t * grid - late) / grid
            inside = inside and t < _ONE
            t = t if t < _ONE else _ZERO
        time[j] = t
        fired[j] = _ONE if inside or at_start else _ZERO
        gain[j] = min(g, gain_max)


@njit(cache=True)
def errors(grad, time, gain, to_s, to_i):
    """Fills the gradients of slopes and offsets [n] from that of the times [n]."""
    for j in range(len(grad)):
        error = grad[j] * gain[j]
        to_i[j] = error
        to_s[j] = -(time[j] + _ONE) * error


@njit(cache=True)
def pool(time, fired, size, first, any_fired, where):
    """Earliest spike of every size × size block: maps [n, h, w] → [n, h // size, w // size].

    `where` gets the flat place of that spike in its map, the first one on ties, −1 where nothing fired.
    """
    n, height, width = first.shape
    for m in range(n):
        for y in range(height):
            best, place = first[m, y], where[m, y]
            best[:], place[:] = _TWO, -1
            for dy in range(size):
                row, spikes = time[m, y * size + dy], fired[m, y * size + dy]
                for dx in range(size):
                    start = (y * size + dy) * time.shape[2] + dx
                    for x in range(width):
                        late = row[x * size + dx] if spikes[x * size + dx] > _ZERO else _TWO
                        earlier = late < best[x]
                        best[x] = late if earlier else best[x]
                        place[x] = start + x * size if earlier else place[x]
            for x in range(width):
                any_fired[m, y, x] = _ONE if place[x] >= 0 else _ZERO
                best[x] = best[x] if place[x] >= 0 else _ZERO


@njit(cache=True)
def unpool(grad, where, out):
    """Adds gradients [n, places] to the spikes they came from: out [n, h·w], zero before."""
    for m in range(len(grad)):
        for j in range(grad.shape[1]):
            if where[m, j] >= 0:
                out[m, where[m, j]] += grad[m, j]
