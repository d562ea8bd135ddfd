"""Fixed-point conversion in hardware: the same dataclass, the same rounding and overflow as `hwsim.ir.fixed`."""

from __future__ import annotations

from amaranth import Cat, Const, Module, Mux, Value, signed, unsigned
from amaranth.hdl import Shape
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwsim.ir.fixed import Fixed, Rounding


def shape_of(q: Fixed) -> Shape:
    """Amaranth shape of a format's codes."""
    return signed(q.width) if q.signed else unsigned(q.width)


def round_shift(value: Value, drop: int, rounding: Rounding) -> Value:
    """`hwsim.ir.fixed.round_shift` as logic: value / 2^drop, rounded; drop ≥ 1."""
    wide = value if len(value) > drop else _extend(value, drop + 1)
    quotient, rest = wide >> drop, wide[:drop]
    half = 1 << (drop - 1)
    up = {
        "floor": Const(0, 1),
        "zero": (value < 0) & rest.any(),
        "half_up": rest >= half,
        "half_even": (rest > half) | ((rest == half) & wide[drop]),
    }[rounding]
    return quotient + up


def fit(value: Value, target: Fixed) -> Value:
    """Codes brought into the target's range by its overflow rule."""
    shape = shape_of(target)
    low = _extend(value, target.width)[: target.width]
    inside = low.as_signed() if target.signed else low
    if target.overflow == "wrap":
        return inside
    return Mux(value > target.hi, Const(target.hi, shape), Mux(value < target.lo, Const(target.lo, shape), inside))


def convert(value: Value, source: Fixed, target: Fixed) -> Value:
    """`target.convert(codes, source)` as logic; `value` has the shape of `source`."""
    drop = source.fraction - target.fraction
    return fit(round_shift(value, drop, target.rounding) if drop > 0 else value << -drop, target)


class FixedConverter(wiring.Component):
    """Conversion between two fixed-point formats; combinational.

    Ports:
        x: In(codes of `source`).   y: Out(codes of `target`).
    """

    def __init__(self, source: Fixed, target: Fixed) -> None:
        self.source, self.target = source, target
        super().__init__({"x": In(shape_of(source)), "y": Out(shape_of(target))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.y.eq(convert(self.x, self.source, self.target))
        return m


def _extend(value: Value, width: int) -> Value:
    """At least `width` bits of a value, sign- or zero-extended by its own shape."""
    missing = width - len(value)
    if missing <= 0:
        return value
    fill = value[-1].replicate(missing) if value.shape().signed else Const(0, missing)
    wide = Cat(value, fill)
    return wide.as_signed() if value.shape().signed else wide
