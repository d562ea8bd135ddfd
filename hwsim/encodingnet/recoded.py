"""Recoded multipliers: radix-4 digits of w without minus two, and constants of the weight kept out of the sum.

The weight of a cell stays while activations stream through, so every function of w alone is a constant that is known
when weights are loaded; a column's share of it goes to where its accumulators start (`EncodingnetArch.constants`).
What is left to add is

    v = Σ_j 4^j·d_j·x + c(w),   d_j = u_j − 4·c_(j+1) ∈ {−1, 0, 1, 2},
    u_j = 2·w_(2j+1) + w_2j + c_j,   c_(j+1) = [u_j ≥ 3]

with the top digit in {−2…2} and a row as Booth's. The other rows are a + 1 bits

    p_i = (one·x_i) ∨ (two·x_(i−1)) ∨ (neg·¬x_i),

one AND-OR gate where Booth needs an XOR behind it; the +1 of a two's complement and the sign of an unsigned row
are functions of w. 8×8 signed: 36 bits against the 64 of partial products. Bits of low columns can be dropped, and
c(w) is then fitted to what they would have added on average: the constant is free whatever its value.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import numpy as np

from hwsim.encodingnet.encodings import Columns, assemble
from hwsim.encodingnet.gatebuilder import GateBuilder
from hwsim.encodingnet.operands import checked_distribution
from hwsim.ir.encoding import MAX_OPERAND_BITS, Encoding
from hwsim.ir.errors import ShapeError, UsageError
from hwsim.ir.gates import CONST0

FITS = ("none", "stationary")


def recoded(
    x_bits: int,
    w_bits: int,
    column: int = 0,
    x_signed: bool = True,
    w_signed: bool = True,
    *,
    fit: str = "none",
    p_x: np.ndarray | None = None,
    p_w: np.ndarray | None = None,
    fraction: int = 0,
) -> Encoding:
    """Digits in {−1, 0, 1, 2}: exact at column 0, else bits of lower columns are dropped.

    Args:
        column: bits of lower weight than 2^column are dropped.
        fit: ``"none"``, or ``"stationary"``: c(w) is fitted to the mean of what was dropped, see `with_stationary_fit`.
        p_x, p_w: operand distributions [2^a], [2^b] over bit patterns; None for uniform.
        fraction: fraction bits of the fitted constants.

    Raises:
        ShapeError: operands outside 1…10 bits. UsageError: an unknown fit, or nothing left.

    Example (36 bits that move, 4 of w alone):
        >>> e = recoded(8, 8)
        >>> int((~e.stationary).sum()), int(e.stationary.sum()), bool((e.table == e.target).all())
        (36, 4, True)
    """
    if not 1 <= min(x_bits, w_bits) <= max(x_bits, w_bits) <= MAX_OPERAND_BITS:
        raise ShapeError.of("operand bits", f"{x_bits} and {w_bits}", f"1…{MAX_OPERAND_BITS} each", "Use fewer bits.")
    if fit not in FITS:
        raise UsageError.of("fit", repr(fit), f"one of {', '.join(FITS)}", "Choose one.")
    builder = GateBuilder(x_bits + w_bits)
    found, constants = _rows(builder, x_bits, w_bits, x_signed, w_signed)
    kept = [(signal, weight) for signal, weight in found if abs(weight) >= 1 << column]
    if not kept:
        raise UsageError.of("column", column, "a column below the heaviest bit", "Drop fewer columns.")
    meta = {"construction": "recoded", "column": str(column)}
    encoding = assemble(builder, kept + constants, (x_bits, w_bits, x_signed, w_signed), 0, 0, meta)
    return with_stationary_fit(encoding, p_x, p_w, fraction) if fit == "stationary" else encoding


def with_stationary_fit(
    encoding: Encoding, p_x: np.ndarray | None = None, p_w: np.ndarray | None = None, fraction: int = 0
) -> Encoding:
    """The same moving bits, with the best constants c(w) that gates of w alone give.

    c(w) = bias + Σ s_k·f_k(w) minimises the mean squared error; f_k are bits of w and the encoding's own gates of w
    alone, taken one after the other while the error falls. Former stationary bits are among them.

    Args:
        p_x, p_w: operand distributions [2^a], [2^b] over bit patterns; None for uniform.
        fraction: constants are multiples of 2^(−fraction), at least as fine as the encoding's weights.

    Raises:
        UsageError: fewer fraction bits than the encoding has.
    """
    if (finer := fraction - encoding.fraction) < 0:
        raise UsageError.of("fraction", fraction, f"{encoding.fraction} or more", "Weights can not lose bits here.")
    px, pw = checked_distribution(p_x, encoding.x_bits, "x"), checked_distribution(p_w, encoding.w_bits, "w")
    moving = ~encoding.stationary
    sums = np.tensordot(encoding.position_weights[moving], encoding.bit_tables[moving].astype(np.int64), 1)
    wanted = px @ (encoding.target - sums * encoding.step)
    signals, columns = _functions_of_w(encoding)
    chosen, values = _selected(columns, wanted, pw)
    weights = np.rint(values[1:] * (1 << fraction)).astype(np.int64)
    bias = round(float(pw @ (wanted * (1 << fraction) - weights @ columns[chosen])))
    used = [(signals[k], weight) for k, weight in zip(chosen, weights.tolist(), strict=True) if weight]
    outputs = np.concatenate([encoding.gates.outputs[moving], np.array([s for s, _ in used], np.int32)])
    gates = dataclasses.replace(encoding.gates, outputs=outputs.astype(np.int32), output_names=())
    s = np.concatenate([encoding.position_weights[moving] << finer, np.array([v for _, v in used], np.int64)])
    meta = {**encoding.meta, "constants": "fitted"}
    return dataclasses.replace(
        encoding, gates=gates, position_weights=s.astype(np.int64), bias=bias, fraction=fraction, meta=meta
    )


def _rows(builder: GateBuilder, a: int, b: int, x_signed: bool, w_signed: bool) -> tuple[Columns, Columns]:
    """(signal, weight) of the bits that move, and of those of w alone."""
    top = a + b - 1 if w_signed else CONST0
    rows = (b + (not w_signed) + 1) // 2
    carry, moving, constants = CONST0, Columns(), Columns()
    for j in range(rows):
        low, high = (a + k if k < b else top for k in (2 * j, 2 * j + 1))
        if w_signed and j == rows - 1:
            bits, neg, width = _booth_row(builder, (low, high, carry), a, x_signed)
        else:
            bits, neg, width = _plain_row(builder, (low, high, carry), a, x_signed)
            carry = builder.gate(_mask(u >= 3 for u in _UNSIGNED), low, high, carry)
        for i, bit in enumerate(bits):
            moving.append((bit, (-1 if x_signed and i == a else 1) << (i + 2 * j)))
        # −x = ¬x + 1; the complement of an unsigned x of `width` bits is 2^width too large
        constants.append((neg, (1 if x_signed else 1 - (1 << width)) << (2 * j)))
    return moving, constants


_UNSIGNED = [(v & 1) + 2 * (v >> 1 & 1) + (v >> 2) for v in range(8)]  # low + 2·high + carry
_SIGNED = [(v & 1) - 2 * (v >> 1 & 1) + (v >> 2) for v in range(8)]  # low − 2·high + carry
Row = tuple[list[int], int, int]  # bits, what completes a complement, bits that are complemented


def _plain_row(builder: GateBuilder, digit: tuple[int, int, int], a: int, x_signed: bool) -> Row:
    """Digit −1 … 2: bit i is one·x_i ∨ two·x_(i−1) ∨ neg·¬x_i."""
    one, two, neg = (builder.gate(_mask(u == v for u in _UNSIGNED), *digit) for v in (1, 2, 3))
    table = _mask(any((v & 1 and v >> 2 & 1, v >> 1 & 1 and v >> 3 & 1, not v & 1 and v >> 4)) for v in range(32))
    bits = [builder.gate(table, *_shifted(i, a, x_signed), one, two, neg) for i in range(a)]
    # an unsigned x has no bit a: nothing to complement there
    last = (one, two, neg) if x_signed else (CONST0, two, CONST0)
    return [*bits, builder.gate(table, *_shifted(a, a, x_signed), *last)], neg, a


def _booth_row(builder: GateBuilder, digit: tuple[int, int, int], a: int, x_signed: bool) -> Row:
    """Digit −2 … 2: bit i is (one·x_i ∨ two·x_(i−1)) ⊕ neg, where neg is the upper bit of w."""
    one, two = (builder.gate(_mask(abs(d) == v for d in _SIGNED), *digit) for v in (1, 2))
    table = _mask(any((v & 1 and v >> 2 & 1, v >> 1 & 1 and v >> 3 & 1)) != bool(v >> 4) for v in range(32))
    bits = [builder.gate(table, *_shifted(i, a, x_signed), one, two, digit[1]) for i in range(a + 1)]
    return bits, digit[1], a + 1


def _shifted(i: int, a: int, x_signed: bool) -> tuple[int, int]:
    """Signals of x_i and x_(i−1), the sign repeated above."""
    sign = a - 1 if x_signed else CONST0
    return (i if i < a else sign), (i - 1 if i else CONST0)


def _mask(values: Iterable[bool]) -> int:
    """A truth table from its values by address."""
    return sum(int(value) << address for address, value in enumerate(values))


def _functions_of_w(encoding: Encoding) -> tuple[list[int], np.ndarray]:
    """Signals that read w alone (its bits, then gates), and their values uint8 [signals, 2^b]."""
    gates, a, b = encoding.gates, encoding.x_bits, encoding.w_bits
    signals = [*range(a, a + b), *range(gates.n_inputs, gates.n_inputs + gates.n_nodes)]
    probe = dataclasses.replace(gates, outputs=np.array(signals, np.int32), output_names=())
    alone = dataclasses.replace(encoding, gates=probe, position_weights=np.zeros(len(signals), np.int64)).stationary
    inputs = np.zeros((1 << b, a + b), np.uint8)
    inputs[:, a:] = (np.arange(1 << b)[:, None] >> np.arange(b)) & 1
    return [s for s, w in zip(signals, alone, strict=True) if w], probe.reference(inputs).T[alone]


def _selected(columns: np.ndarray, wanted: np.ndarray, p: np.ndarray) -> tuple[list[int], np.ndarray]:
    """Columns by forward selection until nothing is left to explain; their weights, the constant first."""
    root = np.sqrt(p)
    basis = [root]
    chosen: list[int] = []

    def fitted() -> tuple[np.ndarray, np.ndarray]:
        matrix = np.stack(basis, axis=1)
        s = np.linalg.lstsq(matrix, root * wanted, rcond=None)[0]
        return s, root * wanted - matrix @ s

    values, left = fitted()
    scaled = columns * root
    for _ in range(len(columns)):
        q = np.linalg.qr(np.stack(basis, axis=1))[0]
        free = scaled - scaled @ q @ q.T
        norm = np.sqrt((free**2).sum(axis=1))
        gain = np.where(norm > 1e-9, np.abs(free @ left) / np.maximum(norm, 1e-9), 0.0)
        if gain.max(initial=0.0) < 1e-6:
            break
        chosen.append(int(gain.argmax()))
        basis.append(scaled[chosen[-1]])
        values, left = fitted()
    return chosen, values
