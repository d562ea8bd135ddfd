"""Cycle model of LUT-network pipelines (NeuraLUT, FPL 2024): codes, cycles, stalls, events.

Example:
    >>> import numpy as np
    >>> from hwsim.ir.lut import LutLayer, LutNetwork
    >>> from hwsim.neuralut import simulate
    >>> xor = LutLayer(np.array([[0, 1]], np.int32), np.array([[0, 1, 1, 0]], np.uint8), bits_in=1, bits_out=1)
    >>> result = simulate(LutNetwork(2, 1, (xor,)), np.array([[0, 1], [1, 1]]))
    >>> result.outputs.tolist(), result.cycles, result.latency_cycles
    ([[1], [0]], 3, 1)
"""

from hwsim.ir.arch.neuralut import NeuralutArch
from hwsim.neuralut.pipeline import StreamRun, simulate_stream
from hwsim.neuralut.shipped import pretrained
from hwsim.neuralut.simulator import layer_codes, simulate

__all__ = ["NeuralutArch", "StreamRun", "layer_codes", "pretrained", "simulate", "simulate_stream"]
