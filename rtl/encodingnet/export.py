"""Verilog of columns and arrays of encoded cells.

| file of `export` | what |
|---|---|
| ``<name>.v``, ``<name>_column.v`` | handshake and skew; one column |
| ``<name>_column_*.v``, ``adders.v`` | encoder, compressor trees, full and half adder |
| ``files.f`` | file list for ``verilator -f`` and ``iverilog -f`` |
| ``<name>.xdc``, ``synth.tcl`` | clock constraint; out-of-context synthesis and routing in Vivado |
| ``README.txt`` | ports, order of beats, cycles |

The Tcl script is a stub (`rtl.lib.vendor`): no vendor tool runs in this project's tests.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from hwsim.ir.arch.encodingnet import EncodingnetArch
from hwsim.ir.encoding import Encoding
from rtl.encodingnet.array import build, lane_bits, lanes
from rtl.encodingnet.column import Column
from rtl.lib.vendor import PART, check_period, export_design
from rtl.lib.verilog import VerilogDesign, to_verilog


def column_verilog(encoding: Encoding, arch: EncodingnetArch, name: str = "column") -> tuple[dict[str, str], str]:
    """Verilog of one free-running column, and the name of its top module.

    The column is what an array repeats: what an array has once (skew of systolic rows, recoding of activations,
    handshake) is not in it. Ports: `rtl.encodingnet.column.Column`.

    Args:
        encoding: the product.   arch: the array; `cols` is not read.   name: top module.

    Returns:
        File name → text, in compile order, and the top module.

    Raises:
        ArtifactError, UsageError: the encoding does not run on the array, or `name` is no identifier.
    """
    design = to_verilog(Column(encoding, arch), name)
    return design.sources, design.top


def export(
    encoding: Encoding,
    arch: EncodingnetArch | None,
    out_dir: str | os.PathLike[str],
    *,
    name: str = "encodingnet",
    clock_ns: float = 2.0,
    part: str = PART,
) -> list[Path]:
    """Write the files of the module's table for an array into `out_dir` and return their paths.

    Args:
        encoding: the product.
        arch: the array; None = `EncodingnetArch()`.
        out_dir: made when missing; files of the same names are overwritten.
        name: top module.
        clock_ns: clock period that the constraints ask for, in ns.
        part: Vivado part name.

    Raises:
        UsageError: a period that is not positive, or an output-stationary array.
        ArtifactError: the encoding does not run on the array.
    """
    check_period(clock_ns)
    arch = arch or EncodingnetArch()
    return export_design(
        build(encoding, arch), name, out_dir, clock_ns, part, partial(_readme, encoding, arch, clock_ns=clock_ns)
    )


def _readme(encoding: Encoding, arch: EncodingnetArch, design: VerilogDesign, clock_ns: float) -> str:
    ports = [f"  {port.direction:>3}  {port.name}[{port.width - 1}:0]" for port in design.ports]
    load = arch.fold_cycles(0)
    kind = f"{arch.style} ({arch.mac})" if arch.style == "systolic" else arch.style
    lines = [
        f"{design.top}: {arch.rows} x {arch.cols} array of encoded multiply-accumulate cells, {kind} columns,",
        f"activations {encoding.x_bits} bits, weights {encoding.w_bits} bits, {encoding.n_bits} wide bits.",
        "",
        "Ports",
        "   in  clk  rising edge",
        "   in  rst  synchronous, active high",
        *ports,
        "  A transfer happens when valid and ready are both 1.",
        "",
        f"Input: beats of {lanes(arch)} lanes of {lane_bits(encoding)} bits; lane k at bits [k*b+b-1 : k*b]; bit 0 of",
        f"the last lane is the flag. {arch.rows} beats with flag 1 load the weights of one row each, by column; every",
        "beat with flag 0 is one activation row, by array row, and gives one output beat.",
        f"Output: {arch.cols} signed sums of {arch.width(encoding)} bits in units of 2^-{encoding.fraction}.",
        f"A row without a product holds code 0 and adds {int(encoding.table[0, 0])} to every sum.",
        "",
        f"Latency {arch.array_latency} clock edges; a fold of T activation rows takes T + {load} cycles.",
        f"Constraints ask for {clock_ns:g} ns. Lint: verilator --lint-only -Wall -f files.f --top-module {design.top}",
    ]
    return "\n".join(lines) + "\n"
