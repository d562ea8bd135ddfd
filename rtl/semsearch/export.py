"""`export(arch, out_dir)`: Verilog-2001 of the scorer with all that a vendor flow needs beside it.

| file | what |
|---|---|
| ``<name>.v``, ``<name>_*.v`` | top; popcount tree |
| ``files.f`` | file list for ``verilator -f`` and ``iverilog -f`` |
| ``<name>.xdc`` | clock constraint |
| ``synth.tcl`` | out-of-context synthesis and routing in Vivado |
| ``README.txt`` | ports, order of beats, cycles |

The Tcl script is a stub (`rtl.lib.vendor`): no vendor tool runs in this project's tests.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from hwsim.ir.arch.semsearch import HammingArch
from rtl.lib.vendor import PART, check_period, export_design
from rtl.lib.verilog import VerilogDesign
from rtl.semsearch.scorer import build


def export(
    arch: HammingArch | None,
    out_dir: str | os.PathLike[str],
    *,
    name: str = "semsearch",
    clock_ns: float = 3.0,
    part: str = PART,
) -> list[Path]:
    """Write the files of the module's table into `out_dir` and return their paths.

    Args:
        arch: sizes; None = `HammingArch()`.
        out_dir: made when missing; files of the same names are overwritten.
        name: top module.
        clock_ns: clock period that the constraints ask for, in ns.
        part: Vivado part name.

    Raises:
        UsageError: a period that is not positive.
    """
    check_period(clock_ns)
    arch = arch or HammingArch()
    return export_design(build(arch), name, out_dir, clock_ns, part, partial(_readme, arch, clock_ns=clock_ns))


def _readme(arch: HammingArch, design: VerilogDesign, clock_ns: float) -> str:
    ports = [f"  {port.direction:>3}  {port.name}[{port.width - 1}:0]" for port in design.ports]
    lines = [
        f"{design.top}: Hamming scorer, documents of {arch.bits} bits in {arch.words} beats of {arch.beat_bits},",
        f"{arch.k} nearest, numbers of {arch.index_bits} bits.",
        "",
        "Ports",
        "   in  clk  rising edge",
        "   in  rst  synchronous, active high",
        *ports,
        "  A transfer happens when valid and ready are both 1.",
        "",
        f"Input: {arch.words} beats of the query, flag query; then documents, {arch.words} beats each; flag last on",
        f"the very last beat. Flags: bits {arch.beat_bits} (query) and {arch.beat_bits + 1} (last) of the payload.",
        "Output: the nearest documents, nearest first, lowest number on ties: number in bits 31:0, distance from bit",
        "32 on, bit 63 in the last one.",
        "",
        "Cycles from the first beat to the last result, N documents, nobody waits:",
        f"  (N + 1) * {arch.words} + {arch.latency - 1} + min({arch.k}, N); 10000 documents: {arch.cycles(10_000)}.",
        f"Constraints ask for {clock_ns:g} ns. Lint: verilator --lint-only -Wall -f files.f --top-module {design.top}",
    ]
    return "\n".join(lines) + "\n"
