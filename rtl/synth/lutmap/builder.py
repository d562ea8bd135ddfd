"""A growing LUT6 network that never holds two equal nodes.

Signals are *literals*, ``2·signal + inverted``; constants are `FALSE` and `TRUE`. `Builder.add` drops inputs
that a table does not depend on, folds constants, merges repeated inputs, orders what is left, and stores
every node with table(0) = 0, so that equal functions, and functions equal up to inversion, become one node
(structural hashing). Inversions cost nothing: the reader's table absorbs them; `Builder.netlist` flips the
node itself where an output wants the inverse.
"""

from __future__ import annotations

from collections.abc import Sequence

import numba as nb
import numpy as np

from hwsim.ir.gates import CONST0, CONST1, GateNetlist

FALSE, TRUE = -2, -1  # literals of the constants; x ^ 1 inverts them like any other

_FULL = (1 << 64) - 1
HIGH = (  # bit a of word i is bit i of a: the truth table of input i
    0xAAAAAAAAAAAAAAAA, 0xCCCCCCCCCCCCCCCC, 0xF0F0F0F0F0F0F0F0, 0xFF00FF00FF00FF00, 0xFFFF0000FFFF0000,
    0xFFFFFFFF00000000,
)  # fmt: skip
_HIGH_WORDS = np.array(HIGH, dtype=np.uint64)


@nb.njit(cache=True)
def _cofactors(table, i):
    """Both halves of a 64-bit table for input i, each spread over the whole word."""
    high = table & _HIGH_WORDS[i]
    low = table & ~_HIGH_WORDS[i]
    step = np.uint64(1 << i)
    return low | low << step, high | high >> step


@nb.njit(cache=True)
def _drop(literals, n, table, i):
    """Remove input i, on which the table does not depend; the inputs above move down one place."""
    for j in range(i, n - 1):
        c0, c1 = _cofactors(table, j + 1)
        table = (c0 & ~_HIGH_WORDS[j]) | (c1 & _HIGH_WORDS[j])
        literals[j] = literals[j + 1]
    return table


@nb.njit(cache=True)
def _simplify(literals, n, table):
    """Fold constants, inversions, repeats and idle inputs; sort the rest. Returns (inputs left, table)."""
    for i in range(n):  # spread the table over all six inputs
        if literals[i] < 0:
            c0, c1 = _cofactors(table, i)
            table = c1 if literals[i] == -1 else c0
        elif literals[i] & 1:
            c0, c1 = _cofactors(table, i)
            table = (c1 & ~_HIGH_WORDS[i]) | (c0 & _HIGH_WORDS[i])
            literals[i] ^= 1
    for i in range(n):
        for j in range(i + 1, n):
            if literals[i] == literals[j]:
                c0, c1 = _cofactors(table, j)
                table = (c0 & ~_HIGH_WORDS[i]) | (c1 & _HIGH_WORDS[i])
    i = 0
    while i < n:
        c0, c1 = _cofactors(table, i)
        if c0 == c1:
            table = _drop(literals, n, table, i)
            n -= 1
        else:
            i += 1
    for i in range(n):  # insertion sort by adjacent swaps
        for j in range(i, 0, -1):
            if literals[j - 1] < literals[j]:
                break
            literals[j - 1], literals[j] = literals[j], literals[j - 1]
            c0, c1 = _cofactors(table, j)
            c00, c01 = _cofactors(c0, j - 1)
            c10, c11 = _cofactors(c1, j - 1)
            a, b = _HIGH_WORDS[j - 1], _HIGH_WORDS[j]
            table = (c00 & ~a & ~b) | (c10 & a & ~b) | (c01 & ~a & b) | (c11 & a & b)
    return n, table


