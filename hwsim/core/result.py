"""`SimResult`: the one object that every simulator returns."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hwsim.core.counters import Counters
from hwsim.core.energy import Energy
from hwsim.core.trace import Trace


@dataclass(frozen=True, eq=False)
class SimResult:
    """Outputs, cycles and event counts of one simulated batch.

    Attributes:
        outputs: integer codes [batch, n_out], equal bit for bit to the artifact's `reference`.
        cycles: clock cycles for the whole batch, fill and drain included; 0 for an empty batch.
        latency_cycles: clock edges from the cycle that presents a sample to the first one that shows its result.
        initiation_interval: cycles between two samples that are accepted back to back.
        counters: how often each event happened.
        backend: name of the kernel that computed the outputs.
        classes: int64 [batch], or None when the artifact has no classes.
        energy: None unless at least one counted event has an energy with a source.
        trace: signals over time, or None when none was asked for.
        notes: what the caller should know, for example why a faster kernel was not used.
    """

    outputs: np.ndarray
    cycles: int
    latency_cycles: int
    initiation_interval: int
    counters: Counters
    backend: str
    classes: np.ndarray | None = None
    energy: Energy | None = None
    trace: Trace | None = None
    notes: tuple[str, ...] = field(default_factory=tuple)

    def seconds_at(self, clock_mhz: float) -> float:
        """Time in seconds that the simulated circuit takes for the batch at `clock_mhz`."""
        return self.cycles / (clock_mhz * 1e6)
