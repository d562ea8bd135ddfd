"""The code of `hwsim.neuralut.emit`, compiled by numba and kept in its disk cache.

The instructions are reached through LLVM's intrinsics in numba's own compiler, so nothing but numba is needed;
`unsupported` says why a machine can not run the permutes. Compiled functions are reached by their address, so
that one driver (`hwsim.neuralut.vector`) serves every network.

Symbols as in `hwsim.neuralut.emit`.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from llvmlite import binding, ir
from numba import cfunc, types
from numba.core import cgutils, config
from numba.extending import intrinsic

from hwsim.core.revision import revision
from hwsim.neuralut import emit
from hwsim.neuralut.emit import (
    HELD,
    I8,
    I16,
    I32,
    I64,
    LANES,
    ROW,
    VEC,
    Emitter,
    LutShape,
    emit_index,
    emit_permute,
    emit_turn,
    emit_unpack,
)

_intrinsic: Any = intrinsic  # numba's annotations keep the typing context among the arguments
_config: Any = config

TURN = 4  # groups whose input is turned together: 4·16 bytes of a packed row are a cache line
SHARE = 2  # groups that share the loads of a table that is not held

_REVISION = revision(emit)  # every compiled function closes over it


@cache
def _has_vbmi(cpu_name: str | None, cpu_features: str | None) -> bool:
    """Whether numba compiles for a processor with byte permutes; both arguments are numba's own settings."""
    if cpu_name or cpu_features:
        return {"+avx512vbmi", "+avx512bw"} <= set((cpu_features or "").split(","))
    features = binding.get_host_cpu_features()
    return bool(features.get("avx512vbmi")) and bool(features.get("avx512bw"))


def jit_off() -> bool:
    """Whether numba runs its functions as plain Python (``NUMBA_DISABLE_JIT=1``), where this code can not run."""
    return bool(_config.DISABLE_JIT)


def unsupported() -> str | None:
    """Why this machine can not run the kernels, or None when it can."""
    if jit_off():
        return "numba's compiler is switched off"
    has = _has_vbmi(_config.CPU_NAME, _config.CPU_FEATURES)
    return None if has else "the processor has no AVX-512-VBMI, or numba is told to do without it"


