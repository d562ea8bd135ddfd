"""One result type for every synthesis, place-and-route and timing tool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from hwsim.ir.errors import ArtifactError


@dataclass(frozen=True)
class SynthReport:
    """What one tool run measured. A figure that was not measured is None, never 0.

    Attributes:
        tool, version: program and its version.
        device: target family or library.
        lut: LUTs by number of inputs, ``{6: 120, 5: 30}``.
        lut6_equiv: LUT6 when LUTs of at most five inputs share one in pairs (LUT6_2), as a lower bound.
        ff, carry, bram, muxes: flip-flops, carry blocks, block RAMs, wide multiplexers (F7, F8, PFUMX…).
        levels: cells on the longest combinational path.
        fmax_mhz, critical_path_ns: timing.
        cell_area_um2: standard-cell area.
        power_mw: at the tool's default activity, see `command`.
        seconds: CPU seconds of the tool; of the first run when `cached`.
        peak_mib: largest resident size of the tool.
        command: how the tool was called.
        script_sha256: of script, inputs and tool version: the cache key.
        cached: read from the cache.
        cells: every cell type the tool counted.
    """

    tool: str
    version: str
    device: str
    lut: Mapping[int, int] | None = None
    lut6_equiv: int | None = None
    ff: int | None = None
    carry: int | None = None
    bram: int | None = None
    muxes: int | None = None
    levels: int | None = None
    fmax_mhz: float | None = None
    critical_path_ns: float | None = None
    cell_area_um2: float | None = None
    power_mw: float | None = None
    seconds: float | None = None
    peak_mib: float | None = None
    command: str = ""
    script_sha256: str = ""
    cached: bool = False
    cells: Mapping[str, int] = field(default_factory=dict)

    @property
    def lut_total(self) -> int | None:
        """LUTs of any size, each counted once."""
        return None if self.lut is None else sum(self.lut.values())

    def to_json(self) -> dict[str, Any]:
        """Plain values for a result file."""
        out = asdict(self)
        if self.lut is not None:
            out["lut"] = {str(size): count for size, count in self.lut.items()}
        return out

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> SynthReport:
        """Inverse of `to_json`; raises `ArtifactError` for anything else."""
        known = {f.name for f in fields(cls)}
        if not {"tool", "version", "device"} <= set(values) <= known:
            raise ArtifactError.of("not a SynthReport", sorted(values), sorted(known), "Delete the cached file.")
        values = dict(values)
        if values.get("lut") is not None:
            values["lut"] = {int(size): count for size, count in values["lut"].items()}
        return cls(**values)


def paired_luts(lut: Mapping[int, int]) -> int:
    """LUT6 needed when any two LUTs of at most five inputs could share one: #6 + ⌈#≤5 / 2⌉."""
    small = sum(count for size, count in lut.items() if size <= 5)
    return sum(count for size, count in lut.items() if size > 5) + (small + 1) // 2
