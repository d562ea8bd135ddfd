"""Random numbers that software and hardware draw bit for bit alike: pure step functions of an integer state.

A generator is a frozen description (width, taps or shifts) whose `step` takes one state to the next; state 0 is a
fixed point of all of them and therefore no valid seed. `rtl.lib.lfsr` builds the same descriptions.

Symbols: w width in bits, s state, taps t (1 = least significant stage, w = most significant).

- Fibonacci LFSR: s' = (s << 1 | ⊕_t s[t−1]) mod 2^w. With the taps of a primitive polynomial, period 2^w − 1.
- Galois LFSR: s' = s >> 1, and ⊕ Σ_t 2^(t−1) when bit 0 of s is 1: the same polynomial, one XOR deep.
- xorshift: s ^= s << a; s ^= s >> b; s ^= s << c (Marsaglia, "Xorshift RNGs", J. Stat. Softw. 8(14), 2003), period
  2^w − 1 for the triples below.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

from hwsim.ir.errors import UsageError

# Maximal-length taps: Xilinx XAPP 052 (P. Alfke, 1996), table 3.
MAXIMAL_TAPS: dict[int, tuple[int, ...]] = {
    3: (3, 2), 4: (4, 3), 5: (5, 3), 6: (6, 5), 7: (7, 6), 8: (8, 6, 5, 4), 9: (9, 5), 10: (10, 7), 11: (11, 9),
    12: (12, 6, 4, 1), 13: (13, 4, 3, 1), 14: (14, 5, 3, 1), 15: (15, 14), 16: (16, 15, 13, 4), 17: (17, 14),
    18: (18, 11), 19: (19, 6, 2, 1), 20: (20, 17), 21: (21, 19), 22: (22, 21), 23: (23, 18), 24: (24, 23, 22, 17),
    31: (31, 28), 32: (32, 22, 2, 1), 63: (63, 62), 64: (64, 63, 61, 60),
}  # fmt: skip

# (a, b, c) of Marsaglia 2003, section 3: "xor()" for 32 bits, "xor64()" for 64 bits.
XORSHIFT_TRIPLES: dict[int, tuple[int, int, int]] = {32: (13, 17, 5), 64: (13, 7, 17)}

State = TypeVar("State", int, np.ndarray, np.unsignedinteger)


@dataclass(frozen=True)
class Lfsr:
    """A linear-feedback shift register.

    Attributes:
        width: bits of the state, 2..64.
        taps: stages that feed back, 1..width, without repetition, `width` among them; () takes `MAXIMAL_TAPS`.
        form: ``"fibonacci"`` or ``"galois"``.

    Raises:
        UsageError: a width, tap or form outside these.

    Example:
        >>> states = [1]
        >>> for _ in range(6):
        ...     states.append(Lfsr(3).step(states[-1]))
        >>> states
        [1, 2, 5, 3, 7, 6, 4]
    """

    width: int
    taps: tuple[int, ...] = ()
    form: Literal["fibonacci", "galois"] = "fibonacci"

    def __post_init__(self) -> None:
        if not 2 <= self.width <= 64:
            raise UsageError.of("LFSR width", self.width, "2..64 bits", "Choose another width.")
        if self.form not in ("fibonacci", "galois"):
            raise UsageError.of("LFSR form", repr(self.form), "'fibonacci' or 'galois'", "Choose one of them.")
        if not self.taps:
            if self.width not in MAXIMAL_TAPS:
                known = ", ".join(map(str, MAXIMAL_TAPS))
                raise UsageError.of("LFSR without taps", f"width {self.width}", f"one of {known}", "Give the taps.")
            object.__setattr__(self, "taps", MAXIMAL_TAPS[self.width])
        unique = len(set(self.taps)) == len(self.taps)
        if not unique or min(self.taps) < 1 or max(self.taps) != self.width:
            expected = f"distinct stages in 1..{self.width}, {self.width} among them"
            raise UsageError.of("LFSR taps", self.taps, expected, "The highest tap is the width.")

    @property
    def mask(self) -> int:
        """Bit t−1 set for every tap t: the Galois feedback word."""
        return sum(1 << (tap - 1) for tap in self.taps)

    def step(self, state: State) -> State:
        """The next state of an int or unsigned numpy scalar, or of each element of an unsigned array (same dtype)."""
        if isinstance(state, np.ndarray):
            return self._step_array(state)
        if isinstance(state, np.unsignedinteger):
            return type(state)(self.step(int(state)))
        if self.form == "galois":
            return (state >> 1) ^ (self.mask if state & 1 else 0)
        feedback = (state & self.mask).bit_count() & 1
        return ((state << 1) | feedback) & ((1 << self.width) - 1)

    def _step_array(self, state: np.ndarray) -> np.ndarray:
        s = _unsigned(state, self.width)
        one = s.dtype.type(1)
        if self.form == "galois":
            return (s >> one) ^ ((s & one) * s.dtype.type(self.mask))
        feedback = np.zeros_like(s)
        for tap in self.taps:
            feedback ^= s >> s.dtype.type(tap - 1)
        return ((s << one) | (feedback & one)) & s.dtype.type((1 << self.width) - 1)


@dataclass(frozen=True)
class Xorshift:
    """Marsaglia's xorshift generator of 32 or 64 bits.

    Attributes:
        width: 32 or 64.
        shifts: (a, b, c): left, right, left; () takes `XORSHIFT_TRIPLES`.

    Raises:
        UsageError: another width, or a shift outside 1..width−1.

    Example (the first value that follows the seed 1 of the paper's 32-bit triple):
        >>> Xorshift(32).step(1)
        270369
    """

    width: Literal[32, 64] = 32
    shifts: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.width not in XORSHIFT_TRIPLES:
            raise UsageError.of("xorshift width", self.width, "32 or 64 bits", "Choose one of them.")
        if not self.shifts:
            object.__setattr__(self, "shifts", XORSHIFT_TRIPLES[self.width])
        if len(self.shifts) != 3 or min(self.shifts) < 1 or max(self.shifts) >= self.width:
            raise UsageError.of("xorshift shifts", self.shifts, f"three in 1..{self.width - 1}", "Use a known triple.")

    def step(self, state: State) -> State:
        """The next state of an int or unsigned numpy scalar, or of each element of an unsigned array (same dtype)."""
        a, b, c = self.shifts
        if isinstance(state, np.ndarray):
            s = _unsigned(state, self.width)
            a, b, c = (s.dtype.type(n) for n in (a, b, c))
            mask = s.dtype.type((1 << self.width) - 1)
            s = s ^ ((s << a) & mask)
            s = s ^ (s >> b)
            return s ^ ((s << c) & mask)
        if isinstance(state, np.unsignedinteger):
            return type(state)(self.step(int(state)))
        mask = (1 << self.width) - 1
        state ^= (state << a) & mask
        state ^= state >> b
        return state ^ ((state << c) & mask)


Generator = Lfsr | Xorshift


def check_seed(generator: Generator, seed: int) -> int:
    """`seed` when it is a valid state, 1..2^width − 1.

    Raises:
        UsageError: it is not; state 0 would never change.
    """
    if not 0 < seed < 1 << generator.width:
        raise UsageError.of("seed", seed, f"1..{(1 << generator.width) - 1}", "Zero is a fixed point: choose another.")
    return seed


def sequence(generator: Generator, seed: int, count: int) -> np.ndarray:
    """uint64 [count]: the states that follow `seed`.

    Raises:
        UsageError: `seed` is no valid state.
    """
    state, out = check_seed(generator, seed), np.empty(count, np.uint64)
    for i in range(count):
        state = generator.step(state)
        out[i] = state
    return out


def _unsigned(state: np.ndarray, width: int) -> np.ndarray:
    if state.dtype.kind != "u" or 8 * state.dtype.itemsize < width:
        expected = f"an unsigned dtype of at least {width} bits"
        raise UsageError.of("generator state", state.dtype, expected, "Convert the array.")
    return state
