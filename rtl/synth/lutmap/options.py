"""What the mapper may spend and what it prefers."""

from __future__ import annotations

from dataclasses import dataclass

from hwsim.ir.errors import UsageError


@dataclass(frozen=True)
class MapOptions:
    """Effort and objective of the LUT6 mapper.

    Attributes:
        effort: 0 = best plan only, 1 = several plans and codes (default), 2 = about three times the work.
        depth_weight: LUTs that one level less on the longest path of an L-LUT is worth; 0 = area only.
        seed: of the random class orders; equal seeds give equal netlists.
    """

    effort: int = 1
    depth_weight: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.effort not in (0, 1, 2):
            raise UsageError.of("effort", self.effort, "0, 1 or 2", "Choose one of them.")
        if not self.depth_weight >= 0:
            raise UsageError.of("depth_weight", self.depth_weight, "0 or more", "Pass LUTs per level.")
