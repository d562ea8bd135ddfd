"""Event-driven learning (2403.00270): the spiking core as Amaranth hardware and as exported Verilog."""

from rtl.evsnn.core import Core, build
from rtl.evsnn.export import export

__all__ = ["Core", "build", "export"]
