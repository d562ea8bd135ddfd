"""Vector code that the compiler must not be left to find: LLVM vectors of 512 bits, split where registers are narrower.

`Vec` makes the formulas of `hwsim.annealing.draws` readable as vector code. Arrays are contiguous and padded to
whole vectors; nothing is checked here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir
from numba.core import cgutils
from numba.np import arrayobj

from hwsim.annealing import draws

I32, I64, F32 = ir.IntType(32), ir.IntType(64), ir.FloatType()
BYTES, LANES = 64, 16  # of a vector; float32 or int32 values in it
PAD = 64  # rows are padded to a multiple of it: four vectors of 32-bit values, two of 16-bit ones


def data_of(context: Any, builder: ir.IRBuilder, kind: Any, value: ir.Value) -> ir.Value:
    """Pointer to the first element of a numba array."""
    return arrayobj.make_array(kind)(context, builder, value).data


def place(builder: ir.IRBuilder, data: ir.Value, index: ir.Value, lanes: int = LANES) -> ir.Value:
    """Pointer to the vector of `lanes` elements from element `index`."""
    pointer = builder.gep(data, [index])
    return builder.bitcast(pointer, ir.VectorType(data.type.pointee, lanes).as_pointer())


def load(builder: ir.IRBuilder, pointer: ir.Value) -> ir.Value:
    """The vector at a place, of any alignment."""
    return builder.load(pointer, align=1)


def splat(builder: ir.IRBuilder, value: ir.Value, lanes: int = LANES) -> ir.Value:
    """`value` in every lane."""
    kind = ir.VectorType(value.type, lanes)
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(I32, 0))
    return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(I32, lanes), [0] * lanes))


def muladd(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
    """a·b + c, with one rounding for float32."""
    kind = a.type
    element = kind.element if isinstance(kind, ir.VectorType) else kind
    if not isinstance(element, ir.FloatType):
        return builder.add(builder.mul(a, b), c)
    name = f"llvm.fma.v{kind.count}f32" if isinstance(kind, ir.VectorType) else "llvm.fma.f32"
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind] * 3), name)
    return builder.call(function, [a, b, c])


@dataclass(frozen=True)
class Vec:
    """A vector of 16 int32 (arithmetic modulo 2³², unsigned shifts) or float32 (each operation rounds)."""

    builder: ir.IRBuilder
    value: ir.Value

    @property
    def real(self) -> bool:
        """Whether the lanes are float32."""
        return isinstance(self.value.type.element, ir.FloatType)

    def of(self, other: Any) -> ir.Value:
        """`other`, a Vec or a number, as a vector of this type."""
        if isinstance(other, Vec):
            return other.value
        number = float(other) if self.real else int(other) & 0xFFFFFFFF
        return ir.Constant(self.value.type, [number] * LANES)

    def _op(self, real: str | None, whole: str, other: Any) -> Vec:
        name = real if self.real and real else whole
        return Vec(self.builder, getattr(self.builder, name)(self.value, self.of(other)))

    def __add__(self, other: Any) -> Vec:
        return self._op("fadd", "add", other)

    def __sub__(self, other: Any) -> Vec:
        return self._op("fsub", "sub", other)

    def __mul__(self, other: Any) -> Vec:
        return self._op("fmul", "mul", other)

    def __xor__(self, other: Any) -> Vec:
        return self._op(None, "xor", other)

    def __and__(self, other: Any) -> Vec:
        return self._op(None, "and_", other)

    def __or__(self, other: Any) -> Vec:
        return self._op(None, "or_", other)

    def __rshift__(self, other: int) -> Vec:
        return self._op(None, "lshr", other)

    def __neg__(self) -> Vec:
        return Vec(self.builder, self.builder.fneg(self.value)) if self.real else Vec(self.builder, self.of(0)) - self

    def above(self, other: Any) -> ir.Value:
        """<16 x i1>: self > other (signed)."""
        if self.real:
            return self.builder.fcmp_ordered(">", self.value, self.of(other))
        return self.builder.icmp_signed(">", self.value, self.of(other))

    def where(self, mask: ir.Value, other: Any) -> Vec:
        """Lanes of self where `mask`, of `other` elsewhere."""
        return Vec(self.builder, self.builder.select(mask, self.value, self.of(other)))

    def to_float(self) -> Vec:
        """int32 → float32, value for value."""
        return Vec(self.builder, self.builder.sitofp(self.value, ir.VectorType(F32, LANES)))

    def bits_as(self, kind: ir.Type) -> Vec:
        """The same bits as another element type."""
        return Vec(self.builder, self.builder.bitcast(self.value, ir.VectorType(kind, LANES)))


def draw(counter: Vec, a: Vec, b: Vec) -> Vec:
    """`hwsim.annealing.draws.draw`, 16 at a time."""
    x = counter * draws.PHI + a
    x = (x ^ (x >> 16)) * draws.M1
    x = (x ^ (x >> 15)) + b
    x = x * draws.M2
    return x ^ (x >> 15)


def neglog(r: Vec) -> Vec:
    """`hwsim.annealing.draws.neglog`, 16 at a time."""
    bits = ((r >> 9).to_float() + 0.5).bits_as(I32)
    e = (bits >> 23) - 127
    t = ((bits & 0x7FFFFF) | 0x3F800000).bits_as(F32) - 1.0
    return (-(e - 23)).to_float() * draws.LN2 - polynomial(t, draws.LOG) * t


def polynomial(t: Vec, coefficients: Sequence[Any]) -> Vec:
    """c₀ + t·(c₁ + t·(c₂ + …)), each product and sum rounded."""
    p = t * coefficients[-1] + coefficients[-2]
    for c in coefficients[-3::-1]:
        p = p * t + c
    return p
