"""One Boolean function with don't-cares into few LUT6: non-disjoint Curtis decomposition, then Shannon.

A function of n > 6 variables is written ``f = h(W, e_1, …, e_E)``: h is one LUT6 that reads |W| = 6 − E
variables and E encoder functions, every encoder reads all variables outside W and some *shared* ones of W.
It exists when, for each assignment of the shared variables, the columns over the free variables (W without
the shared ones) fall into at most 2^E classes; columns that agree wherever both care can be one class.
All splits of a shape are tried; where none fits, Shannon on one or two variables is the fall-back, which
never costs more than LogicNets' closed form. Tables are uint8: 0, 1, or `DC`.
"""

from __future__ import annotations

from functools import cache
from itertools import combinations

import numba as nb
import numpy as np

from rtl.synth.lutmap.builder import Builder

DC = 2


@nb.njit(cache=True)
def _reduce(values, n, kept):
    """Drop variables the function can do without; `values` shrinks in place. Returns how many are left."""
    i = 0
    while i < n:
        step, fits = 1 << i, True
        for a in range(1 << n):
            if not a & step and values[a] + values[a | step] == 1:  # 0 against 1
                fits = False
                break
        if not fits:
            i += 1
            continue
        for b in range(1 << (n - 1)):
            a = ((b >> i) << (i + 1)) | (b & (step - 1))
            values[b] = min(values[a], values[a | step])
        n -= 1
        for j in range(i, n):
            kept[j] = kept[j + 1]
    return n


@nb.njit(cache=True)
def _deposit(mask, out):
    """Spread 0..2^|mask|−1 over the set bits of `mask`; returns |mask|."""
    out[0] = 0
    count = 0
    bit = 1
    while bit <= mask:
        if mask & bit:
            for a in range(1 << count):
                out[a | 1 << count] = out[a] | bit
            count += 1
        bit <<= 1
    return count


@nb.njit(cache=True)
def _split_fits(values, n, top, shared, n_classes, codes, patterns):
    """Sort the columns into classes for W = `top`; fills codes [shared, column] and patterns [shared, class, 2].

    Formula: column c belongs to the first class whose cared bits do not contradict it.
    """
    free_at, shared_at, column_at = np.empty(64, np.int64), np.empty(64, np.int64), np.empty(1 << n, np.int64)
    n_free = 1 << _deposit(top & ~shared, free_at)
    n_shared = 1 << _deposit(shared, shared_at)
    n_columns = 1 << _deposit(((1 << n) - 1) & ~top, column_at)
    for s in range(n_shared):
        count = 0
        for c in range(n_columns):
            base, ones, zeros = shared_at[s] | column_at[c], 0, 0
            for f in range(n_free):
                v = values[base | free_at[f]]
                ones |= (v == 1) << f
                zeros |= (v == 0) << f
            k = 0
            while k < count and (patterns[s, k, 0] & zeros or patterns[s, k, 1] & ones):
                k += 1
            if k == count:
                if count == n_classes:
                    return False
                patterns[s, k] = 0
                count += 1
            patterns[s, k, 0] |= ones
            patterns[s, k, 1] |= zeros
            codes[s, c] = k
        for k in range(count, n_classes):
            patterns[s, k] = 0
    return True


@nb.njit(cache=True)
def _find_split(values, n, tops, shareds, n_classes, codes, patterns, start):
    """Index of the first split from `start` on that fits, or −1."""
    for i in range(start, len(tops)):
        if _split_fits(values, n, tops[i], shareds[i], n_classes, codes, patterns):
            return i
    return -1


@nb.njit(cache=True)
def _support_left(values, n, i, j):
    """Variables that the cofactors by (i, j) still depend on, summed: the fewer, the cheaper the leaves."""
    total, select = 0, 1 << i | 1 << j
    for v in range(n):
        if 1 << v & select:
            continue
        for quarter in range(4):
            wanted = (quarter & 1) << i | (quarter >> 1) << j
            for a in range(1 << n):
                if a & (select | 1 << v) == wanted and values[a] + values[a | 1 << v] == 1:
                    total += 1
                    break
    return total


@cache
def _splits(n: int, n_top: int, n_shared: int) -> tuple[np.ndarray, np.ndarray]:
    """All (W, shared) masks of a shape, int64 each."""
    tops, shareds = [], []
    for top in combinations(range(n), n_top):
        for shared in combinations(top, n_shared):
            tops.append(sum(1 << v for v in top))
            shareds.append(sum(1 << v for v in shared))
    return np.array(tops, np.int64), np.array(shareds, np.int64)


