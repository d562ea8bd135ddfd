"""`export(net, arch, out_dir)`: Verilog-2001 of the spiking core with all that a vendor flow needs beside it.

| file | what |
|---|---|
| ``<name>.v``, ``<name>_*.v`` | top with the phases; event log, fire unit, softmax, counters …; one file a lane |
| ``files.f`` | file list for ``verilator -f`` and ``iverilog -f`` |
| ``<name>.xdc``, ``synth.tcl`` | clock constraint; out-of-context synthesis and routing in Vivado |
| ``weights.hex`` | input beats that write the net's weights and random states, one a line |
| ``README.txt`` | ports, beats, cycles |

The Tcl script is a stub (`rtl.lib.vendor`): no vendor tool runs in this project's tests.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from hwsim.ir.arch.evsnn import EvsnnArch
from hwsim.ir.spiking import SpikingNet
from rtl.evsnn.beats import load_beats
from rtl.evsnn.cores import build
from rtl.evsnn.plan import Plan
from rtl.lib.vendor import PART, check_period, export_design
from rtl.lib.verilog import VerilogDesign


def export(
    net: SpikingNet,
    arch: EvsnnArch | None,
    out_dir: str | os.PathLike[str],
    *,
    name: str = "evsnn",
    clock_ns: float = 10.0,
    part: str = PART,
) -> list[Path]:
    """Write the files of the module's table into `out_dir` and return their paths.

    Args:
        net: the net whose shape, rule and weights the core gets.
        arch: the core; None = `EvsnnArch.fitting(net)`.
        out_dir: made when missing; files of the same names are overwritten.
        name: top module.
        clock_ns: clock period that the constraints ask for, in ns.
        part: Vivado part name.

    Raises:
        UsageError: a period that is not positive.
        ArtifactError: the net does not fit, or has layers that no core has.
    """
    check_period(clock_ns)
    core = build(net, arch)
    weights = "".join(f"{beat:016x}\n" for beat in load_beats(core.plan, net).tolist())
    return export_design(
        core, name, out_dir, clock_ns, part, partial(_readme, core.plan, clock_ns=clock_ns), **{"weights.hex": weights}
    )


def _readme(plan: Plan, design: VerilogDesign, clock_ns: float) -> str:
    sizes = "-".join(map(str, (plan.net.n_inputs, *(layer.n for layer in plan.layers))))
    ports = [f"  {port.direction:>3}  {port.name}[{port.width - 1}:0]" for port in design.ports]
    rule = f"answers and learns ({plan.rule.rule.upper()}-ED)" if plan.rule else "answers"
    steps = f"{plan.steps} ticks a window" if plan.net.window else f"{plan.steps} steps"
    event = "input, tick" if plan.net.window else "input; step in data bits 15:0, value in 31:16"
    lines = [
        f"{design.top}: spiking core of a {sizes} net, {steps}, {plan.lanes} lanes; {rule}.",
        "",
        "Ports",
        "   in  clk  rising edge",
        "   in  rst  synchronous, active high",
        *ports,
        "  A transfer happens when valid and ready are both 1.",
        "",
        "Input beats: kind in bits 63:62, address in 61:32, data in 31:0.",
        f"  0 event: {event}; in order of time.",
        "  1 end of sample: bit 0 of the address = learn, data = label.",
        "  2 read, 3 write: address bits 29:28 = 0 weights (word * lanes + lane, 16 bits), 1 random states (lane),",
        f"  2 counters ({', '.join(plan.counters)}; any write clears them).",
        "  weights.hex has the beats that load the net.",
        f"Output beats: value in bits 31:0, class or address in 55:32, last 56, read 57, overflow 58; {plan.classes} a",
        "sample, one a read.",
        "",
        "Cycles: docs/evsnn-chip.md.",
        f"Constraints ask for {clock_ns:g} ns. Lint: verilator --lint-only -Wall -f files.f --top-module {design.top}",
    ]
    return "\n".join(lines) + "\n"
