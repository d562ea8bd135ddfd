"""Last pass over a small network: a node whose readers can all take over its inputs disappears."""

from __future__ import annotations

from collections.abc import Sequence

from rtl.synth.lutmap.builder import HIGH, Builder

_FULL = (1 << 64) - 1


def absorb_nodes(builder: Builder, outputs: Sequence[int]) -> tuple[Builder, list[int]]:
    """An equal network with fewer nodes, or the same one; levels never grow.

    A node that drives no output goes when every reader still has at most six inputs after taking over the
    node's own. Repeated until nothing goes.
    """
    count = len(builder)
    while True:
        builder, outputs = _once(builder, outputs)
        if len(builder) == count:
            return builder, list(outputs)
        count = len(builder)


def _once(builder: Builder, outputs: Sequence[int]) -> tuple[Builder, list[int]]:
    base = builder.n_inputs
    live = builder.live(outputs)
    readers: dict[int, list[int]] = {}
    fan_in: list[tuple[int, ...]] = list(builder.fan_in)
    tables = list(builder.tables)
    for node, row in enumerate(fan_in):
        if live[node]:
            for source in row:
                readers.setdefault(source, []).append(node)
    driven = {x >> 1 for x in outputs if x >= 0}
    changed: set[int] = set()
    for node in range(len(fan_in)):
        signal = base + node
        using = readers.get(signal, [])
        if not live[node] or signal in driven or not using or node in changed or changed & set(using):
            continue
        merged = [sorted({*fan_in[node], *(s for s in fan_in[r] if s != signal)}) for r in using]
        if max(len(row) for row in merged) > 6:
            continue
        for reader, row in zip(using, merged, strict=True):
            tables[reader] = _compose(row, fan_in[reader], tables[reader], signal, fan_in[node], tables[node])
            fan_in[reader] = tuple(row)
            changed.add(reader)
        live[node] = False
    fresh = Builder(base)
    here = [2 * s for s in range(base)]
    for node, row in enumerate(fan_in):
        here.append(fresh.add([here[s] for s in row], tables[node] & ((1 << (1 << len(row))) - 1)) if live[node] else 0)
    return fresh, [x if x < 0 else here[x >> 1] ^ (x & 1) for x in outputs]


def _compose(
    row: list[int], reader: tuple[int, ...], table: int, signal: int, inner: tuple[int, ...], inner_table: int
) -> int:
    """Table over `row` of the reader with `signal` replaced by its own function: bit-parallel over addresses."""
    words = {source: HIGH[i] for i, source in enumerate(row)}
    words[signal] = _evaluate(inner_table, [words[s] for s in inner])
    return _evaluate(table, [words[s] for s in reader])


def _evaluate(table: int, words: list[int]) -> int:
    """64 lanes of a LUT by Shannon expansion from the highest input down."""
    if not words:
        return _FULL if table & 1 else 0
    half = 1 << (len(words) - 1)
    low = _evaluate(table & ((1 << half) - 1), words[:-1])
    high = _evaluate(table >> half & ((1 << half) - 1), words[:-1])
    return (low & ~words[-1] & _FULL) | (high & words[-1])
