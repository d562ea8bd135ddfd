"""Fixed-point formats: (signed, integer bits, fraction bits), with rounding and overflow as parts of the format.

A *code* is the integer that hardware holds; its value is code·2^(−fraction). The width is integer + fraction bits,
plus one for the sign, so that ``Fixed(True, 3, 4)`` covers −8 … 7.9375 in steps of 1/16. (hls4ml's
``ap_fixed<W,I>`` counts the sign among I: W = 1 + integer + fraction, I = 1 + integer.)

| rounding | code of x = v·2^fraction | hls4ml name |
|---|---|---|
| floor | ⌊x⌋ | TRN |
| zero | toward zero | TRN_ZERO |
| half_up | ⌊x + ½⌋ | RND |
| half_even | nearest, ties to even | RND_CONV |

| overflow | code outside lo..hi |
|---|---|
| saturate | nearest bound |
| wrap | low bits kept, two's complement |
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hwsim.ir.errors import ShapeError, UsageError

Rounding = Literal["floor", "zero", "half_up", "half_even"]
Overflow = Literal["saturate", "wrap"]
ROUNDINGS: tuple[Rounding, ...] = ("floor", "zero", "half_up", "half_even")
OVERFLOWS: tuple[Overflow, ...] = ("saturate", "wrap")
MAX_WIDTH = 48  # codes and their float64 values stay exact


@dataclass(frozen=True)
class Fixed:
    """A fixed-point format.

    Attributes:
        signed: two's complement with a sign bit, or unsigned.
        integer: bits before the point, sign not counted; may be negative (coarse) as long as width ≥ 1.
        fraction: bits after the point; may be negative.
        rounding, overflow: see the module.

    Raises:
        UsageError: an unknown mode, or a width outside 1..48.

    Example:
        >>> q = Fixed(True, 1, 2)
        >>> q.quantise(np.array([0.3, -0.375, 9.0])).tolist()
        [1, -2, 7]
        >>> q.value(np.array([1, -2, 7])).tolist()
        [0.25, -0.5, 1.75]
    """

    signed: bool
    integer: int
    fraction: int
    rounding: Rounding = "half_even"
    overflow: Overflow = "saturate"

    def __post_init__(self) -> None:
        for what, got, known in (("rounding", self.rounding, ROUNDINGS), ("overflow", self.overflow, OVERFLOWS)):
            if got not in known:
                raise UsageError.of(what, repr(got), f"one of {', '.join(known)}", "Choose one of them.")
        if not 1 <= self.width <= MAX_WIDTH:
            raise UsageError.of("fixed-point width", self.width, f"1..{MAX_WIDTH} bits", "Choose fewer bits.")

    @property
    def width(self) -> int:
        """Bits of a code, sign included."""
        return int(self.signed) + self.integer + self.fraction

    @property
    def lo(self) -> int:
        """Smallest code."""
        return -(1 << (self.width - 1)) if self.signed else 0

    @property
    def hi(self) -> int:
        """Largest code."""
        return self.lo + (1 << self.width) - 1

    @property
    def step(self) -> float:
        """Value of code 1."""
        return 2.0**-self.fraction

    def value(self, codes: np.ndarray) -> np.ndarray:
        """float64 values of codes, exact."""
        return np.ldexp(np.asarray(codes, dtype=np.float64), -self.fraction)

    def quantise(self, x: np.ndarray) -> np.ndarray:
        """int64 codes of real values, by the format's rounding and overflow.

        Raises:
            ShapeError: NaN or infinity, or |x·2^fraction| ≥ 2^62 in wrap mode, where no code is exact.
        """
        scaled = np.ldexp(np.asarray(x, dtype=np.float64), self.fraction)
        if not np.isfinite(scaled).all():
            raise ShapeError.of("x holds NaN or infinity", "non-finite values", "finite values", "Clean the data.")
        whole = _ROUND[self.rounding](scaled)
        if self.overflow == "saturate":
            return np.clip(whole, self.lo, self.hi).astype(np.int64)
        if whole.size and np.abs(whole).max() >= 2.0**62:
            raise ShapeError.of("x is too large to wrap", np.abs(whole).max(), "below 2^62 steps", "Scale the data.")
        return self.fit(whole.astype(np.int64))

    def fit(self, codes: np.ndarray) -> np.ndarray:
        """int64 codes brought into lo..hi by the format's overflow rule."""
        codes = np.asarray(codes, dtype=np.int64)
        if self.overflow == "saturate":
            return np.clip(codes, self.lo, self.hi)
        return ((codes - self.lo) & ((1 << self.width) - 1)) + self.lo

    def convert(self, codes: np.ndarray, source: Fixed) -> np.ndarray:
        """int64 codes of this format for codes of `source`, in integers only: what `rtl.lib.fixed` builds.

        Raises:
            UsageError: the shift or the widths leave no room in 64 bits.
        """
        codes, drop = np.asarray(codes, dtype=np.int64), source.fraction - self.fraction
        if drop <= 0:
            if source.width - drop > 62:
                raise UsageError.of("conversion width", source.width - drop, "at most 62 bits", "Use fewer bits.")
            return self.fit(codes << -drop)
        return self.fit(round_shift(codes, drop, self.rounding))


def round_shift(codes: np.ndarray, drop: int, rounding: Rounding) -> np.ndarray:
    """int64 codes / 2^drop in integers, rounded; drop ≥ 1.

    With q = ⌊c / 2^drop⌋, remainder r = c mod 2^drop and half = 2^(drop−1):
    floor q; zero q + [c < 0 and r > 0]; half_up q + [r ≥ half]; half_even q + [r > half or (r = half and q odd)].
    """
    codes, drop = np.asarray(codes, dtype=np.int64), min(drop, 62)
    q, r, half = codes >> drop, codes & ((1 << drop) - 1), 1 << (drop - 1)
    up = {
        "floor": np.zeros_like(codes, dtype=bool),
        "zero": (codes < 0) & (r > 0),
        "half_up": r >= half,
        "half_even": (r > half) | ((r == half) & (q & 1 == 1)),
    }[rounding]
    return q + up


_ROUND: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "floor": np.floor,
    "zero": np.trunc,
    "half_up": lambda x: np.floor(x) + (x - np.floor(x) >= 0.5),
    "half_even": np.rint,
}
