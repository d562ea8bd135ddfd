"""Dropping what no output depends on changes no output."""

from __future__ import annotations

import threading

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.ir.lut import LutLayer, LutNetwork, SumLayer
from hwsim.neuralut import simulate
from hwsim.neuralut.live import dead_counts, live_network
from hwsim.testing.strategies import code_batches, lut_networks


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_outputs_stay(data):
    network = data.draw(lut_networks(max_width=12, max_address_bits=8))
    codes = data.draw(code_batches(network))
    live = live_network(network)
    np.testing.assert_array_equal(live.reference(codes), network.reference(codes))
    assert dead_counts(live) == [0] * len(network.layers) or any(isinstance(m, SumLayer) for m in network.layers)
    assert live.n_inputs == network.n_inputs


def test_the_dead_are_counted_layer_by_layer():
    """Output 0 reads signal 1 of layer 1, which reads signals 0 and 3 of layer 0: 2 of 4, then 2 of 3 are dead."""
    identity = np.tile(np.array([0, 1], np.uint8), (4, 1))
    layers = (
        LutLayer(np.array([[0], [1], [0], [1]], np.int32), identity, 1, 1),
        LutLayer(np.array([[1, 2], [0, 3], [2, 2]], np.int32), np.zeros((3, 4), np.uint8), 1, 1),
        LutLayer(np.array([[1]], np.int32), identity[:1], 1, 1),
    )
    network = LutNetwork(2, 1, layers)
    assert dead_counts(network) == [2, 2, 0]
    assert live_network(network).layers[1].connections.tolist() == [[0, 1]]


def test_threads_share_a_network():
    """Kernels release the interpreter lock: runs side by side have scratch of their own."""
    rng = np.random.default_rng(0)
    table = rng.integers(0, 4, (80, 4096)).astype(np.uint8)
    layers = tuple(LutLayer(rng.integers(0, 80, (80, 6)).astype(np.int32), table, 2, 2) for _ in range(3))
    network = LutNetwork(80, 2, layers)
    batches = [rng.integers(0, 4, (3000 + i, 80)).astype(np.uint8) for i in range(4)]
    expected = [network.reference(x) for x in batches]
    wrong: list[int] = []

    def work(i: int) -> None:
        for _ in range(10):
            if not np.array_equal(simulate(network, batches[i]).outputs, expected[i]):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
