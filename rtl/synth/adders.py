"""Saturating adders of a `SumLayer` as pipelined Verilog, for LUT, carry and register counts by yosys.

Every term enters with the width its values need. Terms are added in groups of `group` per register stage
until one sum is left (KANELÉ's generator groups by four: github.com/Duchstf/KANELE); saturation follows the
last register combinationally, as there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwsim.ir.errors import UsageError
from hwsim.ir.lut import SumLayer


def signed_bits(low: int, high: int) -> int:
    """Two's complement width of low..high."""
    return max(high.bit_length() if high > 0 else 0, (-low - 1).bit_length() if low < 0 else 0) + 1


@dataclass(frozen=True)
class _Wire:
    name: str
    low: int
    high: int

    @property
    def bits(self) -> int:
        return signed_bits(self.low, self.high)


@dataclass(frozen=True)
class AdderVerilog:
    """Verilog of one adder layer.

    Attributes:
        text: module source; ports clk, ``t<j>`` (signed term j), ``s<k>`` (signed saturated sum k).
        registers: flip-flops of the tree.
        stages: register stages, the same for every sum.
    """

    text: str
    registers: int
    stages: int


def adder_verilog(
    layer: SumLayer, low: np.ndarray, high: np.ndarray, name: str = "adders", group: int = 4, registered: bool = True
) -> AdderVerilog:
    """Verilog of a sum layer whose term j takes values low[j]..high[j].

    With `registered` False the same trees are combinational (``clk`` is not read), to prove them against the
    layer's reference.

    Raises:
        UsageError: fewer than two terms a group.
    """
    if group < 2:
        raise UsageError.of("group", group, "2 or more", "Add at least two terms a stage.")
    body: list[str] = []
    ports = [f"  input wire signed [{_Wire('', int(low[j]), int(high[j])).bits - 1}:0] t{j}" for j in range(len(low))]
    registers = 0
    stages = _stages(int(np.diff(layer.offsets).max()), group)
    for k in range(layer.n_out):
        terms = [_Wire(f"t{j}", int(low[j]), int(high[j])) for j in _terms(layer, k)]
        total, used = _tree(body, k, terms, int(layer.bias[k]), group, stages, registered)
        registers += used
        bits = signed_bits(layer.lo, layer.hi)
        ports.append(f"  output wire signed [{bits - 1}:0] s{k}")
        body.append(f"  assign s{k} = {_saturated(total, layer.lo, layer.hi)};")
    head = f"module {name} (\n  input wire clk,\n" + ",\n".join(ports) + "\n);"
    return AdderVerilog("\n".join([head, *body, "endmodule", ""]), registers, stages)


def _terms(layer: SumLayer, k: int) -> list[int]:
    return [int(j) for j in layer.sources[layer.offsets[k] : layer.offsets[k + 1]]]


def _stages(terms: int, group: int) -> int:
    """Register stages until `terms` are one sum, at least one."""
    stages = 1
    while (terms := -(-terms // group)) > 1:
        stages += 1
    return stages


def _tree(
    body: list[str], k: int, terms: list[_Wire], bias: int, group: int, stages: int, registered: bool
) -> tuple[_Wire, int]:
    """Append `stages` levels of registered additions (all sums arrive together); returns (sum, registers)."""
    registers = 0
    for stage in range(stages):
        level = []
        for g in range(0, max(1, len(terms)), group):
            members = terms[g : g + group]
            constant = bias if stage == 0 and g == 0 else 0
            wire = _Wire(
                f"a{k}_{stage}_{g // group}",
                sum(t.low for t in members) + constant,
                sum(t.high for t in members) + constant,
            )
            parts = [t.name for t in members] + ([f"({constant})"] if constant or not members else [])
            kind = "reg" if registered else "wire"
            body.append(f"  {kind} signed [{wire.bits - 1}:0] {wire.name};")
            drive = f"always @(posedge clk) {wire.name} <=" if registered else f"assign {wire.name} ="
            body.append(f"  {drive} {' + '.join(parts)};")
            registers += wire.bits
            level.append(wire)
        terms = level
    return terms[0], registers


def _saturated(wire: _Wire, lo: int, hi: int) -> str:
    """Clip by comparing, only on the side that can overflow."""
    text = wire.name
    if wire.low < lo:
        text = f"({wire.name} < {_constant(lo)}) ? {_constant(lo)} : {text}"
    if wire.high > hi:
        text = f"({wire.name} > {hi}) ? {hi} : {text}"
    return text


def _constant(value: int) -> str:
    return f"-{-value}" if value < 0 else str(value)
