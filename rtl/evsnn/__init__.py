"""Event-driven learning (2403.00270): the spiking core as Amaranth hardware and as exported Verilog."""

from rtl.evsnn.core import Core
from rtl.evsnn.cores import build
from rtl.evsnn.export import export

__all__ = ["Core", "build", "export"]
