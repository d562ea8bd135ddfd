"""Truth tables inside vector registers: code for AVX-512-VBMI, emitted as LLVM and compiled by numba.

`vpermi2b` looks 64 addresses of 7 bits up in 128 bytes held by two registers. A table of 2^A entries is packed
to p = 2^σ entries a byte, so that it takes T = 2^(A−σ−7) such steps:

    R(a) = packed byte number (a >> σ):      T permutes by bits σ..σ+6, then T−1 blends by the bits above
    out(a) = (R(a) >> (a mod p)·(8/p)) mod 2^β_out:      one `vpmultishiftqb`

A 12→2 table is 1 KiB, 16 of the 32 vector registers, and stays there while a whole chunk of samples passes.
The addresses never exist as numbers; only the pieces of it that an instruction takes are put together.

Samples lie neuron-major, 64 to a group and `GROUPS` groups to a chunk: row i of a chunk holds signal i of its
samples, `ROW` bytes long. Input rows are packed further, q samples a byte (`gather_code`), because the input is
the widest group of signals and would not stay in the first-level cache.

The instructions are reached through LLVM's intrinsics in numba's own compiler, so nothing but numba is needed;
`unsupported` says why a machine can not run them. Emitters and compiled functions share this file on purpose:
numba's disk cache goes by the file that defines a function, and would keep stale code of a helper elsewhere.

Symbols: F fan-in, β bits of an input code, A = β·F, σ = log2 p, T as above, q samples that share a byte of an
input row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import cfunc, types
from numba.core import cgutils, config
from numba.extending import intrinsic

_intrinsic: Any = intrinsic  # numba's annotations keep the typing context among the arguments
_config: Any = config

LANES = 64  # samples of a group: bytes of a 512-bit register
GROUPS = 8  # groups of a chunk; a table is fetched once a chunk, and 8·100 rows of a hidden layer stay in 48 KiB
ROW = LANES * GROUPS
MAX_SELECT_BITS = 6  # T = 64 permutes take 0.3 ns a lookup; twice that is slower than a plain lookup
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
    """

    fan_in: int
    bits_in: int
    bits_out: int
    q: int = 1

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
        """Bytes of one packed table; small ones are padded to two registers."""
        return max(2 * LANES, 1 << (self.address_bits - self.sigma))

    @property
    def key(self) -> int:
        """The shape as one number (a numba closure over an int is cached on disk; one over an object is not)."""
        return ((self.fan_in * 32 + self.bits_in) * 32 + self.bits_out) * 32 + self.q

    @staticmethod
    def from_key(key: int) -> LutShape:
        """Inverse of `key`."""
        return LutShape(key >> 15, key >> 10 & 31, key >> 5 & 31, key & 31)


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


def emit_lookup(e: Emitter, codes: list[Any], table: Callable[[int], Any], shape: LutShape) -> Any:
    """Output codes of 64 samples; ``table(i)`` is register i of the packed table."""
    b = e.b
    index = emit_piece(e, codes, shape, shape.sigma, 8)
    masks = []
    for u in range(shape.select_bits):
        j, bit = divmod(shape.sigma + 7 + u, shape.bits_in)
        test = b.and_(codes[shape.fan_in - 1 - j], e.splat(1 << bit))
        masks.append(b.icmp_unsigned("!=", test, e.splat(0)))

    def tree(level: int, first: int) -> Any:
        if level == 0:
            return e.call("llvm.x86.avx512.vpermi2var.qi.512", VEC, [table(2 * first), index, table(2 * first + 1)])
        low = tree(level - 1, first)
        high = tree(level - 1, first + (1 << (level - 1)))
        return b.select(masks[level - 1], high, low)

    value = tree(shape.select_bits, 0)
    if not shape.sigma:
        return value
    width = 3 - shape.sigma
    start = emit_piece(e, codes, shape, 0, shape.sigma, width)
    lanes = ir.Constant(VEC, [8 * (i % 8) for i in range(LANES)])
    moved = e.call("llvm.x86.avx512.pmultishift.qb.512", VEC, [b.or_(start, lanes), value])
    return b.and_(moved, e.splat((1 << shape.bits_out) - 1))


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


@cache
def _has_vbmi(cpu_name: str | None, cpu_features: str | None) -> bool:
    """Whether numba compiles for a processor with byte permutes; both arguments are numba's own settings."""
    if cpu_name or cpu_features:
        return {"+avx512vbmi", "+avx512bw"} <= set((cpu_features or "").split(","))
    features = binding.get_host_cpu_features()
    return bool(features.get("avx512vbmi")) and bool(features.get("avx512bw"))


def unsupported() -> str | None:
    """Why this machine can not run the kernels, or None when it can."""
    if _config.DISABLE_JIT:
        return "numba's compiler is switched off"
    has = _has_vbmi(_config.CPU_NAME, _config.CPU_FEATURES)
    return None if has else "the processor has no AVX-512-VBMI, or numba is told to do without it"


