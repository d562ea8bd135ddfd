"""What a waveform viewer would show: ports and registers of a pipeline, cycle by cycle.

Codes that belong to no sample (before the first, after the last, bubbles) are unknown.
"""

from __future__ import annotations

import numpy as np

from hwsim.core.trace import Signal, Trace
from hwsim.ir.arch.neuralut import NeuralutArch
from hwsim.ir.lut import LutNetwork
from hwsim.neuralut.simulator import layer_codes


def plain_trace(network: LutNetwork, codes: np.ndarray, arch: NeuralutArch) -> Trace:
    """`simulate`'s run: sample i is at the input in cycle i and moves on by a register a cycle."""
    depth = arch.latency(len(network.layers))
    cycles = len(codes) + depth if len(codes) else 0
    sample = np.arange(cycles)[:, None] - np.arange(depth + 1)
    sample[sample >= len(codes)] = -1
    return _trace(network, codes, arch, {}, np.maximum(sample, -1))


def stream_trace(
    network: LutNetwork,
    codes: np.ndarray,
    arch: NeuralutArch,
    handshake: dict[str, np.ndarray],
    offered: np.ndarray,
    held: np.ndarray,
) -> Trace:
    """`simulate_stream`'s run.

    Args:
        network, codes, arch: the circuit and its input.
        handshake: bool [cycles] by port signal.
        offered: int64 [cycles], number of the sample at the input, −1 for none.
        held: int64 [cycles, latency], number of the sample in each register, −1 for none.
    """
    signals = {name: Signal(1, values.astype(np.int64)) for name, values in handshake.items()}
    for stage in range(held.shape[1]):
        signals[f"stage{stage}.valid"] = Signal(1, (held[:, stage] >= 0).astype(np.int64))
    return _trace(network, codes, arch, signals, np.column_stack([offered, held]))


def _trace(
    network: LutNetwork, codes: np.ndarray, arch: NeuralutArch, signals: dict[str, Signal], sample: np.ndarray
) -> Trace:
    """Add the codes of the input, of every register and of the output; `sample` is [cycles, 1 + latency]."""
    groups = [codes, *layer_codes(network, codes)]
    cuts = arch.boundaries(len(network.layers))
    places = [("in", 0, 0), *((f"stage{i}", b, i + 1) for i, b in enumerate(cuts)), ("out", -1, len(cuts))]
    for name, boundary, column in places:
        there = sample[:, column]
        width = network.code_bits[boundary]
        for i in range(groups[boundary].shape[1]):
            values = np.full(len(there), -1, np.int64)
            values[there >= 0] = groups[boundary][there[there >= 0], i]
            signals[f"{name}.code{i}"] = Signal(width, values)
    return Trace(signals)
