"""Adders out of gates without an inverter: carries alternate in polarity.

A carry costs an AND-OR-INVERT or OR-AND-INVERT gate, which gives its complement; the sum's XOR takes inputs of either
polarity for the same area. So nothing has to be inverted back inside a compressor: a full adder with an even number of
complemented inputs gives a complemented carry, one with an odd number a true one, and only carries that leave the
adders need an inverter. With p = a ⊕ b:

| complemented inputs | gates | carry |
|---|---|---|
| none, or all | p = XOR(a, b), s = X(N)OR(p, c), AOI22(a, b, p, c) | complemented, true |
| c, or all but c | n = NAND(a, b), p̄ = OAI21(a, b, n), s = X(N)OR(p̄, c), OAI21(p̄, c, n) | true, complemented |
| half adder: none | n = NAND(a, b) is the carry, OAI21(a, b, n) the sum | both complemented |
| half adder: both | r = NOR(a, b) is the carry, AOI21(a, b, r) the sum | both true |
| half adder: b | AND-NOT is the carry, XNOR the sum | both true |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rtl.synth.cells.library import Library
from rtl.synth.cells.roles import Gate, find_gate

FULL, HALF = "hwsim_full_adder", "hwsim_half_adder"
BLACK_BOXES = f"""(* blackbox *) module {FULL}(input a, input b, input c, output s, output co); endmodule
(* blackbox *) module {HALF}(input a, input b, output s, output co); endmodule
"""
# table (address bit 0 = first pin) and number of inputs
_NEEDED = {
    "inv": (0x1, 1), "xor": (0x6, 2), "xnor": (0x9, 2), "nand": (0x7, 2), "nor": (0x1, 2), "andnot": (0x4, 2),
    "aoi22": (0x0777, 4), "oai21": (0x1F, 3), "aoi21": (0x07, 3),
}  # fmt: skip
_FULL_EVEN, _FULL_ODD = ("xor", "xor", "aoi22"), ("nand", "oai21", "xor", "oai21")
Bit = int | str


def inverting_gates(library: Library) -> dict[str, Gate] | None:
    """The gates of the module's table, or None when the library lacks one."""
    found = {name: find_gate(library, table, inputs) for name, (table, inputs) in _NEEDED.items()}
    gates = {name: gate for name, gate in found.items() if gate is not None}
    return gates if len(gates) == len(_NEEDED) else None


def inverting_area(library: Library) -> float | None:
    """Area of a full adder in µm², the larger of its two kinds; None when the library lacks a gate."""
    gates = inverting_gates(library)
    if gates is None:
        return None
    return max(sum(gates[name].area_um2 for name in kind) for kind in (_FULL_EVEN, _FULL_ODD))


def expand(module: Mapping[str, Any], library: Library) -> dict[str, Any]:
    """A module of yosys' JSON with its black-box adders replaced by gates."""
    gates = inverting_gates(library)
    cells: dict[str, Any] = module["cells"]
    adders = {name: cell["connections"] for name, cell in cells.items() if cell["type"] in (FULL, HALF)}
    if gates is None or not adders:
        return dict(module)
    others = {name: cell for name, cell in cells.items() if name not in adders}
    outside = {bit for cell in others.values() for bits in cell["connections"].values() for bit in bits}
    outside |= {bit for port in module["ports"].values() for bit in port["bits"]}
    writer = _Writer(gates, outside, 1 + max(_numbers(module), default=1))
    for name in _ordered(adders):
        pins = {pin: bits[0] for pin, bits in adders[name].items() if bits}
        if "c" in pins:
            writer.full(name, pins)
        else:
            writer.half(name, pins)
    return {**module, "cells": {**others, **writer.cells}}


def _numbers(module: Mapping[str, Any]) -> Iterator[int]:
    groups = [cell["connections"].values() for cell in module["cells"].values()]
    for bits in [port["bits"] for port in module["ports"].values()] + [bits for group in groups for bits in group]:
        yield from (bit for bit in bits if isinstance(bit, int))


