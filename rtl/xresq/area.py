"""`area(arch)`: LUT6, flip-flops and block RAM of the detector on Xilinx UltraScale+, counted by yosys.

`rtl.synth.yosys.synthesize` can not be used: ABC9 of yosys 0.70 stops at wires of this design whose names it has
kept ("Assert count_id(wire->name) == 0"). The same script with those names hidden before the mapping runs through.
"""

from __future__ import annotations

import json

from hwsim.ir.arch.xresq import XresqArch
from rtl.lib.verilog import to_verilog
from rtl.synth.report import SynthReport, paired_luts
from rtl.synth.runner import cached_report, content_hash, remember, run_tool
from rtl.synth.yosys import find_yosys
from rtl.xresq.detector import build

_SCRIPT = """read_verilog -sv {sources}
synth_xilinx -family xcup -flatten -noiopad -top {top} -run begin:map_luts
rename -hide w:*_*
synth_xilinx -family xcup -flatten -noiopad -top {top} -run map_luts:
tee -q -o stat.json stat -json
"""


def area(arch: XresqArch | None = None, *, timeout_s: float = 1800.0, use_cache: bool = True) -> SynthReport:
    """Cells of the mapped detector; minutes for a large one, kept by content.

    Args:
        arch: sizes; None = `XresqArch()`.
        timeout_s: limit in seconds.
        use_cache: read and write the cache.

    Raises:
        ToolMissingError: no yosys.   ToolFailedError: it failed or ran too long.
    """
    design, tool = to_verilog(build(arch), "xresq"), find_yosys()
    script = _SCRIPT.format(sources=" ".join(design.sources), top=design.top)
    inputs = {**design.sources, "run.ys": script}
    arguments = ["-q", "-s", "run.ys"]
    key = content_hash(tool, arguments, inputs)
    if use_cache and (known := cached_report(key)):
        return known
    run = run_tool(tool, arguments, inputs, ["stat.json"], timeout_s=timeout_s)
    cells = json.loads(run.files["stat.json"])["design"]["num_cells_by_type"]
    lut = {size: cells[f"LUT{size}"] for size in range(1, 7) if f"LUT{size}" in cells}
    report = SynthReport(
        tool="yosys", version=tool.version, device="Xilinx UltraScale+", lut=lut, lut6_equiv=paired_luts(lut),
        ff=cells.get("FDRE", 0) + cells.get("FDSE", 0), carry=cells.get("CARRY4", 0) + cells.get("CARRY8", 0),
        bram=cells.get("RAMB18E2", 0) + cells.get("RAMB36E2", 0),
        muxes=sum(cells.get(name, 0) for name in ("MUXF7", "MUXF8", "MUXF9")), seconds=run.seconds,
        peak_mib=run.peak_mib, command=script.replace("\n", "; "), script_sha256=key, cells=cells,
    )  # fmt: skip
    return remember(report) if use_cache else report
