"""Semantic search (2403.00807): the Hamming scorer as Amaranth hardware and as exported Verilog."""

from rtl.semsearch.export import export
from rtl.semsearch.pins import FewPins
from rtl.semsearch.scorer import HammingScorer, build

__all__ = ["FewPins", "HammingScorer", "build", "export"]
