"""A LUT count for networks of one-input tables and adders, set against a routed design.

Tables are mapped by `lutmap`, bit by bit in the two's complement width that each table needs; adders are
mapped by yosys for UltraScale+. The count is LUT6 with ideal pairing of LUTs that read at most five signals
(LUT6_2), adders included. Reference point: KANELÉ's OpenML network, routed by Vivado on an xcvu9p at 1232
LUTs and 900 flip-flops.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from hwsim.ir.errors import UsageError
from hwsim.ir.lut import LutLayer, LutNetwork, SumLayer
from rtl.synth.adders import adder_verilog, signed_bits
from rtl.synth.lutmap import MapOptions, map_table, prove_equal
from rtl.synth.netlist_verilog import lut_sizes
from rtl.synth.report import SynthReport, paired_luts
from rtl.synth.yosys import synthesize

KANELE_OPENML_LUT, KANELE_OPENML_FF = 1232, 900


@dataclass(frozen=True)
class NetworkCount:
    """LUTs of a network of tables and adders.

    Attributes:
        lut: LUTs by number of inputs, tables and adders together.
        table_lut, adder_lut: the same apart.
        ff: registers after every table, in the adder trees, and none on the inputs.
        stages: clock cycles from input codes to sums.
        adders: yosys reports, one an adder layer.
    """

    lut: dict[int, int]
    table_lut: dict[int, int]
    adder_lut: dict[int, int]
    ff: int
    stages: int
    adders: tuple[SynthReport, ...]

    @property
    def unpaired(self) -> int:
        """Every LUT counted once."""
        return sum(self.lut.values())

    @property
    def paired(self) -> int:
        """LUT6 when LUTs of at most five inputs share one in pairs."""
        return paired_luts(self.lut)

    def error_percent(self, routed: int = KANELE_OPENML_LUT) -> float:
        """|paired − routed| / routed in percent."""
        return 100.0 * abs(self.paired - routed) / routed


def count_network(network: LutNetwork, *, group: int = 4, options: MapOptions | None = None) -> NetworkCount:
    """Count a network that alternates LUT layers and adder layers.

    Args:
        network: tables, then adders, and so on.
        group: terms added a register stage.
        options: of the table mapper.

    Raises:
        UsageError: another order of layers. ToolMissingError, ToolFailedError: no yosys, or it failed.
    """
    tables: Counter[int] = Counter()
    adders: Counter[int] = Counter()
    reports, ff, stages = [], 0, 0
    for lut, add in zip(network.layers[::2], network.layers[1::2], strict=True):
        if not isinstance(lut, LutLayer) or not isinstance(add, SumLayer):
            raise UsageError.of("layer order", "something else", "tables and adders in turn", "Use map_network.")
        values = lut.table.astype(np.int64) - (1 << (lut.bits_out - 1))
        low, high = values.min(axis=1), values.max(axis=1)
        for k in range(lut.n_out):
            tables += Counter(_edge_luts(values[k], int(low[k]), int(high[k]), options))
            ff += signed_bits(int(low[k]), int(high[k]))
        tree = adder_verilog(add, low, high, "adders", group)
        report = synthesize({"adders.v": tree.text}, "adders", "xcup")
        reports.append(report)
        adders += Counter(dict(report.lut or {}))
        ff += tree.registers
        stages += 1 + tree.stages
    return NetworkCount(dict(tables + adders), dict(tables), dict(adders), ff, stages, tuple(reports))


def _edge_luts(values: np.ndarray, low: int, high: int, options: MapOptions | None) -> dict[int, int]:
    """LUTs by size of one table of signed values, in the width it needs."""
    bits = signed_bits(low, high)
    table = values & ((1 << bits) - 1)
    netlist = map_table(table, bits, options=options)
    prove_equal(netlist, table)
    return lut_sizes(netlist)