def _ordered(adders: Mapping[str, Mapping[str, list[Bit]]]) -> list[str]:
    """Adders, drivers before readers (a loop of adders stays in any order: timing names it)."""
    driver = {bit: name for name, pins in adders.items() for pin in ("s", "co") for bit in pins.get(pin, [])}
    order: list[str] = []
    seen: set[str] = set()
    for start in adders:
        stack = [(start, False)]
        while stack:
            name, done = stack.pop()
            if done:
                order.append(name)
            elif name not in seen:
                seen.add(name)
                stack.append((name, True))
                sources = (driver.get(bit) for pin in ("a", "b", "c") for bit in adders[name].get(pin, []))
                stack += [(source, False) for source in sources if source is not None and source not in seen]
    return order


class _Writer:
    """Collects gates; remembers which nets of adders exist as their complement."""

    def __init__(self, gates: dict[str, Gate], outside: set[Bit], first: int) -> None:
        self.gates, self.outside, self.next = gates, outside, first
        self.cells: dict[str, Any] = {}
        self.complement: dict[Bit, int] = {}  # net → net that carries its complement

    def _new(self) -> int:
        self.next += 1
        return self.next - 1

    def _gate(self, name: str, kind: str, *nets: Bit) -> None:
        """A gate: nets in the order of its table, then the output."""
        gate = self.gates[kind]
        pins = zip((*gate.pins, gate.output), nets, strict=True)
        self.cells[name] = {"type": gate.cell, "connections": {pin: [net] for pin, net in pins}}

    def _output(self, name: str, net: Bit | None, complemented: bool) -> Bit:
        """Net that an adder's output drives; an inverter to the true one where something else reads it."""
        if net is None:
            return self._new()
        if not complemented:
            return net
        inverse = self.complement[net] = self._new()
        if net in self.outside:
            self._gate(name, "inv", inverse, net)
        return inverse

    def _inputs(self, bits: list[Bit]) -> list[tuple[Bit, bool]]:
        """(net to read, complemented) of inputs."""
        return [(self.complement[bit], True) if bit in self.complement else (bit, False) for bit in bits]

    def full(self, name: str, pins: Mapping[str, Bit]) -> None:
        """One full adder."""
        inputs = self._inputs([pins["a"], pins["b"], pins["c"]])
        count = sum(inverted for _, inverted in inputs)
        if count in (1, 2):  # the input that differs goes last
            inputs.sort(key=lambda item: item[1] == (count == 1))
        a, b, c = (net for net, _ in inputs)
        total = self._output(f"{name}.si", pins.get("s"), False)
        carry = self._output(f"{name}.ci", pins.get("co"), count in (0, 2))
        p = self._new()
        if count in (0, 3):
            self._gate(f"{name}.p", "xor", a, b, p)
            self._gate(f"{name}.s", "xor" if count == 0 else "xnor", p, c, total)
            self._gate(f"{name}.co", "aoi22", a, b, p, c, carry)
            return
        n = self._new()
        self._gate(f"{name}.n", "nand", a, b, n)
        self._gate(f"{name}.p", "oai21", a, b, n, p)
        self._gate(f"{name}.s", "xor" if count == 1 else "xnor", p, c, total)
        self._gate(f"{name}.co", "oai21", p, c, n, carry)

    def half(self, name: str, pins: Mapping[str, Bit]) -> None:
        """One half adder."""
        inputs = sorted(self._inputs([pins["a"], pins["b"]]), key=lambda item: item[1])
        (a, _), (b, _) = inputs
        count = sum(inverted for _, inverted in inputs)
        total = self._output(f"{name}.si", pins.get("s"), count == 0)
        carry = self._output(f"{name}.ci", pins.get("co"), count == 0)
        if count == 1:  # b is complemented: a·b = a AND NOT b̄
            self._gate(f"{name}.s", "xnor", a, b, total)
            self._gate(f"{name}.co", "andnot", b, a, carry)
        else:
            self._gate(f"{name}.co", "nand" if count == 0 else "nor", a, b, carry)
            self._gate(f"{name}.s", "oai21" if count == 0 else "aoi21", a, b, carry, total)
