"""Multipliers that need no search, as encodings: exact, truncated, Booth, and any product table.

They are the honest rivals of searched encodings (EncodingNet, section IV, compares only with a plain multiplier) and
the starting points of the search. Wide bits follow in order of rising column (log₂ of the weight).

    exact      v = Σ_ij ±2^(i+j)·x_i·w_j, the sign bits of two's complement weigh negative          M = a·b
    Booth      v = Σ_j 4^j·d_j·x, d_j = w_(2j−1) + w_2j − 2·w_(2j+1) ∈ {−2…2} (radix 4)             M = (a + 2)·⌈b/2⌉

A Booth row d_j·x is written as bits p_i = ((one·x_i) ∨ (two·x_(i−1))) ⊕ neg of at most five inputs and one bit `neg`
that completes the two's complement. Functions of w alone (recoding, neg) are constants of a stationary weight.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hwsim.encodingnet.fit import refitted, with_bias_fitted
from hwsim.encodingnet.gatebuilder import AND, GateBuilder
from hwsim.ir.encoding import MAX_OPERAND_BITS, Encoding
from hwsim.ir.errors import ArtifactError, ShapeError, UsageError
from hwsim.ir.gates import CONST0, CONST1

FITS = ("none", "bias", "weights")
Columns = list[tuple[int, int]]  # (signal, weight)


def exact(x_bits: int, w_bits: int, x_signed: bool = True, w_signed: bool = True) -> Encoding:
    """All a·b partial products x_i·w_j: error 0.

    Example:
        >>> e = exact(2, 2)
        >>> e.position_weights.tolist(), e.reference(np.array([[-2, -2], [-2, 1]])).tolist()
        ([1, -2, -2, 4], [4, -2])
    """
    return truncated(x_bits, w_bits, 0, x_signed, w_signed, fit="none")


def truncated(
    x_bits: int,
    w_bits: int,
    column: int = 0,
    x_signed: bool = True,
    w_signed: bool = True,
    *,
    n_bits: int | None = None,
    fit: str = "bias",
    p_x: np.ndarray | None = None,
    p_w: np.ndarray | None = None,
    fraction: int | None = None,
) -> Encoding:
    """Partial products x_i·w_j with i + j ≥ `column`, or the `n_bits` heaviest ones.

    Args:
        column: partial products of lower columns are dropped.
        n_bits: keep that many instead, heaviest first (within a column the one with the larger x index first).
        fit: ``"none"``; ``"bias"`` makes the mean error zero under p_x [2^a], p_w [2^b]; ``"weights"`` fits all
            position weights by least squares.
        fraction: fraction bits of what is fitted; default 0 for the bias, 16 for weights.

    Raises:
        UsageError: more bits asked for than there are, an unknown fit, or nothing left.
    """
    builder = _operand_builder(x_bits, w_bits)
    found = []
    for i in range(x_bits):
        for j in range(w_bits):
            negative = (x_signed and i == x_bits - 1) != (w_signed and j == w_bits - 1)
            found.append((builder.gate(AND, i, x_bits + j), (-1 if negative else 1) << (i + j)))
    return _finished(builder, found, column, n_bits, (x_bits, w_bits, x_signed, w_signed), "truncated", fit, p_x, p_w,
                     fraction)  # fmt: skip


def booth(
    x_bits: int,
    w_bits: int,
    column: int = 0,
    x_signed: bool = True,
    w_signed: bool = True,
    *,
    n_bits: int | None = None,
    fit: str = "bias",
    p_x: np.ndarray | None = None,
    p_w: np.ndarray | None = None,
    fraction: int | None = None,
) -> Encoding:
    """Radix-4 Booth recoding of w: exact at column 0 (8×8 signed: M = 40), else bits of lower columns are dropped.

    Arguments and errors as for `truncated`.

    Example:
        >>> e = booth(8, 8)
        >>> e.n_bits, bool((e.table == e.target).all())
        (40, True)
    """
    builder = _operand_builder(x_bits, w_bits)
    found: Columns = []
    for j in range((w_bits + (not w_signed) + 1) // 2):
        found += [(signal, weight << (2 * j)) for signal, weight in _booth_row(builder, x_bits, w_bits, x_signed,
                                                                              w_signed, j)]  # fmt: skip
    return _finished(builder, found, column, n_bits, (x_bits, w_bits, x_signed, w_signed), "booth", fit, p_x, p_w,
                     fraction)  # fmt: skip


def from_table(
    table: np.ndarray, x_bits: int, w_bits: int, x_signed: bool = True, w_signed: bool = True, fraction: int = 0
) -> Encoding:
    """Any 2^a × 2^b product table as its two's complement bits (EvoApprox style), column by column.

    Args:
        table: integers [2^a, 2^b] in units of 2^(−fraction), by unsigned bit patterns of x and w.

    Raises:
        ArtifactError: the table is not 2^a × 2^b, not integer, or needs more than 40 bits.
    """
    table = np.asarray(table)
    if table.dtype.kind not in "iu" or table.shape != (1 << x_bits, 1 << w_bits):
        got, want = f"{table.dtype} {list(table.shape)}", f"integers [2^{x_bits}, 2^{w_bits}]"
        raise ArtifactError.of("product table", got, want, "Give one product a pair of bit patterns.")
    low, high = int(table.min()), int(table.max())
    width = max(high.bit_length(), (-low - 1).bit_length() if low < 0 else 0) + (low < 0)
    if width > 40:
        raise ArtifactError.of("product table", f"values {low}…{high}", "at most 40 bits", "Use fewer fraction bits.")
    builder, found = _operand_builder(x_bits, w_bits), []
    order = _interleaved(x_bits, w_bits)
    flat = _reordered(table.astype(np.int64), order, x_bits, w_bits)
    for k in range(width):
        weight = -(1 << k) if low < 0 and k == width - 1 else 1 << k
        found.append((builder.function(((flat >> k) & 1).astype(np.uint8), order), weight))
    signs = (x_bits, w_bits, x_signed, w_signed)
    return _finished(builder, found, 0, None, signs, "table", "none", None, None, fraction)


def assemble(
    builder: GateBuilder,
    columns: Sequence[tuple[int, int]],
    operands: tuple[int, int, bool, bool],
    bias: int = 0,
    fraction: int = 0,
    meta: dict[str, str] | None = None,
) -> Encoding:
    """Encoding of (signal, weight) columns: equal signals merge, constants go to the bias, weights of 0 vanish.

    Args:
        operands: (x_bits, w_bits, x_signed, w_signed).
    """
    merged: dict[int, int] = {}
    for signal, weight in columns:
        if signal == CONST1:
            bias += weight
        elif signal != CONST0:
            merged[signal] = merged.get(signal, 0) + weight
    kept = sorted(((s, w) for s, w in merged.items() if w), key=lambda item: abs(item[1]))
    gates = builder.build([signal for signal, _ in kept])
    weights = np.array([weight for _, weight in kept], dtype=np.int64)
    x_bits, w_bits, x_signed, w_signed = operands
    return Encoding(
        gates,
        x_bits,
        w_bits,
        weights,
        bias,
        fraction,
        x_signed,
        w_signed,
        meta={k: str(v) for k, v in (meta or {}).items()},
    )


def _booth_row(builder: GateBuilder, x_bits: int, w_bits: int, x_signed: bool, w_signed: bool, j: int) -> Columns:
    """(signal, weight) of digit j times x, before the factor 4^j."""
    top = x_bits + w_bits - 1 if w_signed else CONST0
    triple = tuple(CONST0 if k < 0 else x_bits + k if k < w_bits else top for k in (2 * j - 1, 2 * j, 2 * j + 1))
    digit = [(a & 1) + (a >> 1 & 1) - 2 * (a >> 2) for a in range(8)]
    neg = builder.gate(sum((d < 0) << a for a, d in enumerate(digit)), *triple)
    sign = x_bits - 1 if x_signed else CONST0
    row: Columns = []
    for i in range(x_bits + 1):
        table = 0
        for a in range(32):  # address bits: x_i, x_(i−1), then the triple
            d = digit[a >> 2]
            table |= ((abs(d) == 1 and a & 1) or (abs(d) == 2 and a >> 1 & 1)) != (d < 0) and 1 << a
        bit = builder.gate(table, i if i < x_bits else sign, i - 1 if i else CONST0, *triple)
        row.append((bit, -(1 << i) if x_signed and i == x_bits else 1 << i))
    # two's complement of −|d|·x is the complement plus one; an unsigned x needs its sign, which is neg itself
    row.append((neg, 1 if x_signed else 1 - (2 << x_bits)))
    return row


def _finished(
    builder: GateBuilder,
    found: Columns,
    column: int,
    n_bits: int | None,
    operands: tuple[int, int, bool, bool],
    name: str,
    fit: str,
    p_x: np.ndarray | None,
    p_w: np.ndarray | None,
    fraction: int | None,
) -> Encoding:
    """Drop the light columns, then fit what was asked for."""
    if fit not in FITS:
        raise UsageError.of("fit", repr(fit), f"one of {', '.join(FITS)}", "Choose one.")
    if n_bits is not None and not 0 < n_bits <= len(found):
        raise UsageError.of("n_bits", n_bits, f"1…{len(found)}", "This multiplier has no more bits.")
    order = sorted(range(len(found)), key=lambda k: (-abs(found[k][1]), -k))
    kept = [found[k] for k in order if abs(found[k][1]) >= 1 << column][:n_bits]
    if not kept:
        raise UsageError.of("column", column, "a column below the heaviest bit", "Drop fewer columns.")
    meta = {"construction": name, "column": str(column)}
    encoding = assemble(builder, kept[::-1], operands, 0, (fraction or 0) if fit == "none" else 0, meta)
    if fit == "weights":
        return refitted(encoding, p_x, p_w, 16 if fraction is None else fraction)
    return with_bias_fitted(encoding, p_x, p_w, fraction or 0) if fit == "bias" else encoding


def _operand_builder(x_bits: int, w_bits: int) -> GateBuilder:
    if not 1 <= min(x_bits, w_bits) <= max(x_bits, w_bits) <= MAX_OPERAND_BITS:
        got = f"{x_bits} and {w_bits}"
        raise ShapeError.of("operand bits", got, f"1…{MAX_OPERAND_BITS} each", "Use narrower operands.")
    return GateBuilder(x_bits + w_bits)


def _interleaved(x_bits: int, w_bits: int) -> list[int]:
    """Inputs from the least significant bits of both operands up: neighbours in a product's columns."""
    keyed = [(i / x_bits, 0, i) for i in range(x_bits)] + [(j / w_bits, 1, x_bits + j) for j in range(w_bits)]
    return [signal for _, _, signal in sorted(keyed)]


def _reordered(table: np.ndarray, order: list[int], x_bits: int, w_bits: int) -> np.ndarray:
    """Products [2^(a+b)] addressed by the bits of `order`, the first one least significant."""
    address = np.arange(1 << (x_bits + w_bits))
    bit = [(address >> k) & 1 for k in range(len(order))]
    x = np.sum([b << s for b, s in zip(bit, order, strict=True) if s < x_bits], axis=0)
    w = np.sum([b << (s - x_bits) for b, s in zip(bit, order, strict=True) if s >= x_bits], axis=0)
    return table[x, w]
