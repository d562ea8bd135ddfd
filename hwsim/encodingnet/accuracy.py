"""Errors of an encoded product under operand distributions.

With e(x, w) = v̂(x, w) − x·w, and x, w independent with p(x), p(w):

    RMSE = √E[e²],   mean = E[e],   max_relative = max|e| / max|x·w|  (ReMax, the paper's fitness, section III)

The mean matters most in sums: over K products it grows with K, the random part with √K.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwsim.encodingnet.operands import checked_distribution
from hwsim.encodingnet.truth import product_table
from hwsim.ir.encoding import Encoding


@dataclass(frozen=True)
class ProductError:
    """Errors in units of the exact product.

    Attributes:
        rmse: √E[e²].
        mean: E[e], the bias a product.
        max_abs: max|e| over pairs of non-zero probability.
        max_relative: max|e| / max|x·w| over the same pairs, a fraction.
    """

    rmse: float
    mean: float
    max_abs: float
    max_relative: float


def product_error(encoding: Encoding, p_x: np.ndarray | None = None, p_w: np.ndarray | None = None) -> ProductError:
    """Errors of all 2^(a+b) products.

    Args:
        p_x, p_w: probabilities of the bit patterns [2^a], [2^b]; None for uniform, as the paper.

    Raises:
        ShapeError: a distribution of another length, negative, or without mass.

    Example:
        >>> from hwsim.encodingnet.encodings import truncated
        >>> round(product_error(truncated(4, 4, 2)).rmse, 3)
        1.09
    """
    px = checked_distribution(p_x, encoding.x_bits, "x")
    pw = checked_distribution(p_w, encoding.w_bits, "w")
    error = product_table(encoding) * encoding.step - encoding.target
    possible = np.ix_(px > 0, pw > 0)
    worst = float(np.abs(error[possible]).max())
    largest = float(np.abs(encoding.target[possible]).max())
    return ProductError(
        rmse=float(np.sqrt(px @ error**2 @ pw)),
        mean=float(px @ error @ pw),
        max_abs=worst,
        max_relative=worst / largest if largest else float(worst > 0),
    )
