"""Hypothesis strategies for spiking nets, their inputs and chips."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal

import numpy as np
from hypothesis import strategies as st

from hwsim.ir.events import Events
from hwsim.ir.plasticity import Plasticity, lane_seeds, trace_table
from hwsim.ir.populations import LEAKS, Population
from hwsim.ir.rng import Lfsr
from hwsim.ir.spiking import Layer, SpikingNet
from hwsim.ir.synapses import Conv, Dense, Pool, Sparse, Synapse
from hwsim.testing.strategies import generators


def weights(rng: np.random.Generator, shape: tuple[int, ...], bits: int) -> np.ndarray:
    """int16 codes over the whole Q-format."""
    return rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), shape).astype(np.int16)


@st.composite
def synapses(draw: Any, n_in: int, types: tuple[str, ...] = ("dense", "sparse"), shift: int = 3) -> Synapse:
    """Synapses of `n_in` inputs to a few neurons; conv and pool take the inputs as one row of pixels."""
    rng, kind = draw(generators()), draw(st.sampled_from(types))
    bits, f = draw(st.sampled_from((2, 4, 8, 16))), draw(st.integers(0, 6))
    shift = draw(st.integers(0, shift))
    if kind == "conv":
        kernel = weights(rng, (draw(st.integers(1, 3)), 1, 1, draw(st.integers(1, n_in))), bits)
        pad, stride = draw(st.integers(0, 1)), draw(st.integers(1, 2))
        return Conv(kernel, (1, 1, n_in), stride, pad, bits, f, shift)
    if kind == "pool":
        return Pool((1, 1, n_in), 1)
    n_out = draw(st.integers(1, 7))
    if kind == "dense":
        return Dense(weights(rng, (n_in, n_out), bits), bits, f, shift)
    kept = rng.random((n_in, n_out)) < 0.5
    offsets = np.concatenate([[0], np.cumsum(kept.sum(axis=1))]).astype(np.int32)
    targets = np.nonzero(kept)[1].astype(np.int32)
    return Sparse(offsets, targets, weights(rng, (len(targets),), bits), n_out, bits, f, shift)


@st.composite
def populations(draw: Any, n: int, peak: int) -> Population:
    """Clocked neurons; `peak` is a typical current."""
    rng, kind = draw(generators()), draw(st.sampled_from(("if", "lif", "cuba")))
    state_bits = draw(st.sampled_from((8, 16, 24, 32)))
    top = min(2 * peak + 2, 1 << (state_bits - 1))
    k, leak = draw(st.integers(1, 16)), draw(st.sampled_from(LEAKS))
    return Population(
        kind, n, rng.integers(1, top, n).astype(np.int32), draw(st.sampled_from((">", ">="))),
        draw(st.sampled_from(("value", "subtract"))), draw(st.integers(-3, 0)), draw(st.integers(0, 3)),
        0 if kind == "if" else draw(st.integers(0, 1 << k)), draw(st.integers(0, 1 << k)), k, leak,
        rng.integers(-3, 4, n if draw(st.booleans()) else 0).astype(np.int32), draw(st.integers(0, 2)), state_bits,
    )  # fmt: skip


@st.composite
def clocked_nets(draw: Any, max_layers: int = 3) -> SpikingNet:
    """Clocked nets of all synapses and neurons, ending in spikes or a readout."""
    n_inputs, steps = draw(st.integers(1, 8)), draw(st.integers(1, 9))
    n, layers = n_inputs, []
    count = draw(st.integers(1, max_layers))
    for at in range(count):
        synapse = draw(synapses(n, ("dense", "sparse", "conv", "pool")))
        n = synapse.n_out
        if isinstance(synapse, Pool):
            population = Population("pool", n, delay=draw(st.integers(0, 1)))
        elif at == count - 1 and draw(st.booleans()):
            population = Population("readout", n, bias=np.arange(n, dtype=np.int32))
        else:
            population = draw(populations(n, 1 << (synapse.bits + synapse.shift)))
        layers.append(Layer(synapse, population))
    return SpikingNet(n_inputs, steps, tuple(layers), n_classes=draw(st.sampled_from((0, n))))


@st.composite
def window_nets(draw: Any, max_layers: int = 3) -> SpikingNet:
    """Window nets: STD-ED layers and pools, then a readout."""
    n_inputs, steps = draw(st.integers(1, 8)), 1 << draw(st.integers(0, 5))
    n, layers = n_inputs, []
    for _ in range(draw(st.integers(0, max_layers - 1))):
        synapse = draw(synapses(n, ("dense", "sparse", "conv", "pool"), shift=0))
        n = synapse.n_out
        layers.append(Layer(synapse, Population("pool" if isinstance(synapse, Pool) else "window", n)))
    synapse = draw(synapses(n, shift=0))
    n = synapse.n_out
    bias = np.arange(n if draw(st.booleans()) else 0, dtype=np.int32)
    layers.append(Layer(synapse, Population("readout", n, bias=bias)))
    return SpikingNet(n_inputs, steps, tuple(layers), True, n_classes=n)


def spiking_nets() -> st.SearchStrategy[SpikingNet]:
    """Both disciplines, and nets that learn."""
    return st.one_of(clocked_nets(), window_nets(), learning_nets("std"), learning_nets("mpd"))


@st.composite
def learning_nets(draw: Any, rule: Literal["std", "mpd"], max_layers: int = 3, lanes: int | None = None) -> SpikingNet:
    """Small dense nets with shadows and a rule that really moves weights."""
    rng = draw(generators())
    steps = 1 << draw(st.integers(1, 4)) if rule == "std" else draw(st.integers(1, 6))
    widths = [draw(st.integers(1, 9)) for _ in range(draw(st.integers(1, max_layers)) + 1)]
    layers = []
    for at, (n_in, n_out) in enumerate(pairwise(widths)):
        f = draw(st.integers(4, 9))
        shadow = rng.integers(-(2**15), 2**15, (n_in, n_out)).astype(np.int16)
        synapse = Dense((shadow >> 8).astype(np.int16), 8, f, 0, shadow)
        if at == len(widths) - 2:
            bias = rng.integers(-500, 500, n_out if draw(st.booleans()) else 0).astype(np.int32)
            population = Population("readout", n_out, bias=bias)
        elif rule == "std":
            population = Population("window", n_out)
        else:
            kind = draw(st.sampled_from(("if", "lif")))
            theta = rng.integers(1, 160, n_out).astype(np.int32)
            loss = 0 if kind == "if" else draw(st.integers(0, 16))
            population = Population(kind, n_out, theta, v_loss=loss, decay_bits=4, state_bits=16)
        layers.append(Layer(synapse, population))
    lanes = draw(st.integers(1, 5)) if lanes is None else lanes
    plasticity = Plasticity(
        rule, tuple(draw(st.integers(1, 14)) for _ in layers), draw(st.integers(0, 8)),
        draw(st.sampled_from((Lfsr(16), Lfsr(32, form="galois")))), lane_seeds(lanes, draw(st.integers(0, 9)), 16),
        draw(st.sampled_from((1, 4))), draw(st.sampled_from((8, 12, 18))), draw(st.integers(4, 8)),
        trace=trace_table(0.75, steps) if rule == "mpd" else np.zeros(0, np.uint16),
    )  # fmt: skip
    return SpikingNet(widths[0], steps, tuple(layers), rule == "std", plasticity, n_classes=widths[-1])


@st.composite
def net_inputs(draw: Any, net: SpikingNet, sizes: tuple[int, ...] = (0, 1, 3)) -> np.ndarray:
    """What `SpikingNet.reference` reads: spike times, or spikes that are at times graded."""
    rng, batch = draw(generators()), draw(st.sampled_from(sizes))
    if net.window:
        times = rng.integers(0, net.steps, (batch, net.n_inputs))
        return np.where(rng.random(times.shape) < draw(st.sampled_from((0.1, 0.7, 1.0))), times, -1)
    spikes = rng.random((batch, net.steps, net.n_inputs)) < draw(st.sampled_from((0.1, 0.5)))
    graded = draw(st.booleans())
    return spikes.astype(np.int64) * (rng.integers(-9, 10, spikes.shape) if graded else 1)


def events_of(net: SpikingNet, x: np.ndarray) -> Events:
    """The same inputs as events."""
    return Events.from_times(x) if net.window else Events.from_raster(x)
