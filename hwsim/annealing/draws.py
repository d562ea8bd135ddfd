"""Random numbers of the annealing kernels: a counter-based generator and −ln u in single precision.

Every number is a function of (seed, read, sweep, counter) and of nothing else, so that a run does not depend on
the order of evaluation, the vector width, the memory layout or the number of threads:

    base = mix64(mix64(seed) + γ·(read + 1)),   key = mix64(base + γ·(sweep + 1)) = b·2³² + a
    x = counter·φ + a;  x ^= x≫16;  x *= m₁;  x ^= x≫15;  x += b;  x *= m₂;  x ^= x≫15        (mod 2³²)

mix64 and γ are splitmix64's (Steele, Lea, Flood, OOPSLA 2014); m₁, m₂ and the shifts are the 32-bit finaliser with
the lowest bias (0.107) in C. Wellons' hash-prospector list; φ = ⌊2³²/golden ratio⌋ | 1, as in Fibonacci hashing.

Every operand is cast to uint32 at each step: numba widens ``uint32 << uint32`` to 64 bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

GAMMA = np.uint64(0x9E3779B97F4A7C15)
MIX1, MIX2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
PHI = np.uint32(0x9E3779B9)
M1, M2 = np.uint32(0x21F0AAAD), np.uint32(0xD35A2D97)
SECOND = np.uint32(0x80000000)  # counters of a sweep's second stream: proposals take the first, acceptance this one

# ln(1 + t) ≈ t·(C1 + t·(C2 + … + t·C6)) on 0 ≤ t < 1, minimax fit; largest error 1.6e-6 in single precision
LOG = tuple(np.float32(c) for c in (0.99990165, -0.49787506, 0.31764898, -0.19376077, 0.08556978, -0.018338814))
LN2 = np.float32(0.6931472)

_intrinsic: Any = intrinsic  # numba's annotations keep the typing context among the arguments


@_intrinsic
def bits_of(typing, x):
    """The int32 whose bits are those of float32 `x`."""

    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], ir.IntType(32))

    return types.int32(types.float32), codegen


@_intrinsic
def float_of(typing, x):
    """The float32 whose bits are those of int32 `x`."""

    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], ir.FloatType())

    return types.float32(types.int32), codegen


@njit(inline="always")
def mix64(x):
    """splitmix64's finaliser on uint64."""
    x = np.uint64(x)
    x = (x ^ (x >> np.uint64(30))) * MIX1
    x = (x ^ (x >> np.uint64(27))) * MIX2
    return x ^ (x >> np.uint64(31))


@njit(inline="always")
def base_of(seed, read):
    """uint64 from which the keys of one read's sweeps come."""
    return mix64(mix64(np.uint64(seed)) + GAMMA * np.uint64(read + 1))


@njit(inline="always")
def key_of(base, sweep):
    """The sweep's two uint32 words a, b."""
    key = mix64(base + GAMMA * np.uint64(sweep + 1))
    return np.uint32(key & np.uint64(0xFFFFFFFF)), np.uint32(key >> np.uint64(32))


@njit(inline="always")
def draw(a, b, counter):
    """One uint32."""
    x = np.uint32(np.uint32(counter) * PHI + a)
    x = np.uint32(x ^ np.uint32(x >> np.uint32(16)))
    x = np.uint32(x * M1)
    x = np.uint32(x ^ np.uint32(x >> np.uint32(15)))
    x = np.uint32(x + b)
    x = np.uint32(x * M2)
    return np.uint32(x ^ np.uint32(x >> np.uint32(15)))


@njit(inline="always")
def neglog(r):
    """−ln u as float32 for u = (⌊r/2⁹⌋ + ½)/2²³, uniform on 2²³ midpoints: 6e-8 … 16.6.

    With v = u·2²³ = 2^e·(1 + t): −ln u = (23 − e)·ln 2 − ln(1 + t). Products and sums round one by one.
    """
    v = np.float32(np.int32(r >> np.uint32(9))) + np.float32(0.5)
    bits = bits_of(v)
    e = np.int32(np.int32(bits >> np.int32(23)) - np.int32(127))
    t = float_of(np.int32(np.int32(bits & np.int32(0x7FFFFF)) | np.int32(0x3F800000))) - np.float32(1)
    p = LOG[5] * t + LOG[4]
    p = p * t + LOG[3]
    p = p * t + LOG[2]
    p = p * t + LOG[1]
    p = p * t + LOG[0]
    return np.float32(np.int32(23) - e) * LN2 - p * t


@njit(cache=True, nogil=True)
def fill_random(states, seed, first):
    """`states` int8 [reads, n]: ±1 by the top bit of read ``first + r``'s numbers before its first sweep."""
    for r in range(states.shape[0]):
        a, b = key_of(base_of(seed, first + r), -1)
        for i in range(states.shape[1]):
            states[r, i] = np.int8(1) - np.int8(2) * np.int8(draw(a, b, i) >> np.uint32(31))
