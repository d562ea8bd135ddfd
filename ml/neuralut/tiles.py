"""Register tiles of the fused L-LUT kernels, emitted as LLVM vector code.

All activations of one L-LUT live in one flat float32 scratch array; an activation row is `CHUNK` samples
long, row r of a block starts at ``block + r·CHUNK``. Two tiles are enough for a sub-network:

* `linear_tile`:  D[o, b] = end(start[o, b] + Σ_i W[o, i]·X[i, b])   (forward, and backward by strides)
* `outer_tile`:   dW[o, i] += Σ_b G[o, b]·H[i, b]                    (weight gradients)

Both keep their sums in vector registers: `VECS`·`HIGH` accumulators of `LANES` floats hide the latency of
the fused multiply-add, and a weight is loaded once for `VECS`·`LANES` samples. Loops that a compiler has to
vectorise by itself reach about one twentieth of this, because it can not prove the rows distinct.
LLVM splits the vectors where a processor has narrower ones.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

LANES = 16  # floats in a 512-bit register
VECS = 4  # vectors a tile is wide: LANES·VECS samples
CHUNK = 128  # samples of a row in scratch; some 61 rows of 512 bytes stay within a 48 KiB L1
TILE = LANES * VECS
HIGH = 4  # outputs a full tile is high: HIGH·VECS accumulators of the 32 vector registers

_F32 = ir.FloatType()
_I32 = ir.IntType(32)
_VEC = ir.VectorType(_F32, LANES)
_MASK = ir.VectorType(_I32, LANES)
_ZERO = ir.Constant(_VEC, [0.0] * LANES)


class _Emit:
    """LLVM building blocks over one builder."""

    def __init__(self, context: Any, builder: Any) -> None:
        self.context, self.builder = context, builder

    def data(self, array_type: Any, array: Any) -> Any:
        """Address of an array's first element."""
        return self.context.make_array(array_type)(self.context, self.builder, array).data

    def at(self, data: Any, *terms: Any) -> Any:
        """Address of the element at the sum of `terms` (ints or LLVM values)."""
        index = None
        for term in terms:
            term = ir.Constant(self.context.get_value_type(types.intp), term) if isinstance(term, int) else term
            index = term if index is None else self.builder.add(index, term)
        return self.builder.gep(data, [index])

    def load(self, pointer: Any) -> Any:
        return self.builder.load(self.builder.bitcast(pointer, _VEC.as_pointer()), align=4)

    def store(self, value: Any, pointer: Any) -> None:
        self.builder.store(value, self.builder.bitcast(pointer, _VEC.as_pointer()), align=4)

    def splat(self, pointer: Any) -> Any:
        """Vector of one scalar in memory."""
        undefined = ir.Constant(_VEC, ir.Undefined)
        first = self.builder.insert_element(undefined, self.builder.load(pointer), ir.Constant(_I32, 0))
        return self.builder.shuffle_vector(first, undefined, ir.Constant(_MASK, [0] * LANES))

    def slots(self, values: list[Any]) -> list[Any]:
        """Stack slots that LLVM turns into registers, holding `values`."""
        slots = [cgutils.alloca_once(self.builder, _VEC) for _ in values]
        for slot, value in zip(slots, values, strict=True):
            self.builder.store(value, slot)
        return slots

    def add_product(self, slot: Any, x: Any, y: Any) -> None:
        """slot += x·y, fused."""
        kind = ir.FunctionType(_VEC, [_VEC, _VEC, _VEC])
        fma = cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.fma.v{LANES}f32")
        self.builder.store(self.builder.call(fma, [x, y, self.builder.load(slot)]), slot)

    def times(self, value: Any, factor: int) -> Any:
        return self.builder.mul(value, ir.Constant(value.type, factor))

    def transpose_sum(self, rows: list[Any]) -> Any:
        """Vector whose lane j is the sum of all lanes of ``rows[j]``, by log2(LANES) rounds of shuffles."""
        step = 1
        while len(rows) > 1:
            low = [lane if not lane & step else lane - step + LANES for lane in range(LANES)]
            high = [lane + step if not lane & step else lane + LANES for lane in range(LANES)]
            rows = [
                self.builder.fadd(
                    self.builder.shuffle_vector(x, y, ir.Constant(_MASK, low)),
                    self.builder.shuffle_vector(x, y, ir.Constant(_MASK, high)),
                )
                for x, y in zip(rows[::2], rows[1::2], strict=True)
            ]
            step *= 2
        return rows[0]


