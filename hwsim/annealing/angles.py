"""Rotor angles: θ = kπ/`STEPS`, k = 0…`STEPS`, and their cosine and sine in single precision."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

STEPS = 1024  # steps from 0 to π
ANGLE = np.float32(np.pi / STEPS)
# sin t = t·Σ SIN_j t^2j and cos t = Σ COS_j t^2j on |t| ≤ π/2: minimax fits, errors below 1e-7 in single precision
SIN = tuple(np.float32(c) for c in (1.0, -0.16666648, 0.0083329, -0.000198009, 2.5904885e-06))
COS = tuple(np.float32(c) for c in (1.0, -0.4999993, 0.04166399, -0.0013855927, 2.3194383e-05))


@cache
def tables() -> tuple[np.ndarray, np.ndarray]:
    """cos and sin of kπ/`STEPS`, float32 [STEPS + 1]; cos is 0 and sin is 1 at k = STEPS/2, exactly.

    The kernels evaluate the same polynomials in the same order, so that these are their values bit for bit.
    """
    t = (np.arange(STEPS + 1) - STEPS // 2).astype(np.float32) * ANGLE
    square = t * t
    return -(_horner(square, SIN) * t), _horner(square, COS)


def _horner(t: np.ndarray, coefficients: Sequence[np.float32]) -> np.ndarray:
    p = np.full_like(t, coefficients[-1])
    for c in coefficients[-2::-1]:
        p = p * t + c
    return p
