"""What a vendor flow gets beside the Verilog: file list, clock constraint, and a Tcl script from synthesis to routing.

The Tcl script is a stub: no vendor tool runs in this project's tests.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hwsim.ir.errors import UsageError
from rtl.lib.verilog import VerilogDesign, to_verilog

PART = "xcvu9p-flgb2104-2-i"  # NeuraLUT's device, and a common UltraScale+ one of speed grade 2


def check_period(clock_ns: float) -> None:
    """Before anything is built.

    Raises:
        UsageError: a period that is not positive.
    """
    if not clock_ns > 0:
        raise UsageError.of("clock_ns", clock_ns, "a period above 0 ns", "Give a period in ns.")


def export_design(
    core: Any,
    name: str,
    out_dir: str | os.PathLike[str],
    clock_ns: float,
    part: str,
    readme: Callable[[VerilogDesign], str],
    **texts: str,
) -> list[Path]:
    """Write a core's Verilog, constraints, script, ``README.txt`` and `texts` (by file name); returns all paths."""
    design = to_verilog(core, name)
    made = {f"{name}.xdc": clock_constraint("clk", clock_ns), "synth.tcl": vivado_tcl(design, part)}
    return write_project(design, Path(out_dir), {**made, **texts, "README.txt": readme(design)})


def write_project(design: VerilogDesign, out: Path, texts: Mapping[str, str]) -> list[Path]:
    """Write the sources, ``files.f`` and `texts` (text by file name) into `out`; returns all paths."""
    written = design.write(out)
    for file, text in {"files.f": "".join(f"{name}\n" for name in design.sources), **texts}.items():
        (out / file).write_text(text)
        written.append(out / file)
    return written


def clock_constraint(clock: str, clock_ns: float) -> str:
    """XDC text: the period of the only clock, and a clock buffer for out-of-context timing."""
    return (
        f"create_clock -name {clock} -period {clock_ns:g} [get_ports {clock}]\n"
        f"set_property HD.CLK_SRC BUFGCTRL_X0Y0 [get_ports {clock}]\n"
    )


def vivado_tcl(design: VerilogDesign, part: str = PART, remark: str = "", options: str = "") -> str:
    """Script for out-of-context synthesis and routing; `options` are added to ``synth_design``."""
    reads = "\n".join(f"read_verilog {file}" for file in design.sources)
    return f"""# vivado -mode batch -source synth.tcl{remark}
{reads}
read_xdc -mode out_of_context {design.top}.xdc
synth_design -top {design.top} -part {part} -mode out_of_context -flatten_hierarchy rebuilt{options}
opt_design
place_design
phys_opt_design
route_design
report_utilization -file utilization.rpt
report_timing_summary -file timing.rpt
write_checkpoint -force {design.top}.dcp
"""
