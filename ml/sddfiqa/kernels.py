"""Numba kernels of the label engine: draws without replacement, similarities, and distances of sorted samples.

Draws are a counter: word k of image i in round r is mix(key(seed, r, i) + k·φ), Steele's SplitMix64, so that labels do
not depend on blocks or threads. A draw below n is the high word of a 32-bit draw times n; its bias is below n/2³².
"""

from __future__ import annotations

import numpy as np
from numba import njit

GOLDEN = 0x9E3779B97F4A7C15


@njit(cache=True, nogil=True, inline="always")
def mixed(z: np.uint64) -> np.uint64:
    """SplitMix64's output function (Steele, Lea and Flood 2014)."""
    z = np.uint64(z)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit(cache=True, nogil=True)
def draw(key: np.uint64, n: int, m: int, out: np.ndarray) -> None:
    """m different numbers below n into ``out[:m]``, every set equally likely (Floyd's algorithm)."""
    for k in range(m):
        word = mixed(np.uint64(key) + np.uint64(k + 1) * np.uint64(GOLDEN))
        top = n - m + k
        number = np.int64(((word >> np.uint64(32)) * np.uint64(top + 1)) >> np.uint64(32))
        for j in range(k):
            if out[j] == number:
                number = np.int64(top)
                break
        out[k] = number


@njit(cache=True, nogil=True)
def draw_round(first, last, begin, size, m, seed, turn, positives, negatives):
    """Rows of P and N for images first … last − 1 of one round, as positions in the order of identities.

    begin, size int64 [n]: where the image's identity starts and how many images it has. Row i of `positives` holds
    min(m, size − 1) entries and −1 behind them.
    """
    n = len(begin)
    for i in range(first, last):
        key = mixed(mixed(np.uint64(seed)) ^ mixed(np.uint64(turn + 1) << np.uint64(40)) ^ np.uint64(i))
        others = min(m, size[i] - 1)
        draw(key, size[i] - 1, others, positives[i - first])
        for k in range(m):
            if k >= others:
                positives[i - first, k] = -1
            else:  # the image itself is left out of its identity
                p = positives[i - first, k] + begin[i]
                positives[i - first, k] = p + (p >= i)
        draw(mixed(key), n - size[i], m, negatives[i - first])
        for k in range(m):
            q = negatives[i - first, k]
            negatives[i - first, k] = q + (size[i] if q >= begin[i] else 0)


@njit(cache=True, nogil=True, fastmath=True)
def gathered(features, row, columns, count, out):
    """out[k] = ⟨features[row], features[columns[k]]⟩ for k < count; features float64 [n, d] of unit length."""
    x = features[row]
    for k in range(count):
        y = features[columns[k]]
        total = 0.0
        for j in range(len(x)):
            total += x[j] * y[j]
        out[k] = total


@njit(cache=True, nogil=True)
def insertion_sort(values, count):
    """Sort ``values[:count]`` in place."""
    for i in range(1, count):
        v = values[i]
        j = i - 1
        while j >= 0 and values[j] > v:
            values[j + 1] = values[j]
            j -= 1
        values[j + 1] = v


@njit(cache=True, nogil=True)
def sorted_distance(p, q):
    """W₁ = ∫|F_p − F_q| dt of two sorted samples of any sizes, by merging them."""
    i = j = 0
    total, before = 0.0, min(p[0], q[0])
    while i < len(p) or j < len(q):
        take = j >= len(q) or (i < len(p) and p[i] <= q[j])
        t = p[i] if take else q[j]
        total += abs(i / len(p) - j / len(q)) * (t - before)
        before = t
        if take:
            i += 1
        else:
            j += 1
    return total


@njit(cache=True, nogil=True)
def distances_kernel(first, last, features, similarity, begin, size, m, seed, turn, distance, means):
    """One round for images first … last − 1: W₁ into `distance`, mean(P) − mean(N) into `means`.

    similarity: float64 [n, n], or [0, 0] to compute the products that are drawn from `features`.
    """
    positives, negatives = np.empty((1, m), np.int64), np.empty((1, m), np.int64)
    p, q = np.empty(m), np.empty(m)
    for i in range(first, last):
        draw_round(i, i + 1, begin, size, m, seed, turn, positives, negatives)
        others = min(m, size[i] - 1)
        if len(similarity):
            for k in range(others):
                p[k] = similarity[i, positives[0, k]]
            for k in range(m):
                q[k] = similarity[i, negatives[0, k]]
        else:
            gathered(features, i, positives[0], others, p)
            gathered(features, i, negatives[0], m, q)
        means[i] = p[:others].sum() / others - q.sum() / m
        insertion_sort(p, others)
        insertion_sort(q, m)
        if others == m:  # equal sizes: (1/m) Σ |P_(r) − N_(r)|
            total = 0.0
            for k in range(m):
                total += abs(p[k] - q[k])
            distance[i] = total / m
        else:
            distance[i] = sorted_distance(p[:others], q)


@njit(cache=True, nogil=True)
def all_pairs_kernel(first, rows, begin, size, distance):
    """W₁ of all positives against all negatives; `rows` float64 [block, n] similarities of images `first` on.

    `distance` is filled for the rows' images.
    """
    n = rows.shape[1]
    for r in range(len(rows)):
        i = first + r
        b, s = begin[i], size[i]
        p, q = np.empty(s - 1), np.empty(n - s)
        p[: i - b] = rows[r, b:i]
        p[i - b :] = rows[r, i + 1 : b + s]
        q[:b] = rows[r, :b]
        q[b:] = rows[r, b + s :]
        p.sort()
        q.sort()
        distance[i] = sorted_distance(p, q)
