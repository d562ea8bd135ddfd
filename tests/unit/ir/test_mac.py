"""`encoded_mac`: file, every rule of every operation, and the reference against the naive twin."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwsim.ir import io
from hwsim.ir.encoding import Encoding
from hwsim.ir.errors import ArtifactError, ShapeError
from hwsim.ir.gates import GateNetlist
from hwsim.ir.mac import OPS, EncodedMac, Input
from hwsim.ir.mac_ops import Conv, Gemm, Linear, MatMul, Requant
from hwsim.ir.mac_vector import Add, Concat, Const, Divide, Mul, Pool, Reduce, Rescale, Reshape, Table, Transpose
from hwsim.testing import naive_mac, strategies_mac
from hwsim.testing.conformance import SETTINGS, ArtifactConformance
from hwsim.testing.strategies_mac import encoded_macs, mac_inputs

I16, I32 = np.int16, np.int32


def ints(*values):
    return np.array(values, np.int64)


def exact(bits=3):
    """An exact signed multiplier: one AND a pair of bits, ±2^(i+j)."""
    pairs = [(i, j) for i in range(bits) for j in range(bits)]
    sign = [-1 if (i == bits - 1) != (j == bits - 1) else 1 for i, j in pairs]
    gates = GateNetlist(
        2 * bits,
        2 * np.arange(len(pairs) + 1, dtype=I32),
        np.array([[i, bits + j] for i, j in pairs], I32).ravel(),
        np.full(len(pairs), 8, np.uint64),
        2 * bits + np.arange(len(pairs), dtype=I32),
    )
    return Encoding(gates, bits, bits, np.array([s << (i + j) for s, (i, j) in zip(sign, pairs, strict=True)]))


ONE = Requant(ints(1), 0, -100, 100)
RELU = Requant(ints(3, 5), 2, 0, 3)
IMAGE = Input((2, 4, 4), -4, 3, 0.5)


def net(*ops, inputs=(IMAGE,), **fields):
    return EncodedMac(tuple(inputs), (exact(),), ops, **fields)


SMALL = net(
    Conv((0,), np.ones((2, 2, 3, 3), I16), ints(4, -4), RELU, padding=(1, 1)),
    Pool((1,), "max", (2, 2), (2, 2)),
    Reshape((2,), (-1,)),
    Linear((3,), np.ones((3, 8), I16), ints(1, 2, 3), ONE),
    n_classes=3,
    output_scale=0.25,
    meta={"from": "test"},
)


class TestEncodedMac(ArtifactConformance):
    artifacts = encoded_macs()

    def inputs(self, draw, artifact):
        return draw(mac_inputs(artifact))[0]

    def naive(self, artifact, sample):
        return naive_mac.encoded_mac(artifact, [sample])

    def broken(self):
        for changes, message in [
            ({"inputs": ()}, r"encoded_mac: got 0 inputs, 4 ops, expected at least one of each"),
            ({"ops": ()}, r"encoded_mac: got 1 inputs, 0 ops"),
            ({"inputs": (Input((2, 0, 4), 0, 1),)}, r"input 0: got shape \[2, 0, 4\], .* sizes ≥ 1 and lo ≤ hi"),
            ({"inputs": (Input((2, 4, 4), 1, 0),)}, r"input 0: got .* codes 1…0"),
            ({"inputs": (dataclasses.replace(IMAGE, scale=np.nan),)}, r"input 0: scale: got nan, expected 0 \(unknown"),
            ({"output_scale": -1.0}, r"output_scale: got -1\.0"),
            ({"n_classes": 4}, r"n_classes: got 4, expected 0 or the last axis of \[3\]"),
            ({"inputs": (Input((2, 4, 4), -5, 3),)}, r"op 0 \(conv\): x codes out of range: got -5…3, expected -4…3"),
            ({"encodings": ()}, r"op 0 \(conv\): encoding: got 0, expected 0…-1"),
        ]:
            yield SMALL, changes, message
        for op, message in RULES:
            yield net(Reshape((0,), (-1,))), {"ops": (op,)}, rf"op 0 \({op.type}\)[: ].*{message}"


W = np.ones((2, 2, 3, 3), I16)
B = ints(0, 0)
RULES = [
    (Reshape((1,), (-1,)), r"inputs: got \[1\], expected values 0…0"),
    (Reshape((0, 0), (-1,)), r"inputs: got 2, expected 1"),
    (Concat((), 0), r"inputs: got 0, expected 1"),
    (Linear((0,), np.ones((2, 3), I16), B, ONE), r"weights: got int16 \[2, 3\], expected int16 \[any, 4\]"),
    (Linear((0,), np.ones((2, 4)), B, ONE), r"weights: got float64"),
    (Linear((0,), np.ones((2, 4), I16), ints(0), ONE), r"bias: got int64 \[1\], expected int64 \[2\]"),
    (Linear((0,), np.full((2, 4), 4, I16), B, ONE), r"w codes out of range: got 0…4, expected -4…3, what encoding 0"),
    (Linear((0,), np.ones((2, 4), I16), B, ONE, 1), r"encoding: got 1, expected 0…0"),
    (Linear((0,), np.ones((2, 4), I16), ints(2**62, 0), ONE), r"sums overflow: got 2\^63, expected 2\^62"),
    (Linear((0,), np.ones((2, 4), I16), B, Requant(ints(1, 1, 1), 0, 0, 1)), r"mult: .* expected int64 \[1\] or \[2\]"),
    (Linear((0,), np.ones((2, 4), I16), B, Requant(ints(1), 49, 0, 1)), r"requantisation: got shift 49"),
    (Linear((0,), np.ones((2, 4), I16), B, Requant(ints(1), 0, 2, 1)), r"requantisation: got shift 0, lo 2, hi 1"),
    (Linear((0,), np.ones((2, 4), I16), B, Requant(ints(1), 0, 0, 2**70)), r"expected shift .* hi < 2\^62"),
    (Linear((0,), np.ones((2, 4), I16), B, Requant(ints(-(2**63)), 0, 0, 1)), r"requantisation overflows"),
    (Conv((0,), np.ones((2, 1, 3, 3), I16), B, ONE), r"weights: got int16 \[2, 1, 3, 3\], expected int16 \[any, 2,"),
    (Conv((0,), W, B, ONE, groups=0), r"groups: got 0 groups for 2 → 2 channels"),
    (Conv((0,), np.ones((3, 1, 3, 3), I16), ints(0, 0, 0), ONE, groups=2), r"groups: got 2 groups for 2 → 3"),
    (Conv((0,), W, B, ONE, stride=(0, 1)), r"window: got size \(3, 3\), stride \(0, 1\)"),
    (Conv((0,), np.ones((2, 2, 5, 3), I16), B, ONE), r"window: got \(5, 3\) over \(4, 4\), expected a fit"),
    (MatMul((0, 0), ONE, False, 2), r"encoding: got 2"),
    (Add((0, 0), (1 << 61, 1 << 61), 0, 0, 1), r"requantisation overflows: got 2\^65"),
    (Mul((0, 0), Requant(ints(1, 1), 0, 0, 1)), r"mult: got int64 \(2,\), expected int64 \[1\] or \[4\]"),
    (Divide((0, 0), 2, 0, 1), r"divisor: got divisor -4…3, expected 1 or more"),
    (Table((0,), ints(1, 2, 3), -4), r"x beyond the table: got x -4…3, expected -4…-2"),
    (Table((0,), np.zeros(9), -4), r"table: got float64 \[9\]"),
    (Rescale((0,), ONE, 3), r"axis: got 3, expected an axis of \[2, 4, 4\]"),
    (Pool((0,), "sum", (2, 2), (1, 1)), r"how: got 'sum' without requantisation"),
    (Pool((0,), "max", (2, 2), (1, 1), requant=ONE), r"how: got 'max' with requantisation"),
    (Pool((0,), "mean", (2, 2), (1, 1)), r"how: got 'mean'"),
    (Reduce((0,), "max", -4), r"axis: got -4"),
    (Reshape((0,), (5, -1)), r"reshape: got \[2, 4, 4\] to \[5, -1\], expected as many elements"),
    (Transpose((0,), (0, 1)), r"axes: got \[0, 1\], expected an order of 0…2"),
    (Concat((0,), 5), r"axis: got 5"),
    (Const((0,), np.zeros(0, np.int64)), r"value: .* expected int64, not empty"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("ops", "message"),
    [
        ((Reshape((0,), (2, 16)), MatMul((0, 1), ONE)), r"shapes: got \[2, 4, 4\] and \[2, 16\], expected \[…, t, k\]"),
        ((Reshape((0,), (32,)), Pool((1,), "max", (2, 2), (1, 1))), r"input shape: got \[32\], expected \[channels,"),
        ((Reshape((0,), (32,)), Conv((1,), W, B, ONE)), r"input shape: got \[32\]"),
        ((Reshape((0,), (16, 2)), Add((0, 1), (1, 1), 0, 0, 1)), r"shapes: .* expected shapes that broadcast"),
        ((Reshape((0,), (16, 2)), Concat((0, 1), 0)), r"shapes: got \[2, 4, 4\], \[16, 2\], expected equal but for ax"),
        ((Rescale((0,), Requant(ints(1), 0, 1, 3)), Divide((0, 1), 49, 0, 1)), r"shift: got 49, expected 0…48"),
        (
            (Rescale((0,), Requant(ints(1 << 59), 0, 0, 1 << 61)), Reduce((1,), "sum", 0, ONE)),
            r"sums overflow: got 0…4611686018427387904",
        ),
    ],
)
def test_rules_between_operations(ops, message):
    with pytest.raises(ArtifactError, match=rf"op 1 \({ops[-1].type}\): {message}"):
        net(*ops)


@SETTINGS
@given(data=st.data())
def test_networks_of_several_inputs_equal_the_naive_twin(data):
    network = data.draw(encoded_macs(max_inputs=3))
    x = data.draw(mac_inputs(network))
    out = network.reference(x)
    assert out.shape == (len(x[0]), *network.shapes[-1])
    assert out.min() >= network.bounds[-1][0]
    assert out.max() <= network.bounds[-1][1]
    for i in range(len(out)):
        assert naive_mac.encoded_mac(network, [one[i] for one in x]) == out[i].tolist()


@SETTINGS
@given(data=st.data())
def test_every_value_stays_in_its_stated_range_and_shape(data):
    network = data.draw(encoded_macs())
    x = data.draw(mac_inputs(network))
    for value, shape, (lo, hi) in zip(
        network.evaluate(x, network.table_mac), network.shapes[1:], network.bounds[1:], strict=True
    ):
        assert value.shape[1:] == shape
        assert lo <= value.min()
        assert value.max() <= hi


@SETTINGS
@given(data=st.data())
def test_an_empty_batch_gives_an_empty_answer(data):
    network = data.draw(encoded_macs())
    assert network.reference(np.zeros((0, *network.inputs[0].shape), int)).shape == (0, *network.shapes[-1])


@SETTINGS
@given(data=st.data())
def test_finer_product_units_leave_the_network_as_it_is(data):
    network = data.draw(encoded_macs())
    x = data.draw(mac_inputs(network))
    finer = [e.with_weights(e.position_weights * 8, e.bias * 8, e.fraction + 3) for e in network.encodings]
    assert network.with_encodings(*finer).reference(x).tolist() == network.reference(x).tolist()
    back = network.with_encodings(*finer).with_encodings(*network.encodings)
    assert back.reference(x).tolist() == network.reference(x).tolist()


def test_every_operation_is_drawn_and_has_a_twin():
    assert set(OPS) == set(naive_mac._RUN) == set(strategies_mac._MAKERS)


def test_a_counted_example():
    # conv: 9 ones under a 3×3 window of ones inside, 6 at an edge, 4 in a corner; two input channels: 18, 12, 8
    x = np.ones((1, 2, 4, 4), int)
    values = list(SMALL.evaluate(x, SMALL.table_mac))
    assert values[0][0, 0].tolist()[0] == [3, 3, 3, 3]  # (8 + 4)·3 / 4 = 9, (12 + 4)·3 / 4 = 12: clipped to 3
    assert values[0][0, 1].tolist()[0] == [3, 3, 3, 3]  # (8 − 4)·5 / 4 = 5
    assert values[-1].tolist() == [[25, 26, 27]]  # eight codes of 3, and the bias
    assert SMALL.classify(values[-1]).tolist() == [2]
    assert SMALL.gemms == ((0, Gemm(16, 18, 2)), (3, Gemm(1, 8, 3)))
    assert SMALL.cost().values["macs"] == 16 * 18 * 2 + 24
    assert SMALL.cost().values["weight_bits"] == (36 + 24) * 3


def test_rounding_is_half_up_and_saturates():
    requant = Requant(ints(1), 1, -2, 2)
    assert requant(ints(-5, -4, -3, -2, -1, 0, 1, 2, 3, 4)).tolist() == [-2, -2, -1, -1, 0, 0, 1, 1, 2, 2]


def test_single_numbers_are_rescaled_too():
    network = net(Reshape((0,), ()), Rescale((1,), Requant(ints(3), 1, -9, 9)), inputs=(Input((1,), -4, 3),))
    assert network.shapes[-1] == ()
    assert network.reference(np.array([[2], [-1]])).tolist() == [3, -1]


def test_features_become_codes():
    assert SMALL.quantise(np.full((1, 2, 4, 4), 0.25))[0].max() == 0  # half to even
    assert SMALL.quantise(np.full((1, 2, 4, 4), 9.0))[0].min() == 3
    with pytest.raises(ShapeError, match=r"input 0: got NaN or infinity, expected finite features"):
        SMALL.quantise(np.full((1, 2, 4, 4), np.nan))
    without = dataclasses.replace(SMALL, inputs=(dataclasses.replace(IMAGE, scale=0.0),))
    with pytest.raises(ArtifactError, match=r"input 0 has no scale"):
        without.quantise(np.zeros((1, 2, 4, 4)))


def test_wrong_calls_are_named():
    x = np.zeros((2, 2, 4, 4), int)
    with pytest.raises(ShapeError, match=r"inputs: got 2, expected 1"):
        SMALL.reference((x, x))
    with pytest.raises(ShapeError, match=r"input 0: a code is out of range: got 9…9, expected -4…3"):
        SMALL.reference(x + 9)
    pair = net(Add((0, 1), (1, -1), 0, -8, 8), inputs=(IMAGE, IMAGE))
    with pytest.raises(ShapeError, match=r"batches: got \[2, 1\], expected one batch size"):
        pair.reference((x, x[:1]))
    with pytest.raises(ArtifactError, match=r"the network has no classes"):
        pair.classify(x)
    with pytest.raises(ArtifactError, match=r"encodings: got 2, expected 1 or 1"):
        SMALL.with_encodings(exact(), exact())


def test_an_operation_of_a_newer_version_is_named():
    tensors, header = SMALL.to_tensors()
    header["ops"][1]["type"] = "wavelet"
    with pytest.raises(ArtifactError, match=r"op1\.type: got 'wavelet', expected one of linear, conv"):
        EncodedMac.from_tensors(tensors, header)


def test_saved_operations_keep_every_field(tmp_path):
    network = net(
        Const((0,), np.arange(16).reshape(4, 4)),
        Mul((0, 1), Requant(ints(1), 4, -4, 3)),
        Rescale((2,), Requant(ints(1), 0, 1, 3)),
        Divide((2, 3), 3, -4, 3),
        Transpose((4,), (0, 2, 1)),
        MatMul((2, 5), ONE, True),
        Reduce((6,), "sum", -1, Requant(ints(1), 3, -4, 3)),
        Table((7,), np.arange(8), -4),
        Concat((8, 8), 0),
    )
    io.save(network, tmp_path / "n.hwir.safetensors")
    again = io.load_as(EncodedMac, tmp_path / "n.hwir.safetensors")
    x = np.arange(32).reshape(1, 2, 4, 4) % 8 - 4
    assert again.reference(x).tolist() == network.reference(x).tolist()
    for a, b in zip(network.ops, again.ops, strict=True):
        assert dataclasses.asdict(a).keys() == dataclasses.asdict(b).keys()
        assert [type(v) for v in vars(a).values()] == [type(v) for v in vars(b).values()]
