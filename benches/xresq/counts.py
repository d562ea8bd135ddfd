"""Error counts of one detector: what every Monte-Carlo chunk returns and every figure is made from.

A packet is 32 bytes, uncoded: consecutive channel uses, each with a channel of its own (an interleaved wideband
link). It is lost when a single bit of it is wrong, so spectral efficiency is Nt·log2(M)·(1 − packet error rate).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benches import stats

PACKET_BITS = 256  # 32 bytes, as in the single-seed detector's evaluation (IoT-ResQ)


@dataclass(frozen=True)
class Counts:
    """Sums over vectors of `size` bits.

    Attributes:
        size: bits of a vector.
        vectors, wrong: vectors, and those with an error.
        errors, squares: Σ e and Σ e² of the vectors' bit errors e.
        packets, lost: whole packets among the vectors, and those with an error.
        cpu_ms: CPU time of the detector.
    """

    size: int
    vectors: int = 0
    wrong: int = 0
    errors: int = 0
    squares: int = 0
    packets: int = 0
    lost: int = 0
    cpu_ms: float = 0.0

    @classmethod
    def of(cls, errors: np.ndarray, size: int, cpu_ms: float = 0.0) -> Counts:
        """From the bit errors int [vectors] of each vector."""
        uses = max(1, PACKET_BITS // size)
        whole = len(errors) // uses
        lost = (errors[: whole * uses].reshape(whole, uses).sum(axis=1) > 0).sum()
        sums = (len(errors), (errors > 0).sum(), errors.sum(), (errors.astype(np.int64) ** 2).sum(), whole, lost)
        vectors, wrong, total, squares, packets, lost_packets = map(int, sums)
        return cls(size, vectors, wrong, total, squares, packets, lost_packets, float(cpu_ms))

    @classmethod
    def total(cls, parts: Iterable[dict[str, float]]) -> Counts:
        """The sum of chunks as `asdict` stored them."""
        rows = list(parts)
        names = [name for name in cls.__dataclass_fields__ if name != "size"]
        sums: dict[str, Any] = {name: sum(row[name] for row in rows) for name in names}
        return cls(int(rows[0]["size"]), **sums)

    def stored(self) -> dict[str, float]:
        return asdict(self)

    def ber(self, burst: float = 0.0) -> stats.Figure:
        """Bit error rate; `burst` as for `stats.clustered`."""
        return stats.clustered(self.errors, self.squares, self.vectors, self.size, burst)

    @property
    def effect(self) -> float:
        """Design effect of the bits of a vector erring together, at least 1."""
        if self.vectors < 2 or not self.errors:
            return 1.0
        p = self.errors / (self.vectors * self.size)
        spread = (self.squares - self.errors**2 / self.vectors) / (self.vectors - 1)
        return max(1.0, spread / (self.size * p * (1 - p)))

    def efficiency(self) -> stats.Figure:
        """Spectral efficiency in bit/s/Hz, from whole packets."""
        return stats.binomial(self.packets - self.lost, self.packets).scaled(self.size)

    @property
    def ms(self) -> float:
        """CPU milliseconds a vector."""
        return self.cpu_ms / self.vectors


def ratio(top: Counts, bottom: Counts, rng: np.random.Generator, draws: int = 4000) -> stats.Figure:
    """BER of `top` ÷ BER of `bottom` with a 95 % interval.

    Each rate is drawn from a gamma distribution with its effective number of errors (errors ÷ design effect, plus ½:
    Jeffreys' prior), independently: on shared channels the two errors are correlated, and the interval is too wide.
    """
    drawn_rates = [
        rng.gamma(c.errors / c.effect + 0.5, size=draws) * c.effect / (c.vectors * c.size) for c in (top, bottom)
    ]
    drawn = np.sort(drawn_rates[0] / drawn_rates[1])
    centre = (top.errors / top.vectors) / (bottom.errors / bottom.vectors) if bottom.errors else float(np.median(drawn))
    low, high = np.percentile(drawn, [2.5, 97.5])
    n = min(top.vectors, bottom.vectors)
    return stats.Figure(centre, min(float(low), centre), max(float(high), centre), n, "gamma posteriors, 95 %")
