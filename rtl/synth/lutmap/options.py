"""What the mapper may spend and what it prefers."""

from __future__ import annotations

from dataclasses import dataclass

from hwsim.ir.errors import UsageError

LEVELS = 12  # deeper than any plan of 14 variables


@dataclass(frozen=True)
class MapOptions:
    """Effort and objective of the LUT6 mapper.

    Attributes:
        effort: 0 = best plan only, 1 = several plans and codes (default), 2 = about three times the work.
        depth_weight: LUTs that one level less on the longest path of an L-LUT is worth; 0 = area only.
        max_levels: LUT levels that no L-LUT may exceed where that can be done (a Shannon tree of 12 inputs
            has 4), or None.
        seed: of the random class orders; equal seeds give equal netlists.
    """

    effort: int = 1
    depth_weight: float = 0.0
    max_levels: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.effort not in (0, 1, 2):
            raise UsageError.of("effort", self.effort, "0, 1 or 2", "Choose one of them.")
        if not self.depth_weight >= 0:
            raise UsageError.of("depth_weight", self.depth_weight, "0 or more", "Pass LUTs per level.")
        if self.max_levels is not None and not 1 <= self.max_levels <= LEVELS:
            raise UsageError.of("max_levels", self.max_levels, f"1..{LEVELS} or None", "Allow a Shannon tree's levels.")

    @property
    def plan_levels(self) -> int | None:
        """Largest level budget that plans are made for; None where levels do not matter."""
        return LEVELS if self.max_levels or self.depth_weight else None
