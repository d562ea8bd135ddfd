"""Shape of the per-graph statistics unit: how many channels a cycle, and the cycles that graphs take.

C channels pass in Q = C / L beats a node, L lanes wide, node after node. A graph is loaded (sums are formed while a
buffer fills), settled (two sums a channel become factors, one beat a cycle), then drained from the buffer:

    cycles from a graph's first beat to the next one's              = n·Q + (Q + 6) + n·Q + 1
    cycles of a graph, first beat in to last beat out, both counted = n·Q + (Q + 6) + n·Q + 5
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hwsim.ir.errors import UsageError
from hwsim.ir.graph_norm import GraphNormUnit, signed_bits

SETTLE_STAGES = 6  # from the last code to its sums, products, W, exponent, table, factor
FLUSH = 1  # the last code leaves the buffer before the next graph enters it
OUT_STAGES = 5  # buffer, n·a, D shifted, product, output
MAX_LANES = 256


@dataclass(frozen=True)
class GraphnormArch:
    """Parameters of one statistics unit.

    Attributes:
        lanes: L, channels a beat; divides the unit's channels.

    Raises:
        UsageError: lanes outside 1…256.
    """

    lanes: int = 4

    def __post_init__(self) -> None:
        if not 1 <= self.lanes <= MAX_LANES:
            raise UsageError.of("GraphnormArch.lanes", self.lanes, f"1…{MAX_LANES}", "Choose another number.")

    def groups(self, channels: int) -> int:
        """Q: beats a node.

        Raises:
            UsageError: the lanes do not divide the channels.
        """
        if channels % self.lanes:
            got = f"{channels} channels on {self.lanes} lanes"
            raise UsageError.of("GraphnormArch.lanes", got, "a divisor of the channels", "Choose other lanes.")
        return channels // self.lanes

    def intervals(self, sizes: Any, channels: int) -> np.ndarray:
        """int64 [graphs]: cycles from a graph's first beat to the next graph's, nobody waiting."""
        q = self.groups(channels)
        return 2 * q * np.asarray(sizes, np.int64) + q + SETTLE_STAGES + FLUSH

    def cycles(self, sizes: Any, channels: int) -> int:
        """Cycles from the first beat in to the last beat out of graphs sent back to back, both counted; 0 for none."""
        sizes = np.asarray(sizes, np.int64)
        return int(self.intervals(sizes, channels).sum()) + OUT_STAGES - FLUSH if len(sizes) else 0

    def buffer_words(self, unit: GraphNormUnit) -> int:
        """Words of a lane's buffer."""
        return unit.max_nodes * self.groups(unit.channels)

    def storage_bits(self, unit: GraphNormUnit) -> dict[str, int]:
        """Bits of the buffer, of the sums, of the factors, and of the constants."""
        factors = unit.sum_a_bits + alpha_bits(unit) + unit.exponent_bits + unit.factor_bits + offset_bits(unit)
        constants = alpha_bits(unit) + kappa_bits(unit) + unit.gain_bits + offset_bits(unit)
        return {
            "buffer": unit.max_nodes * unit.channels * unit.in_bits,
            "sums": unit.channels * (unit.sum_a_bits + unit.sum_aa_bits),
            "factors": unit.channels * factors,
            "constants": unit.layers * unit.channels * constants + len(unit.table) * unit.root_bits * self.lanes,
        }


def alpha_bits(unit: GraphNormUnit) -> int:
    """Signed width of α_q."""
    return signed_bits(unit.alpha)


def kappa_bits(unit: GraphNormUnit) -> int:
    """Signed width of κ."""
    return signed_bits(unit.kappa)


def offset_bits(unit: GraphNormUnit) -> int:
    """Signed width of the offset."""
    return signed_bits(unit.offset)
