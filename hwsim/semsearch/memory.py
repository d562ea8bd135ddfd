"""When a graph pays: time and energy of a streaming scan beside a walk through an HNSW graph.

A scan reads every code in order at the memory's bandwidth. A walk reads few codes, but waits for memory: each expanded
node first gives its list of links, then the codes of those not seen before. Vectors of one list can be fetched side by
side, lists can not, since each depends on the distances before it.

    scan   = N · b / B
    walk   = hops · (t + links · 4 / B) + ⌈evaluations / side⌉ · t + evaluations · b / B

N documents, b bytes a code, B bandwidth, t random access, `side` fetches under way at once; hops and evaluations are
counted on a real graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hwsim.ir.errors import UsageError

LINK_BYTES = 4


@dataclass(frozen=True)
class Memory:
    """A memory behind the scorer.

    Attributes:
        name: for reports.   bytes_per_ns: bandwidth.   access_ns: from an address to its first data.
        side: random reads under way at once.   pj_per_byte: of reading.
        burst: bytes that a random read moves at least.

    Raises:
        UsageError: a number that is not above 0.
    """

    name: str
    bytes_per_ns: float
    access_ns: float
    side: int
    pj_per_byte: float
    burst: int = 64

    def __post_init__(self) -> None:
        numbers = (self.bytes_per_ns, self.access_ns, self.side, self.pj_per_byte, self.burst)
        if not min(numbers) > 0:
            raise UsageError.of(f"memory {self.name}", numbers, "numbers above 0", "Mend the memory.")


# one channel DDR4-3200: 25.6 GB/s; tRCD + tCL of 22-22-22 and the way to the pins and back; 16 banks.
# Energy: Horowitz, ISSCC 2014, figure 1.1.9, as `dram_byte` of hwsim/tech/sky130hd.toml.
DRAM = Memory("DDR4-3200, one channel", 25.6, 60.0, 16, 244.0)
# on chip, 48 bytes a cycle at 500 MHz, two cycles to data. Energy: `sram_byte` of hwsim/tech/sky130hd.toml.
SRAM = Memory("on-chip SRAM, 48 B a cycle at 500 MHz", 24.0, 4.0, 1, 8.5, 1)


@dataclass(frozen=True)
class Cost:
    """Time and energy of one query."""

    ns: float
    pj: float


def scan_cost(memory: Memory, documents: int, code_bytes: float) -> Cost:
    """A streaming scan.

    Example:
        >>> scan_cost(SRAM, 1000, 48).ns
        2000.0
    """
    moved = documents * code_bytes
    return Cost(memory.access_ns + moved / memory.bytes_per_ns if memory is DRAM else moved / memory.bytes_per_ns,
                moved * memory.pj_per_byte)  # fmt: skip


def walk_cost(memory: Memory, hops: float, evaluations: float, code_bytes: float, links: int) -> Cost:
    """A walk that expands `hops` nodes of `links` links and compares with `evaluations` codes."""
    lists = max(links * LINK_BYTES, memory.burst)
    codes = max(code_bytes, memory.burst)
    moved = hops * lists + evaluations * codes
    waits = hops + evaluations / memory.side
    return Cost(waits * memory.access_ns + moved / memory.bytes_per_ns, moved * memory.pj_per_byte)


def break_even(documents: Sequence[int], scan: Sequence[float], walk: Sequence[float]) -> float | None:
    """Documents at which the walk becomes cheaper, by a straight line between the sizes in a log–log plot.

    None when it never is within the sizes given; the smallest size when it always is.

    Raises:
        UsageError: fewer than two sizes, or not rising.

    Example:
        >>> break_even([10, 1000], [1, 100], [10, 10])
        100.0
    """
    n = np.asarray(documents, float)
    if len(n) < 2 or (np.diff(n) <= 0).any():
        raise UsageError.of("sizes", list(documents), "two or more, rising", "Sort them.")
    gap = np.log(np.asarray(scan, float) / np.asarray(walk, float))
    if gap[0] >= 0:
        return float(n[0])
    over = np.flatnonzero(gap >= 0)
    if not len(over):
        return None
    i = int(over[0])
    share = -gap[i - 1] / (gap[i] - gap[i - 1])
    return float(round(np.exp(np.log(n[i - 1]) + share * np.log(n[i] / n[i - 1])), 6))
