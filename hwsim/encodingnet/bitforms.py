"""Wide bits as counts that AND and popcount can make.

Every wide bit is split into functions of x alone and of w alone:

    b(x, w) = c + f₁(x) + g₁(w) + κ·core(x, w),    core = f(x)·g(w)   or   ⊕_r f_r(x)·g_r(w)

With at most two distinct rows and columns the first form holds over the integers (AND, OR, XOR, … share one core:
x ⊕ w = x + w − 2·x·w). Else the bit is its own core, of as many terms as its table has rank over GF(2); a Booth bit has
three. The one-sided parts need no popcount: they are sums of a lookup, known in advance for stationary weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Term = tuple[int, int]


@dataclass(frozen=True)
class BitForms:
    """M wide bits over shared features and cores.

    Attributes:
        x_features: uint8 [F, 2^a], functions of the activation pattern.
        w_features: uint8 [G, 2^b], functions of the weight pattern.
        cores: per core its terms (f, g): XOR of f(x)·g(w).
        core_of: int64 [M], index of a bit's core, −1 for none.
        core_coefficient: int64 [M], κ.
        x_part: int64 [M, 2^a], c + f₁(x).
        w_part: int64 [M, 2^b], g₁(w).
    """

    x_features: np.ndarray
    w_features: np.ndarray
    cores: tuple[tuple[Term, ...], ...]
    core_of: np.ndarray
    core_coefficient: np.ndarray
    x_part: np.ndarray
    w_part: np.ndarray

    @property
    def n_terms(self) -> int:
        """AND operations a word for all cores."""
        return sum(len(core) for core in self.cores)


def bit_forms(bits: np.ndarray) -> BitForms:
    """Split bit tables uint8 [M, 2^a, 2^b]; the identity is exact for every entry."""
    m, a, b = bits.shape
    x_known: dict[bytes, int] = {}
    w_known: dict[bytes, int] = {}
    cores: dict[tuple[Term, ...], int] = {}
    core_of, coefficient = np.full(m, -1, np.int64), np.zeros(m, np.int64)
    x_part, w_part = np.zeros((m, a), np.int64), np.zeros((m, b), np.int64)
    for k, table in enumerate(bits):
        terms, coefficient[k], x_part[k], w_part[k] = _split(table)
        if terms and coefficient[k]:
            key = tuple(
                sorted(
                    (x_known.setdefault(f.tobytes(), len(x_known)), w_known.setdefault(g.tobytes(), len(w_known)))
                    for f, g in terms
                )
            )
            core_of[k] = cores.setdefault(key, len(cores))
    return BitForms(_stack(x_known, a), _stack(w_known, b), tuple(cores), core_of, coefficient, x_part, w_part)


def _stack(known: dict[bytes, int], width: int) -> np.ndarray:
    return np.frombuffer(b"".join(known), np.uint8).reshape(-1, width)


def _split(table: np.ndarray) -> tuple[list[tuple[np.ndarray, np.ndarray]], int, np.ndarray, np.ndarray]:
    """(terms of the core, κ, c + f₁(x), g₁(w)) of one bit uint8 [2^a, 2^b]."""
    f = (table != table[0]).any(axis=1).astype(np.uint8)
    g = (table != table[:, :1]).any(axis=0).astype(np.uint8)
    corner = table[np.ix_([0, int(f.argmax())], [0, int(g.argmax())])].astype(np.int64)
    two_by_two = (table == corner[f[:, None], g[None, :]]).all()
    if not two_by_two:
        return _gf2_terms(table), 1, np.zeros(len(table), np.int64), np.zeros(table.shape[1], np.int64)
    (c00, c01), (c10, c11) = corner
    return (
        [(f, g)],
        int(c11 - c10 - c01 + c00),
        c00 + (c10 - c00) * f.astype(np.int64),
        (c01 - c00) * g.astype(np.int64),
    )


def _gf2_terms(table: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Boolean f_r, g_r with table = ⊕ f_r ⊗ g_r, as few as the rank over GF(2) (plus one for the row of x = 0)."""
    rest = table.copy()
    terms = []
    if rest[0].any():
        terms.append((np.ones(len(table), np.uint8), rest[0].copy()))
        rest ^= rest[:1]
    while rest.any():
        i, j = np.unravel_index(int(rest.argmax()), rest.shape)
        f, g = rest[:, j].copy(), rest[i].copy()
        terms.append((f, g))
        rest ^= f[:, None] & g[None, :]
    return terms