def linear_tile(n_out: int, start: str, end: str) -> Any:
    """Make the tile of `n_out` rows by `TILE` samples.

    Returned function: ``tile(s, dst, src, mask, w, wo, so, si, bias, k)``; `s` float32 scratch, `dst`, `src`,
    `mask` positions of row blocks in it, `k` inputs, weight W[o, i] at ``w[wo + o·so + i·si]``.

    Args:
        n_out: outputs, 1..HIGH.
        start: "zero", "bias" (``w[bias + o]``), "add" (what D holds) or "add bias" (both).
        end: "none", "relu", or "mask" (0 where row block `mask` is not positive: the gradient of ReLU).
    """

    @intrinsic
    def tile(_, s, dst, src, mask, w, wo, so, si, bias, k):
        n = types.intp

        def emit(context, builder, signature, args):
            s, dst, src, mask, w, wo, so, si, bias, k = args
            e = _Emit(context, builder)
            rows, weights = e.data(signature.args[0], s), e.data(signature.args[4], w)
            places = [(o, v) for o in range(n_out) for v in range(VECS)]
            sums = [e.splat(e.at(weights, bias, o)) if "bias" in start else _ZERO for o, _ in places]
            if "add" in start:
                held = [e.load(e.at(rows, dst, o * CHUNK + v * LANES)) for o, v in places]
                sums = [builder.fadd(a, b) for a, b in zip(held, sums, strict=True)]
            slots = e.slots(sums)
            with cgutils.for_range(builder, k) as loop:
                row = builder.add(src, e.times(loop.index, CHUNK))
                column = builder.add(wo, builder.mul(si, loop.index))
                xs = [e.load(e.at(rows, row, v * LANES)) for v in range(VECS)]
                for o in range(n_out):
                    weight = e.splat(e.at(weights, column, e.times(so, o)))
                    for v in range(VECS):
                        e.add_product(slots[o * VECS + v], weight, xs[v])
            for (o, v), slot in zip(places, slots, strict=True):
                value = gate = builder.load(slot)
                if end == "mask":
                    gate = e.load(e.at(rows, mask, o * CHUNK + v * LANES))
                if end != "none":
                    value = builder.select(builder.fcmp_ordered(">", gate, _ZERO), value, _ZERO)
                e.store(value, e.at(rows, dst, o * CHUNK + v * LANES))
            return context.get_dummy_value()

        return types.void(s, n, n, n, w, n, n, n, n, n), emit

    return tile


def outer_tile(n_out: int, n_in: int) -> Any:
    """Make the tile of a weight gradient: `n_out` by `n_in` (each 1..4) sums over `CHUNK` samples.

    Returned function: ``tile(s, g, h, dw, wo, so)`` adds to ``dw[wo + o·so + i]``.
    """

    @intrinsic
    def tile(_, s, g, h, dw, wo, so):
        n = types.intp

        def emit(context, builder, signature, args):
            s, g, h, dw, wo, so = args
            e = _Emit(context, builder)
            rows, gradient = e.data(signature.args[0], s), e.data(signature.args[3], dw)
            places = [(o, i) for o in range(n_out) for i in range(n_in)]
            slots = e.slots([_ZERO] * len(places))
            with cgutils.for_range(builder, ir.Constant(g.type, CHUNK // LANES)) as loop:
                column = e.times(loop.index, LANES)
                gs = [e.load(e.at(rows, g, column, o * CHUNK)) for o in range(n_out)]
                hs = [e.load(e.at(rows, h, column, i * CHUNK)) for i in range(n_in)]
                for (o, i), slot in zip(places, slots, strict=True):
                    e.add_product(slot, gs[o], hs[i])
            sums = [builder.load(slot) for slot in slots]
            total = e.transpose_sum(sums + [_ZERO] * (LANES - len(sums)))
            for lane, (o, i) in enumerate(places):
                place = e.at(gradient, wo, e.times(so, o), i)
                value = builder.extract_element(total, ir.Constant(_I32, lane))
                builder.store(builder.fadd(builder.load(place), value), place)
            return context.get_dummy_value()

        return types.void(s, n, n, dw, n, n), emit

    return tile
