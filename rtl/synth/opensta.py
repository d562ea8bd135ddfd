"""OpenSTA: critical path and power of a standard-cell netlist (optional; Debian package ``opensta``)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from hwsim.ir.errors import ToolFailedError
from rtl.synth.report import SynthReport
from rtl.synth.runner import Tool, cached_report, content_hash, find_tool, remember, run_tool
from rtl.synth.yosys import find_yosys, netlist_of

_SCRIPT = """read_liberty cells.lib
read_verilog netlist.v
link_design {top}
create_clock -name clk -period {period} {clock}
set_power_activity -global -activity {activity}
puts "SLACK [worst_slack]"
report_checks -path_delay max -format full
report_power
exit
"""


def find_opensta() -> Tool:
    """The program ``sta``; raises `ToolMissingError`."""
    return find_tool("opensta", ["sta", "opensta"], None, "apt install opensta", "-version")


def time_and_power(
    verilog: Mapping[str, str],
    top: str,
    liberty: str,
    *,
    clock: str | None = "clk",
    period_ns: float = 10.0,
    activity: float = 0.1,
    library: str = "standard cells",
    timeout_s: float = 600.0,
    use_cache: bool = True,
) -> SynthReport:
    """Map with yosys to the library, then report path and power at `activity` toggles a cycle and net.

    Args:
        verilog: source text by file name. top: top module.
        liberty: text of the library.
        clock: clock port, or None for a combinational design (a virtual clock then bounds its paths).
        period_ns: clock period for slack and power. activity: toggles a net and cycle.

    Raises:
        ToolMissingError, ToolFailedError: see `rtl.synth.runner`.
    """
    tool = find_opensta()
    script = _script(top, clock, period_ns, activity)
    key = content_hash(tool, [find_yosys().version, top, script], {**verilog, "cells.lib": liberty})
    if use_cache and (known := cached_report(key)):
        return known
    netlist = netlist_of(verilog, top, "liberty", "verilog", liberty=liberty, timeout_s=timeout_s)
    inputs = {"cells.lib": liberty, "netlist.v": netlist, "run.tcl": script}
    run = run_tool(tool, ["-no_splash", "-exit", "run.tcl"], inputs, timeout_s=timeout_s)
    arrival = re.search(r"([-\d.]+)\s+slack \((?:MET|VIOLATED)\)", run.log)
    power = re.search(r"^Total\s+\S+\s+\S+\s+\S+\s+(\S+)", run.log, re.MULTILINE)
    if arrival is None:
        raise ToolFailedError.of("opensta found no timing path", "no slack", "one path", run.log[-1000:])
    path = period_ns - float(arrival[1])
    report = SynthReport(
        tool="opensta",
        version=tool.version,
        device=library,
        fmax_mhz=1000.0 / path if clock and path > 0 else None,
        critical_path_ns=path,
        power_mw=1000.0 * float(power[1]) if power else None,
        seconds=run.seconds,
        peak_mib=run.peak_mib,
        command=script.replace("\n", "; "),
        script_sha256=key,
    )
    return remember(report) if use_cache else report


def _script(top: str, clock: str | None, period_ns: float, activity: float) -> str:
    port = f"[get_ports {clock}]" if clock else ""
    script = _SCRIPT.format(top=top, period=period_ns, clock=port, activity=activity)
    if clock:
        return script
    ends = "set_input_delay 0 -clock clk [all_inputs]\nset_output_delay 0 -clock clk [all_outputs]\n"
    return script.replace("set_power_activity", ends + "set_power_activity")
