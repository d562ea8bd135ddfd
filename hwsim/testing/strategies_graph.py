"""Hypothesis strategies for statistics units, graphs, and `graph_mac` networks."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from hwsim.encodingnet.encodings import exact, truncated
from hwsim.ir.graph_mac import GraphCodes, GraphMac
from hwsim.ir.graph_norm import GraphNormUnit
from hwsim.ir.graph_ops import Neighbours, Normalise, Readout
from hwsim.ir.mac import Input
from hwsim.ir.mac_ops import Linear, Op, Requant
from hwsim.ir.mac_vector import Add
from hwsim.testing.strategies import generators


@st.composite
def statistics_units(draw: Any, max_channels: int = 6, max_nodes: int = 24, codes: bool = False) -> GraphNormUnit:
    """A unit of any format; α from 0 to 2. With `codes`, y is an operand of 8 bits, as inside a network."""
    rng = draw(generators())
    layers, channels = draw(st.integers(1, 3)), draw(st.integers(1, max_channels))
    fraction, shift = draw(st.integers(0, 9)), draw(st.integers(0, 24))
    shape = (layers, channels)
    low, high = (0, 127) if codes else sorted(rng.integers(-4096, 4097, 2).tolist())
    return GraphNormUnit(
        rng.integers(0, (2 << fraction) + 1, shape), rng.integers(-2047, 2048, shape),
        rng.integers(-(1 << shift) * 9, (1 << shift) * 9 + 1, shape), in_bits=draw(st.integers(2, 12)),
        max_nodes=draw(st.integers(1, max_nodes)), alpha_fraction=fraction, table_bits=draw(st.integers(4, 10)),
        root_bits=draw(st.integers(4, 12)), keep=draw(st.integers(0, 10)), shift=shift, lo=low, hi=high,
    )  # fmt: skip


def unit_inputs(unit: GraphNormUnit, rng: np.random.Generator, graphs: int) -> tuple[np.ndarray, np.ndarray]:
    """(codes, sizes) of graphs: spread, narrow, constant and extreme channels among them."""
    sizes = rng.integers(1, unit.max_nodes + 1, graphs)
    top = 1 << (unit.in_bits - 1)
    parts = []
    for n in sizes:
        kind = rng.integers(4, size=unit.channels)
        spread, narrow = rng.integers(-top, top, (n, unit.channels)), rng.integers(-1, 1, (n, unit.channels))
        same = np.broadcast_to(rng.integers(-top, top, unit.channels), (n, unit.channels))
        ends = rng.choice([-top, top - 1], (n, unit.channels))
        parts.append(np.choose(kind, [spread, narrow, same, ends]))
    return np.concatenate([np.zeros((0, unit.channels), np.int64), *parts]).astype(np.int64), sizes


@st.composite
def graph_batches(draw: Any, features: int, max_nodes: int, max_degree: int) -> GraphCodes:
    """Random graphs with symmetric neighbours; some have no edge."""
    rng = draw(generators())
    sizes = rng.integers(1, max_nodes + 1, draw(st.integers(1, 4)))
    rows: list[list[int]] = []
    for n in sizes.tolist():
        first, linked = len(rows), [set[int]() for _ in range(n)]
        for a, b in rng.integers(0, n, (2 * n, 2)).tolist():
            if a != b and max(len(linked[a] | {b}), len(linked[b] | {a})) <= max_degree:
                linked[a].add(b)
                linked[b].add(a)
        rows += [sorted(first + j for j in one) for one in linked]
    start = np.concatenate(([0], np.cumsum([len(r) for r in rows]))).astype(np.int64)
    x = rng.integers(0, 2, (len(rows), features))
    return GraphCodes(x, start, np.array([j for r in rows for j in r], np.int64), sizes)


@st.composite
def graph_networks(draw: Any, max_nodes: int = 6, max_degree: int = 3) -> GraphMac:
    """Two layers like a GIN's, a residual, a readout and a classifier; operands of 8 bits."""
    unit = draw(statistics_units(max_channels=4, max_nodes=max_nodes, codes=True))
    rng, mean = draw(generators()), draw(st.booleans())
    features, c, classes = int(rng.integers(1, 4)), unit.channels, int(rng.integers(2, 4))
    encoding = exact(8, 8) if draw(st.booleans()) else truncated(8, 8, 6)

    def requant(lo: int, hi: int, channels: int = 1) -> Requant:
        return Requant(rng.integers(1, 200, channels), int(rng.integers(0, 12)), lo, hi)

    def linear(value: int, n: int, k: int, lo: int, hi: int) -> Linear:
        weights = rng.integers(-127, 128, (n, k)).astype(np.int16)
        return Linear((value,), weights, rng.integers(-999, 1000, n), requant(lo, hi, n))

    top = 1 << (unit.in_bits - 1)
    last = unit.layers - 1
    ops: list[Op] = [
        Neighbours((0,), int(rng.integers(0, 1200)), 8, requant(0, 127)),
        linear(1, c, features, -top, top - 1),
        Normalise((2,), 0),
        Neighbours((3,), int(rng.integers(0, 1200)), 8, requant(0, 127)),
        linear(4, c, c, -top, top - 1),
        Normalise((5,), last),
        Add((6, 3), (int(rng.integers(1, 99)), int(rng.integers(1, 99))), 6, 0, 255),
        Readout((7,), requant(0, 127), mean, 8 if mean else 0),
        linear(8, classes, c, -9999, 9999),
    ]
    limit = draw(st.integers(1, unit.max_nodes))
    return GraphMac(Input((features,), 0, 1, 1.0), (encoding,), tuple(ops), unit, limit, max_degree, classes)
