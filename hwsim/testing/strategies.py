"""Hypothesis strategies for IR artifacts, inputs that fit them, and architectures."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from hwsim.ir.arch.neuralut import NeuralutArch
from hwsim.ir.arch.xresq import XresqArch
from hwsim.ir.gates import GateNetlist
from hwsim.ir.ising import Ising
from hwsim.ir.lut import InputQuantiser, Layer, LutLayer, LutNetwork, SumLayer
from hwsim.ir.lut_layers import code_dtype
from hwsim.ir.mimo_ising import MimoIsing

# Widths that matter to kernels: 1-bit, the papers' 2 and 4, odd ones, both sides of a byte, the limit.
CODE_BITS = (1, 2, 3, 4, 5, 8, 9, 16)


def generators() -> st.SearchStrategy[np.random.Generator]:
    """Numpy generators from a drawn seed: large arrays without large search trees."""
    return st.integers(0, 2**32 - 1).map(np.random.default_rng)


@st.composite
def lut_layers(draw: Any, n_in: int, bits_in: int, max_width: int = 8, max_address_bits: int = 12) -> LutLayer:
    """A LUT layer on `n_in` codes of `bits_in` bits; connections may repeat."""
    rng = draw(generators())
    fan_in = draw(st.integers(1, max(1, min(7, max_address_bits // bits_in))))
    n_out, bits_out = draw(st.integers(1, max_width)), draw(st.sampled_from(CODE_BITS))
    connections = rng.integers(0, n_in, (n_out, fan_in)).astype(np.int32)
    table = rng.integers(0, 1 << bits_out, (n_out, 1 << (bits_in * fan_in))).astype(code_dtype(bits_out))
    return LutLayer(connections, table, bits_in, bits_out)


@st.composite
def sum_layers(draw: Any, n_in: int, bits_in: int, max_width: int = 8) -> SumLayer:
    """A layer of saturating adders; some have no terms, and some always saturate."""
    rng = draw(generators())
    n_out = draw(st.integers(1, max_width))
    counts = rng.integers(0, min(n_in, 6) + 1, n_out)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    sources = rng.integers(0, n_in, offsets[-1]).astype(np.int32)
    reach = 1 << (bits_in - 1)
    bias = rng.integers(-2 * reach, 2 * reach + 1, n_out).astype(np.int32)
    low, high = draw(st.integers(0, 2**15 - 1)), draw(st.integers(0, 2**15))
    if draw(st.booleans()):
        low, high = low % (2 * reach), high % (2 * reach)
    return SumLayer(offsets, sources, bias, -low, high, bits_in)


@st.composite
def lut_networks(
    draw: Any,
    max_layers: int = 4,
    max_width: int = 8,
    max_address_bits: int = 12,
    max_bits: int = 16,
    sums: bool = True,
    quantisers: bool = False,
) -> LutNetwork:
    """LUT networks with mixed widths, fan-ins and adder layers.

    Args:
        max_layers, max_width: layers, and signals a group.
        max_address_bits: of any table; a wider input code is the only exception.
        max_bits: widest code between layers.
        sums: allow sum layers.
        quantisers: draw an input quantiser for some of the networks.
    """
    widths = [b for b in CODE_BITS if b <= max_bits]
    n_inputs, input_bits = draw(st.integers(1, max_width)), draw(st.sampled_from(widths))
    layers: list[Layer] = []
    n, bits = n_inputs, input_bits
    for _ in range(draw(st.integers(1, max_layers))):
        kinds = lut_layers(n, bits, max_width, max(bits, max_address_bits)).filter(lambda m: m.bits_out <= max_bits)
        if sums:
            kinds = st.one_of(kinds, sum_layers(n, bits, max_width).filter(lambda m: m.bits_out <= max_bits))
        layer = draw(kinds)
        layers.append(layer)
        n, bits = layer.n_out, layer.bits_out
    quantiser = None
    if quantisers and draw(st.booleans()):
        rng = draw(generators())
        quantiser = InputQuantiser(
            rng.normal(size=n_inputs), rng.normal(size=n_inputs), input_bits, draw(st.booleans())
        )
    n_classes = n if draw(st.booleans()) else 0
    return LutNetwork(n_inputs, input_bits, tuple(layers), quantiser, n_classes, draw(st.booleans()))


@st.composite
def code_batches(draw: Any, network: LutNetwork, sizes: tuple[int, ...] = (0, 1, 7, 63, 64, 65)) -> np.ndarray:
    """Input codes [batch, n_in] for a network, in its own dtype or a wider one, at times not contiguous."""
    rng = draw(generators())
    shape = (draw(st.sampled_from(sizes)), network.n_inputs)
    codes = rng.integers(0, 1 << network.input_bits, shape)
    if draw(st.booleans()):
        codes = np.asfortranarray(codes)
    return codes.astype(draw(st.sampled_from([code_dtype(network.input_bits), np.uint16, np.int32, np.int64])))


def neuralut_archs(**fixed: Any) -> st.SearchStrategy[NeuralutArch]:
    """Register placements and ports; keyword arguments fix a field."""
    free: dict[str, st.SearchStrategy[Any]] = {
        "register_every": st.integers(1, 5),
        "register_input": st.booleans(),
        "register_output": st.booleans(),
        "ports": st.sampled_from(["plain", "stream"]),
    }
    return st.builds(NeuralutArch, **{name: st.just(fixed[name]) if name in fixed else s for name, s in free.items()})


@st.composite
def gate_netlists(draw: Any, max_inputs: int = 6, max_nodes: int = 20, max_fan_in: int = 6) -> GateNetlist:
    """Netlists with nodes of every fan-in from 0 (a constant) on, and constants among the outputs."""
    rng = draw(generators())
    n_inputs, n_nodes = draw(st.integers(1, max_inputs)), draw(st.integers(0, max_nodes))
    sizes = [int(rng.integers(0, min(max_fan_in, n_inputs + i) + 1)) for i in range(n_nodes)]
    fan_in = [rng.choice(n_inputs + i, size, replace=False) for i, size in enumerate(sizes)]
    tables = [int(rng.integers(0, 1 << 64, dtype=np.uint64)) % (1 << (1 << size)) for size in sizes]
    outputs = rng.integers(-2, n_inputs + n_nodes, draw(st.integers(1, 5)))
    return GateNetlist(
        n_inputs,
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32),
        np.concatenate([[], *fan_in]).astype(np.int32),
        np.array(tables, np.uint64),
        outputs.astype(np.int32),
    )


@st.composite
def isings(draw: Any, max_spins: int = 8) -> Ising:
    """Small Ising problems of any density, with or without a schedule and initial states."""
    rng = draw(generators())
    n, density = draw(st.integers(1, max_spins)), draw(st.sampled_from((0.0, 0.4, 1.0)))
    u, v = np.triu_indices(n, 1)
    kept = rng.random(len(u)) < density
    edges = np.stack([u[kept], v[kept]], axis=1).astype(np.int32)
    initial = (2 * rng.integers(0, 2, (draw(st.integers(0, 3)), n)) - 1).astype(np.int8)
    schedule = draw(st.sampled_from(([], [[0, 1], [2, 0.4], [4, 1]], [[0, 0], [20, 1]])))
    return Ising(
        rng.integers(-9, 10, n),
        edges,
        rng.integers(-9, 10, len(edges)),
        draw(st.sampled_from((1.0, 0.125))),
        draw(st.sampled_from((0.0, -3.5))),
        np.array(schedule, float).reshape(-1, 2),
        initial,
    )


@st.composite
def mimo_isings(draw: Any, max_n: int = 6, max_replicas: int = 4, max_sweeps: int = 5, min_n: int = 1) -> MimoIsing:
    """Small detection problems that a chip can run: Gram matrix of integers, seeds, temperatures from 0 up."""
    rng = draw(generators())
    n, bits = draw(st.integers(min_n, max_n)), draw(st.integers(1, 4))
    replicas, sweeps = draw(st.integers(1, max_replicas)), draw(st.integers(0, max_sweeps))
    half = rng.integers(-6, 7, (n + draw(st.integers(0, 2)), n))
    x = 2 * rng.integers(0, 2**bits, n) - (2**bits - 1)
    gram = half.T @ half
    return MimoIsing(
        gram.astype(np.int32),
        gram @ x + rng.integers(-20, 21, n),
        bits,
        (2 * rng.integers(0, 2, (replicas, bits * n)) - 1).astype(np.int8),
        rng.integers(1, 2**32, replicas, dtype=np.uint32),
        rng.integers(0, 8, sweeps).astype(np.uint8),
        rng.integers(0, 9, sweeps).astype(np.uint8),
        1 / 64,
        draw(st.sampled_from((0.0, 7.25))),
    )


@st.composite
def xresq_archs(draw: Any) -> XresqArch:
    """Detectors of any proportions, with numbers wide enough for `mimo_isings`."""
    n, bits, lanes = draw(st.integers(4, 12)), draw(st.integers(1, 4)), draw(st.integers(1, 4))
    return XresqArch(
        n, bits, lanes * draw(st.integers(1, 4)), lanes, gram_bits=16, field_bits=24, energy_bits=32,
        beat_bits=draw(st.sampled_from((64, 128, 512))), gray=draw(st.booleans()),
        readout=draw(st.sampled_from(("all", "winner"))),
    )  # fmt: skip
