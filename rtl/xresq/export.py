"""`export(arch, out_dir)`: Verilog-2001 of the detector with all that a vendor flow needs beside it.

| file | what |
|---|---|
| ``<name>.v``, ``<name>_*.v`` | top; loader, sequencer, readout, one file a lane |
| ``files.f`` | file list for ``verilator -f`` and ``iverilog -f`` |
| ``<name>.xdc`` | clock constraint |
| ``synth.tcl`` | out-of-context synthesis and routing in Vivado |
| ``README.txt`` | ports, order of words, cycles |

The Tcl script is a stub (`rtl.lib.vendor`): no vendor tool runs in this project's tests.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from hwsim.ir.arch.xresq import XresqArch
from rtl.lib.vendor import PART, check_period, export_design
from rtl.lib.verilog import VerilogDesign
from rtl.xresq.detector import build


def export(
    arch: XresqArch | None,
    out_dir: str | os.PathLike[str],
    *,
    name: str = "xresq",
    clock_ns: float = 5.0,
    part: str = PART,
) -> list[Path]:
    """Write the files of the module's table into `out_dir` and return their paths.

    Args:
        arch: sizes; None = `XresqArch()`.
        out_dir: made when missing; files of the same names are overwritten.
        name: top module.
        clock_ns: clock period that the constraints ask for, in ns.
        part: Vivado part name.

    Raises:
        UsageError: a period that is not positive.
    """
    check_period(clock_ns)
    arch = arch or XresqArch()
    return export_design(build(arch), name, out_dir, clock_ns, part, partial(_readme, arch, clock_ns=clock_ns))


def _readme(arch: XresqArch, design: VerilogDesign, clock_ns: float) -> str:
    sections = ", ".join(f"{name} {beats}" for name, beats in arch.load_sections.items() if name != "schedule")
    ports = [f"  {port.direction:>3}  {port.name}[{port.width - 1}:0]" for port in design.ports]
    lines = [
        f"{design.top}: reverse-annealing MIMO detector, n = {arch.n} real dimensions, K = {arch.bits_per_axis},",
        f"{arch.replicas} replicas on {arch.lanes} lanes.",
        "",
        "Ports",
        "   in  clk  rising edge",
        "   in  rst  synchronous, active high",
        *ports,
        "  A transfer happens when valid and ready are both 1.",
        "",
        f"Input, beats of {arch.beat_bits} bits: {sections};",
        f"schedule ceil(sweeps / {arch.beat_bits // 16}), before gram. Words: docs/xresq-chip.md.",
        f"Output: {arch.result_beats} beats, the last {arch.winner_beats} of them the winner's record.",
        f"G {arch.gram_bits} bits, z and fields {arch.field_bits} bits, energies {arch.energy_bits} bits.",
        "",
        "Cycles from the first input word to the last output word, any data:",
        f"  (sweeps + 4) * {arch.slots} + {arch.cycles(0) - 4 * arch.slots} + ceil(sweeps / {arch.beat_bits // 16});",
        f"  50 sweeps: {arch.cycles(50)}.",
        f"Constraints ask for {clock_ns:g} ns. Lint: verilator --lint-only -Wall -f files.f --top-module {design.top}",
    ]
    return "\n".join(lines) + "\n"
