"""Naive twin of `graph_mac` and its statistics unit: one number at a time, in plain Python integers.

Written from ``docs/ir/graph_mac.md``; 1/√W comes from exact fractions, not from the unit's table.
"""

from __future__ import annotations

from fractions import Fraction
from math import isqrt
from typing import Any

from hwsim.ir.graph_mac import GraphCodes, GraphMac
from hwsim.ir.graph_norm import GraphNormUnit
from hwsim.testing.naive_mac import requantise

Rows = list[list[int]]


def _root(w: int, table_bits: int, root_bits: int) -> tuple[int, int]:
    """(r, e) with 1/√w ≈ r·2^(−R−e): the middle of w's interval of v in [1, 4), rounded to the nearest."""
    e = 0
    while 4 ** (e + 1) <= w:
        e += 1
    steps = 2 ** (table_bits - 2)
    middle = Fraction(w * steps // 4**e * 2 + 1, 2 * steps)
    # rint(2^R/√v): the largest r with (2r − 1)²·v ≤ 4^(R+1), so r = ⌊(√(4^(R+1)/v) + 1)/2⌋
    whole = isqrt(int(4 ** (root_bits + 1) / middle))
    return min((whole + 1) // 2, 2**root_bits - 1), e


def normalise(unit: GraphNormUnit, rows: Rows, layer: int) -> Rows:
    """One graph through the statistics unit."""
    n, out = len(rows), [[0] * unit.channels for _ in rows]
    for c in range(unit.channels):
        alpha, gain, offset = (int(part[layer, c]) for part in (unit.alpha, unit.gain, unit.offset))
        s1 = sum(row[c] for row in rows)
        d = [2**unit.alpha_fraction * n * row[c] - alpha * s1 for row in rows]
        w = sum(v * v for v in d)
        assert w % n == 0, "W = Σ D²/n is whole"
        r, e = _root(w // n, unit.table_bits, unit.root_bits) if w else (0, 0)
        for i, v in enumerate(d):
            kept = v * 2**unit.keep // 2**e
            total = kept * r * gain + offset + (2 ** (unit.shift - 1) if unit.shift else 0)
            out[i][c] = max(unit.lo, min(unit.hi, total // 2**unit.shift))
    return out


def graph_mac(network: GraphMac, graphs: GraphCodes) -> Rows:
    """Output rows of a batch of graphs."""
    values: list[Rows] = [[[int(v) for v in row] for row in graphs.x]]
    for op in network.ops:
        values.append(_RUN[op.type](network, op, [values[v] for v in op.inputs], graphs))
    return values[-1]


def _ends(graphs: GraphCodes) -> list[tuple[int, int]]:
    at, found = 0, []
    for n in graphs.sizes:
        found.append((at, at + int(n)))
        at += int(n)
    return found


def _neighbours(network: GraphMac, op: Any, xs: list[Rows], graphs: GraphCodes) -> Rows:
    out = []
    for i, row in enumerate(xs[0]):
        places = range(int(graphs.start[i]), int(graphs.start[i + 1]))
        others = [xs[0][int(graphs.neighbour[k])] for k in places]
        sums = [op.own * v + 2**op.fraction * sum(o[c] for o in others) for c, v in enumerate(row)]
        out.append([requantise(op.requant, v, c) for c, v in enumerate(sums)])
    return out


def _normalise(network: GraphMac, op: Any, xs: list[Rows], graphs: GraphCodes) -> Rows:
    assert network.unit is not None
    return [row for a, b in _ends(graphs) for row in normalise(network.unit, xs[0][a:b], op.layer)]


def _readout(network: GraphMac, op: Any, xs: list[Rows], graphs: GraphCodes) -> Rows:
    out = []
    for a, b in _ends(graphs):
        sums = [sum(column) for column in zip(*xs[0][a:b], strict=True)]
        if op.mean:
            sums = [v * 2**op.fraction // (b - a) for v in sums]
        out.append([requantise(op.requant, v, c) for c, v in enumerate(sums)])
    return out


def _linear(network: GraphMac, op: Any, xs: list[Rows], graphs: GraphCodes) -> Rows:
    encoding = network.encodings[op.encoding]
    rows, columns = 2**encoding.x_bits, 2**encoding.w_bits
    out = []
    for row in xs[0]:
        sums = [
            sum(int(encoding.table[x % rows, int(w) % columns]) for x, w in zip(row, weights, strict=True)) + int(bias)
            for weights, bias in zip(op.weights, op.bias, strict=True)
        ]
        out.append([requantise(op.requant, v, c) for c, v in enumerate(sums)])
    return out


def _add(network: GraphMac, op: Any, xs: list[Rows], graphs: GraphCodes) -> Rows:
    half = 2 ** (op.shift - 1) if op.shift else 0
    return [
        [
            max(op.lo, min(op.hi, (a * op.mults[0] + b * op.mults[1] + half) // 2**op.shift))
            for a, b in zip(one, two, strict=True)
        ]
        for one, two in zip(*xs, strict=True)
    ]


_RUN = {"neighbours": _neighbours, "normalise": _normalise, "readout": _readout, "linear": _linear, "add": _add}
