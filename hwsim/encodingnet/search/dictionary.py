"""The candidates of a search: every small gate over operand bits, by its Walsh coefficients.

A gate of k inputs has 2^k Walsh coefficients on the subsets of its inputs, so that its inner product with any function
v of the operands is a sum of 2^k entries of v's Walsh–Hadamard transform V̂:

    Σ_p b(p)·v(p) = Σ_(S ⊆ inputs) b̂_S·V̂_S,    b̂_S = 2^(−k)·Σ_u b(u)·(−1)^|u ∧ S|

All subsets of one size share their functions: the products with all atoms are one small matrix product, and the
2^(a+b) operand pairs are touched once a transform. Operand distributions enter through v. Atoms are taken up to
complement (the constant bit is free); the one that is 0 for all-zero inputs is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np
from numba import njit

from hwsim.encodingnet.gatebuilder import reduced
from hwsim.ir.errors import UsageError
from hwsim.ir.gates import CONST0, GateNetlist

LIBRARIES = ("2", "3", "4-trees", "4")
Atom = tuple[int, tuple[int, ...]]  # truth table, inputs (x_0 … x_(a−1), w_0 … w_(b−1))


@njit(cache=True, nogil=True)
def walsh_hadamard(v):
    """In place: v[S] ← Σ_p v[p]·(−1)^|p ∧ S| for a length that is a power of two."""
    h = 1
    while h < len(v):
        for i in range(0, len(v), 2 * h):
            for j in range(i, i + h):
                a, b = v[j], v[j + h]
                v[j], v[j + h] = a + b, a - b
        h *= 2


@dataclass(frozen=True)
class Block:
    """All functions of a family over all subsets of one size, or (`paired`) one function a subset.

    Attributes:
        inputs: int64 [S, k].
        tables: uint64 [F]; with `paired` F = S.
        walsh: float64 [F, 2^k].
        masks: int64 [S, 2^k], places in the transform.
        paired: function i belongs to subset i only.
    """

    inputs: np.ndarray
    tables: np.ndarray
    walsh: np.ndarray
    masks: np.ndarray
    paired: bool

    @property
    def n_atoms(self) -> int:
        return len(self.inputs) * (1 if self.paired else len(self.tables))

    def products(self, transform: np.ndarray) -> np.ndarray:
        """float64 [n_atoms]: Σ_p b(p)·v(p) for the transform of v."""
        at = transform[self.masks]
        return (at * self.walsh).sum(axis=1) if self.paired else (at @ self.walsh.T).ravel()

    def atom(self, index: int) -> Atom:
        """Truth table and inputs of one atom."""
        subset, function = (index, index) if self.paired else divmod(index, len(self.tables))
        return int(self.tables[function]), tuple(int(i) for i in self.inputs[subset])


@dataclass(frozen=True)
class Dictionary:
    """Candidate wide bits over operands of a and b bits; atoms are numbered block by block."""

    x_bits: int
    w_bits: int
    blocks: tuple[Block, ...]

    @property
    def n_atoms(self) -> int:
        """Number of candidates."""
        return sum(block.n_atoms for block in self.blocks)

    def products(self, v: np.ndarray) -> np.ndarray:
        """float64 [n_atoms]: Σ over operand pairs of b·v, for v float64 [2^(a+b)] in the order of the product table."""
        transform = np.array(v, dtype=np.float64)
        walsh_hadamard(transform)
        return np.concatenate([block.products(transform) for block in self.blocks])

    def atom(self, index: int) -> Atom:
        """Truth table and inputs of atom `index`."""
        for block in self.blocks:
            if index < block.n_atoms:
                return block.atom(index)
            index -= block.n_atoms
        raise UsageError.of("atom", "an index beyond the dictionary", f"below {self.n_atoms}", "Mend the index.")

    def index(self, atom: Atom) -> int | None:
        """Number of an atom or of its complement, None when it is not in the dictionary."""
        table, inputs = reduced(*atom)
        table ^= ((1 << (1 << len(inputs))) - 1) * (table & 1)
        first = 0
        for block in self.blocks:
            if block.inputs.shape[1] == len(inputs):
                same, function = (block.inputs == inputs).all(axis=1), block.tables == table
                if block.paired and (same & function).any():
                    return first + int((same & function).argmax())
                if not block.paired and same.any() and function.any():
                    return first + int(same.argmax()) * len(block.tables) + int(function.argmax())
            first += block.n_atoms
        return None

    def indices(self, gates: GateNetlist) -> list[int]:
        """Numbers of the outputs of a netlist that are single gates of the dictionary."""
        found = []
        for output in gates.outputs.tolist():
            node = output - gates.n_inputs
            if output >= 0:
                sources = gates.fan_in[gates.offsets[node] : gates.offsets[node + 1]] if node >= 0 else [output]
                if all(s < gates.n_inputs for s in sources):
                    table = int(gates.tables[node]) if node >= 0 else 0b10
                    found.append(self.index((table, tuple(int(s) for s in sources))))
        return [index for index in found if index is not None]

    def values(self, index: int) -> np.ndarray:
        """uint8 [2^(a+b)]: the atom for every operand pair."""
        table, inputs = self.atom(index)
        pairs = np.arange(1 << (self.x_bits + self.w_bits))
        address = np.zeros_like(pairs)
        for j, i in enumerate(inputs):
            address |= ((pairs >> _place(i, self.x_bits, self.w_bits)) & 1) << j
        return _bits_of(table, len(inputs))[address]


def dictionary(x_bits: int, w_bits: int, library: str = "3", extra: Sequence[Atom] = ()) -> Dictionary:
    """Candidates over a + b operand bits.

    Args:
        library: ``"2"`` every function of at most two inputs (8×8: 616 atoms), ``"3"`` of three (61 656),
            ``"4-trees"`` also f(g(a, b), h(c, d)) (682 276), ``"4"`` every function of four (4×4: 2 267 042).
        extra: further atoms of up to six inputs, for example `recoded_atoms`.

    Raises:
        UsageError: an unknown library, or ``"4"`` for more than nine operand bits (it would not fit).
    """
    if library not in LIBRARIES:
        raise UsageError.of("gate library", repr(library), f"one of {', '.join(LIBRARIES)}", "Choose one.")
    n = x_bits + w_bits
    if library == "4" and n > 9:
        raise UsageError.of("gate library 4", f"{n} operand bits", "at most 9", "Use 4-trees.")
    blocks = []
    for k in range(1, min(n, int(library[0])) + 1):
        subsets = np.array(list(combinations(range(n), k)), np.int64)
        tables = tree_functions() if k == 4 and library == "4-trees" else all_functions(k)
        blocks.append(_block(subsets, tables, x_bits, w_bits, False))
    for k in sorted({len(inputs) for _, inputs in extra}):
        atoms = [(table, inputs) for table, inputs in extra if len(inputs) == k]
        subsets = np.array([inputs for _, inputs in atoms], np.int64).reshape(-1, k)
        tables = np.array([table for table, _ in atoms], np.uint64)
        blocks.append(_block(subsets, tables, x_bits, w_bits, True))
    return Dictionary(x_bits, w_bits, tuple(blocks))


@cache
def all_functions(k: int) -> np.ndarray:
    """uint64: every function of k ≤ 4 inputs that needs them all and is 0 at 0; 1, 5, 109, 32 297 of them."""
    tables = np.arange(0, 1 << (1 << k), 2, dtype=np.uint64)
    bits = _table_bits(tables, k)
    address = np.arange(1 << k)
    needed = np.ones(len(tables), bool)
    for j in range(k):
        low = address[(address >> j) & 1 == 0]
        needed &= (bits[:, low] != bits[:, low | (1 << j)]).any(axis=1)
    return tables[needed]


@cache
def tree_functions() -> np.ndarray:
    """uint64 [341]: f(g(a, b), h(c, d)) of two-input gates over four inputs, all pairings, 0 at 0."""
    two = [int(t) for t in all_functions(2)]
    gates = two + [t ^ 15 for t in two]
    found = set()
    for pairing in ((0, 1, 2, 3), (0, 2, 1, 3), (0, 3, 1, 2)):
        u = [[(a >> i) & 1 for i in pairing] for a in range(16)]
        for f in gates:
            for g in gates:
                for h in gates:
                    bits = [(f >> (((g >> (i + 2 * j)) & 1) + 2 * ((h >> (k + 2 * m)) & 1))) & 1 for i, j, k, m in u]
                    table = sum(bit << a for a, bit in enumerate(bits))
                    found.add(table ^ 0xFFFF if table & 1 else table)
    return np.array(sorted(found), np.uint64)


def recoded_atoms(
    x_bits: int, w_bits: int, x_signed: bool = True, w_signed: bool = True, every: bool = False
) -> list[Atom]:
    """Bits of signed-digit recodings of w: functions of neighbouring bits of x and three of w.

    For each triple of w (digit d = w_(j−1) + w_j − 2·w_(j+1), even j, or `every` j) and each i: Booth's bit
    (|d|=1 ∧ x_i ∨ |d|=2 ∧ x_(i−1)) ⊕ (d<0), its positive and negative parts, its two halves, and the digit's own bits.
    """
    top_x, top_w = (x_bits - 1 if x_signed else CONST0), (x_bits + w_bits - 1 if w_signed else CONST0)
    found: dict[Atom, None] = {}
    for j in range(0, w_bits, 1 if every else 2):
        triple = [x_bits + k if 0 <= k < w_bits else CONST0 if k < 0 else top_w for k in (j - 1, j, j + 1)]
        for i in range(x_bits + 1):
            pair = [i if i < x_bits else top_x, i - 1 if i else CONST0]
            for table in _recoded_tables():
                key, inputs = reduced(table, (*pair, *triple))
                if len(inputs) > 2:
                    size = (1 << (1 << len(inputs))) - 1
                    found[(key ^ size if key & 1 else key), inputs] = None
    return list(found)


def _recoded_tables() -> list[int]:
    """Truth tables over (x_i, x_(i−1), w_(j−1), w_j, w_(j+1))."""
    digit = [(t & 1) + (t >> 1 & 1) - 2 * (t >> 2) for t in range(8)]
    tables = [0] * 11
    for a in range(32):
        d, x, y = digit[a >> 2], a & 1, a >> 1 & 1
        part = x if abs(d) == 1 else y if abs(d) == 2 else 0
        rows = (
            part ^ (d < 0), part & (d > 0), part & (d < 0), x & (abs(d) == 1), y & (abs(d) == 2),
            (part ^ 1) & (d < 0), (part ^ (d < 0)) & (d != 0), (x ^ (d < 0)) & (d != 0), d < 0,
            abs(d) == 1, abs(d) == 2,
        )  # fmt: skip
        for k, bit in enumerate(rows):
            tables[k] |= int(bit) << a
    return tables


def _block(inputs: np.ndarray, tables: np.ndarray, x_bits: int, w_bits: int, paired: bool) -> Block:
    k = inputs.shape[1]
    places = np.array([_place(i, x_bits, w_bits) for i in range(x_bits + w_bits)], np.int64)
    subset = np.arange(1 << k)
    member = (subset[:, None] >> np.arange(k)) & 1
    masks = (member[None, :, :] << places[inputs][:, None, :]).sum(axis=2)
    sign = 1 - 2 * (np.bitwise_count(subset[:, None] & subset[None, :]) & 1).astype(np.float64)
    walsh = _table_bits(tables, k) @ sign / (1 << k)
    return Block(inputs, tables, walsh, masks, paired)


def _place(i: int, x_bits: int, w_bits: int) -> int:
    """Bit of the pair index x·2^b + w that input i is."""
    return w_bits + i if i < x_bits else i - x_bits


def _table_bits(tables: np.ndarray, k: int) -> np.ndarray:
    """float64 [F, 2^k]."""
    return ((tables[:, None] >> np.arange(1 << k, dtype=np.uint64)) & np.uint64(1)).astype(np.float64)


def _bits_of(table: int, k: int) -> np.ndarray:
    return np.array([(table >> a) & 1 for a in range(1 << k)], np.uint8)
