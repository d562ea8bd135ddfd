"""Lookup code for LLVM: truth tables inside vector registers, and the pieces around it.

*Permute* (AVX-512-VBMI). `vpermi2b` looks 64 addresses of 7 bits up in 128 bytes held by two registers. A table
of 2^A entries is packed to p = 2^σ entries a byte, so that it takes T = 2^(A−σ−7) such steps:

    R(a) = packed byte number (a >> σ):      T permutes by bits σ..σ+6, then T−1 blends by the bits above
    out(a) = (R(a) >> (a mod p)·(8/p)) mod 2^β_out:      one `vpmultishiftqb`

A 12→2 table is 1 KiB, 16 of the 32 vector registers, and stays there while a whole chunk of samples passes.
The addresses never exist as numbers; only the pieces of them that an instruction takes are put together.

*Index* (any processor; LLVM splits the vectors). Addresses of 64 samples are built as vectors of 16-bit numbers
and looked up one by one in a table of bytes.

Samples lie neuron-major, 64 to a group and `GROUPS` groups to a chunk: row i of a chunk holds signal i of its
samples, `ROW` bytes long. Input rows are packed further, q samples a byte, because the input is the widest group
of signals and would not stay in the first-level cache.

Symbols: F fan-in, β bits of an input code, A = β·F, σ = log2 p, T as above, q samples that share a byte of an
input row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from llvmlite import ir
from numba.core import cgutils

LANES = 64  # samples of a group: bytes of a 512-bit register
GROUPS = 8  # groups of a chunk; a table is fetched once a chunk, and 100 rows of a hidden layer stay in 48 KiB
ROW = LANES * GROUPS
MAX_SELECT_BITS = 6  # T = 64 permutes take 0.3 ns a lookup; an index takes less than twice of that
HELD = 16  # table registers that stay loaded for a whole row; 16 of 32 are left for the rest
I8, I16, I32, I64 = (ir.IntType(n) for n in (8, 16, 32, 64))
VEC = ir.VectorType(I8, LANES)
WORDS = ir.VectorType(I16, LANES // 2)
DWORDS = ir.VectorType(I32, LANES // 4)


@dataclass(frozen=True)
class LutShape:
    """What the code of a LUT layer depends on.

    Attributes:
        fan_in, bits_in, bits_out: of every L-LUT of the layer.
        q: samples that share a byte of an input row: 1, 2 or 4.
        method: see the module.
    """

    fan_in: int
    bits_in: int
    bits_out: int
    q: int = 1
    method: Literal["permute", "index"] = "permute"

    @property
    def address_bits(self) -> int:
        return self.fan_in * self.bits_in

    @property
    def sigma(self) -> int:
        """log2 of the entries a byte: as many as fit, but no more than leave 128 bytes."""
        fit = next(s for s in (3, 2, 1, 0) if self.bits_out <= 8 >> s)
        return min(fit, max(0, self.address_bits - 7))

    @property
    def select_bits(self) -> int:
        """Address bits above those of one permute."""
        return max(0, self.address_bits - self.sigma - 7)

    @property
    def table_bytes(self) -> int:
        """Bytes of one table: packed, and small ones padded to two registers, for permutes; plain for an index."""
        if self.method == "index":
            return 1 << self.address_bits
        return max(2 * LANES, 1 << (self.address_bits - self.sigma))

    @property
    def key(self) -> int:
        """The shape as one number (a numba closure over an int is cached on disk; one over an object is not)."""
        number = 0
        for part in (self.fan_in, self.bits_in, self.bits_out, self.q, int(self.method == "index")):
            number = number * 32 + part
        return number

    @staticmethod
    def from_key(key: int) -> LutShape:
        """Inverse of `key`."""
        fan_in, bits_in, bits_out, q, index = (key >> 5 * i & 31 for i in (4, 3, 2, 1, 0))
        return LutShape(fan_in, bits_in, bits_out, q, "index" if index else "permute")


def pack_table(table: np.ndarray, shape: LutShape) -> np.ndarray:
    """Tables uint8 [n_out, 2^A] → uint8 [n_out, table_bytes], entry a in byte a >> σ at bit (a mod p)·(8/p)."""
    entries = table.reshape(len(table), -1, 1 << shape.sigma)
    shifts = np.arange(1 << shape.sigma, dtype=np.uint8) * np.uint8(8 >> shape.sigma)
    packed = np.zeros((len(table), shape.table_bytes), np.uint8)
    packed[:, : entries.shape[1]] = np.bitwise_or.reduce(entries << shifts, axis=2)
    return packed


class Emitter:
    """Vector instructions on top of an LLVM builder."""

    def __init__(self, builder: ir.IRBuilder) -> None:
        self.b = builder

    def splat(self, value: int, kind: ir.VectorType = VEC) -> ir.Constant:
        return ir.Constant(kind, [value] * kind.count)

    def pointer(self, address: Any, kind: Any) -> Any:
        return self.b.inttoptr(address, kind.as_pointer())

    def load(self, address: Any, kind: Any = VEC, align: int = 1) -> Any:
        return self.b.load(self.pointer(address, kind), align=align)

    def store(self, value: Any, address: Any, align: int = 1) -> None:
        self.b.store(value, self.pointer(address, value.type), align=align)

    def offset(self, address: Any, amount: int) -> Any:
        return self.b.add(address, ir.Constant(I64, amount)) if amount else address

    def call(self, name: str, result: Any, args: list[Any]) -> Any:
        kind = ir.FunctionType(result, [a.type for a in args])
        module = self.b.module
        function = module.globals.get(name) or ir.Function(module, kind, name)
        return self.b.call(function, args)

    def words(self, operation: Any, value: Any, amount: int) -> Any:
        """Shift 16-bit lanes: one instruction, right when no set bit crosses a byte's edge."""
        moved = operation(self.b.bitcast(value, WORDS), self.splat(amount, WORDS))
        return self.b.bitcast(moved, VEC)

    def shift(self, code: Any, bits: int, amount: int) -> Any:
        """code · 2^amount mod 2^8 for a code below 2^bits; negative amounts shift right."""
        if amount >= 0:
            if amount + bits > 8:
                code = self.b.and_(code, self.splat((1 << (8 - amount)) - 1))
            return self.words(self.b.shl, code, amount) if amount else code
        return self.b.and_(self.words(self.b.lshr, code, -amount), self.splat((1 << (bits + amount)) - 1))

    def union(self, parts: list[Any]) -> Any:
        value = parts[0]
        for part in parts[1:]:
            value = self.b.or_(value, part)
        return value


