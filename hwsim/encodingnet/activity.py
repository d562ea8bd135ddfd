"""Toggles of the wires of columns, state by state, from the column's own plan.

Parts, each counted in one-bit toggles without glitches:

| part | wires |
|---|---|
| encoder | wide bits (of the exact product in plain systolic cells) |
| popcount | sums and carries of the counters |
| counts | register s |
| decoder | sums and carries of decoder or heap and of the last adder; in systolic cells, of their own trees |
| output | sums as they leave; systolic: all R partial sums |
| sum | sums as they leave |
| cuts | pipeline registers between encoders, trees and adders |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hwsim.encodingnet import kernels_activity
from hwsim.ir.arch.encodingnet import EncodingnetArch
from hwsim.ir.arch.encodingnet_column import ColumnPlan, column_plan
from hwsim.ir.compressor import ONE_BIT, CompressorTree
from hwsim.ir.encoding import Encoding

PARTS = ("encoder", "popcount", "counts", "decoder", "output", "sum", "cuts")
_CHUNK = 1023  # states a pass, one more for the state before: 16 words a wire


class ColumnActivity:
    """Counts toggles of one column; built once an encoding and array."""

    def __init__(self, encoding: Encoding, arch: EncodingnetArch) -> None:
        self.encoding, self.arch = encoding, arch
        self.plan = modelled_plan(encoding, arch)
        self.cells = column_plan(encoding, arch).cells
        groups = -(-encoding.n_bits // 64)
        codes = np.zeros((groups, *encoding.table.shape), np.uint64)
        for k, table in enumerate(encoding.bit_tables):
            codes[k // 64] |= table.astype(np.uint64) << np.uint64(k % 64)
        self._codes = codes

    def toggles(self, x: np.ndarray, w: np.ndarray, phases: Sequence[np.ndarray] | None = None) -> np.ndarray:
        """Toggles int64 [len(PARTS), P] between the states of one column.

        Args:
            x, w: uint16 [S, R], operand patterns of every state.
            phases: P masks bool [S]; a step counts for those that are true at the state it leads to. Default: all.
        """
        steps = [np.ones(len(x), bool)] if phases is None else list(phases)
        total = np.zeros((len(PARTS), len(steps)), np.int64)
        for first in range(0, max(1, len(x) - 1), _CHUNK):
            states = slice(first, first + _CHUNK + 1)
            masks = np.stack([_words(np.append([False], phase[states][1:])) for phase in steps])
            self._chunk(x[states], w[states], masks, total)
        return total

    def _chunk(self, x: np.ndarray, w: np.ndarray, masks: np.ndarray, total: np.ndarray) -> None:
        n_bits, rows = self.encoding.n_bits, x.shape[1]
        bits = np.zeros((rows * n_bits, masks.shape[1]), np.uint64)
        kernels_activity.wide_bits(self._codes, np.ascontiguousarray(x), np.ascontiguousarray(w), n_bits, bits)
        kernels_activity.toggles(bits, masks, total[0])
        if {"encoder", "product"} & set(self.arch.registers):
            kernels_activity.toggles(bits, masks, total[6])
        assert self.plan.tree is not None
        if self.arch.style == "systolic":
            psum = np.zeros((self.plan.width, masks.shape[1]), np.uint64)
            for r in range(rows):
                psum = self._sum(np.concatenate([bits[r * n_bits : (r + 1) * n_bits], psum]), masks, total)
            kernels_activity.toggles(psum, masks, total[5])
            return
        if self.plan.counter is not None:
            bits = self._counts(bits, masks, total)
        out = self._sum(bits, masks, total)
        kernels_activity.toggles(out, masks, total[5])

    def _counts(self, bits: np.ndarray, masks: np.ndarray, total: np.ndarray) -> np.ndarray:
        """Register s [M·counter bits, words]."""
        counter, n_bits = self.plan.counter, self.encoding.n_bits
        assert counter is not None
        counts = []
        for k in range(n_bits):
            wires = _settled(counter, np.ascontiguousarray(bits[k::n_bits]))
            kernels_activity.toggles(wires[counter.n_bits :], masks, total[1])
            counts.append(_row(counter, wires, 0))
        out = np.concatenate(counts)
        kernels_activity.toggles(out, masks, total[2])
        return out

    def _sum(self, signals: np.ndarray, masks: np.ndarray, total: np.ndarray) -> np.ndarray:
        """The column's sum [W, words] through tree and last adder."""
        tree, final = self.plan.tree, self.plan.final
        assert tree is not None
        assert final is not None
        wires = _settled(tree, signals)
        kernels_activity.toggles(wires[tree.n_bits :], masks, total[3])
        rows = np.concatenate([_row(tree, wires, 0), _row(tree, wires, 1)])
        if "rows" in self.arch.registers:
            kernels_activity.toggles(rows, masks, total[6])
        wires = _settled(final, rows)
        kernels_activity.toggles(wires[final.n_bits :], masks, total[3])
        out = _row(final, wires, 0)
        kernels_activity.toggles(out, masks, total[4])
        return out


def modelled_plan(encoding: Encoding, arch: EncodingnetArch) -> ColumnPlan:
    """The column's plan; plain systolic cells are counted as fused ones of the same encoding.

    What a synthesis tool makes of ``a·w + psum`` is not known here; a fused cell is a lower bound.
    """
    arch.check(encoding)
    return column_plan(encoding, replace(arch, mac="fused") if arch.style == "systolic" else arch)


def _settled(tree: CompressorTree, signals: np.ndarray) -> np.ndarray:
    wires = np.zeros((tree.n_signals, signals.shape[1]), np.uint64)
    wires[: tree.n_bits] = signals[tree.bit_source]
    wires[: tree.n_bits][tree.bit_invert] ^= np.uint64(2**64 - 1)
    kernels_activity.settle(tree.kinds, tree.reads, tree.n_bits, wires)
    return wires


def _row(tree: CompressorTree, wires: np.ndarray, row: int) -> np.ndarray:
    """A row that the tree leaves, [W, words]."""
    signals = tree.rows[row]
    out = wires[np.maximum(signals, 0)] if len(wires) else np.zeros((tree.width, wires.shape[1]), np.uint64)
    out[signals < 0] = np.where(signals[signals < 0] == ONE_BIT, np.uint64(2**64 - 1), np.uint64(0))[:, None]
    return out


def _words(states: np.ndarray) -> np.ndarray:
    """Bool [S] as uint64 [⌈S / 64⌉], state s at bit s mod 64."""
    padded = np.zeros(-(-len(states) // 64) * 64, bool)
    padded[: len(states)] = states
    return np.packbits(padded, bitorder="little").view("<u8").astype(np.uint64)
