"""`gate_netlist`: its rules, each by its message, and everything that an IR kind must do."""

from __future__ import annotations

import numpy as np
import pytest

from hwsim.ir.errors import ShapeError
from hwsim.ir.gates import CONST0, CONST1, GateNetlist
from hwsim.testing import naive
from hwsim.testing.conformance import ArtifactConformance
from hwsim.testing.strategies import gate_netlists, generators

I32 = np.int32
# A full adder: node 3 = a ⊕ b ⊕ c, node 4 = majority.
ADDER = GateNetlist(
    3,
    np.array([0, 3, 6], I32),
    np.array([0, 1, 2, 0, 1, 2], I32),
    np.array([0b10010110, 0b11101000], np.uint64),
    np.array([3, 4, CONST0, CONST1], I32),
    ("a", "b", "c"),
    ("sum", "carry", "zero", "one"),
)


class TestGateNetlist(ArtifactConformance):
    artifacts = gate_netlists()

    def inputs(self, draw, artifact):
        return draw(generators()).integers(0, 2, (5, artifact.n_inputs))

    def naive(self, artifact, sample):
        return naive.gate_netlist(artifact, sample)

    def broken(self):
        for changes, message in [
            ({"fan_in": np.array([0, 1, 3, 0, 1, 2], I32)}, r"node 0 reads a signal .* got 3, expected 0\.\.2"),
            ({"fan_in": np.array([0, 1, 2, 0, 1, 4], I32)}, r"node 1 reads a signal .* got 4, expected 0\.\.3"),
            ({"fan_in": np.array([0, 1, -1, 0, 1, 2], I32)}, r"node 0 reads a signal .* got -1"),
            ({"offsets": np.array([0, 3], I32)}, r"gate_netlist\.offsets: got 2 values, expected 3 growing values"),
            ({"offsets": np.array([0, 7, 6], I32)}, r"gate_netlist\.offsets"),
            ({"tables": np.array([1 << 8, 0], np.uint64)}, r"a truth table is longer than 2\^fan_in"),
            ({"tables": np.array([1, 0], np.int64)}, r"gate_netlist\.tables: got .*, expected uint64 vector"),
            ({"outputs": np.array([5], I32)}, r"gate_netlist\.outputs: got 5\.\.5, expected -2\.\.4"),
            ({"outputs": np.array([-3], I32)}, r"gate_netlist\.outputs: got -3"),
            ({"input_names": ("a", "b")}, r"gate_netlist\.input_names: got 2 names, expected 3 unique names"),
            ({"output_names": ("x",) * 4}, r"gate_netlist\.output_names: got 4 names, expected 4 unique"),
        ]:
            yield ADDER, changes, message


def test_a_full_adder_adds():
    x = np.array([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)])
    out = ADDER.reference(x)
    assert (out[:, 0] + 2 * out[:, 1]).tolist() == x.sum(axis=1).tolist()
    assert out[:, 2:].tolist() == [[0, 1]] * 8
    assert ADDER.cost().values == {"nodes": 2, "nodes_le5": 2, "depth": 1}


def test_bits_are_checked():
    for x in (np.full((1, 3), 2), np.full((1, 3), -1), np.zeros((1, 3))):
        with pytest.raises(ShapeError, match="x is not Boolean"):
            ADDER.reference(x)


def test_levels_count_nodes_on_the_longest_path():
    """Inverter chain of three: levels 1, 2, 3; an input as output has depth 0."""
    chain = [np.arange(4, dtype=I32), np.arange(3, dtype=I32), np.full(3, 1, np.uint64)]
    assert GateNetlist(1, *chain, np.array([3], I32)).levels.tolist() == [1, 2, 3]
    assert GateNetlist(1, *chain, np.array([3, 0], I32)).depth == 3
    assert GateNetlist(1, *chain, np.array([0, CONST1], I32)).depth == 0
