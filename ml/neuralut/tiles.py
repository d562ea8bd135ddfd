"""Register tiles of the fused L-LUT kernels, emitted as LLVM vector code.

All activations of one L-LUT live in one flat float32 scratch array; an activation row is `CHUNK` samples
long, row r of a block starts at ``block + r·CHUNK``. Two tiles are enough for a sub-network:

* `linear_tile`:  D[o, b] = f(start[o, b] + Σ_i W[o, i]·X[i, b])   (forward, and backward by strides)
* `outer_tile`:   dW[o, i] += Σ_b G[o, b]·H[i, b]                  (weight gradients)

Both keep their sums in vector registers: `VECS`·4 accumulators of `LANES` floats hide the latency of the
fused multiply-add, and a weight is loaded once for `VECS`·`LANES` samples. Loops that a compiler has to
vectorise by itself reach about one twentieth of this, because it can not prove the rows distinct.
LLVM splits the vectors where a processor has narrower ones.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

LANES = 16  # floats in a 512-bit register
VECS = 4  # vectors a tile is wide: LANES*VECS samples
CHUNK = 128  # samples of a row in scratch; 61 rows of 512 bytes stay within a 48 KiB L1
TILE = LANES * VECS
OUT_TILE = 4  # outputs a tile is high: OUT_TILE*VECS accumulators of the 32 vector registers

_F32 = ir.FloatType()
_I32 = ir.IntType(32)
_VEC = ir.VectorType(_F32, LANES)
_MASK = ir.VectorType(_I32, LANES)
_ZERO = ir.Constant(_VEC, [0.0] * LANES)


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any, offset: Any) -> Any:
    """Address of ``array[index + offset]``; offset is an int or an LLVM value."""
    data = context.make_array(array_type)(context, builder, array).data
    if isinstance(offset, int):
        offset = ir.Constant(index.type, offset)
    return builder.gep(data, [builder.add(index, offset)])


def _load(builder: Any, pointer: Any) -> Any:
    return builder.load(builder.bitcast(pointer, _VEC.as_pointer()), align=4)


def _store(builder: Any, value: Any, pointer: Any) -> None:
    builder.store(value, builder.bitcast(pointer, _VEC.as_pointer()), align=4)


def _splat(builder: Any, scalar: Any) -> Any:
    undefined = ir.Constant(_VEC, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(_I32, 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(_MASK, [0] * LANES))


def _fma(builder: Any, x: Any, y: Any, z: Any) -> Any:
    kind = ir.FunctionType(_VEC, [_VEC, _VEC, _VEC])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{LANES}f32")
    return builder.call(function, [x, y, z])


def _strided(builder: Any, so: Any, o: int, si: Any, i: int) -> Any:
    row = builder.mul(so, ir.Constant(so.type, o))
    return builder.add(row, builder.mul(si, ir.Constant(si.type, i)))


def linear_tile(k: int, n_out: int, start: str, end: str) -> Any:
    """Make the tile of a layer with `k` inputs: `n_out` rows by `TILE` samples.

    Returned function: ``tile(s, dst, src, mask, w, wo, so, si, bias)``; `s` float32 scratch, `dst`, `src`,
    `mask` positions of row blocks in it, weight W[o, i] at ``w[wo + o·so + i·si]``.

    Args:
        k: inputs.
        n_out: outputs, 1..OUT_TILE.
        start: "zero", "bias" (``w[bias + o]``), "add" (what D holds) or "add bias" (both).
        end: "none", "relu", or "mask" (0 where row block `mask` is not positive: the gradient of ReLU).
    """

    @intrinsic
    def tile(_, s, dst, src, mask, w, wo, so, si, bias):  # type: ignore[no-untyped-def]
        n = types.intp
        signature = types.void(s, n, n, n, w, n, n, n, n)

        def emit(context, builder, signature, args):  # type: ignore[no-untyped-def]
            s, dst, src, mask, w, wo, so, si, bias = args
            ts, tw = signature.args[0], signature.args[4]

            def row(base, r, v):  # type: ignore[no-untyped-def]
                return _pointer(context, builder, ts, s, base, r * CHUNK + v * LANES)

            def weight(base, offset):  # type: ignore[no-untyped-def]
                return _splat(builder, builder.load(_pointer(context, builder, tw, w, base, offset)))

            sums = [[_ZERO] * VECS for _ in range(n_out)]
            if start.endswith("bias"):
                sums = [[weight(bias, o)] * VECS for o in range(n_out)]
            if start.startswith("add"):
                held = [[_load(builder, row(dst, o, v)) for v in range(VECS)] for o in range(n_out)]
                sums = [[builder.fadd(a, b) for a, b in zip(*pair, strict=True)] for pair in zip(held, sums, strict=True)]
            for i in range(k):
                xs = [_load(builder, row(src, i, v)) for v in range(VECS)]
                for o in range(n_out):
                    wv = weight(wo, _strided(builder, so, o, si, i))
                    sums[o] = [_fma(builder, wv, xs[v], sums[o][v]) for v in range(VECS)]
            for o in range(n_out):
                for v in range(VECS):
                    value = sums[o][v]
                    gate = value if end == "relu" else _load(builder, row(mask, o, v)) if end == "mask" else None
                    if gate is not None:
                        value = builder.select(builder.fcmp_ordered(">", gate, _ZERO), value, _ZERO)
                    _store(builder, value, row(dst, o, v))
            return context.get_dummy_value()

        return signature, emit

    return tile


def _transpose_sum(builder: Any, rows: list[Any]) -> Any:
    """Vector whose lane j is the sum of all lanes of ``rows[j]``, by log2(LANES) rounds of shuffles."""
    step = 1
    while len(rows) > 1:
        low = [lane if not lane & step else lane - step + LANES for lane in range(LANES)]
        high = [lane + step if not lane & step else lane + LANES for lane in range(LANES)]
        rows = [
            builder.fadd(
                builder.shuffle_vector(x, y, ir.Constant(_MASK, low)),
                builder.shuffle_vector(x, y, ir.Constant(_MASK, high)),
            )
            for x, y in zip(rows[::2], rows[1::2], strict=True)
        ]
        step *= 2
    return rows[0]


def outer_tile(n_out: int, n_in: int) -> Any:
    """Make the tile of a weight gradient: `n_out` by `n_in` (each 1..4) sums over `CHUNK` samples.

    Returned function: ``tile(s, g, h, dw, wo, so, si)`` adds to ``dw[wo + o·so + i·si]``.
    """

    @intrinsic
    def tile(_, s, g, h, dw, wo, so, si):  # type: ignore[no-untyped-def]
        n = types.intp
        signature = types.void(s, n, n, dw, n, n, n)

        def emit(context, builder, signature, args):  # type: ignore[no-untyped-def]
            s, g, h, dw, wo, so, si = args
            ts, tw = signature.args[0], signature.args[3]
            sums = [_ZERO] * LANES
            for c in range(0, CHUNK, LANES):
                gs = [_load(builder, _pointer(context, builder, ts, s, g, o * CHUNK + c)) for o in range(n_out)]
                for i in range(n_in):
                    hv = _load(builder, _pointer(context, builder, ts, s, h, i * CHUNK + c))
                    for o in range(n_out):
                        sums[4 * o + i] = _fma(builder, gs[o], hv, sums[4 * o + i])
            total = _transpose_sum(builder, sums)
            for o in range(n_out):
                for i in range(n_in):
                    place = _pointer(context, builder, tw, dw, wo, _strided(builder, so, o, si, i))
                    value = builder.extract_element(total, ir.Constant(_I32, 4 * o + i))
                    builder.store(builder.fadd(builder.load(place), value), place)
            return context.get_dummy_value()

        return signature, emit

    return tile
