"""`export(unit, arch, out_dir)`: Verilog-2001 of the statistics unit with all that a vendor flow needs beside it.

| file | what |
|---|---|
| ``<name>.v``, ``<name>_*.v`` | top, one file a lane |
| ``files.f`` | file list for ``verilator -f`` and ``iverilog -f`` |
| ``<name>.xdc`` | clock constraint |
| ``synth.tcl`` | out-of-context synthesis and routing in Vivado |
| ``README.txt`` | ports, beats, cycles |

The Tcl script is a stub (`rtl.lib.vendor`): no vendor tool runs in this project's tests.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from hwsim.ir.arch.graphnorm import GraphnormArch
from hwsim.ir.graph_norm import GraphNormUnit
from rtl.graphnorm.unit import build
from rtl.lib.vendor import PART, check_period, export_design
from rtl.lib.verilog import VerilogDesign


def export(
    unit: GraphNormUnit,
    arch: GraphnormArch | None,
    out_dir: str | os.PathLike[str],
    *,
    name: str = "graphnorm",
    clock_ns: float = 5.0,
    part: str = PART,
) -> list[Path]:
    """Write the files of the module's table into `out_dir` and return their paths.

    Args:
        unit: parameters and number formats.   arch: lanes; None = `GraphnormArch()`.
        out_dir: made when missing; files of the same names are overwritten.
        name: top module.   clock_ns: period that the constraints ask for, in ns.   part: Vivado part name.

    Raises:
        UsageError: a period that is not positive, or lanes that do not divide the channels.
    """
    check_period(clock_ns)
    arch = arch or GraphnormArch()
    return export_design(
        build(unit, arch), name, out_dir, clock_ns, part, partial(_readme, unit, arch, clock_ns=clock_ns)
    )


def _readme(unit: GraphNormUnit, arch: GraphnormArch, design: VerilogDesign, clock_ns: float) -> str:
    ports = [f"  {port.direction:>3}  {port.name}[{port.width - 1}:0]" for port in design.ports]
    q, bits = arch.groups(unit.channels), unit.in_bits
    one = arch.cycles([1], unit.channels) - 2 * q
    lines = [
        f"{design.top}: per-graph statistics unit of GraphNorm, {unit.channels} channels on {arch.lanes} lanes,",
        f"parameters of {unit.layers} layers, graphs of at most {unit.max_nodes} nodes (longer ones must not be sent).",
        "",
        "Ports",
        "   in  clk  rising edge",
        "   in  rst  synchronous, active high",
        *ports,
        "  A transfer happens when valid and ready are both 1.",
        "",
        f"Input beat: {arch.lanes} signed codes of {bits} bits, then a control lane of {bits} bits:",
        "  bit 0: last beat of a graph; the bits above it: number of the layer, read in that beat.",
        f"Node after node, {q} beats a node. Output beats in the same order: {arch.lanes} signed codes of",
        f"{unit.out_bits} bits.",
        "",
        f"Cycles from a graph's first beat in to its last beat out: 2 * {q} * nodes + {one}.",
        f"Constraints ask for {clock_ns:g} ns. Lint: verilator --lint-only -Wall -f files.f --top-module {design.top}",
    ]
    return "\n".join(lines) + "\n"
