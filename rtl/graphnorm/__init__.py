"""Per-graph statistics unit in Amaranth: `build(unit, arch)`."""

from rtl.graphnorm.export import export
from rtl.graphnorm.unit import build

__all__ = ["build", "export"]
