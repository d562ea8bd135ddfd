"""The generators of `hwsim.ir.rng`, callable from numba kernels: the same bits, one step at a time.

A kernel can not take a Python object, so `parameters` turns a generator into five 64-bit words that `step` reads.
Every operand is cast to uint64: numba takes a mixed expression of signed and unsigned integers to float64, and
widens shifts of narrow integers. A cached kernel that calls `step` closes over `hwsim.core.revision.revision` of
this module, or it would keep an old `step`.

Symbols: w width, s state, t taps, (a, b, c) shifts, as in `hwsim.ir.rng`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from hwsim.ir.errors import UsageError
from hwsim.ir.rng import Generator, Lfsr, check_seed

_FIBONACCI, _GALOIS, _XORSHIFT = 0, 1, 2


def parameters(generator: Generator) -> np.ndarray:
    """uint64 [5] for `step`: sort, 2^w − 1, and the tap mask or the three shifts.

    Example:
        >>> from hwsim.ir.rng import Lfsr
        >>> parameters(Lfsr(3)).tolist()
        [0, 7, 6, 0, 0]
    """
    top = (1 << generator.width) - 1
    if isinstance(generator, Lfsr):
        sort = _GALOIS if generator.form == "galois" else _FIBONACCI
        return np.array([sort, top, generator.mask, 0, 0], np.uint64)
    return np.array([_XORSHIFT, top, *generator.shifts], np.uint64)


def states_of(generator: Generator, seeds: np.ndarray) -> np.ndarray:
    """Checked states uint64, of the shape of `seeds`.

    Raises:
        UsageError: a seed that is no valid state.
    """
    for seed in np.asarray(seeds).ravel():
        check_seed(generator, int(seed))
    return np.asarray(seeds).astype(np.uint64)


@njit(cache=True, nogil=True)
def step(p: np.ndarray, state: np.uint64) -> np.uint64:
    """The state after `state` (uint64); `p` comes from `parameters`. For use inside kernels."""
    one, s = np.uint64(1), np.uint64(state)
    if p[0] == np.uint64(_XORSHIFT):
        s ^= (s << p[2]) & p[1]
        s ^= s >> p[3]
        return s ^ ((s << p[4]) & p[1])
    if p[0] == np.uint64(_GALOIS):
        return (s >> one) ^ (p[2] if s & one else np.uint64(0))
    # feedback = ⊕_t s[t−1]: the parity of the tapped bits, folded to bit 0
    bits = s & p[2]
    bits ^= bits >> np.uint64(32)
    bits ^= bits >> np.uint64(16)
    bits ^= bits >> np.uint64(8)
    bits ^= bits >> np.uint64(4)
    bits ^= bits >> np.uint64(2)
    bits ^= bits >> one
    return ((s << one) | (bits & one)) & p[1]


@njit(cache=True, nogil=True)
def _sequence_kernel(p: np.ndarray, state: np.uint64, out: np.ndarray) -> None:
    for i in range(len(out)):
        state = step(p, state)
        out[i] = state


def sequence(generator: Generator, seed: int, count: int) -> np.ndarray:
    """uint64 [count]: the states that follow `seed`; equal to `hwsim.ir.rng.sequence`, at kernel speed.

    Raises:
        UsageError: a seed that is no valid state, or a negative count.

    Example:
        >>> from hwsim.ir.rng import Lfsr
        >>> sequence(Lfsr(3), 1, 7).tolist()
        [2, 5, 3, 7, 6, 4, 1]
    """
    if count < 0:
        raise UsageError.of("count", count, "0 or more", "Ask for a sequence.")
    out = np.empty(count, np.uint64)
    _sequence_kernel(parameters(generator), np.uint64(check_seed(generator, seed)), out)
    return out
