"""Array model: values, cycles, memory traffic, toggles and energy of matrix products on encoded or systolic cells.

`estimate` needs no operands, only their statistics; `simulate` computes every sum. Both take cycles and traffic from
the same closed forms (`EncodingnetArch`, `hwsim.encodingnet.traffic`), which the RTL and a naive, register-by-register
twin confirm. Conventions, figures and limits: ``docs/encodingnet-array.md``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from hwsim.core.counters import Counters
from hwsim.core.result import SimResult
from hwsim.encodingnet.activity import PARTS, ColumnActivity
from hwsim.encodingnet.emulator import Emulator, emulator
from hwsim.encodingnet.inventory import TECH, energies, inventory, time_events
from hwsim.encodingnet.rates import OperandStats, Rates, rates
from hwsim.encodingnet.shapes import GemmShape
from hwsim.encodingnet.traffic import Traffic, traffic
from hwsim.ir.arch.encodingnet import EncodingnetArch
from hwsim.ir.arch.encodingnet_cells import cell_codes
from hwsim.ir.encoding import Encoding
from hwsim.ir.errors import UsageError

NO_TOGGLES = "output-stationary: toggles are not modelled; registers, logic and leakage of it are priced by time only"


@dataclass(frozen=True, eq=False)
class ArrayResult(SimResult):
    """What an array did; `outputs` int64 [T, N] in units of 2^(−fraction), or [0, N] from `estimate`.

    Attributes:
        stall_cycles: of `cycles`, waits for DRAM.
        utilisation: products / (R·C·cycles).
        mapping_efficiency: cells with a product, mean over folds.
        energy_pj: by part: register, clock, encoder, popcount, decoder, memory, dram, leakage.
    """

    stall_cycles: int = 0
    utilisation: float = 0.0
    mapping_efficiency: float = 0.0
    energy_pj: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class NetworkResult:
    """Layers of `estimate` and their sum.

    Attributes:
        layers: result of each.   cycles: all of them.   counters: summed.   energy_pj: by part, summed.
        utilisation: products / (R·C·cycles) of the whole.
    """

    layers: tuple[ArrayResult, ...]
    cycles: int
    counters: Counters
    energy_pj: Mapping[str, float]
    utilisation: float


class ArrayModel:
    """One encoding on one array; plans, cells and rates are computed once.

    Args:
        encoding: the product.   arch: the array.   tech: table of energies in ``hwsim/tech``.

    Raises:
        ArtifactError, UsageError: the encoding does not run on the array.
    """

    def __init__(self, encoding: Encoding, arch: EncodingnetArch | None = None, tech: str = TECH) -> None:
        self.encoding, self.arch, self.tech = encoding, arch or EncodingnetArch(), tech
        self.activity = ColumnActivity(encoding, self.arch)
        self.inventory = inventory(encoding, self.arch)
        cells = self.activity.cells
        self.x_codes = cell_codes(encoding, cells.x_code, "x")
        self.w_codes = cell_codes(encoding, cells.w_code, "w")
        self._rates: dict[tuple[bytes, int], Rates] = {}

    @cached_property
    def emulator(self) -> Emulator:
        """Kernel that computes the values."""
        return emulator(self.encoding)

    def layer(self, shape: GemmShape, stats: OperandStats | None = None) -> ArrayResult:
        """Cycles, traffic and expected energy of one layer.

        Args:
            shape: of the product.   stats: of its operands; None = uniform codes.

        Raises:
            ShapeError: distributions of the wrong length.
        """
        total = traffic(shape, self.encoding, self.arch)
        toggles = {}
        if self.arch.dataflow == "ws":
            toggles = counted(self.expected(shape, total, stats or OperandStats()), self.arch)
        return self.result(shape, total, toggles, np.zeros((0, shape.n), np.int64), "statistics")

    def result(
        self, shape: GemmShape, total: Traffic, toggles: Mapping[str, int], outputs: np.ndarray, backend: str
    ) -> ArrayResult:
        """Counters and energy around what was counted."""
        encoding, arch = self.encoding, self.arch
        y_bytes = arch.accumulator_bits / 8
        reads = total.x_reads * encoding.x_bits / 8 + total.w_reads * encoding.w_bits / 8 + total.y_reads * y_bytes
        counters = Counters(
            macs=shape.macs, folds=total.folds, x_reads=total.x_reads, w_reads=total.w_reads, y_reads=total.y_reads,
            y_writes=total.y_writes, sram_read_bytes=round(reads), sram_write_bytes=round(total.y_writes * y_bytes),
            dram_read_bytes=total.dram_read_bytes, dram_write_bytes=total.dram_write_bytes,
            **time_events(self.inventory, total.cycles, arch.clock_ns), **toggles,
        )  # fmt: skip
        parts, energy = energies(counters, self.tech)
        cells = arch.rows * arch.cols
        return ArrayResult(
            outputs, total.cycles, arch.array_latency, 1, counters, backend, energy=energy,
            notes=() if toggles else (NO_TOGGLES,), stall_cycles=total.stall_cycles,
            utilisation=shape.macs / (cells * total.cycles),
            mapping_efficiency=total.mapped / (cells * total.folds), energy_pj=parts,
        )  # fmt: skip

    def expected(self, shape: GemmShape, total: Traffic, stats: OperandStats) -> dict[str, float]:
        """Expected toggles of a weight-stationary layer by part."""
        arch, t = self.arch, shape.t
        sums = dict.fromkeys(("activation", "weight", "skew", *PARTS), 0.0)
        for part, used in enumerate((arch.rows, shape.k % arch.rows)):
            columns = total.columns[part]
            if not columns.any():
                continue
            rate = self.rates(stats, used)
            wires = rate.wires[:, 0] + rate.wires[:, 1] + (t - 1) * rate.wires[:, 2]  # [used or idle, part]
            for name, value in zip(PARTS, columns @ wires, strict=True):
                sums[name] += value
            register = rate.activation[0] + (t - 1) * rate.activation[1]
            sums["activation"] += columns.sum() * used * register
            sums["weight"] += columns[0] * used * rate.weight
            folds = columns.sum() / arch.cols
            sums["skew"] += columns @ wires[:, PARTS.index("sum")] * (arch.cols - 1) / 2
            if arch.style == "systolic":
                sums["skew"] += folds * register * used * (used - 1) / 2
        return sums

    def rates(self, stats: OperandStats, used_rows: int) -> Rates:
        """Rates of a column with `used_rows` products; kept for the next call."""
        parts = [b"" if p is None else np.asarray(p, np.float64).tobytes() for p in (stats.p_x, stats.p_w)]
        key = (parts[0] + b"|" + parts[1], used_rows)
        if key not in self._rates:
            self._rates[key] = rates(self.activity, stats, used_rows)
        return self._rates[key]


def counted(sums: Mapping[str, float], arch: EncodingnetArch) -> dict[str, int]:
    """Toggles by part as events; register s only where the array has one."""
    left_out = {"sum"} | (set() if "counts" in arch.registers else {"counts"})
    return {f"{name}_toggles": round(value) for name, value in sums.items() if name not in left_out}


def estimate(
    shapes: Sequence[GemmShape],
    encoding: Encoding,
    arch: EncodingnetArch | None = None,
    stats: OperandStats | Sequence[OperandStats] | None = None,
    tech: str = TECH,
) -> NetworkResult:
    """Cycles, traffic and energy of a list of layers from operand statistics, tile by tile, without values.

    Args:
        shapes: the layers.   encoding: the product.   arch: default `EncodingnetArch()`.
        stats: of all layers or of each; None = uniform codes.   tech: table of energies.

    Raises:
        UsageError: no layer, or as many statistics as neither one nor the layers.
        ArtifactError, ShapeError: operands that do not fit.

    Example:
        >>> from hwsim.encodingnet.encodings import exact
        >>> from hwsim.encodingnet.shapes import resnet18
        >>> run = estimate(resnet18(), exact(8, 8), EncodingnetArch(style="systolic"))
        >>> run.cycles, round(run.utilisation, 3)
        (994162, 0.445)
    """
    every = [stats or OperandStats()] * len(shapes) if stats is None or isinstance(stats, OperandStats) else list(stats)
    if not shapes or len(every) != len(shapes):
        got = f"{len(shapes)} layers, {len(every)} statistics"
        raise UsageError.of("estimate", got, "one or more layers, statistics for one or for each", "Mend the lists.")
    model = ArrayModel(encoding, arch, tech)
    layers = tuple(model.layer(shape, one) for shape, one in zip(shapes, every, strict=True))
    cycles = sum(layer.cycles for layer in layers)
    parts = {name: sum(layer.energy_pj.get(name, 0.0) for layer in layers) for name in layers[0].energy_pj}
    counters = layers[0].counters
    for layer in layers[1:]:
        counters = counters + layer.counters
    cells = model.arch.rows * model.arch.cols
    return NetworkResult(layers, cycles, counters, parts, counters["macs"] / (cells * cycles))
