"""Position weights of given gates: weighted least squares, and the choice of their number format.

For operand distributions p(x), p(w) the weights minimise the mean squared error of the product

    Σ_xw p(x)·p(w)·( x·w − bias − Σ_k s_k·b_k(x, w) )²

(EncodingNet, section III, with the ridge term left out and the operands weighted). The constant is always fitted too:
in a sum of products its error grows with the number of terms.
"""

from __future__ import annotations

import numpy as np

from hwsim.encodingnet.operands import checked_distribution
from hwsim.encodingnet.truth import netlist_words, product_table, unpack
from hwsim.ir.encoding import Encoding
from hwsim.ir.errors import UsageError
from hwsim.ir.gates import GateNetlist


def least_squares(bits: np.ndarray, target: np.ndarray, weight: np.ndarray | None = None) -> tuple[np.ndarray, float]:
    """Real position weights and bias of Boolean columns.

    Args:
        bits: [M, p], the wide bits for p operand pairs.
        target: float64 [p], the exact products.
        weight: float64 [p], probability of each pair; None for equal ones.

    Returns:
        s float64 [M] and the bias. Columns that carry nothing new get the smallest weights that fit.
    """
    w = np.full(len(target), 1.0 / len(target)) if weight is None else weight / weight.sum()
    b = np.asarray(bits, dtype=np.float64)
    mean = b @ w
    centred = b - mean[:, None]
    gram = (centred * w) @ centred.T
    right = (centred * w) @ target
    s = np.linalg.lstsq(gram, right, rcond=1e-12)[0] if len(b) else np.zeros(0)
    return s, float(target @ w - s @ mean)


def from_gates(
    gates: GateNetlist,
    x_bits: int,
    w_bits: int,
    *,
    fraction: int = 16,
    x_signed: bool = True,
    w_signed: bool = True,
    x_levels: np.ndarray | None = None,
    w_levels: np.ndarray | None = None,
    p_x: np.ndarray | None = None,
    p_w: np.ndarray | None = None,
    meta: dict[str, str] | None = None,
) -> Encoding:
    """Encoding of given gates with fitted position weights and bias.

    Args:
        gates: inputs x_0 … x_(a−1), w_0 … w_(b−1); the outputs are the M wide bits.
        x_bits, w_bits: operand widths a and b.
        fraction: weights are rounded to multiples of 2^(−fraction).
        x_signed, w_signed, x_levels, w_levels: what the codes stand for, see `Encoding`.
        p_x, p_w: operand distributions [2^a], [2^b] over bit patterns; None for uniform.

    Raises:
        ArtifactError: gates over another number of inputs, or levels of another length.
        ShapeError: a distribution that does not fit.
    """
    start = Encoding(
        gates, x_bits, w_bits, np.zeros(gates.n_outputs, np.int64), 0, fraction, x_signed, w_signed,
        x_levels, w_levels, dict(meta or {}),
    )  # fmt: skip
    return refitted(start, p_x, p_w, fraction)


def refitted(
    encoding: Encoding, p_x: np.ndarray | None = None, p_w: np.ndarray | None = None, fraction: int = 16
) -> Encoding:
    """The same gates with weights and bias fitted for operand distributions p_x [2^a] and p_w [2^b]."""
    weight = pair_weights(encoding, p_x, p_w)
    bits = unpack(netlist_words(encoding.gates, encoding.x_bits, encoding.w_bits), len(weight))
    s, bias = least_squares(bits, encoding.target.ravel(), weight)
    return with_real_weights(encoding, s, bias, fraction)


def with_bias_fitted(
    encoding: Encoding, p_x: np.ndarray | None = None, p_w: np.ndarray | None = None, fraction: int = 0
) -> Encoding:
    """The same gates and position weights with the bias that makes the mean error zero, to 2^(−fraction).

    Raises:
        UsageError: fewer fraction bits than the encoding has.
    """
    if fraction < encoding.fraction:
        raise UsageError.of("fraction", fraction, f"{encoding.fraction} or more", "Weights can not lose bits here.")
    weight = pair_weights(encoding, p_x, p_w)
    error = encoding.target.ravel() - product_table(encoding).ravel() * encoding.step
    scale = 1 << (fraction - encoding.fraction)
    bias = encoding.bias * scale + round(float(error @ weight) * (1 << fraction))
    return encoding.with_weights(encoding.position_weights * scale, bias, fraction)


def with_real_weights(encoding: Encoding, s: np.ndarray, bias: float, fraction: int) -> Encoding:
    """The same gates with real weights s [M] and bias rounded to multiples of 2^(−fraction)."""
    unit = float(1 << fraction)
    return encoding.with_weights(np.rint(s * unit).astype(np.int64), round(bias * unit), fraction)


def pair_weights(encoding: Encoding, p_x: np.ndarray | None, p_w: np.ndarray | None) -> np.ndarray:
    """float64 [2^(a+b)]: p(x)·p(w) in the order of the product table."""
    px = checked_distribution(p_x, encoding.x_bits, "x")
    return np.outer(px, checked_distribution(p_w, encoding.w_bits, "w")).ravel()
