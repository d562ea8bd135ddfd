"""X-ResQ (2402.18778): the reverse-annealing MIMO detector as Amaranth hardware and as exported Verilog."""

from rtl.xresq.detector import Detector, build
from rtl.xresq.export import export

__all__ = ["Detector", "build", "export"]
