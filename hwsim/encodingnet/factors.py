"""Exact factorisation of an integer table into integer factors, as few as its rank.

    table[x, w] = Σ_r u_r(x)·v_r(w),    u, v integer

One step takes a column with greatest common divisor g = Σ_i c_i·column_i (Bézout), u = column / g and the row
combination v = Σ_i c_i·row_i, and leaves table − u ⊗ v. Since c·u = 1 that lowers the rank by exactly one (Wedderburn),
and nothing is rounded. A unit pivot (an entry that divides its column) needs no combination and is preferred where it
keeps the factors small.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

REACH = float(1 << 61)


@dataclass(frozen=True)
class Factors:
    """table = rows[:, None] + columns[None, :] + Σ_r u[r][:, None]·v[r][None, :].

    Attributes:
        u: int64 [R, 2^a].
        v: int64 [R, 2^b].
        x_part: int64 [2^a], the table's column of w = 0.
        w_part: int64 [2^b], the table's row of x = 0, less their common corner.
    """

    u: np.ndarray
    v: np.ndarray
    x_part: np.ndarray
    w_part: np.ndarray

    @property
    def rank(self) -> int:
        """R, rank of what is left without the one-sided parts."""
        return len(self.u)


def table_rank(table: np.ndarray, limit: int = 64) -> int | None:
    """Exact rank of an integer table; None when it is above `limit`.

    Example:
        >>> table_rank(np.outer(np.arange(8), np.arange(8)) + 3)
        2
    """
    table = np.asarray(table, np.int64)
    try:
        found = _factorise(table, limit)
    except OverflowError:
        return _bareiss_rank(table.astype(object), limit)
    return None if found is None else len(found[0])


def factorise(table: np.ndarray, limit: int = 16) -> Factors | None:
    """Integer factors of an integer table [2^a, 2^b]; None when there would be more than `limit` or they overflow."""
    table = np.asarray(table, dtype=np.int64)
    x_part, w_part = table[:, 0].copy(), table[0] - table[0, 0]
    try:
        found = _factorise(table - x_part[:, None] - w_part[None, :], limit)
    except OverflowError:
        return None
    if found is None:
        return None
    u, v = found
    shape = (len(u), *table.shape)
    factors = Factors(np.array(u).reshape(shape[:2]), np.array(v).reshape(shape[0], shape[2]), x_part, w_part)
    rebuilt = factors.u.T @ factors.v + x_part[:, None] + w_part[None, :]
    return factors if (rebuilt == table).all() else None


def limbs(values: np.ndarray, reach: int) -> list[tuple[int, np.ndarray]]:
    """(scale, int16 digits) with values = Σ scale·digits and |digit| ≤ `reach` < 2^15, as few as it takes.

    Example:
        >>> [(scale, d.tolist()) for scale, d in limbs(np.array([5, 40000, -3]), 8192)]
        [(1, [5, 7232, -3]), (16384, [0, 2, 0])]
    """
    rest, bits, scale = np.asarray(values, np.int64), reach.bit_length(), 1
    digits = []
    while int(np.abs(rest).max(initial=0)) > reach:
        half = 1 << (bits - 1)
        digit = ((rest + half) & ((1 << bits) - 1)) - half
        digits.append((scale, digit.astype(np.int16)))
        rest, scale = (rest - digit) >> bits, scale << bits
    return [*digits, (scale, rest.astype(np.int16))]


def _factorise(rest: np.ndarray, limit: int) -> tuple[list[np.ndarray], list[np.ndarray]] | None:
    """Factors of the whole table, or None above `limit`; OverflowError where 64 bits do not hold them."""
    u: list[np.ndarray] = []
    v: list[np.ndarray] = []
    while rest.any():
        if len(u) == limit:
            return None
        column, row = _unit_pivot(rest) or _combined_pivot(rest)
        _check_reach(rest, np.abs(column).max(), np.abs(row).max())
        u.append(column)
        v.append(row)
        rest = rest - column[:, None] * row[None, :]
    return u, v


def _unit_pivot(rest: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """(column / pivot, row) of the entry that divides its column and gives the smallest factors."""
    size = np.abs(rest)
    divisor = np.gcd.reduce(size, axis=0)
    fits = (size == divisor) & (size > 0)
    if not fits.any():
        return None
    reach = size.max(axis=0) / np.maximum(divisor, 1) * size.max(axis=1)[:, None]
    i, j = np.unravel_index(int(np.where(fits, reach, np.inf).argmin()), rest.shape)
    return rest[:, j] // rest[i, j], rest[i].copy()


def _combined_pivot(rest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(column / g, row combination with entry g) by Euclid's algorithm on the column that needs fewest steps."""
    divisor = np.gcd.reduce(np.abs(rest), axis=0)
    used = np.flatnonzero(divisor)
    j = int(used[(np.abs(rest)[:, used].max(axis=0) / divisor[used]).argmin()])
    order = np.flatnonzero(rest[:, j])
    order = order[np.abs(rest[order, j]).argsort()]
    row = rest[order[0]].copy()
    for i in order[1:]:
        if abs(row[j]) == divisor[j]:
            break
        other = rest[i].copy()
        while other[j]:
            factor = row[j] // other[j]
            _check_reach(rest, abs(factor), np.abs(other).max())
            row, other = other, row - factor * other
    return rest[:, j] // row[j], row


def _bareiss_rank(rest: np.ndarray, limit: int) -> int | None:
    """Rank by fraction-free elimination in Python's integers: entries are minors of the table, so they stay bounded."""
    last = 1
    for rank in range(limit + 1):
        places = np.argwhere(rest != 0)
        if not len(places):
            return rank
        i, j = places[0]
        pivot = rest[i, j]
        rest = (pivot * rest - rest[:, j : j + 1] * rest[i : i + 1, :]) // last
        rest = np.delete(np.delete(rest, i, axis=0), j, axis=1)
        last = pivot
    return None


def _check_reach(table: np.ndarray, a: int, b: int) -> None:
    """Raise OverflowError where a·b added to an entry might pass 63 bits."""
    if float(a) * float(b) > REACH:
        raise OverflowError
