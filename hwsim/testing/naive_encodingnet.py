"""Naive twin of the encoded-MAC array: every register and wire, cycle by cycle, in plain Python integers.

Written from ``docs/encodingnet-array.md``: registers load at the end of a cycle what their inputs hold in it. Trees are
walked adder by adder as the column's plan lists them; the plan itself is checked elsewhere.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np

from hwsim.ir.arch.encodingnet import EncodingnetArch
from hwsim.ir.arch.encodingnet_cells import cell_codes
from hwsim.ir.arch.encodingnet_column import column_plan
from hwsim.ir.compressor import CompressorTree
from hwsim.ir.encoding import Encoding


@dataclass
class NaiveRun:
    """Sums [T][N], the cycle that writes each fold's sums [folds][T], all cycles, toggles by part."""

    sums: list[list[int]]
    written: list[list[int]]
    cycles: int
    toggles: Counter = field(default_factory=Counter)


def walk(tree: CompressorTree, signals: list[int]) -> tuple[list[int], list[int], list[int]]:
    """All sums and carries, then the tree's two rows, for one-bit signals."""
    known = [signals[s] ^ int(flip) for s, flip in zip(tree.bit_source, tree.bit_invert, strict=True)]
    for kind, read in zip(tree.kinds, tree.reads, strict=True):
        total = sum(known[q] for q in read if q >= 0) + (1 if kind >= 2 else 0)
        known += [total % 2, total // 2]
    rows = [[known[q] if q >= 0 else int(q == -2) for q in row] for row in tree.rows.tolist()]
    return known[tree.n_bits :], rows[0], rows[1]


def bits_of(value: int, width: int) -> list[int]:
    """Two's complement, least significant first."""
    return [value >> p & 1 for p in range(width)]


class _Array:
    """The whole circuit; `step` is one clock edge."""

    def __init__(self, encoding: Encoding, arch: EncodingnetArch) -> None:
        self.encoding, self.arch = encoding, arch
        cells = column_plan(encoding, arch).cells
        self.plan = column_plan(encoding, replace(arch, mac="fused") if arch.style == "systolic" else arch)
        self.codes = [cell_codes(encoding, held, s).tolist() for held, s in ((cells.x_code, "x"), (cells.w_code, "w"))]
        self.bits = encoding.bit_tables.tolist()
        rows, cols = arch.rows, arch.cols
        self.x = [[0] * rows for _ in range(cols)]
        self.w = [[0] * rows for _ in range(cols)]
        self.skew = [[0] * r for r in range(rows)]
        self.deskew: list[list[list[int]]] = [[] for _ in range(cols)]
        self.toggles: Counter = Counter()
        self.wires: dict = {}
        self.held: dict = {}
        self.counting = False
        for _ in range(2 * rows + 8):
            self.step([0] * rows)
        self.deskew = [[list(self.held["y", c])] * (cols - 1 - c) for c in range(cols)]
        self.counting = True

    def note(self, store: dict, part: str, key: tuple, value: list[int]) -> None:
        """Keep `value` under `key`, counting bits that changed."""
        if self.counting:
            self.toggles[part] += sum(a != b for a, b in zip(store[key], value, strict=True))
        store[key] = value

    def through(self, cut: str, part: str, key: tuple, value: list[int], after: list) -> list[int]:
        """What follows a cut sees: the register, which loads `value` at the edge; or `value` itself."""
        if cut not in self.arch.registers:
            return value
        after.append((part, key, value))
        return self.held.get(key, value)

    def encoder(self, c: int, r: int, x: int, after: list) -> list[int]:
        value = [table[x][self.w[c][r]] for table in self.bits]
        self.note(self.wires, "encoder", ("bits", c, r), value)
        cut = "product" if self.arch.style == "systolic" else "encoder"
        return self.through(cut, "cuts", ("bits", c, r), value, after)

    def total(self, key: tuple, signals: list[int], after: list) -> list[int]:
        """Tree and last adder over `signals`."""
        assert self.plan.tree is not None
        assert self.plan.final is not None
        nodes, first, second = walk(self.plan.tree, signals)
        self.note(self.wires, "decoder", ("tree", *key), nodes)
        rows = self.through("rows", "cuts", ("rows", *key), first + second, after)
        nodes, out, _ = walk(self.plan.final, rows)
        self.note(self.wires, "decoder", ("final", *key), nodes)
        return out

    def column(self, c: int, after: list) -> None:
        """Encoded column: registered activations, tree, output register."""
        bits = [self.encoder(c, r, self.x[c][r], after) for r in range(self.arch.rows)]
        signals = [b for row in bits for b in row]
        if self.plan.counter is not None:
            signals = []
            for k in range(self.encoding.n_bits):
                nodes, count, _ = walk(self.plan.counter, [row[k] for row in bits])
                self.note(self.wires, "popcount", ("count", c, k), nodes)
                signals += count
            signals = self.through("counts", "counts", ("counts", c), signals, after)
        after.append(("output", ("y", c), self.total((c,), signals, after)))

    def chain(self, c: int, x_in: list[int], after: list) -> None:
        """Systolic column: cell r works on the activation before its register."""
        psum = [0] * self.plan.width
        for r in range(self.arch.rows):
            out = self.total((c, r), self.encoder(c, r, x_in[r], after) + psum, after)
            key = ("y", c) if r == self.arch.rows - 1 else ("psum", c, r)
            psum = self.held.get(key, out)
            after.append(("output", key, out))

    def step(self, x: list[int], load: tuple[int, list[int]] | None = None) -> list[list[int]]:
        """One cycle with activation patterns x [R] and maybe a row of weights; sums [C] behind the de-skew."""
        after: list = []
        if self.arch.style == "systolic":
            lines = [[code, *line] for code, line in zip(x, self.skew, strict=True)]
            x = [codes[-1] for codes in lines]
            for codes in lines:
                self.hamming("skew", 0, codes[1:], codes[:-1])
            self.skew = [codes[:-1] for codes in lines]
        inputs = [x, *self.x[:-1]]
        for c in range(self.arch.cols):
            self.chain(c, inputs[c], after) if self.arch.style == "systolic" else self.column(c, after)
        y = [self.held.get(("y", c), [0] * self.plan.width) for c in range(self.arch.cols)]
        for c, line in enumerate(self.deskew):
            moved = [y[c], *line]
            self.toggles["skew"] += sum(
                a != b for p, q in zip(line, moved, strict=False) for a, b in zip(p, q, strict=True)
            )
            y[c], self.deskew[c] = moved[-1], moved[:-1]
        for c in range(self.arch.cols):
            self.hamming("activation", 0, self.x[c], inputs[c])
        self.x = [list(row) for row in inputs]
        if load is not None:
            r, new = load
            self.hamming("weight", 1, [column[r] for column in self.w], new)
            for c, code in enumerate(new):
                self.w[c][r] = code
        for part, key, value in after:
            self.note(self.held, part, key, value)
        return y

    def hamming(self, part: str, side: int, old: list[int], new: list[int]) -> None:
        """Toggles of operand registers that go from patterns `old` to `new`."""
        if self.counting:
            code = self.codes[side]
            self.toggles[part] += sum((code[a] ^ code[b]).bit_count() for a, b in zip(old, new, strict=True))


def run(x: np.ndarray, w: np.ndarray, encoding: Encoding, arch: EncodingnetArch) -> NaiveRun:
    """x [T, K] · w [N, K] on a weight-stationary array, fold after fold."""
    rows, cols, width = arch.rows, arch.cols, arch.width(encoding)
    xs, ws = encoding.check_codes(x, "x").tolist(), encoding.check_codes(w, "w").tolist()
    t, k, n = len(xs), len(xs[0]), len(ws)
    circuit, now = _Array(encoding, arch), 0
    start = -int(encoding.table[0, 0]) * (-k % rows)  # rows without a product
    result = NaiveRun([[start] * n for _ in range(t)], [], 0)
    for first in range(0, n, cols):
        for at in range(0, k, rows):
            tile = [(ws[c] if c < n else [])[at : at + rows] for c in range(first, first + cols)]
            tile = [row + [0] * (rows - len(row)) for row in tile]
            feeds: list = [([0] * rows, (r, [row[r] for row in tile])) for r in range(rows)]
            feeds += [(row[at : at + rows] + [0] * (rows - len(row[at : at + rows])), None) for row in xs]
            drain = arch.array_latency - 1
            feeds += [([0] * rows, None)] * drain
            shown = []
            for feed in feeds:
                shown.append(circuit.step(*feed))
                now += 1
            shown.append([circuit.held["y", c] if c == cols - 1 else circuit.deskew[c][-1] for c in range(cols)])
            written = []
            for i in range(t):
                seen = shown[rows + i + arch.array_latency]
                written.append(now - len(feeds) + rows + i + arch.array_latency - 1)
                for c in range(min(cols, n - first)):
                    value = sum(b << p for p, b in enumerate(seen[c]))
                    result.sums[i][first + c] += value - (value >> (width - 1) << width)
            result.written.append(written)
    for _ in range(arch.array_latency + 1):  # the last row leaves the wires after the last sum is written
        circuit.step([0] * rows)
    result.cycles, result.toggles = now, circuit.toggles
    return result