def _permute_row(e: Emitter, shape: LutShape, rows: list[Any], table: Any, out: Any, count: Any) -> None:
    """`count` groups by permutes; a table too large to be held is loaded again for every two groups."""
    registers = shape.table_bytes // LANES
    hold = registers <= HELD
    held = [e.load(e.offset(table, LANES * i), VEC, LANES) for i in range(registers)] if hold else []
    together = 1 if hold else SHARE
    turns = e.b.udiv(e.b.add(count, ir.Constant(I64, together - 1)), ir.Constant(I64, together))
    with cgutils.for_range(e.b, turns) as loop:
        places = [
            e.b.add(e.b.mul(loop.index, ir.Constant(I64, together)), ir.Constant(I64, g)) for g in range(together)
        ]
        groups = []
        for place in places:
            byte = e.b.mul(place, ir.Constant(I64, LANES // shape.q))
            groups.append([emit_unpack(e, e.b.add(row, byte), shape) for row in rows])

        def register(i: int) -> Any:
            return held[i] if hold else e.load(e.offset(table, LANES * i), VEC, LANES)

        for place, value in zip(places, emit_permute(e, groups, register, shape), strict=True):
            e.store(value, e.b.add(out, e.b.mul(place, ir.Constant(I64, LANES))), LANES)


def _index_row(e: Emitter, shape: LutShape, rows: list[Any], table: Any, out: Any, count: Any) -> None:
    """`count` groups by plain lookups."""
    buffer = cgutils.alloca_once(e.b, ir.VectorType(I16, LANES))
    buffer.align = LANES
    place = e.b.ptrtoint(buffer, I64)
    with cgutils.for_range(e.b, count) as loop:
        byte = e.b.mul(loop.index, ir.Constant(I64, LANES // shape.q))
        codes = [emit_unpack(e, e.b.add(row, byte), shape) for row in rows]
        target = e.b.add(out, e.b.mul(loop.index, ir.Constant(I64, LANES)))
        emit_index(e, codes, table, place, target, shape)


@_intrinsic(prefer_literal=True)
def _lut_row(typingctx, key, table, signal, wires, out, groups):
    """One L-LUT over some groups; addresses of its table, the input rows, its connections and its output row."""
    shape = LutShape.from_key(key.literal_value >> 32)

    def codegen(context, builder, signature, args):
        _, table, signal, wires, out, count = args
        e = Emitter(builder)
        rows = []
        for j in range(shape.fan_in):
            wire = builder.sext(e.load(e.offset(wires, 4 * j), I32, 4), I64)
            rows.append(builder.add(signal, builder.mul(wire, ir.Constant(I64, ROW // shape.q))))
        if shape.method == "index":
            _index_row(e, shape, rows, table, out, count)
        else:
            _permute_row(e, shape, rows, table, out, count)
        return context.get_dummy_value()

    return types.void(key, *([types.int64] * 5)), codegen


@_intrinsic(prefer_literal=True)
def _squeeze_rows(typingctx, q, x, stride, blocks, out):
    """Rows x, x + (64/q)·stride, … → one row at `out`, q samples a byte; returns the union of the codes."""
    samples = q.literal_value >> 32

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
    column_pitch = ROW // (q.literal_value >> 32)

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
def _prefetch(typingctx, address):
    """Ask for the cache line at `address` in the second-level cache; any address is allowed."""

    def codegen(context, builder, signature, args):
        e = Emitter(builder)
        hints = [ir.Constant(I32, 0), ir.Constant(I32, 2), ir.Constant(I32, 1)]  # read, second level, data
        e.call("llvm.prefetch.p0", ir.VoidType(), [e.pointer(args[0], I8), *hints])
        return context.get_dummy_value()

    return types.void(types.int64), codegen


@cache
def layer_code(shape: LutShape) -> Any:
    """Compiled ``layer(table, signal, wires, out, n_out, groups, ahead, lines)`` for a shape; `.address` is its entry.

    Beside each L-LUT it asks for `lines` cache lines from address `ahead` on: input of the next chunk, which
    arrives from far memory while this one is computed.
    """
    key, fan_in, size = shape.key << 32 | _REVISION, shape.fan_in, shape.table_bytes

    @cfunc(types.void(*([types.int64] * 8)), cache=True)
    def layer(table, signal, wires, out, n_out, groups, ahead, lines):
        for k in range(n_out):
            for i in range(k * lines, (k + 1) * lines):
                _prefetch(ahead + 64 * i)
            _lut_row(key, table + k * size, signal, wires + 4 * fan_in * k, out + k * ROW, groups)

    return layer


@cache
def gather_code(q: int) -> Any:
    """Compiled ``gather(x, stride, groups, blocks, scratch, out)``: codes [64·groups, 64·blocks] → packed rows.

    First along the rows (few streams, which the processor fetches ahead), then across them, one block of columns
    for `TURN` groups at a time, so that a cache line of the result is whole when it leaves.
    """
    packed, key = LANES // q, q << 32 | _REVISION

    @cfunc(types.int64(*([types.int64] * 6)), cache=True)
    def gather(x, stride, groups, blocks, scratch, out):
        union, pitch = 0, LANES * blocks
        for first in range(0, groups, TURN):
            count = min(TURN, groups - first)
            for g in range(count):
                for i in range(packed):
                    row = x + (LANES * (first + g) + i) * stride
                    union |= _squeeze_rows(key, row, stride, blocks, scratch + (packed * g + i) * pitch)
            for i in range(blocks):
                for h in range(0, count * packed, 16):
                    target = out + i * packed * ROW + first * packed + h
                    _turn_block(key, scratch + h * pitch + LANES * i, pitch, target)
        return union

    return gather
