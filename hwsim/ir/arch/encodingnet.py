"""Shape of the encoded-MAC array: rows, columns, the column's style, where registers stand, and cycles.

Symbols: R rows, C columns; a GEMM of T activation rows, K products a sum, N outputs; L = `latency` of one column.
A *fold* is what the array does with one set of stationary weights (``ws``) or outputs (``os``). Derivation and figures:
``docs/encodingnet-array.md``.

| fold | systolic | encoded (popcount, heap) |
|---|---|---|
| ``ws``: R×C weights, all T rows | R + T + C − 2 + L, L = R (as SCALE-Sim) | the same with L = 2 + cuts |
| ``os`` | K + R + C − 2: R×C outputs (SCALE-Sim) | T·⌈K/R⌉ + C − 2 + L: T×C outputs |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from hwsim.ir.encoding import Encoding
from hwsim.ir.errors import ArtifactError, UsageError

Dataflow = Literal["ws", "os"]
Style = Literal["systolic", "popcount", "heap"]
Cut = Literal["encoder", "counts", "rows", "product"]
CUTS: dict[str, tuple[Cut, ...]] = {
    "systolic": ("product",), "popcount": ("encoder", "counts", "rows"), "heap": ("encoder", "rows"),
}  # fmt: skip
DEFAULT_CUTS: dict[str, tuple[Cut, ...]] = {"systolic": (), "popcount": ("counts",), "heap": ()}
MAX_SIDE = 1024


@dataclass(frozen=True)
class EncodingnetArch:
    """Parameters of one array; read by the cycle model and by the RTL generator.

    Attributes:
        rows, cols: R and C, 1…1024.
        dataflow: ``"ws"`` weights stay in their cells; ``"os"`` outputs stay (model only, see the docs).
        style: ``"systolic"`` = a chain of R multiply-accumulate cells, rows skewed by one cycle each;
            ``"popcount"`` = R encoders, a counter a wide bit, register s, one decoder with the position weights;
            ``"heap"`` = the weighted wide bits straight into one compressor tree.
        mac: systolic only: ``"plain"`` = ``a·w + psum`` left to the synthesis tool, ``"fused"`` = the encoding's bits
            and the partial sum in one compressor tree. Plain cells need an encoding that is exact.
        recode: operands whose own gates (those that read this operand alone) are evaluated before the register:
            ``"w"`` once as weights are loaded, ``"x"`` once a row at the array's edge. Booth: ``("w",)``.
        cuts: pipeline registers besides those of activations and outputs; None = ("counts",) for popcount columns,
            none else. ``encoder`` after the encoders, ``counts`` the register s, ``rows`` before the last
            carry-propagate adder, ``product`` between multiplier and adder of a systolic cell.
        adder: the last carry-propagate adder: ``"plus"`` = left to the synthesis tool, ``"ripple"`` = full adders.
        output_bits: width of a column's sum, signed; None = the least that holds every sum of R products.
        accumulator_bits: width of the accumulators at the output memory, up to 62.
        x_kib, w_kib, y_kib: sizes of the memories of activations, weights and sums.
        dram_bytes_per_cycle: bandwidth behind the memories; None = never waits.
        clock_ns: clock period, for leakage.

    Raises:
        UsageError: a parameter outside these.
    """

    rows: int = 64
    cols: int = 64
    dataflow: Dataflow = "ws"
    style: Style = "popcount"
    mac: Literal["plain", "fused"] = "plain"
    recode: tuple[Literal["x", "w"], ...] = ()
    cuts: tuple[Cut, ...] | None = None
    adder: Literal["plus", "ripple"] = "plus"
    output_bits: int | None = None
    accumulator_bits: int = 32
    x_kib: int = 256
    w_kib: int = 256
    y_kib: int = 256
    dram_bytes_per_cycle: float | None = None
    clock_ns: float = 2.0

    def __post_init__(self) -> None:
        choices = {
            "dataflow": ("ws", "os"), "style": tuple(CUTS), "mac": ("plain", "fused"), "adder": ("plus", "ripple"),
        }  # fmt: skip
        for name, known in choices.items():
            if (got := getattr(self, name)) not in known:
                raise UsageError.of(f"EncodingnetArch.{name}", repr(got), f"one of {known}", "Choose one of them.")
        bounds = {"rows": (1, MAX_SIDE), "cols": (1, MAX_SIDE), "accumulator_bits": (1, 62)}
        bounds |= dict.fromkeys(("x_kib", "w_kib", "y_kib"), (1, 1 << 20))
        for name, (low, high) in bounds.items():
            if not low <= (number := getattr(self, name)) <= high:
                raise UsageError.of(f"EncodingnetArch.{name}", number, f"{low}…{high}", "Choose another size.")
        allowed = CUTS[self.style]
        if wrong := [cut for cut in self.cuts or () if cut not in allowed]:
            raise UsageError.of(f"cut of a {self.style} column", repr(wrong[0]), f"some of {allowed}", "Drop it.")
        if not set(self.recode) <= {"x", "w"}:
            raise UsageError.of("EncodingnetArch.recode", self.recode, "'x', 'w', both or none", "Mend it.")
        if not self.clock_ns > 0 or not (self.dram_bytes_per_cycle is None or self.dram_bytes_per_cycle > 0):
            got = f"clock {self.clock_ns} ns, {self.dram_bytes_per_cycle} bytes a cycle"
            raise UsageError.of("EncodingnetArch rates", got, "rates above 0", "Give positive numbers.")

    @property
    def registers(self) -> tuple[Cut, ...]:
        """The cuts in the order of the data path, defaults filled in."""
        chosen = DEFAULT_CUTS[self.style] if self.cuts is None else self.cuts
        return tuple(cut for cut in CUTS[self.style] if cut in chosen)

    @property
    def latency(self) -> int:
        """L: clock edges from a column's activation port to its output register.

        Systolic: one a row (the first cell computes from the port itself, later ones behind one register a row), plus
        the cut. Encoded: activation register, cuts, output register.
        """
        return (self.rows if self.style == "systolic" else 2) + len(self.registers)

    @property
    def array_latency(self) -> int:
        """Clock edges from an activation row at the array's edge to its C sums, side by side: L + C − 1."""
        return self.latency + self.cols - 1

    def fold_cycles(self, t: int, k: int = 0) -> int:
        """Cycles of one fold, from its first weight (``ws``) or operand (``os``) to its last sum, both included.

        Args:
            t: activation rows T.
            k: products a sum K; read with ``os`` only.

        Example:
            >>> EncodingnetArch(style="systolic").fold_cycles(2916), EncodingnetArch().fold_cycles(2916)
            (3106, 3045)
        """
        if self.dataflow == "ws":
            return self.rows + t + self.cols - 2 + self.latency
        if self.style == "systolic":
            return k + self.rows + self.cols - 2 + len(self.registers)
        return t * -(-k // self.rows) + self.cols - 2 + self.latency

    def folds(self, t: int, k: int, n: int) -> tuple[int, int]:
        """Folds along the first and the second dimension: ``ws`` ⌈K/R⌉ × ⌈N/C⌉; ``os`` ⌈T/R⌉ × ⌈N/C⌉ for systolic
        cells, 1 × ⌈N/C⌉ for encoded columns. Every fold takes as long as a full one."""
        down = k if self.dataflow == "ws" else t if self.style == "systolic" else 1
        return -(-down // self.rows), -(-n // self.cols)

    def gemm_cycles(self, t: int, k: int, n: int) -> int:
        """Cycles of an x [T, K] · w [N, K] product, fold after fold, without waiting for memory.

        Example (the ResNet-18 layer of the specification, 9 folds):
            >>> EncodingnetArch(style="systolic").gemm_cycles(2916, 576, 64)
            27954
        """
        down, across = self.folds(t, k, n)
        return down * across * self.fold_cycles(t, k)

    def sum_range(self, encoding: Encoding) -> tuple[int, int]:
        """Least and largest sum of R products."""
        return self.rows * int(encoding.table.min()), self.rows * int(encoding.table.max())

    def width(self, encoding: Encoding) -> int:
        """Bits of a column's signed sum.

        Raises:
            UsageError: `output_bits` does not hold every sum of R products.
        """
        low, high = self.sum_range(encoding)
        least = max(high.bit_length(), (-low - 1).bit_length() if low < 0 else 0) + 1
        if self.output_bits is not None and not least <= self.output_bits <= 62:
            mend = "Raise output_bits, or leave it out."
            raise UsageError.of("EncodingnetArch.output_bits", self.output_bits, f"{least}…62", mend)
        return self.output_bits or least

    def padding(self, encoding: Encoding, used_rows: int) -> int:
        """What unused rows add to a sum: rows without a product hold code 0 on both sides and add T(0, 0) each.

        The hardware adds it; whoever starts the accumulators (the host, the array model) starts them at minus this.
        """
        return (self.rows - used_rows) * int(encoding.table[0, 0])

    def check(self, encoding: Encoding) -> None:
        """Raise when the encoding can not run on this array.

        Raises:
            ArtifactError: plain systolic cells with an encoding that is not the exact product.
            UsageError: a sum that does not fit `output_bits`.
        """
        self.width(encoding)
        if self.style != "systolic" or self.mac == "fused":
            return
        levels = encoding.x_levels is not None or encoding.w_levels is not None
        if levels or not np.array_equal(encoding.table, np.rint(encoding.target / encoding.step).astype(np.int64)):
            raise ArtifactError.of(
                "arithmetic of plain systolic cells", "an encoding that is not exact", "x·w of two's complement codes",
                "Use mac='fused', or the exact encoding.",
            )  # fmt: skip
