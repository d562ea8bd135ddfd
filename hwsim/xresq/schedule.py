"""Temperatures of annealing runs, in units of N0: exp(−‖y − Hx‖²/N0) is the posterior of x, so T = 1 samples it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hwsim.ir.errors import UsageError
from hwsim.xresq.channel import Received


@dataclass(frozen=True)
class Schedule:
    """Temperatures of the sweeps in units of N0.

    Attributes:
        start, end: first and last temperature, geometric in between.
        sweeps: number of sweeps, the pause included.
        pause: sweeps held at `start` before cooling.
    """

    start: float
    end: float
    sweeps: int
    pause: int = 0

    def __post_init__(self) -> None:
        if not (self.start > 0 and self.end > 0 and np.isfinite([self.start, self.end]).all()):
            got = f"{self.start} to {self.end}"
            raise UsageError.of("schedule", got, "temperatures > 0 in units of N0", "Use about 8 to 1.")
        if self.sweeps < 1 or not 0 <= self.pause < self.sweeps:
            got = f"{self.sweeps} sweeps with a pause of {self.pause}"
            raise UsageError.of("schedule", got, "sweeps ≥ 1, 0 ≤ pause < sweeps", "Lengthen the schedule.")

    def hotter(self, turn: int) -> Schedule:
        """For round `turn`: start and sweeps grow by half and by one each round, up to three rounds."""
        grow = min(turn, 3)
        return replace(self, start=self.start * 1.5**grow, sweeps=self.sweeps * (1 + grow), pause=self.pause)

    @property
    def temps(self) -> np.ndarray:
        """float32 [sweeps], units of N0."""
        cooling = np.geomspace(self.start, self.end, self.sweeps - self.pause)
        return np.concatenate([np.full(self.pause, self.start), cooling]).astype(np.float32)


def reverse_schedule(r: Received, sweeps: int | None = None) -> Schedule:
    """Reverse annealing's default: from 8 N0 (below 32 users) or 4 N0 (from there on) to N0."""
    return Schedule(8.0 if r.n_t < 32 else 4.0, 1.0, sweeps or (20 if r.n_t < 16 else 50 if r.n_t < 128 else 100))


def forward_schedule(r: Received, sweeps: int | None = None) -> Schedule:
    """Forward annealing's default: from 4·Nr/N0, the cost of one wrong step without interference, to N0."""
    hottest = max(4 * r.n_r / float(np.median(r.n0)), 2.0)
    return Schedule(hottest, 1.0, sweeps or (50 if r.n_t < 16 else 200))
