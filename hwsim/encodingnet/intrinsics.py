"""The inner loop of the low-rank kernel: 4 × 4 dot products of int16 with int32 sums, as vector instructions.

Sixteen accumulators stay in registers; every step multiplies pairs of neighbours and adds them
(s_i += a_2i·b_2i + a_(2i+1)·b_(2i+1)), one instruction for 32 products where the processor has it. Elsewhere the same
sums are written as plain vector operations.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core import config as numba_config
from numba.extending import intrinsic

config: Any = numba_config  # its names are set at import

I16, I32, I64 = ir.IntType(16), ir.IntType(32), ir.IntType(64)
TILE = 4
STEP = 32  # products a step; rows are padded to multiples of it
_PAIRS = {32: "llvm.x86.avx512.pmaddw.d.512", 16: "llvm.x86.avx2.pmadd.wd"}


def lanes_here() -> int:
    """Products an instruction on the processor that numba compiles for: 32, 16, or 0 without pair instructions."""
    if config.CPU_NAME == "generic":
        return 0
    if config.CPU_FEATURES is not None:
        features = {name[1:] for name in str(config.CPU_FEATURES).split(",") if name.startswith("+")}
    else:
        features = {name for name, there in llvm.get_host_cpu_features().items() if there}
    return 32 if "avx512bw" in features else 16 if "avx2" in features else 0


def _pairs(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, lanes: int) -> ir.Value:
    """s_i = a_2i·b_2i + a_(2i+1)·b_(2i+1) of two int16 vectors."""
    wide, narrow = ir.VectorType(I32, a.type.count // 2), a.type
    if lanes:
        kind = ir.FunctionType(wide, [narrow, narrow])
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, _PAIRS[lanes]), [a, b])
    products = []
    for odd in (0, 1):
        mask = ir.Constant(wide, [2 * i + odd for i in range(wide.count)])
        x, y = (builder.shuffle_vector(v, ir.Constant(narrow, ir.Undefined), mask) for v in (a, b))
        products.append(builder.mul(builder.sext(x, wide), builder.sext(y, wide)))
    return builder.add(*products)


def _vector(builder: ir.IRBuilder, base: ir.Value, index: ir.Value, count: int) -> ir.Value:
    """int16[count] at `base` + 2·index bytes."""
    address = builder.add(base, builder.shl(index, I64(1)))
    return builder.load(builder.inttoptr(address, ir.VectorType(I16, count).as_pointer()), align=2)


def _emit(builder: ir.IRBuilder, args: Any, lanes: int) -> None:
    """The loop over k and the sixteen sums."""
    a, a_stride, b, b_stride, length, out = args
    count = lanes or STEP
    sums = ir.VectorType(I32, count // 2)
    entry, loop, done = builder.block, builder.append_basic_block("loop"), builder.append_basic_block("done")
    builder.branch(loop)
    builder.position_at_end(loop)
    k = builder.phi(I64)
    acc = [builder.phi(sums) for _ in range(TILE * TILE)]
    x, y = (
        [_vector(builder, base, builder.add(k, builder.mul(stride, I64(i))), count) for i in range(TILE)]
        for base, stride in ((a, a_stride), (b, b_stride))
    )
    new = [builder.add(acc[TILE * i + j], _pairs(builder, x[i], y[j], lanes)) for i in range(TILE) for j in range(TILE)]
    following = builder.add(k, I64(count))
    k.add_incoming(I64(0), entry)
    k.add_incoming(following, loop)
    for phi, value in zip(acc, new, strict=True):
        phi.add_incoming(ir.Constant(sums, [0] * sums.count), entry)
        phi.add_incoming(value, loop)
    builder.cbranch(builder.icmp_signed("<", following, length), loop, done)
    builder.position_at_end(done)
    kind = ir.FunctionType(I32, [sums])
    total = cgutils.get_or_insert_function(builder.module, kind, f"llvm.vector.reduce.add.v{sums.count}i32")
    for i, value in enumerate(new):
        builder.store(builder.call(total, [value]), builder.inttoptr(builder.add(out, I64(4 * i)), I32.as_pointer()))


def make_dot_tile(lanes: int) -> Any:
    """The intrinsic for 32, 16 or 0 products an instruction.

    dot_tile(a, a_stride, b, b_stride, length, out): out int32 [16] ← Σ_k a[i, k]·b[j, k] for i, j < 4. Addresses are
    integers, strides are in elements, `length` is a positive multiple of 32; sums wrap at 32 bits.
    """

    def dot_tile(typing, a, a_stride, b, b_stride, length, out):
        def codegen(context, builder, signature, args):
            _emit(builder, args, lanes)
            return context.get_dummy_value()

        return types.void(types.uintp, types.intp, types.uintp, types.intp, types.intp, types.uintp), codegen

    return intrinsic(dot_tile)


dot_tile = make_dot_tile(lanes_here())
