"""Standard-cell cost of Verilog: Liberty libraries, mapping, timing, toggles and power (``docs/synth.md``)."""

from rtl.synth.cells.find import KNOWN, library_files, load_library
from rtl.synth.cells.library import Library, parse_library
from rtl.synth.cells.mapping import MapOptions, map_cells
from rtl.synth.cells.netlist import CellNetlist
from rtl.synth.cells.power import PowerReport, power_mw
from rtl.synth.cells.report import CellReport, Measured, measure
from rtl.synth.cells.simulate import Activity, simulate_cells
from rtl.synth.cells.sta import Conditions, Timing, analyse, critical_path_ps

__all__ = [
    "KNOWN",
    "Activity",
    "CellNetlist",
    "CellReport",
    "Conditions",
    "Library",
    "MapOptions",
    "Measured",
    "PowerReport",
    "Timing",
    "analyse",
    "critical_path_ps",
    "library_files",
    "load_library",
    "map_cells",
    "measure",
    "parse_library",
    "power_mw",
    "simulate_cells",
]
