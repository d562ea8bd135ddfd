"""Area, delay and power of Verilog in one call and one result."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from rtl.synth.cells.library import Library
from rtl.synth.cells.mapping import MapOptions, map_cells
from rtl.synth.cells.netlist import CellNetlist
from rtl.synth.cells.power import PowerReport, group_of_cells, power_mw
from rtl.synth.cells.simulate import Activity, simulate_cells
from rtl.synth.cells.sta import Conditions, Timing, analyse


@dataclass(frozen=True)
class CellReport:
    """Cost of one design in one library. What was not measured is None.

    Attributes:
        library, top: names.
        area_um2: sum of cell areas. group_area_um2: by group.
        cells: instances by cell. flip_flops: how many of them are registers.
        critical_path_ps: shortest clock period. fmax_mhz: its inverse.
        power: at the clock asked for.
        seconds: wall clock of timing, simulation and power; mapping apart, 0 when it was remembered.
        meta: tool version, mapping options, hash of the netlist.
    """

    library: str
    top: str
    area_um2: float
    group_area_um2: Mapping[str, float]
    cells: Mapping[str, int]
    flip_flops: int
    critical_path_ps: float
    fmax_mhz: float
    power: PowerReport | None
    seconds: float
    mapping_seconds: float
    meta: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Plain values for a result file."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Measured:
    """A `CellReport` with what it came from."""

    report: CellReport
    netlist: CellNetlist
    timing: Timing
    activity: Activity | None


def measure(
    verilog: Mapping[str, str],
    top: str,
    library: Library,
    inputs: Mapping[str, np.ndarray] | None = None,
    *,
    clock_mhz: float = 500.0,
    options: MapOptions | None = None,
    conditions: Conditions | None = None,
    groups: Mapping[str, str] | None = None,
    warmup: int = 1,
    glitches: bool = True,
    inertia: float = 1.0,
    timeout_s: float = 900.0,
) -> Measured:
    """Map, time and simulate a design; see `map_cells`, `analyse`, `simulate_cells` and `power_mw`.

    Args:
        inputs: operand streams by port; None leaves power out.
    """
    netlist = map_cells(verilog, top, library, options, timeout_s=timeout_s)
    start = time.perf_counter()
    timing = analyse(netlist, conditions)
    activity, power = None, None
    if inputs is not None:
        delays = timing if glitches else False
        activity = simulate_cells(netlist, inputs, warmup=warmup, glitches=delays, inertia=inertia)
        power = power_mw(netlist, activity, clock_mhz, timing=timing, groups=groups)
    labels, of_cell = group_of_cells(netlist, groups, timing.graph)
    areas = np.bincount(of_cell, netlist.cell_areas_um2, minlength=len(labels))
    report = CellReport(
        library=library.name,
        top=top,
        area_um2=netlist.area_um2,
        group_area_um2={label: float(area) for label, area in zip(labels, areas, strict=True) if area},
        cells=netlist.cells,
        flip_flops=netlist.flip_flops,
        critical_path_ps=timing.critical_path_ps,
        fmax_mhz=1e6 / timing.critical_path_ps if timing.critical_path_ps > 0 else float("inf"),
        power=power,
        seconds=time.perf_counter() - start,
        mapping_seconds=float(netlist.meta.get("seconds", 0.0)),
        meta={key: value for key, value in netlist.meta.items() if key != "script"},
    )
    return Measured(report, netlist, timing, activity)
