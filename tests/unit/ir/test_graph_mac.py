"""`graph_mac` and its statistics unit: every rule, every refusal, the file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hwsim.encodingnet.encodings import exact
from hwsim.graphnorm import GraphRunner
from hwsim.ir import io
from hwsim.ir.arch.graphnorm import GraphnormArch
from hwsim.ir.artifact import kind_named
from hwsim.ir.errors import ArtifactError, ShapeError, UsageError
from hwsim.ir.graph_mac import GraphCodes, GraphMac
from hwsim.ir.graph_norm import GraphNormUnit, signed_bits
from hwsim.ir.graph_ops import Neighbours, Normalise, Readout
from hwsim.ir.mac import Input
from hwsim.ir.mac_ops import Linear, Requant
from hwsim.ir.mac_vector import Add

ONE = np.ones((1, 2), np.int64)
UNIT = GraphNormUnit(ONE << 8, ONE * 16, ONE * 0, in_bits=8, max_nodes=4, shift=12, lo=0, hi=127)
KEEP = Requant(np.ones(1, np.int64), 0, 0, 127)
WIDE = Requant(np.ones(1, np.int64), 0, -128, 127)
LAYER = Linear((1,), np.array([[1], [-1]], np.int16), np.zeros(2, np.int64), WIDE)
OPS = (Neighbours((0,), 2, 0, KEEP), LAYER, Normalise((2,), 0), Readout((3,), KEEP))
NET = GraphMac(Input((1,), 0, 1), (exact(8, 8),), OPS, UNIT, 4, 3, 2)
PATH = GraphCodes(np.ones((4, 1), np.int64), np.array([0, 1, 3, 4, 4]), np.array([1, 0, 2, 1]), np.array([3, 1]))


def test_two_graphs_by_hand():
    """A path of three nodes and a lone one: z = 3, 4, 3 and 2; a = ±z; centred −1/3, 2/3, −1/3, σ = √2/3, so that
    û = −0.71, 1.41, −0.71 and its negative; y = 16·û = 22 and 2·11 after the ReLU, summed; the lone node gives 0."""
    values = list(NET.evaluate(PATH, NET.table_mac))
    assert values[0].ravel().tolist() == [3, 4, 3, 2]
    assert values[1].tolist() == [[3, -3], [4, -4], [3, -3], [2, -2]]
    unit = replace(UNIT, gain=ONE * 16 * 256, keep=12, shift=8 + 12 + 8)
    assert replace(NET, unit=unit).reference(PATH).tolist() == [[23, 22], [0, 0]]
    y = np.concatenate([unit.reference(values[1][:3], np.array([3])), unit.reference(values[1][3:], np.array([1]))])
    assert np.abs(y - np.array([[0, 11.3], [22.6, 0], [0, 11.3], [0, 0]])).max() <= 0.8


def test_the_file():
    assert kind_named("graph_mac") is GraphMac
    image = io.to_bytes(NET)
    again = io.from_bytes(image)
    assert io.to_bytes(again) == image
    assert again.reference(PATH).tolist() == NET.reference(PATH).tolist()
    plain = replace(NET, ops=(OPS[0], Readout((1,), KEEP)), unit=None, n_classes=0)
    assert io.from_bytes(io.to_bytes(plain)).unit is None
    with pytest.raises(ArtifactError, match="was changed after export"):
        io.from_bytes(image[:-1] + bytes([image[-1] ^ 1]))


def test_cost():
    assert NET.cost().values == {"macs_per_node": 2, "macs_per_graph": 0, "weight_bits": 16}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ops": ()}, "graph_mac: got 0 ops"),
        ({"input": Input((1,), 3, 1)}, "codes 3…1, expected an op"),
        ({"max_nodes": 0}, "max_nodes 0"),
        ({"output_scale": -1.0}, "output_scale: got -1"),
        ({"n_classes": 3}, r"n_classes: got 3 for an output of graphs of width \[2\]"),
        ({"ops": OPS[:3]}, "n_classes: got 2 for an output of nodes"),
        ({"unit": None}, r"op 2 \(normalise\): got layer 0, width \[2\], expected a network with a statistics unit"),
        ({"ops": (*OPS[:2], Normalise((2,), 1))}, "got layer 1, .* expected 1 layers of 2 channels"),
        ({"max_nodes": 5}, "got 5 nodes, expected at most the unit's 4"),
        ({"unit": replace(UNIT, in_bits=7)}, r"got codes -128…127, expected -64…63, what the unit takes"),
        ({"ops": (Neighbours((1,), 2, 0, KEEP),)}, r"op 0 \(neighbours\): inputs: got \[1\], expected 1 values of 0…0"),
        ({"ops": (*OPS, Add((4, 3), (1, 1), 0, 0, 9))}, "got rows of graphs and of nodes"),
        ({"ops": (*OPS, Neighbours((4,), 2, 0, KEEP))}, "rows of graphs, expected rows of nodes"),
        ({"ops": (Neighbours((0,), 2, 17, KEEP),)}, "fraction: got 17"),
        ({"ops": (Readout((0,), KEEP, fraction=1),)}, "fraction: got 1"),
    ],
)
def test_every_broken_rule_is_named(changes, message):
    with pytest.raises(ArtifactError, match=message):
        replace(NET, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": np.ones((4, 2), np.int64)}, r"x has the wrong shape: got \[4, 2\]"),
        ({"x": np.full((4, 1), 2)}, "x: a code is out of range: got 2…2, expected 0…1"),
        ({"x": np.ones((4, 1))}, "x dtype: got float64"),
        ({"start": PATH.start[:-1]}, "start has the wrong shape"),
        ({"start": np.array([0, 2, 1, 4, 4])}, "start: got no CSR"),
        ({"sizes": np.array([4, 0])}, "sizes: got 0…4 nodes a graph"),
        ({"sizes": np.array([3])}, "3 in all, expected 1…4 nodes a graph, 4 in all"),
        ({"neighbour": np.array([1, 0, 3, 1])}, "neighbour: got a node of another graph"),
        ({"neighbour": np.array([1, 0, 9, 1])}, "neighbour: got a node of another graph"),
        ({"start": np.array([0, 4, 4, 4, 4]), "neighbour": np.array([1, 2, 1, 2])}, "neighbours of a node: got 4"),
    ],
)
def test_graphs_that_do_not_fit(changes, message):
    with pytest.raises(ShapeError, match=message):
        NET.reference(replace(PATH, **changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"alpha": ONE.astype(np.int32)}, "statistics unit: alpha: got int32"),
        ({"gain": ONE[0]}, r"statistics unit: gain: got int64 \[2\], expected int64 \[layers, channels\]"),
        ({"in_bits": 1}, "in_bits: got 1, expected 2…16"),
        ({"table_bits": 13}, "table_bits: got 13"),
        ({"lo": 5, "hi": 4}, "lo, hi: got 5, 4"),
        ({"max_nodes": 60000, "in_bits": 16}, "W: got 81 bits, expected at most 62"),
        ({"gain": ONE << 50}, "y before its shift: got"),
    ],
)
def test_units_that_break_a_rule(changes, message):
    with pytest.raises(ArtifactError, match=message):
        replace(UNIT, **changes)


@pytest.mark.parametrize(
    ("a", "sizes", "layer", "message"),
    [
        (np.zeros((2, 3), int), [2], 0, "a has the wrong shape"),
        (np.zeros((2, 2)), [2], 0, "dtypes: got float64"),
        (np.zeros((2, 2), int), [2, 0], 0, "sizes: got 0…2 nodes a graph"),
        (np.zeros((5, 2), int), [5], 0, "sizes: got 5…5 nodes a graph.*expected 1…4"),
        (np.full((2, 2), 128), [2], 0, "a is out of range: got 128…128, expected -128…127"),
        (np.zeros((2, 2), int), [2], 1, "layer: got 1, expected 0…0"),
    ],
)
def test_codes_that_do_not_fit_the_unit(a, sizes, layer, message):
    with pytest.raises(ShapeError, match=message):
        UNIT.reference(a, np.array(sizes), layer)


def test_signed_bits():
    assert [signed_bits(np.array(v)) for v in ([0], [1], [-1], [127, -128], [128], [-129])] == [1, 2, 1, 8, 9, 9]


def test_from_real_is_nearest():
    unit = GraphNormUnit.from_real([[0.75]], [[10.0]], [[-2.5]], gain_bits=8)
    # 10 < 2^4: three more bits fit seven; shift = keep + root + 3
    assert (unit.alpha.item(), unit.gain.item(), unit.shift) == (192, 80, 19)
    assert unit.offset.item() == -2.5 * 2**19


def test_runner_refuses():
    with pytest.raises(UsageError, match="vector_lanes: got 0"):
        GraphRunner(NET, NET.table_mac, vector_lanes=0)
    with pytest.raises(UsageError, match=r"GraphnormArch\.lanes: got 2 channels on 4 lanes"):
        GraphRunner(NET, NET.table_mac, GraphnormArch(4))
