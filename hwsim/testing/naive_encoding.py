"""Plain-Python twins of encoded products: one pair, one bit, one product at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from hwsim.ir.encoding import Encoding
from hwsim.testing import naive


def wide_bits(encoding: Encoding, x: int, w: int) -> list[int]:
    """The M wide bits of one pair of codes, by the gates."""
    bits = [(int(x) >> i) & 1 for i in range(encoding.x_bits)] + [(int(w) >> j) & 1 for j in range(encoding.w_bits)]
    return [int(b) for b in naive.gate_netlist(encoding.gates, bits)]


def product(encoding: Encoding, sample: Any) -> int:
    """Reference of kind `encoding` for one pair (x, w)."""
    bits = wide_bits(encoding, sample[0], sample[1])
    return encoding.bias + sum(int(s) * b for s, b in zip(encoding.position_weights, bits, strict=True))


def gemm(encoding: Encoding, x: np.ndarray, w: np.ndarray) -> list[list[int]]:
    """Sums of products for codes x [T, K] and w [N, K]."""
    return [[sum(product(encoding, pair) for pair in zip(row, column, strict=True)) for column in w] for row in x]


def popcounts(encoding: Encoding, x: np.ndarray, w: np.ndarray) -> list[list[list[int]]]:
    """Counts of each wide bit, [T][N][M]."""
    counts: list[list[list[int]]] = []
    for row in x:
        counts.append([])
        for column in w:
            bits = [wide_bits(encoding, a, b) for a, b in zip(row, column, strict=True)]
            counts[-1].append([sum(b[k] for b in bits) for k in range(encoding.n_bits)])
    return counts
