"""Operand values and operand distributions over the bit patterns of a code.

Every function returns an array over the unsigned bit patterns 0 … 2^bits − 1, as the rows of `Encoding.table`.
"""

from __future__ import annotations

import numpy as np

from hwsim.ir.encoding import Encoding
from hwsim.ir.errors import ShapeError


def code_values(bits: int, signed: bool) -> np.ndarray:
    """int64 [2^bits]: the value of each bit pattern.

    Example:
        >>> code_values(2, True).tolist()
        [0, 1, -2, -1]
    """
    pattern = np.arange(1 << bits)
    return pattern - ((pattern >> (bits - 1)) << bits) * int(signed)


def operand_values(encoding: Encoding, side: str) -> np.ndarray:
    """float64 [2^a] or [2^b]: the value of each pattern of ``"x"`` or ``"w"``, levels included."""
    if side == "x":
        bits, signed, levels = encoding.x_bits, encoding.x_signed, encoding.x_levels
    else:
        bits, signed, levels = encoding.w_bits, encoding.w_signed, encoding.w_levels
    return code_values(bits, signed).astype(np.float64) if levels is None else levels


def uniform(bits: int) -> np.ndarray:
    """float64 [2^bits]: every pattern equally likely (the paper's data)."""
    return np.full(1 << bits, 2.0**-bits)


def gaussian(bits: int, sigma: float, signed: bool = True) -> np.ndarray:
    """float64 [2^bits]: P(code) for codes round(N(0, σ²)), clipped to the range of the code; σ in codes."""
    return _rounded_normal(code_values(bits, signed), sigma)


def relu_gaussian(bits: int, sigma: float, signed: bool = True) -> np.ndarray:
    """float64 [2^bits]: P(code) for codes round(max(0, N(0, σ²))), clipped to the range of the code."""
    values = code_values(bits, signed)
    p = _rounded_normal(values, sigma)
    p[values < 0] = 0.0
    p[0] = 1.0 - p[values > 0].sum()  # zero and everything below
    return p


def checked_distribution(p: np.ndarray | None, bits: int, side: str) -> np.ndarray:
    """`p` as float64 [2^bits] with sum 1; None stands for uniform.

    Raises:
        ShapeError: another length, a negative entry, or a sum of zero.
    """
    if p is None:
        return uniform(bits)
    p = np.asarray(p, dtype=np.float64)
    if p.shape != (1 << bits,) or not np.isfinite(p).all() or p.min() < 0 or p.sum() <= 0:
        got = f"shape {list(p.shape)}, sum {p.sum():g}"
        mend = "Give one probability a bit pattern."
        raise ShapeError.of(f"distribution of {side}", got, f"[{1 << bits}] values ≥ 0 with a positive sum", mend)
    return p / p.sum()


def _rounded_normal(values: np.ndarray, sigma: float) -> np.ndarray:
    """P(round(N(0, σ²)) = value), with the tails in the two outer values."""
    if not sigma > 0:
        raise ShapeError.of("sigma", sigma, "a positive number of codes", "Give the operand's standard deviation.")
    from scipy.special import ndtr  # lazy: importing the package stays light

    low, high = ndtr((values - 0.5) / sigma), ndtr((values + 0.5) / sigma)
    low[values == values.min()], high[values == values.max()] = 0.0, 1.0
    return high - low
