"""Rates of the LUT-network kernels beside numpy; printed, never asserted. Run by ``make perf``.

The whole call is timed: codes [batch, n_in] in memory → output codes and classes, transposes and range check
included; the network is compiled before (numba keeps it on disk). HDR-5L has 566 lookups a sample, JSC-2L 37.
"""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from hwsim.ir.lut import LutLayer, LutNetwork
from hwsim.neuralut import emit, program, simulate, vector

pytestmark = pytest.mark.perf


def random_network(n_in: int, bits: int, widths: tuple[int, ...], fan_in: int) -> LutNetwork:
    rng, layers, n = np.random.default_rng(0), [], n_in
    for width in widths:
        wires = np.array([np.sort(rng.permutation(n)[:fan_in]) for _ in range(width)], np.int32)
        table = rng.integers(0, 1 << bits, (width, 1 << (bits * fan_in))).astype(np.uint8)
        layers.append(LutLayer(wires, table, bits, bits))
        n = width
    return LutNetwork(n_in, bits, tuple(layers), n_classes=n)


NETWORKS = {"hdr5l": random_network(784, 2, (256, 100, 100, 100, 10), 6), "jsc2l": random_network(16, 4, (32, 5), 3)}


def numpy_network(network: LutNetwork, codes: np.ndarray) -> np.ndarray:
    """The peer: fancy indexing with 16-bit addresses, as one would write it for speed in numpy."""
    signal = codes
    for layer in network.layers:
        address = np.zeros((len(signal), layer.n_out), np.uint16)
        for j in range(layer.fan_in):
            address = (address << layer.bits_in) | signal[:, layer.connections[:, j]]
        signal = layer.table[np.arange(layer.n_out), address]
    return signal


@pytest.mark.parametrize("batch", [1000, 10_000])
@pytest.mark.parametrize("backend", ["vector", "numba", "numpy"])
@pytest.mark.parametrize("name", list(NETWORKS))
def test_rate(benchmark, name, backend, batch):
    network = NETWORKS[name]
    if backend == "vector" and (reason := vector.why_no_permute(network)):
        pytest.skip(reason)
    codes = np.random.default_rng(1).integers(0, 1 << network.input_bits, (batch, network.n_inputs), np.uint8)

    def run() -> np.ndarray:
        if backend == "numpy":
            return numpy_network(network, codes)
        return simulate(network, codes, backend=backend, tech=None).outputs

    np.testing.assert_array_equal(run()[:100], network.reference(codes[:100]))
    benchmark.pedantic(run, rounds=3 if backend == "numpy" else 20, warmup_rounds=1)
    best = benchmark.stats.stats.min
    lookups = network.cost().values["lookups"]
    benchmark.extra_info["samples_per_s"] = round(batch / best)
    benchmark.extra_info["ns_per_lookup"] = round(best / batch / lookups * 1e9, 4)


@pytest.mark.parametrize("name", list(NETWORKS))
def test_rate_of_the_lookups_alone(benchmark, name):
    """One chunk through all layers again and again: no input transpose, no output transpose, tables in the cache."""
    network = NETWORKS[name]
    if reason := vector.why_no_permute(network):
        pytest.skip(reason)
    flat, compiled = program.program_of(network), vector.vector_program_of(network, permute=True)
    signals = vector.aligned(2 * 64 * compiled.blocks * emit.ROW * 4).reshape(2, -1, emit.ROW)
    signals[:] = np.random.default_rng(0).integers(0, 1 << network.input_bits, signals.shape)
    repeats = 100

    @njit(nogil=True)
    def layers(rows, entry, wires, signals, groups, repeats):
        for _ in range(repeats):
            for i in range(len(rows)):
                first = wires[rows[i, program.WIRES] :].ctypes.data
                read, write = signals[i % 2].ctypes.data, signals[1 - i % 2].ctypes.data
                vector._call_layer(entry[i, 0], entry[i, 1], read, first, write, rows[i, program.N_OUT], groups, 0, 0)

    arguments = (flat.layers, compiled.entry, flat.wires, signals, emit.GROUPS, repeats)
    layers(*arguments)
    benchmark.pedantic(lambda: layers(*arguments), rounds=20, warmup_rounds=1)
    seconds = benchmark.stats.stats.min / repeats / emit.ROW
    benchmark.extra_info["samples_per_s"] = round(1 / seconds)
    benchmark.extra_info["ns_per_lookup"] = round(seconds / network.cost().values["lookups"] * 1e9, 4)
