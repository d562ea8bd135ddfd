"""The inner loops of the annealing kernels as numba intrinsics."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from hwsim.annealing.angles import ANGLE, COS, SIN, STEPS
from hwsim.annealing.draws import SECOND
from hwsim.annealing.vectors import (
    BYTES,
    F32,
    I32,
    I64,
    LANES,
    PAD,
    Vec,
    data_of,
    draw,
    load,
    muladd,
    neglog,
    place,
    polynomial,
    splat,
)  # fmt: skip

_intrinsic: Any = intrinsic  # numba's annotations keep the typing context among the arguments
_ROW = ir.Constant(I64, LANES)


@_intrinsic
def fma(typing, a, b, c):
    """a·b + c of float32 with one rounding."""

    def codegen(context, builder, signature, args):
        return muladd(builder, *args)

    return types.float32(types.float32, types.float32, types.float32), codegen


def _limits(builder: ir.IRBuilder, index: ir.Value, a: ir.Value, b: ir.Value, half_t: ir.Value) -> Vec:
    """(T/2)·ln u of the spins `index` … `index` + 15 of one read."""
    counter = Vec(builder, splat(builder, builder.trunc(index, I32))) + Vec(
        builder, ir.Constant(ir.VectorType(I32, LANES), list(range(LANES)))
    )
    nl = neglog(draw(counter, Vec(builder, splat(builder, a)), Vec(builder, splat(builder, b))))
    return -(Vec(builder, splat(builder, half_t)) * nl)


@_intrinsic
def fill_limits(typing, limit, a, b, half_t, n):
    """limit[i] = (T/2)·ln u_i for i < n and on to the end of the vector; rounded down and bounded where integer."""
    element = limit.dtype
    low = 0 if element == types.float32 else -float(2 ** (element.bitwidth - 1))

    def codegen(context, builder, signature, args):
        data = data_of(context, builder, signature.args[0], args[0])
        with cgutils.for_range_slice(builder, ir.Constant(I64, 0), args[4], _ROW, I64) as (i, _):
            value = _limits(builder, i, *args[1:4])
            if element != types.float32:
                value = value.where(value.above(low), low)
                kind = ir.VectorType(F32, LANES)
                floor = cgutils.get_or_insert_function(
                    builder.module, ir.FunctionType(kind, [kind]), "llvm.floor.v16f32"
                )
                whole = builder.fptosi(builder.call(floor, [value.value]), ir.VectorType(I32, LANES))
                if element.bitwidth < 32:
                    whole = builder.trunc(whole, ir.VectorType(ir.IntType(element.bitwidth), LANES))
                value = Vec(builder, whole)
            builder.store(value.value, place(builder, data, i), align=1)
        return context.get_dummy_value()

    return types.none(limit, types.uint32, types.uint32, types.float32, types.int64), codegen


def _add_row(builder: ir.IRBuilder, f: ir.Value, rows: ir.Value, first: ir.Value, d: ir.Value, count: ir.Value) -> None:
    """f[j] += d·rows[first + j] for j < count, a multiple of `PAD`; several vectors a turn."""
    lanes = BYTES // (4 if isinstance(d.type, ir.FloatType) else d.type.width // 8)
    scale = splat(builder, d, lanes)
    with cgutils.for_range_slice(builder, ir.Constant(I64, 0), count, ir.Constant(I64, PAD), I64) as (j, _):
        for part in range(0, PAD, lanes):
            at = builder.add(j, ir.Constant(I64, part))
            row = load(builder, place(builder, rows, builder.add(first, at), lanes))
            if row.type != scale.type:
                row = builder.sext(row, scale.type)
            here = place(builder, f, at, lanes)
            builder.store(muladd(builder, row, scale, load(builder, here)), here, align=1)


@_intrinsic
def add_row(typing, f, rows, first, d, count):
    """f[j] += d·rows.flat[first + j] for j < count, a multiple of a vector; fused for float32."""

    def codegen(context, builder, signature, args):
        fields, table = (data_of(context, builder, signature.args[k], args[k]) for k in (0, 1))
        _add_row(builder, fields, table, args[2], args[3], args[4])
        return context.get_dummy_value()

    return types.none(f, rows, types.int64, f.dtype, types.int64), codegen


@_intrinsic
def flip_block(typing, s, f, limit, rows, block, count):
    """Metropolis decisions of one vector of spins in order, each flip added to all fields at once.

    Lane k accepts when s·f > limit. The spins and limits stay in registers: only the lanes above the flipped one
    are looked at again, so that their copy is never out of date.
    """
    lanes = BYTES * 8 // s.dtype.bitwidth
    real = s.dtype == types.float32

    def codegen(context, builder, signature, args):
        s_data, f_data, l_data, r_data = (data_of(context, builder, signature.args[k], args[k]) for k in range(4))
        block, count = args[4:]
        spin, bound = (load(builder, place(builder, data, block, lanes)) for data in (s_data, l_data))
        before = builder.block
        head, body, done = (builder.append_basic_block(name) for name in ("look", "flip", "next"))
        builder.branch(head)
        builder.position_at_end(head)
        alive = builder.phi(I64)
        alive.add_incoming(ir.Constant(I64, -1), before)
        field = load(builder, place(builder, f_data, block, lanes))
        if real:
            bits = builder.fcmp_ordered(">", builder.fmul(spin, field), bound)
        else:
            bits = builder.icmp_signed(">", builder.mul(spin, field), bound)
        mask = builder.and_(builder.zext(builder.bitcast(bits, ir.IntType(lanes)), I64), alive)
        builder.cbranch(builder.icmp_unsigned("!=", mask, ir.Constant(I64, 0)), body, done)
        builder.position_at_end(body)
        lane = builder.cttz(mask, ir.Constant(ir.IntType(1), 1))
        index = builder.add(block, lane)
        here = builder.gep(s_data, [index])
        old = builder.load(here)
        if real:
            d, new = builder.fmul(old, ir.Constant(F32, -2.0)), builder.fneg(old)
        else:
            d, new = builder.mul(old, ir.Constant(old.type, -2)), builder.neg(old)
        builder.store(new, here)
        _add_row(builder, f_data, r_data, builder.mul(index, count), d, count)
        alive.add_incoming(builder.shl(ir.Constant(I64, -2), lane), builder.block)
        builder.branch(head)
        builder.position_at_end(done)
        return context.get_dummy_value()

    return types.none(s, f, limit, rows, types.int64, types.int64), codegen


def _lane_vectors(context: Any, builder: ir.IRBuilder, signature: Any, args: Any, which: range) -> list[ir.Value]:
    return [data_of(context, builder, signature.args[k], args[k]) for k in which]


def _any(builder: ir.IRBuilder, mask: ir.Value) -> ir.Value:
    return builder.zext(builder.bitcast(mask, ir.IntType(LANES)), I64)


@_intrinsic
def metropolis_spin(typing, s, f, a, b, delta, i, k, half_t):
    """One spin of 16 reads: s, f float32 [n, 16]; a, b uint32 [16]; changes of s go to ``delta[k]``.

    Returns the reads that flipped, one bit each.
    """

    def codegen(context, builder, signature, args):
        s_data, f_data, a_data, b_data, d_data = _lane_vectors(context, builder, signature, args, range(5))
        i, k, half_t = args[5:]
        zero = ir.Constant(I64, 0)
        key_a, key_b = (Vec(builder, load(builder, place(builder, data, zero))) for data in (a_data, b_data))
        counter = Vec(builder, splat(builder, builder.trunc(i, I32)))
        limit = -(Vec(builder, splat(builder, half_t)) * neglog(draw(counter, key_a, key_b)))
        here = place(builder, s_data, builder.mul(i, _ROW))
        spin = Vec(builder, load(builder, here))
        field = Vec(builder, load(builder, place(builder, f_data, builder.mul(i, _ROW))))
        mask = (spin * field).above(limit)
        change = (spin * -2.0).where(mask, 0.0)
        builder.store((spin + change).value, here, align=1)
        builder.store(change.value, place(builder, d_data, builder.mul(k, _ROW)), align=1)
        return _any(builder, mask)

    signature = types.int64(s, f, a, b, delta, types.int64, types.int64, types.float32)
    return signature, codegen


def cos_sin(angle: Vec, steps: int) -> tuple[Vec, Vec]:
    """cos and sin of angle·π/steps, by polynomials in t = angle − steps/2: cos θ = −t·P(t²), sin θ = Q(t²)."""
    t = (angle - steps // 2).to_float() * ANGLE
    square = t * t
    return -(polynomial(square, SIN) * t), polynomial(square, COS)


@_intrinsic
def rotor_spin(typing, angle, z, x, f, a, b, delta, i, k, hp, hd, width, steps):
    """One rotor of 16 reads: angle int32, z, x, f float32 [n, 16]; changes of z go to ``delta[k]``.

    Returns the reads that moved, one bit each.
    """

    def codegen(context, builder, signature, args):
        data = _lane_vectors(context, builder, signature, args, range(7))
        i, k, hp, hd, width, steps = args[7:]
        row, zero = builder.mul(i, _ROW), ir.Constant(I64, 0)
        places = [place(builder, d, row) for d in data[:4]]
        old, z_old, x_old, field = (Vec(builder, load(builder, p)) for p in places)
        key_a, key_b = (Vec(builder, load(builder, place(builder, d, zero))) for d in data[4:6])
        counter = Vec(builder, splat(builder, builder.trunc(i, I32)))
        wide, full = Vec(builder, splat(builder, width)), Vec(builder, splat(builder, steps))
        step = ((draw(counter, key_a, key_b) >> 16) * (wide + wide + 1)) >> 16
        new = old + step - wide
        new = new.where(new.above(-1), -new)
        new = new.where((full + full - new).above(new), full + full - new)
        z_new, x_new = cos_sin(new, STEPS)
        dz, dx = z_new - z_old, x_new - x_old
        limit = neglog(draw(counter | SECOND, key_a, key_b)) + Vec(builder, splat(builder, hd)) * dx
        mask = limit.above((Vec(builder, splat(builder, hp)) * dz) * field)
        for value, before, p in zip((new, z_new, x_new), (old, z_old, x_old), places[:3], strict=True):
            builder.store(value.where(mask, before).value, p, align=1)
        builder.store(dz.where(mask, 0.0).value, place(builder, data[6], builder.mul(k, _ROW)), align=1)
        return _any(builder, mask)

    scalars = (types.int64, types.int64, types.float32, types.float32, types.int32, types.int32)
    return types.int64(angle, z, x, f, a, b, delta, *scalars), codegen


@_intrinsic
def spread_sparse(typing, f, delta, k, column, weight, lo, hi):
    """f[column[e]] += weight[e]·delta[k] for lo ≤ e < hi, 16 reads at a time."""

    def codegen(context, builder, signature, args):
        f_data, d_data = _lane_vectors(context, builder, signature, args, range(2))
        columns, weights = _lane_vectors(context, builder, signature, args, range(3, 5))
        change = load(builder, place(builder, d_data, builder.mul(args[2], _ROW)))
        with cgutils.for_range_slice(builder, args[5], args[6], ir.Constant(I64, 1), I64) as (e, _):
            j = builder.sext(builder.load(builder.gep(columns, [e])), I64)
            here = place(builder, f_data, builder.mul(j, _ROW))
            scale = splat(builder, builder.load(builder.gep(weights, [e])))
            builder.store(muladd(builder, scale, change, load(builder, here)), here, align=1)
        return context.get_dummy_value()

    return types.none(f, delta, types.int64, column, weight, types.int64, types.int64), codegen


@_intrinsic
def spread_block(typing, f, delta, strip, first, lo, hi):
    """f[j] += Σ_k strip.flat[first + 16·j + k]·delta[k] for lo ≤ j < hi, k = 0…15 in order, 16 reads at a time."""

    def codegen(context, builder, signature, args):
        f_data, d_data, table = _lane_vectors(context, builder, signature, args, range(3))
        changes = [load(builder, place(builder, d_data, ir.Constant(I64, LANES * k))) for k in range(LANES)]
        with cgutils.for_range_slice(builder, args[4], args[5], ir.Constant(I64, 1), I64) as (j, _):
            here = place(builder, f_data, builder.mul(j, _ROW))
            total, base = load(builder, here), builder.add(args[3], builder.mul(j, _ROW))
            for k, change in enumerate(changes):
                weight = builder.load(builder.gep(table, [builder.add(base, ir.Constant(I64, k))]))
                total = muladd(builder, splat(builder, weight), change, total)
            builder.store(total, here, align=1)
        return context.get_dummy_value()

    return types.none(f, delta, strip, types.int64, types.int64, types.int64), codegen


@_intrinsic
def spread_row(typing, f, delta, k, row, first, low, count):
    """f[low + j] += row.flat[first + j]·delta[k] for j < count, 16 reads at a time."""

    def codegen(context, builder, signature, args):
        f_data, d_data = _lane_vectors(context, builder, signature, args, range(2))
        table = data_of(context, builder, signature.args[3], args[3])
        change = load(builder, place(builder, d_data, builder.mul(args[2], _ROW)))
        with cgutils.for_range_slice(builder, ir.Constant(I64, 0), args[6], ir.Constant(I64, 1), I64) as (j, _):
            here = place(builder, f_data, builder.mul(builder.add(args[5], j), _ROW))
            scale = splat(builder, builder.load(builder.gep(table, [builder.add(args[4], j)])))
            builder.store(muladd(builder, scale, change, load(builder, here)), here, align=1)
        return context.get_dummy_value()

    return types.none(f, delta, types.int64, row, types.int64, types.int64, types.int64), codegen


def _gather(builder: ir.IRBuilder, total: ir.Value, tile: ir.Value, j: ir.Value, weight: ir.Value) -> None:
    """total += weight·tile[j] of float64; the product of a weight and ±1 is exact."""
    value = load(builder, place(builder, tile, builder.mul(j, _ROW)))
    builder.store(builder.fadd(builder.load(total), builder.fmul(splat(builder, weight), value)), total)


@_intrinsic
def gather_row(typing, field, tile, matrix, first, count):
    """field[lane] += Σ_{j<count} matrix.flat[first + j]·tile[j, lane], in order, float64 for 16 reads."""

    def codegen(context, builder, signature, args):
        into, source, table = _lane_vectors(context, builder, signature, args, range(3))
        here = place(builder, into, ir.Constant(I64, 0))
        total = cgutils.alloca_once_value(builder, load(builder, here))
        with cgutils.for_range_slice(builder, ir.Constant(I64, 0), args[4], ir.Constant(I64, 1), I64) as (j, _):
            _gather(builder, total, source, j, builder.load(builder.gep(table, [builder.add(args[3], j)])))
        builder.store(builder.load(total), here, align=1)
        return context.get_dummy_value()

    return types.none(field, tile, matrix, types.int64, types.int64), codegen


@_intrinsic
def gather_list(typing, field, tile, column, weight, lo, hi):
    """field[lane] += Σ_{lo ≤ e < hi} weight[e]·tile[column[e], lane], in order, float64 for 16 reads."""

    def codegen(context, builder, signature, args):
        into, source, columns, weights = _lane_vectors(context, builder, signature, args, range(4))
        here = place(builder, into, ir.Constant(I64, 0))
        total = cgutils.alloca_once_value(builder, load(builder, here))
        with cgutils.for_range_slice(builder, args[4], args[5], ir.Constant(I64, 1), I64) as (e, _):
            j = builder.sext(builder.load(builder.gep(columns, [e])), I64)
            _gather(builder, total, source, j, builder.load(builder.gep(weights, [e])))
        builder.store(builder.load(total), here, align=1)
        return context.get_dummy_value()

    return types.none(field, tile, column, weight, types.int64, types.int64), codegen


@_intrinsic
def count_bits(typing, mask):
    """Set bits of an int64."""

    def codegen(context, builder, signature, args):
        return builder.ctpop(args[0])

    return types.int64(types.int64), codegen