@cache
def _shapes(n: int) -> list[tuple[int, int]]:
    """(encoders, shared) worth trying for n variables, cheapest first; every encoder reads six variables."""
    shapes = [(e, 12 - e - n) for e in (1, 2, 3)]  # shared = 6 − columns, columns = n − (6 − e)
    return [(e, shared) for e, shared in shapes if 0 <= shared < 6 - e and e + 1 < shannon(n)]


def shannon(n: int) -> int:
    """LUT6 of a Shannon tree over n variables (LogicNets' closed form)."""
    return 1 if n <= 6 else ((1 << (n - 4)) - (-1) ** n) // 3


def map_function(builder: Builder, values: np.ndarray, literals: list[int]) -> int:
    """Literal that equals `values` (uint8 [2^n], 0/1/`DC`) over n literals wherever it is not a don't-care."""
    values = values.copy()
    kept = np.array(literals, np.int64)
    n = int(_reduce(values, len(literals), kept))
    values, kept = values[: 1 << n], kept[:n]
    sources = kept.tolist()
    if n <= 6:
        word = int.from_bytes(np.packbits(values == 1, bitorder="little").tobytes(), "little")
        return builder.add(sources, word & ((1 << (1 << n)) - 1))
    key = (values.tobytes(), tuple(sources))
    if (known := builder.functions.get(key)) is None:
        known = _map_large(builder, values, sources)
        builder.functions[key] = known
    return known


def _map_large(builder: Builder, values: np.ndarray, literals: list[int]) -> int:
    n = len(literals)
    for encoders, n_shared in _shapes(n):
        tops, shareds = _splits(n, 6 - encoders, n_shared)
        codes = np.empty((1 << n_shared, 1 << (n - 6 + encoders)), np.uint8)
        patterns = np.empty((1 << n_shared, 1 << encoders, 2), np.int64)
        found = int(_find_split(values, n, tops, shareds, 1 << encoders, codes, patterns, 0))
        if found >= 0:
            return _compose(builder, literals, int(tops[found]), int(shareds[found]), encoders, codes, patterns)
    return _shannon_split(builder, values, literals)


def _compose(
    builder: Builder, literals: list[int], top: int, shared: int, encoders: int, codes: np.ndarray, patterns: np.ndarray
) -> int:
    """Build h(W, e…) for a split that fits."""
    n = len(literals)
    free = [v for v in range(n) if (top & ~shared) >> v & 1]
    both = [v for v in range(n) if shared >> v & 1]
    columns = [v for v in range(n) if not top >> v & 1]
    wires = [literals[v] for v in columns + both]
    outs = [map_function(builder, ((codes >> e) & 1).reshape(-1), wires) for e in range(encoders)]
    # h's address: free variables lowest, then the shared ones, then the encoders
    ones = patterns[:, :, 0].astype(np.uint64)
    bits = (ones[:, :, None] >> np.arange(1 << len(free), dtype=np.uint64)) & np.uint64(1)
    table = bits.transpose(1, 0, 2).reshape(-1).astype(np.uint8)
    return map_function(builder, table, [literals[v] for v in free + both] + outs)


def _shannon_split(builder: Builder, values: np.ndarray, literals: list[int]) -> int:
    """A multiplexer of two cofactors for odd n, of four for even n."""
    n = len(literals)
    if n % 2:
        pairs = [(v, v) for v in range(n)]
    else:
        pairs = list(combinations(range(n), 2))
    weights = [int(_support_left(values, n, i, j)) for i, j in pairs]
    select = sorted(set(pairs[int(np.argmin(weights))]))
    rest = [v for v in range(n) if v not in select]
    axes = [n - 1 - v for v in reversed(select)] + [n - 1 - v for v in reversed(rest)]
    parts = values.reshape([2] * n).transpose(axes).reshape(1 << len(select), -1)
    wires = [literals[v] for v in rest]
    leaves = [map_function(builder, np.ascontiguousarray(part), wires) for part in parts]
    table = 0
    for address in range(1 << (len(select) + len(leaves))):
        data, which = address >> len(select), address & ((1 << len(select)) - 1)
        table |= (data >> which & 1) << address
    return builder.add([literals[v] for v in select] + leaves, table)