def emit_unpack(e: Emitter, address: Any, shape: LutShape) -> Any:
    """64 codes of a row: with q > 1, sample l·(64/q) + b lies in byte b at bit l·(8/q)."""
    if shape.q == 1:
        return e.load(address, VEC, LANES)
    part = LANES // shape.q
    narrow = e.load(address, ir.VectorType(I8, part), part)
    order = ir.Constant(ir.VectorType(I32, LANES), [i % part for i in range(LANES)])
    wide = e.b.shuffle_vector(narrow, ir.Constant(narrow.type, ir.Undefined), order)
    amounts = ir.Constant(DWORDS, [(4 * i // part) * (8 // shape.q) for i in range(LANES // 4)])
    moved = e.b.bitcast(e.b.lshr(e.b.bitcast(wide, DWORDS), amounts), VEC)
    return e.b.and_(moved, e.splat((1 << shape.bits_in) - 1))


def emit_piece(e: Emitter, codes: list[Any], shape: LutShape, low: int, count: int, up: int = 0) -> Any:
    """Address bits low..low+count−1, shifted to bit `up` of a byte; None when there are none."""
    parts = []
    for j, code in enumerate(codes):
        position = shape.bits_in * (shape.fan_in - 1 - j) - low
        if position + shape.bits_in <= 0 or position >= count:
            continue
        if position + shape.bits_in > count and count + up < 8:
            code = e.b.and_(code, e.splat((1 << (count - position)) - 1))
        parts.append(e.shift(code, shape.bits_in, position + up))
    return e.union(parts) if parts else None


def emit_permute(e: Emitter, groups: list[list[Any]], table: Callable[[int], Any], shape: LutShape) -> list[Any]:
    """Output codes of some groups side by side, from the codes [group][j]; ``table(i)`` is table register i."""
    b = e.b
    index = [emit_piece(e, codes, shape, shape.sigma, 8) for codes in groups]
    masks: list[list[Any]] = []
    for u in range(shape.select_bits):
        j, bit = divmod(shape.sigma + 7 + u, shape.bits_in)
        tests = [b.and_(codes[shape.fan_in - 1 - j], e.splat(1 << bit)) for codes in groups]
        masks.append([b.icmp_unsigned("!=", test, e.splat(0)) for test in tests])

    def tree(level: int, first: int) -> list[Any]:
        if level == 0:
            pair = table(2 * first), table(2 * first + 1)
            return [e.call("llvm.x86.avx512.vpermi2var.qi.512", VEC, [pair[0], i, pair[1]]) for i in index]
        low = tree(level - 1, first)
        high = tree(level - 1, first + (1 << (level - 1)))
        return [b.select(m, h, v) for m, h, v in zip(masks[level - 1], high, low, strict=True)]

    values = tree(shape.select_bits, 0)
    if not shape.sigma:
        return values
    lanes = ir.Constant(VEC, [8 * (i % 8) for i in range(LANES)])
    out = []
    for codes, value in zip(groups, values, strict=True):
        control = b.or_(emit_piece(e, codes, shape, 0, shape.sigma, 3 - shape.sigma), lanes)
        moved = e.call("llvm.x86.avx512.pmultishift.qb.512", VEC, [control, value])
        out.append(b.and_(moved, e.splat((1 << shape.bits_out) - 1)))
    return out


def emit_index(e: Emitter, codes: list[Any], table: Any, place: Any, out: Any, shape: LutShape) -> None:
    """64 lookups one by one in the bytes at `table`; addresses pass through memory at `place`."""
    b = e.b
    kind = ir.VectorType(I16, LANES)
    address = b.zext(emit_piece(e, codes, shape, 0, 8), kind)
    if shape.address_bits > 8:
        high = b.zext(emit_piece(e, codes, shape, 8, 8), kind)
        address = b.or_(address, b.shl(high, e.splat(8, kind)))
    # A code that is too wide must not read beyond the table; the union of the input codes reports it later.
    e.store(b.and_(address, e.splat((1 << shape.address_bits) - 1, kind)), place, LANES)
    with cgutils.for_range(b, ir.Constant(I64, LANES // 8)) as loop:  # eight at a time: short code, quick to compile
        eight = b.mul(loop.index, ir.Constant(I64, 8))
        source, target = b.add(place, b.mul(eight, ir.Constant(I64, 2))), b.add(out, eight)
        for i in range(8):
            entry = b.zext(e.load(e.offset(source, 2 * i), I16, 2), I64)
            e.store(e.load(b.add(table, entry), I8), e.offset(target, i))


def emit_turn(e: Emitter, block: list[Any]) -> list[Any]:
    """16 registers, one a row of 64 columns → register k, part l (128 bits): the 16 bytes of column 16l + k.

    A 16 × 16 byte transpose in each part is four perfect shuffles of the registers: one shuffle rotates the
    8-bit place (register, byte) by one bit, four exchange register and byte.
    """
    low = [16 * part + i // 2 + LANES * (i % 2) for part in range(4) for i in range(16)]
    orders = [ir.Constant(ir.VectorType(I32, LANES), [i + up for i in low]) for up in (0, 8)]
    for _ in range(4):
        pairs = list(zip(block[:8], block[8:], strict=True))
        block = [e.b.shuffle_vector(u, v, order) for u, v in pairs for order in orders]
    return block
