"""NeuraLUT (FPL 2024): LUT networks as Amaranth pipelines and as exported Verilog."""

from rtl.neuralut.export import export
from rtl.neuralut.pipeline import PlainPipeline, StreamPipeline, build

__all__ = ["PlainPipeline", "StreamPipeline", "build", "export"]
