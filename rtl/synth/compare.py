"""The same tables through several mappers: ours, ABC's lutmin, and yosys's AIG mapping for UltraScale+."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hwsim.ir.errors import ToolMissingError, UsageError
from rtl.synth.abc import lutmin
from rtl.synth.lutmap import MapOptions, map_table, prove_equal
from rtl.synth.yosys import synthesize

MAPPERS = ("lutmap", "lutmin", "yosys", "yosys-abc9")


@dataclass(frozen=True)
class MapperResult:
    """One mapper on a list of tables.

    Attributes:
        luts: LUTs of every table. muxes: F7/F8/F9 multiplexers besides, None for pure LUT mappers.
        levels: LUT levels of the deepest table, None where the tool does not say.
        seconds: CPU seconds for ours, wall clock for the tools. proved: compared with the table exhaustively.
        missing: why there are no figures, or None.
    """

    mapper: str
    luts: tuple[int, ...] | None
    muxes: int | None = None
    levels: int | None = None
    seconds: float | None = None
    proved: bool = False
    missing: str | None = None

    def per_bit(self, bits: int) -> float | None:
        """Mean LUTs of an output bit."""
        return None if self.luts is None else float(np.mean(self.luts)) / bits


def compare_mappers(
    tables: Sequence[np.ndarray],
    bits: int,
    *,
    mappers: Sequence[str] = MAPPERS,
    options: MapOptions | None = None,
    timeout_s: float = 600.0,
) -> list[MapperResult]:
    """Map every table (integers [2^n], `bits` output bits) with every mapper; a missing tool gives its reason.

    Raises:
        UsageError: an unknown mapper. EquivalenceError: a wrong netlist. ToolFailedError: a tool failed.
    """
    results = []
    for name in mappers:
        if name not in MAPPERS:
            raise UsageError.of("mapper", repr(name), ", ".join(MAPPERS), "Choose among them.")
        try:
            results.append(_run(name, tables, bits, options, timeout_s))
        except ToolMissingError as error:
            results.append(MapperResult(name, None, missing=str(error)))
    return results


def _run(
    name: str, tables: Sequence[np.ndarray], bits: int, options: MapOptions | None, timeout_s: float
) -> MapperResult:
    if name.startswith("yosys"):
        wall = time.perf_counter()
        reports = [
            synthesize({"t.v": table_verilog(table, bits)}, "t", abc9=name.endswith("abc9"), timeout_s=timeout_s)
            for table in tables
        ]
        luts = tuple(report.lut_total or 0 for report in reports)
        muxes = sum(report.muxes or 0 for report in reports)
        return MapperResult(name, luts, muxes, None, time.perf_counter() - wall)
    clock = time.thread_time if name == "lutmap" else time.perf_counter
    started = clock()
    if name == "lutmap":
        netlists = [map_table(table, bits, options=options) for table in tables]
    else:
        netlists = lutmin(tables, bits, timeout_s=timeout_s)
    seconds = clock() - started
    for netlist, table in zip(netlists, tables, strict=True):
        prove_equal(netlist, table)
    levels = max(netlist.depth for netlist in netlists)
    return MapperResult(name, tuple(netlist.n_nodes for netlist in netlists), None, levels, seconds, True)


def table_verilog(table: np.ndarray, bits: int) -> str:
    """A table as a combinational ``case``, the form in which NeuraLUT hands it to synthesis."""
    n = len(table).bit_length() - 1
    rows = "\n".join(f"      {n}'d{a}: y = {bits}'d{int(v)};" for a, v in enumerate(table))
    return (
        f"module t (input wire [{n - 1}:0] a, output reg [{bits - 1}:0] y);\n"
        f"  always @* begin\n    case (a)\n{rows}\n      default: y = {bits}'d0;\n    endcase\n  end\nendmodule\n"
    )
