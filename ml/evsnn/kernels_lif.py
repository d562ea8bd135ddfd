"""Fused recursion of `ml.evsnn.potential` on the CPU: one pass over memory where torch needs a dozen.

Arrays are float32 [steps, n]. A block of neurons stays in first-level cache for all steps; the inner loops run over
neurons, so that the compiler vectorises them. Imported when training on a CPU only: it loads numba.
"""

from __future__ import annotations

import numpy as np
from numba import njit

BLOCK = 1024


@njit(fastmath=True, inline="always")
def _surrogate(kind, over, rise, width, slope_max):
    one, zero = np.float32(1), np.float32(0)
    if kind == 0:
        return max(one - abs(over) / width, zero) / width
    if kind == 1:
        return np.float32(0.5) / width if abs(over) < width else zero
    if kind == 2:
        s = one / (one + np.exp(-over / width))
        return s * (one - s) / width
    return min(one / max(rise, one / slope_max), slope_max)


@njit(fastmath=True, cache=True)
def forward(drive, theta, leak, soft, mask, kind, width, slope_max, potential, spikes, factor):
    """Fills potential, spikes and the surrogate's factor, [steps, n], from drive [steps, n] and theta [steps]."""
    steps, n = drive.shape
    one, zero = np.float32(1), np.float32(0)
    v = np.zeros(BLOCK, np.float32)
    for first in range(0, n, BLOCK):
        size = min(BLOCK, n - first)
        v[:] = 0
        for t in range(steps):
            th = theta[t]
            for i in range(size):
                before = leak * v[i]
                p = drive[t, first + i] + before
                s = one if p >= th else zero
                over = p - th
                h = _surrogate(kind, over, p - v[i], width, slope_max)
                if mask == 1:
                    h = h if abs(over) < width else zero
                elif mask >= 2:
                    h = h * s
                potential[t, first + i] = p
                spikes[t, first + i] = s
                factor[t, first + i] = h
                v[i] = p - th * s if soft else p * (one - s)
        if mask == 3:
            v[:] = 0  # 1 once a later spike was seen
            for t in range(steps - 1, -1, -1):
                th = theta[t]
                for i in range(size):
                    v[i] = max(v[i], spikes[t, first + i])
                    if v[i] == 0:
                        over = potential[t, first + i] - th
                        factor[t, first + i] = _surrogate(2, over, one, width, slope_max)


@njit(fastmath=True, cache=True)
def backward(grad, spikes, factor, kept, soft, error):
    """Fills error [steps, n] from the gradient of the spikes."""
    steps, n = grad.shape
    one = np.float32(1)
    for first in range(0, n, BLOCK):
        last = min(first + BLOCK, n)
        for i in range(first, last):
            error[steps - 1, i] = grad[steps - 1, i] * factor[steps - 1, i]
        for t in range(steps - 2, -1, -1):
            for i in range(first, last):
                carried = error[t + 1, i] * kept
                if not soft:
                    carried *= one - spikes[t, i]
                error[t, i] = grad[t, i] * factor[t, i] + carried
