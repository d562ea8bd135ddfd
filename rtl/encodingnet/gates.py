"""Gates of an encoding as logic: truth tables become and/or/xor expressions; one cell is one Verilog module."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from amaranth import Cat, Const, Instance, Module, Signal, Value

from hwsim.ir.arch.encodingnet_cells import sources
from hwsim.ir.encoding import Encoding
from hwsim.ir.gates import CONST1, GateNetlist


class Term:
    """Verilog text with the operators of logic."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __invert__(self) -> Term:
        return Term(f"~{self.text}")

    def __and__(self, other: Term) -> Term:
        return Term(f"({self.text} & {other.text})")

    def __or__(self, other: Term) -> Term:
        return Term(f"({self.text} | {other.text})")

    def __xor__(self, other: Term) -> Term:
        return Term(f"({self.text} ^ {other.text})")


def constant_term(bit: int) -> Term:
    """A constant as text."""
    return Term(f"1'b{bit}")


def constant_value(bit: int) -> Value:
    """A constant of one bit."""
    return Const(bit, 1)


def expression(table: int, inputs: Sequence[Any], constant: Callable[[int], Any]) -> Any:
    """A truth table as logic over anything with ``~ & | ^``.

    Shannon's expansion by the last input, with and, or and xor where a cofactor allows them.

    Args:
        table: bit a is the output for address a, whose bit j is ``inputs[j]``.
        inputs: Amaranth values or `Term`.
        constant: makes 0 and 1.

    Example:
        >>> expression(0b0111, [Term("a"), Term("b")], constant_term).text
        '(~b | ~a)'
    """
    full = (1 << (1 << len(inputs))) - 1
    if table in (0, full):
        return constant(int(table == full))
    half = 1 << (len(inputs) - 1)
    low, high, mask = table & ((1 << half) - 1), table >> half, (1 << half) - 1
    rest, x = inputs[:-1], inputs[-1]
    if low == high:
        return expression(low, rest, constant)
    if {low, high} == {0, mask}:
        return x if high else ~x
    if low in (0, mask):
        term = expression(high, rest, constant)
        return ~x | term if low else x & term
    if high in (0, mask):
        term = expression(low, rest, constant)
        return x | term if high else ~x & term
    if low == high ^ mask:
        return x ^ expression(low, rest, constant)
    return (x & expression(high, rest, constant)) | (~x & expression(low, rest, constant))


def gate(gates: GateNetlist, signal: int, known: Mapping[int, Any], constant: Callable[[int], Any]) -> Any:
    """One node over known signals."""
    table = int(gates.tables[signal - gates.n_inputs])
    return expression(table, [known[q] for q in sources(gates, signal)], constant)


def logic(
    m: Module, encoding: Encoding, held: Mapping[int, Value], nodes: Sequence[int], wanted: Sequence[int], name: str
) -> Value:
    """Signals `wanted` in plain Amaranth: `held` by signal number, `nodes` evaluated as ``<name>_g<number>``."""
    gates, known = encoding.gates, dict(held)
    for s in nodes:
        known[s] = Signal(name=f"{name}_g{s - gates.n_inputs}")
        m.d.comb += known[s].eq(gate(gates, s, known, constant_value))
    return Cat(known[s] if s >= 0 else Const(int(s == CONST1), 1) for s in wanted)


def encode(
    m: Module, encoding: Encoding, ports: Mapping[str, tuple[Value, Sequence[int]]], nodes: Sequence[int],
    wanted: Sequence[int], platform: object, group: str, name: str,
) -> Value:  # fmt: skip
    """A block of gates as one instance; its outputs, first one lowest.

    Args:
        ports: port → (value, the signal that each of its bits is).
        nodes: signals evaluated inside.   wanted: signals (or −1, −2) that leave.
        platform: of the elaboration; takes the module ``<top>_<group>``, once for equal blocks.
        group: of the module.   name: of the instance and of its output.
    """
    if not hasattr(platform, "add_file"):
        held = {s: value[i] for value, signals in ports.values() for i, s in enumerate(signals)}
        return logic(m, encoding, held, nodes, wanted, name)
    module = f"{platform.top}_{group}"  # type: ignore[attr-defined]
    shapes = {port: signals for port, (_, signals) in ports.items()}
    platform.add_file(f"{module}.v", block_verilog(module, encoding, shapes, nodes, wanted))
    out = Signal(len(wanted), name=f"{name}_bits")
    inputs = {f"i_{port}": value for port, (value, _) in ports.items()}
    m.submodules[name] = Instance(module, **inputs, o_bits=out)
    return out


def block_verilog(
    module: str, encoding: Encoding, ports: Mapping[str, Sequence[int]], nodes: Sequence[int], wanted: Sequence[int]
) -> str:
    """A block of gates as a Verilog-2001 module; arguments as for `encode`."""
    gates, known, lines = encoding.gates, {-1: constant_term(0), CONST1: constant_term(1)}, []
    for port, signals in ports.items():
        lines.append(f"  input wire [{len(signals) - 1}:0] {port},")
        known |= {s: Term(f"{port}[{i}]") for i, s in enumerate(signals)}
    lines += [f"  output wire [{len(wanted) - 1}:0] bits", ");"]
    for s in nodes:
        name = f"encoder_g{s - gates.n_inputs}"
        lines.append(f"  wire {name} = {gate(gates, s, known, constant_term).text};")
        known[s] = Term(name)
    outputs = ", ".join(known[int(s)].text for s in reversed(wanted))
    head = ["/* verilator lint_off UNUSEDSIGNAL */ // a gate may ignore what it reads", f"module {module} ("]
    return "\n".join([*head, *lines, f"  assign bits = {{{outputs}}};", "endmodule", ""])