class Builder:
    """LUT6 nodes over `n_inputs` signals, in topological order."""

    def __init__(self, n_inputs: int) -> None:
        self.n_inputs = n_inputs
        self.fan_in: list[tuple[int, ...]] = []  # signals, ascending
        self.tables: list[int] = []  # spread over 64 bits, table(0) = 0
        self.level: list[int] = [0] * n_inputs
        self._known: dict[tuple[tuple[int, ...], int], int] = {}
        self.functions: dict[tuple[bytes, tuple[int, ...]], int] = {}  # memo of `functions.map_function`
        self._scratch = np.zeros(6, np.int64)

    def __len__(self) -> int:
        return len(self.tables)

    def mark(self) -> int:
        """A point to `rollback` to."""
        return len(self.tables)

    def rollback(self, mark: int) -> None:
        """Forget every node added since `mark`."""
        for fan_in, table in zip(self.fan_in[mark:], self.tables[mark:], strict=True):
            del self._known[fan_in, table]
        del self.fan_in[mark:], self.tables[mark:], self.level[self.n_inputs + mark :]
        limit = 2 * (self.n_inputs + mark)
        self.functions = {key: literal for key, literal in self.functions.items() if literal < limit}

    def add(self, literals: Sequence[int], table: int) -> int:
        """Literal of ``table`` (bit a = output for address a, first literal = bit 0) over at most six literals."""
        n = len(literals)
        scratch = self._scratch
        scratch[:n] = literals
        for i in range(n, 6):
            table |= table << (1 << i)
        n, word = _simplify(scratch, n, np.uint64(table & _FULL))
        table = int(word)
        inverted = table & 1
        if inverted:
            table ^= _FULL
        if table == 0:
            return FALSE ^ inverted
        fan_in = tuple(scratch[:n].tolist())
        if n == 1:  # table(0) = 0, so it is the signal itself
            return fan_in[0] ^ inverted
        fan_in = tuple(x >> 1 for x in fan_in)
        signal = self._known.get((fan_in, table))
        if signal is None:
            signal = self.n_inputs + len(self.tables)
            self._known[fan_in, table] = signal
            self.fan_in.append(fan_in)
            self.tables.append(table)
            self.level.append(1 + max(self.level[s] for s in fan_in))
        return 2 * signal + inverted

    def absorb(self, other: Builder, inputs: Sequence[int], outputs: Sequence[int]) -> list[int]:
        """Copy `other`, whose input i is literal ``inputs[i]`` here; returns its output literals here."""
        here = list(inputs)
        for fan_in, table in zip(other.fan_in, other.tables, strict=True):
            here.append(self.add([here[s] for s in fan_in], table & ((1 << (1 << len(fan_in))) - 1)))
        return [x if x < 0 else here[x >> 1] ^ (x & 1) for x in outputs]

    def live(self, outputs: Sequence[int]) -> np.ndarray:
        """Which nodes some output needs, bool [n_nodes]."""
        used = np.zeros(len(self.tables), dtype=bool)
        stack = [(x >> 1) - self.n_inputs for x in outputs if x >= 0]
        while stack:
            node = stack.pop()
            if node >= 0 and not used[node]:
                used[node] = True
                stack.extend(s - self.n_inputs for s in self.fan_in[node])
        return used

    def cost(self, outputs: Sequence[int]) -> int:
        """LUTs that `outputs` need: live nodes plus inverters on inputs and on nodes wanted both ways."""
        wanted = {x for x in outputs if x >= 0}
        inputs = sum(1 for x in wanted if x & 1 and x >> 1 < self.n_inputs)
        both = sum(1 for x in wanted if x & 1 and x >> 1 >= self.n_inputs and x ^ 1 in wanted)
        return int(self.live(outputs).sum()) + inputs + both

    def netlist(
        self,
        outputs: Sequence[int],
        input_names: tuple[str, ...] = (),
        output_names: tuple[str, ...] = (),
        meta: dict[str, str] | None = None,
    ) -> GateNetlist:
        """The live nodes as a `GateNetlist` that drives `outputs`."""
        fan_in, tables, wires = self._signals(outputs)
        sizes = [len(row) for row in fan_in]
        return GateNetlist(
            self.n_inputs,
            np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32),
            np.array([s for row in fan_in for s in row], dtype=np.int32),
            np.array(tables, dtype=np.uint64),
            np.array(wires, dtype=np.int32),
            input_names,
            output_names,
            dict(meta or {}),
        )

    def _signals(self, outputs: Sequence[int]) -> tuple[list[tuple[int, ...]], list[int], list[int]]:
        wanted = {x for x in outputs if x >= 0}
        flipped = {x >> 1 for x in wanted if x & 1 and x ^ 1 not in wanted and x >> 1 >= self.n_inputs}
        number = {s: s for s in range(self.n_inputs)}
        fan_in: list[tuple[int, ...]] = []
        tables: list[int] = []
        for node in np.flatnonzero(self.live(outputs)).tolist():
            signal, row, table = self.n_inputs + node, self.fan_in[node], self.tables[node]
            for i, source in enumerate(row):
                if source in flipped:
                    step = 1 << i
                    table = (table & HIGH[i]) >> step | (table & ~HIGH[i] & _FULL) << step
            if signal in flipped:
                table ^= _FULL
            number[signal] = self.n_inputs + len(tables)
            fan_in.append(tuple(number[s] for s in row))
            tables.append(table & ((1 << (1 << len(row))) - 1))
        wires = []
        inverters: dict[int, int] = {}
        for x in outputs:
            if x < 0:
                wires.append(CONST1 if x == TRUE else CONST0)
            elif x & 1 and x >> 1 not in flipped:
                if x not in inverters:
                    inverters[x] = self.n_inputs + len(tables)
                    fan_in.append((number[x >> 1],))
                    tables.append(1)
                wires.append(inverters[x])
            else:
                wires.append(number[x >> 1])
        return fan_in, tables, wires
