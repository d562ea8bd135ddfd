"""The evaluators that we are timed against give the right codes, and the comparison of models can fail."""

import numpy as np
import pytest
from hypothesis import given, settings

from benches.neuralut import equality, peers
from benches.neuralut.area import placements
from benches.neuralut.networks import require_equal
from hwsim.ir.arch.neuralut import NeuralutArch
from hwsim.ir.errors import EquivalenceError
from hwsim.ir.lut import LutLayer
from hwsim.testing import naive
from hwsim.testing.strategies import lut_networks


@settings(max_examples=15, deadline=None)
@given(lut_networks())
def test_peers_equal_the_naive_twin(network):
    codes = np.random.default_rng(0).integers(0, 1 << network.input_bits, (5, network.n_inputs))
    expected = np.array([naive.lut_network(network, row) for row in codes.tolist()])
    assert np.array_equal(peers.numpy_gather(network, codes, block=2), expected)
    if all(isinstance(layer, LutLayer) for layer in network.layers):
        assert np.array_equal(peers.TorchCompare(network)(codes), expected)


def test_models_that_disagree_are_counted():
    class Notes:
        said = ""

        def note(self, text):
            self.said = text

    notes, a = Notes(), np.zeros((4, 3), int)
    b = a.copy()
    b[2, 1] = 1
    assert equality.compare(notes, "net", {"torch": a, "same": a.copy(), "RTL": b}) == 3
    assert "RTL differs from torch on 1 samples" in notes.said
    with pytest.raises(EquivalenceError, match="1 samples"):
        require_equal("a and b", a, b)


def test_every_register_placement_is_compared_once_in_both_port_styles():
    found = equality.archs(4)
    keys = [(arch.ports, arch.boundaries(4)) for arch in found]
    assert len(keys) == len(set(keys))
    assert {ports for ports, _ in keys} == {"plain", "stream"}
    assert ("plain", ()) in keys  # purely combinational
    assert ("plain", (0, 1, 2, 3, 4)) in keys


def test_placements_count_levels_between_registers():
    rows = placements((3, 4, 2))
    assert [(row["latency"], row["levels"]) for row in rows] == [(3, 4), (2, 7), (1, 9)]
    assert NeuralutArch(register_every=2).latency(3) == 2
