"""Small LUT networks chosen to reach every branch of the generator."""

from __future__ import annotations

import numpy as np

from hwsim.ir.arch.neuralut import NeuralutArch
from hwsim.ir.lut import LutLayer, LutNetwork, SumLayer
from hwsim.ir.lut_layers import code_dtype


def lut(rng: np.random.Generator, n_in: int, n_out: int, fan_in: int, bits_in: int, bits_out: int) -> LutLayer:
    connections = rng.integers(0, n_in, (n_out, fan_in)).astype(np.int32)
    table = rng.integers(0, 1 << bits_out, (n_out, 1 << (bits_in * fan_in))).astype(code_dtype(bits_out))
    return LutLayer(connections, table, bits_in, bits_out)


def add(terms: list[list[int]], bias: list[int], lo: int, hi: int, bits_in: int) -> SumLayer:
    offsets = np.cumsum([0, *map(len, terms)]).astype(np.int32)
    return SumLayer(
        offsets, np.array([j for one in terms for j in one], np.int32), np.array(bias, np.int32), lo, hi, bits_in
    )


def mixed() -> LutNetwork:
    """LUTs and sums: an empty sum, one that always saturates, a repeated term, and an unread neuron."""
    rng = np.random.default_rng(1)
    sums = add([[0, 1, 4], [], [2, 2], [3], [0]], [0, 2, -3, 100, -100], -4, 3, 3)
    return LutNetwork(6, 2, (lut(rng, 6, 5, 3, 2, 3), sums, lut(rng, 5, 3, 2, 3, 2)))


def wide() -> LutNetwork:
    """Codes of 9 and 16 bits, a 13-bit address, sums of wide codes with lopsided ranges."""
    rng = np.random.default_rng(2)
    sums = add([[0, 1, 2], [1], [0, 2]], [-40000, 5, 70000], -20000, 45535, 16)
    return LutNetwork(7, 1, (lut(rng, 7, 3, 13, 1, 16), sums, add([[0, 1], [2]], [3, -9], -255, 0, 16)))


def single() -> LutNetwork:
    """One layer of one-bit tables, as small as it gets."""
    return LutNetwork(
        1, 1, (LutLayer(np.array([[0], [0]], np.int32), np.array([[1, 0], [0, 1]], np.uint8), 1, 1),), n_classes=2
    )


def deep() -> LutNetwork:
    """Six layers, for register placements."""
    rng = np.random.default_rng(3)
    return LutNetwork(9, 3, tuple(lut(rng, 9, 9, 2, 3, 3) for _ in range(6)))


def four_by_64() -> LutNetwork:
    """Four layers of 64 six-input one-bit neurons: the design that simulators are timed on."""
    rng = np.random.default_rng(4)
    return LutNetwork(64, 1, tuple(lut(rng, 64, 64, 6, 1, 1) for _ in range(4)))


# (network, arch): each line reaches something that the others do not
CASES = [
    (mixed, NeuralutArch()),
    (mixed, NeuralutArch(ports="stream", register_output=True)),
    (wide, NeuralutArch(register_every=2, register_output=True)),
    (wide, NeuralutArch(ports="stream", register_every=3)),
    (single, NeuralutArch(register_input=False)),  # combinational, no clock
    (single, NeuralutArch(ports="stream", register_input=False)),  # one register, at the output
    (deep, NeuralutArch(register_every=2, register_input=False)),
    (deep, NeuralutArch(ports="stream", register_every=4)),
]
