"""A `GateNetlist` as Verilog-2001: one wire a node, as a constant's bit, a Xilinx LUT or a yosys ``$lut`` cell."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import numpy as np

from hwsim.ir.errors import UsageError
from hwsim.ir.gates import CONST0, CONST1, GateNetlist

Style = Literal["assign", "primitive", "cell"]
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")


def netlist_verilog(
    netlist: GateNetlist, name: str = "netlist", *, style: Style = "assign", registers: bool = False
) -> str:
    """Verilog module of a netlist: ports ``i [n_inputs−1:0]`` and ``o [n_outputs−1:0]``, bit k = input/output k.

    Args:
        netlist: the netlist.
        name: module name.
        style: ``"assign"`` writes ``INIT >> address`` (any tool reads it), ``"primitive"`` writes
            ``LUT<n> #(.INIT(…))`` instances, ``"cell"`` writes yosys' own ``$lut`` cells (`read_verilog -icells`),
            which keep the mapping as it is.
        registers: add ``clk`` and registers on inputs and outputs, so that a placer has paths to time.

    Raises:
        UsageError: a module name that Verilog does not allow, or an unknown style.
    """
    if not _NAME.fullmatch(name):
        raise UsageError.of("module name", repr(name), "a Verilog identifier", "Rename the module.")
    if style not in _WRITERS:
        raise UsageError.of("style", repr(style), ", ".join(map(repr, _WRITERS)), "Choose one of them.")
    lines = _header(netlist, name, registers)
    write = _WRITERS[style]
    for i in range(netlist.n_nodes):
        sources = [_signal(netlist, s) for s in netlist.fan_in[netlist.offsets[i] : netlist.offsets[i + 1]].tolist()]
        lines += write(i, sources, int(netlist.tables[i]))
    outputs = [_signal(netlist, o) for o in netlist.outputs.tolist()]
    vector = ",\n    ".join(reversed(outputs))
    if registers:
        lines += ["  always @(posedge clk) begin", "    x <= i;", f"    y <= {{{vector}}};", "  end", "  assign o = y;"]
    else:
        lines.append(f"  assign o = {{{vector}}};")
    return "\n".join([*lines, "endmodule", ""])


def pipeline_verilog(layers: Sequence[GateNetlist], name: str = "pipeline", *, style: Style = "assign") -> str:
    """Verilog of layers in a row, a register before each one and after the last: ports ``clk``, ``i``, ``o``.

    Layer k's outputs are layer k + 1's inputs; latency is one cycle more than there are layers.

    Raises:
        UsageError: layers whose widths do not fit, or as `netlist_verilog`.
    """
    for below, above in pairwise(layers):
        if below.n_outputs != above.n_inputs:
            raise UsageError.of("layer widths", below.n_outputs, above.n_inputs, "Pass a network's layers in order.")
    body = [f"module {name} (\n  input wire clk,\n  input wire [{layers[0].n_inputs - 1}:0] i,"]
    body.append(f"  output wire [{layers[-1].n_outputs - 1}:0] o\n);")
    source = "i"
    for k, layer in enumerate(layers):
        body += [f"  reg [{layer.n_inputs - 1}:0] r{k};", f"  wire [{layer.n_outputs - 1}:0] w{k};"]
        body += [f"  always @(posedge clk) r{k} <= {source};", f"  {name}_{k} l{k} (.i(r{k}), .o(w{k}));"]
        source = f"w{k}"
    body.append(f"  reg [{layers[-1].n_outputs - 1}:0] y;\n  always @(posedge clk) y <= {source};\n  assign o = y;")
    parts = [netlist_verilog(layer, f"{name}_{k}", style=style) for k, layer in enumerate(layers)]
    return "\n".join([*parts, *body, "endmodule", ""])


def _header(netlist: GateNetlist, name: str, registers: bool) -> list[str]:
    clock = "  input wire clk,\n" if registers else ""
    top_in, top_out = max(0, netlist.n_inputs - 1), max(0, netlist.n_outputs - 1)
    ports = f"{clock}  input wire [{top_in}:0] i,\n  output wire [{top_out}:0] o"
    lines = [f"module {name} (\n{ports}\n);"]
    if registers:
        return [*lines, f"  reg [{top_in}:0] x;", f"  reg [{top_out}:0] y;"]
    return [*lines, f"  wire [{top_in}:0] x = i;"]


def _signal(netlist: GateNetlist, signal: int) -> str:
    if signal in (CONST0, CONST1):
        return "1'b1" if signal == CONST1 else "1'b0"
    return f"x[{signal}]" if signal < netlist.n_inputs else f"n{signal - netlist.n_inputs}"


def _init(sources: Sequence[str], table: int) -> str:
    bits = 1 << len(sources)
    return f"{bits}'h{table:0{max(1, bits // 4)}x}"


def _assign(i: int, sources: Sequence[str], table: int) -> list[str]:
    if not sources:
        return [f"  wire n{i} = 1'b{table & 1};"]
    address = ", ".join(reversed(sources))
    return [
        f"  wire [{(1 << len(sources)) - 1}:0] t{i} = {_init(sources, table)};",
        f"  wire n{i} = t{i}[{{{address}}}];",
    ]


def _primitive(i: int, sources: Sequence[str], table: int) -> list[str]:
    if not sources:
        return [f"  wire n{i} = 1'b{table & 1};"]
    pins = ", ".join(f".I{j}({source})" for j, source in enumerate(sources))
    return [f"  wire n{i};", f"  LUT{len(sources)} #(.INIT({_init(sources, table)})) l{i} ({pins}, .O(n{i}));"]


def _cell(i: int, sources: Sequence[str], table: int) -> list[str]:
    if not sources:
        return [f"  wire n{i} = 1'b{table & 1};"]
    address = ", ".join(reversed(sources))
    parameters = f".WIDTH(32'd{len(sources)}), .LUT({_init(sources, table)})"
    return [f"  wire n{i};", f"  \\$lut #({parameters}) l{i} (.A({{{address}}}), .Y(n{i}));"]


_WRITERS = {"assign": _assign, "primitive": _primitive, "cell": _cell}


def lut_sizes(netlist: GateNetlist) -> dict[int, int]:
    """Nodes by number of inputs."""
    sizes, counts = np.unique(np.diff(netlist.offsets), return_counts=True)
    return {int(size): int(count) for size, count in zip(sizes, counts, strict=True)}