@_intrinsic(prefer_literal=True)
def _lut_row(typingctx, key, table, signal, wires, out):
    """One L-LUT over a chunk; addresses of its table, the input rows, its connections and its output row."""
    shape = LutShape.from_key(key.literal_value)

    def codegen(context, builder, signature, args):
        _, table, signal, wires, out = args
        e = Emitter(builder)
        rows = []
        for j in range(shape.fan_in):
            wire = builder.sext(e.load(e.offset(wires, 4 * j), I32, 4), I64)
            rows.append(builder.add(signal, builder.mul(wire, ir.Constant(I64, ROW // shape.q))))
        count = shape.table_bytes // LANES
        held = [e.load(e.offset(table, LANES * i), VEC, LANES) for i in range(count)] if count <= HELD else []

        def register(i: int) -> Any:
            return held[i] if held else e.load(e.offset(table, LANES * i), VEC, LANES)

        with cgutils.for_range(builder, ir.Constant(I64, GROUPS)) as loop:
            place = builder.mul(loop.index, ir.Constant(I64, LANES // shape.q))
            codes = [emit_unpack(e, builder.add(row, place), shape) for row in rows]
            value = emit_lookup(e, codes, register, shape)
            e.store(value, builder.add(out, builder.mul(loop.index, ir.Constant(I64, LANES))), LANES)
        return context.get_dummy_value()

    return types.void(key, *([types.int64] * 4)), codegen


@_intrinsic(prefer_literal=True)
def _squeeze_rows(typingctx, q, x, stride, blocks, out):
    """Rows x, x + (64/q)·stride, … → one row at `out`, q samples a byte; returns the union of the codes."""
    samples = q.literal_value

    def codegen(context, builder, signature, args):
        _, x, stride, blocks, out = args
        e = Emitter(builder)
        step = builder.mul(stride, ir.Constant(I64, LANES // samples))
        rows = [x]
        for _ in range(samples - 1):
            rows.append(builder.add(rows[-1], step))
        union = cgutils.alloca_once_value(builder, e.splat(0))
        with cgutils.for_range(builder, blocks) as loop:
            place = builder.mul(loop.index, ir.Constant(I64, LANES))
            codes = [e.load(builder.add(row, place)) for row in rows]
            moved = [e.words(builder.shl, code, t * 8 // samples) if t else code for t, code in enumerate(codes)]
            e.store(e.union(moved), builder.add(out, place), LANES)
            builder.store(e.union([builder.load(union), *codes]), union)
        return e.call("llvm.vector.reduce.or.v64i8", I8, [builder.load(union)])

    return types.uint8(q, *([types.int64] * 4)), codegen


@_intrinsic(prefer_literal=True)
def _turn_block(typingctx, q, rows, pitch, out):
    """16 packed rows of 64 columns at `rows`, `pitch` apart → 16 bytes of each of 64 input rows at `out`."""
    column_pitch = ROW // q.literal_value

    def codegen(context, builder, signature, args):
        _, rows, pitch, out = args
        e = Emitter(builder)
        block = []
        for _ in range(16):
            block.append(e.load(rows, VEC, LANES))
            rows = builder.add(rows, pitch)
        for k, register in enumerate(emit_turn(e, block)):
            for part in range(4):
                order = ir.Constant(ir.VectorType(I32, 16), list(range(16 * part, 16 * part + 16)))
                column = builder.shuffle_vector(register, ir.Constant(VEC, ir.Undefined), order)
                e.store(column, e.offset(out, (16 * part + k) * column_pitch), 16)
        return context.get_dummy_value()

    return types.void(q, *([types.int64] * 3)), codegen


@_intrinsic
def call_layer(typingctx, code, table, signal, wires, out, n_out):
    """Call the compiled layer at address `code`."""

    def codegen(context, builder, signature, args):
        kind = ir.FunctionType(ir.VoidType(), [I64] * 5)
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])
        return context.get_dummy_value()

    return types.void(*([types.int64] * 6)), codegen


@_intrinsic
def call_gather(typingctx, code, x, stride, groups, blocks, scratch, out):
    """Call the compiled input stage at address `code`; returns the union of the codes."""

    def codegen(context, builder, signature, args):
        kind = ir.FunctionType(I64, [I64] * 6)
        return builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])

    return types.int64(*([types.int64] * 7)), codegen


@cache
def layer_code(shape: LutShape) -> Any:
    """Compiled ``layer(table, signal, wires, out, n_out)`` for a shape; `.address` is its entry."""
    key, fan_in, size = shape.key, shape.fan_in, shape.table_bytes

    @cfunc(types.void(*([types.int64] * 5)), cache=True)
    def layer(table, signal, wires, out, n_out):
        for k in range(n_out):
            _lut_row(key, table + k * size, signal, wires + 4 * fan_in * k, out + k * ROW)

    return layer


@cache
def gather_code(q: int) -> Any:
    """Compiled ``gather(x, stride, groups, blocks, scratch, out)``: codes [64·groups, 64·blocks] → packed rows.

    First along the rows (few streams, which the processor fetches ahead), then across them, one block of columns
    for all groups, so that a cache line of the result is written while it is near.
    """
    packed = LANES // q

    @cfunc(types.int64(*([types.int64] * 6)), cache=True)
    def gather(x, stride, groups, blocks, scratch, out):
        union, pitch = 0, LANES * blocks
        for g in range(groups):
            for i in range(packed):
                row = x + (LANES * g + i) * stride
                union |= _squeeze_rows(q, row, stride, blocks, scratch + (packed * g + i) * pitch)
        for i in range(blocks):
            for h in range(0, groups * packed, 16):
                _turn_block(q, scratch + h * pitch + LANES * i, pitch, out + LANES * i * (ROW // q) + h)
        return union

    return gather
