"""`export(network, arch, out_dir)`: Verilog-2001 of a LUT network with all that a vendor flow needs beside it.

| file | what |
|---|---|
| ``<name>.v``, ``<name>_layer<i>.v`` | top; one file a layer, with the layer's lookup tables |
| ``files.f`` | file list for ``verilator -f`` and ``iverilog -f`` |
| ``<name>.xdc`` | clock constraint |
| ``synth.tcl`` | out-of-context synthesis and routing in Vivado, the paper's flow (FPL 2024, section IV) |
| ``README.txt`` | ports, packing, latency, size |

The Tcl script is a stub (`rtl.lib.vendor`): no vendor tool runs in this project's tests.
"""

from __future__ import annotations

import os
from pathlib import Path

from hwsim.ir.arch.neuralut import NeuralutArch
from hwsim.ir.lut import LutNetwork
from rtl.lib.vendor import PART, check_period, clock_constraint, vivado_tcl, write_project
from rtl.lib.verilog import VerilogDesign, to_verilog
from rtl.neuralut.layers import Rom
from rtl.neuralut.pipeline import Hierarchy, build

STRATEGY = """ \\
  -fsm_extraction one_hot -keep_equivalent_registers -resource_sharing off -no_lc -shreg_min_size 5"""


def export(
    network: LutNetwork,
    arch: NeuralutArch | None,
    out_dir: str | os.PathLike[str],
    *,
    name: str = "neuralut",
    clock_ns: float = 2.0,
    part: str = PART,
    hierarchy: Hierarchy = "layers",
    rom: Rom = "planes",
) -> list[Path]:
    """Write the files of the module's table into `out_dir` and return their paths.

    Args:
        network: the artifact.
        arch: registers and ports; None = `NeuralutArch()`.
        out_dir: made when missing; files of the same names are overwritten.
        name: top module.
        clock_ns: clock period that the constraints ask for, in ns.
        part: Vivado part name; the default is the paper's device.
        hierarchy, rom: as for `build`.

    Raises:
        UsageError: a period that is not positive, or an unknown hierarchy or rom style.
    """
    check_period(clock_ns)
    arch = arch or NeuralutArch()
    component = build(network, arch, hierarchy=hierarchy, rom=rom)
    design = to_verilog(component, name)
    texts = {
        f"{name}.xdc": _constraints(design, clock_ns),
        "synth.tcl": vivado_tcl(design, part, "     (options of Vivado's strategy Flow_PerfOptimized_high)", STRATEGY),
        "README.txt": _readme(network, arch, design, clock_ns),
    }
    return write_project(design, Path(out_dir), texts)


def _constraints(design: VerilogDesign, clock_ns: float) -> str:
    if design.clock is None:
        path = "-from [all_inputs] -to [all_outputs]"
        return f"# no register: bound the combinational path\nset_max_delay {clock_ns:g} {path}\n"
    return clock_constraint(design.clock, clock_ns)


def _readme(network: LutNetwork, arch: NeuralutArch, design: VerilogDesign, clock_ns: float) -> str:
    n_layers, cost = len(network.layers), network.cost().values
    rows = [
        f"  {port.direction:>3}  {port.name}[{port.width - 1}:0]"
        + (f"  {port.lanes} codes of {port.bits} bits" if port.lanes > 1 else "")
        for port in design.ports
    ]
    clocking = [f"   in  {design.clock}  rising edge", f"   in  {design.reset}  synchronous, active high"]
    bits = " -> ".join(f"{n}x{b}b" for n, b in zip(network.widths, network.code_bits, strict=True))
    cuts = ", ".join(map(str, arch.boundaries(n_layers))) or "none"
    lines = [
        f"{design.top}: LUT network, {n_layers} layers, {bits}",
        "",
        "Ports",
        *(clocking if design.clock else ["  no clock: the network is combinational"]),
        *rows,
        "  code k of a bus of b-bit codes stands at bits [k*b+b-1 : k*b]",
        "",
        f"Latency {arch.latency(n_layers)} clock edges, one sample a cycle;",
        f"registers before layers {cuts} ({n_layers} = output).",
    ]
    if arch.ports == "stream":
        lines.append("A transfer happens when valid and ready are both 1; the pipeline stalls as a whole.")
    if network.signed_output:
        lines.append("Output codes are offset binary: value = code - 2^(b-1).")
    if network.n_classes:
        lines.append("Class = index of the largest output code, lowest index on ties (not part of the hardware).")
    lines += [
        f"Tables: {cost['lookups']:.0f} lookups, {cost['table_bits']:.0f} bits, at most {cost['lut6_bound']:.0f} LUT6;",
        f"adder terms: {cost['adder_terms']:.0f}.",
        f"Constraints ask for {clock_ns:g} ns. Lint: verilator --lint-only -Wall -f files.f --top-module {design.top}",
    ]
    return "\n".join(lines) + "\n"
