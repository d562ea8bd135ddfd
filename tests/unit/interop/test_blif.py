"""BLIF out and back, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from hwsim.interop.blif import from_blif, to_blif
from hwsim.ir.errors import ArtifactError
from hwsim.ir.gates import GateNetlist
from hwsim.testing.strategies import gate_netlists


def every_input(n: int) -> np.ndarray:
    return ((np.arange(1 << n)[:, None] >> np.arange(n)) & 1).astype(np.uint8)


@settings(max_examples=100, deadline=None)
@given(gate_netlists())
def test_round_trip(netlist: GateNetlist) -> None:
    back = from_blif(to_blif(netlist))
    x = every_input(netlist.n_inputs)
    assert np.array_equal(back.reference(x), netlist.reference(x))
    assert back.n_nodes <= netlist.n_nodes
    assert (back.n_inputs, back.n_outputs) == (netlist.n_inputs, netlist.n_outputs)


def test_names_survive() -> None:
    one = GateNetlist(
        2, np.array([0, 2], np.int32), np.array([0, 1], np.int32), np.array([8], np.uint64),
        np.array([2, 0, -2], np.int32), ("n0", "b"), ("and", "copy", "one"),
    )  # fmt: skip
    text = to_blif(one, "top")
    back = from_blif(text)
    assert text.startswith(".model top\n.inputs n0 b\n.outputs and copy one\n")
    assert (back.input_names, back.output_names) == (one.input_names, one.output_names)
    assert back.outputs.tolist() == [2, 0, -2]


def test_reads_what_other_tools_write() -> None:
    text = """# comment
.model t
.inputs a \\
  b c
.outputs y z
.names $false
.names y z
0 1
.names a w y   # before its source
1- 1
-1 1
.names b c $false w
110 1
.end
"""
    netlist = from_blif(text)
    x = every_input(3)
    a, b, c = x.T
    assert np.array_equal(netlist.reference(x)[:, 0], a | (b & c))
    assert np.array_equal(netlist.reference(x)[:, 1], 1 - (a | (b & c)))


def test_off_set_cover() -> None:
    netlist = from_blif(".model t\n.inputs a b\n.outputs y\n.names a b y\n11 0\n.end\n")
    assert netlist.tables.tolist() == [0b0111]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (".model t\n.inputs a\n.outputs y\n.latch a y\n", r"BLIF line 4: got '\.latch'"),
        (".inputs a\n.outputs y\n.names a y\n2 1\n", "BLIF cube of y"),
        (".inputs a\n.outputs y\n.names a y\n1 1\n0 0\n", "BLIF cover of y"),
        (".inputs a\n.outputs y\n.names a q\n1 1\n", "BLIF signal without a driver: got y"),
        (".inputs a\n.outputs y\n.names z y\n1 1\n.names y z\n1 1\n", "BLIF model with a loop"),
        (".inputs a b c d e f g\n.outputs y\n.names a b c d e f g y\n", "got '7 inputs'"),
        (".inputs a\n.outputs y\n.names a y\n1 1\n.names a y\n0 1\n", "one driver a signal"),
        ("1 1\n", "a cube after .names"),
    ],
)
def test_refusals(text: str, message: str) -> None:
    with pytest.raises(ArtifactError, match=message):
        from_blif(text)
