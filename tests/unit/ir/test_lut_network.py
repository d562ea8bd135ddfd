"""`lut_network`: its rules, each by its message, and everything that an IR kind must do."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hwsim.ir import io
from hwsim.ir.errors import ArtifactError, ShapeError
from hwsim.ir.lut import InputQuantiser, LutLayer, LutNetwork, SumLayer, shannon_luts
from hwsim.ir.lut_layers import pack_codes, unpack_codes
from hwsim.testing import naive
from hwsim.testing.conformance import ArtifactConformance, with_header
from hwsim.testing.strategies import code_batches, lut_networks

LUT = LutLayer(np.array([[0, 1], [2, 0]], np.int32), np.arange(32, dtype=np.uint8).reshape(2, 16) % 8, 2, 3)
SUM = SumLayer(np.array([0, 2, 2], np.int32), np.array([0, 1], np.int32), np.array([1, -2], np.int32), -4, 3, 3)
NETWORK = LutNetwork(3, 2, (LUT, SUM), InputQuantiser(np.ones(3), np.zeros(3), 2, False), n_classes=2)


def lut(**changes):
    return {"layers": (dataclasses.replace(LUT, **changes), SUM)}


def add(**changes):
    return {"layers": (LUT, dataclasses.replace(SUM, **changes))}


def quantiser(**changes):
    return {"input_quantiser": dataclasses.replace(NETWORK.input_quantiser, **changes)}


class TestLutNetwork(ArtifactConformance):
    artifacts = lut_networks(max_address_bits=8, quantisers=True)

    def inputs(self, draw, artifact):
        return draw(code_batches(artifact, sizes=(0, 1, 4)))

    def naive(self, artifact, sample):
        return naive.lut_network(artifact, sample)

    def broken(self):
        i32 = np.int32
        for changes, message in [
            (
                lut(table=LUT.table[:, :15]),
                r"layer 0\.table has the wrong length: got \[2, 15\], expected .* \[2, 16\]",
            ),
            (lut(table=LUT.table[:1]), r"layer 0\.table has the wrong length: got \[1, 16\]"),
            (
                lut(table=LUT.table + np.uint8(1)),
                r"layer 0\.table holds a code that is too wide: got 8, expected 0\.\.7",
            ),
            (lut(table=LUT.table.astype(np.int64)), r"layer 0\.table: got int64 .*, expected a non-empty uint8 array"),
            (
                lut(connections=np.array([[0, 1], [2, 3]], i32)),
                r"connections is out of range: got 0\.\.3, expected 0\.\.2",
            ),
            (lut(connections=np.array([[0, 1], [2, -1]], i32)), r"connections is out of range: got -1\.\."),
            (lut(connections=LUT.connections.astype(np.int64)), r"layer 0\.connections: got int64"),
            (lut(connections=LUT.connections[:0]), r"layer 0\.connections: got int32 \[0, 2\], expected a non-empty"),
            (
                lut(connections=np.zeros((2, 9), i32)),
                r"layer 0 address width: got 9 inputs × 2 bits = 18, expected 1\.\.16",
            ),
            (lut(bits_out=17), r"layer 0\.bits_out: got 17, expected 1\.\.16"),
            (
                lut(bits_in=3),
                r"layer 0: code widths do not match: got bits_in 3, expected 2, the width that the inputs",
            ),
            (
                add(bits_in=2),
                r"layer 1: code widths do not match: got bits_in 2, expected 3, the width that layer 0 emits",
            ),
            (add(sources=np.array([0, 2], i32)), r"layer 1\.sources is out of range: got 0\.\.2, expected 0\.\.1"),
            (
                add(offsets=np.array([0, 2], i32)),
                r"layer 1\.offsets: got \[0, 2\], expected 3 values that grow from 0 to 2",
            ),
            (add(offsets=np.array([0, 3, 2], i32)), r"layer 1\.offsets"),
            (add(offsets=np.array([1, 2, 2], i32)), r"layer 1\.offsets"),
            (add(lo=1), r"layer 1 saturation range: got 1\.\.3, expected lo ≤ 0 ≤ hi"),
            (add(hi=1 << 16), r"layer 1 saturation range: got -4\.\.65536"),
            (add(bias=SUM.bias.astype(np.int16)), r"layer 1\.bias: got int16"),
            (quantiser(bits=3), r"input_quantiser\.bits: got 3, expected 2"),
            (quantiser(gain=np.ones(2)), r"input_quantiser\.gain: got float64 \[2\], expected finite float64 \[3\]"),
            (quantiser(offset=np.array([0, np.nan, 0])), r"input_quantiser\.offset"),
            (quantiser(gain=np.ones(3, np.float32)), r"input_quantiser\.gain: got float32"),
            ({"n_classes": 3}, r"n_classes: got 3, expected 0 or the 2 outputs"),
            ({"layers": ()}, r"lut_network: got 3 inputs of 2 bits, 0 layers"),
            ({"n_inputs": 0}, r"lut_network: got 0 inputs"),
            ({"input_bits": 17}, r"lut_network: got 3 inputs of 17 bits"),
        ]:
            yield NETWORK, changes, message


def test_a_table_of_the_wrong_length_in_a_file():
    tensors, header = NETWORK.to_tensors()
    tensors["layer0.table"] = tensors["layer0.table"][:, :-1].copy()
    message = r"layer 0 packed table has the wrong length: got uint8 \[2, 5\], expected uint8 \[2, 6\]"
    with pytest.raises(ArtifactError, match=message):
        LutNetwork.from_tensors(tensors, header)


def test_a_file_that_lacks_a_field(tmp_path):
    tensors, header = NETWORK.to_tensors()
    path = tmp_path / "a.hwir.safetensors"
    path.write_bytes(_image({k: v for k, v in tensors.items() if k != "layer1.bias"}, header))
    with pytest.raises(ArtifactError, match=r"a\.hwir\.safetensors lacks a field: got .*layer1\.bias"):
        io.load(path)


def _image(tensors, header):
    """A file with a right digest around whatever it holds."""
    header = {"format": io.FORMAT, "kind": "lut_network", "spec_version": 1, **header}
    header["digest"] = io._digest(tensors, header)
    return io._st_save(tensors, metadata={"hwir": io._canonical(header).decode()})


def test_a_layer_type_from_the_future():
    tensors, header = NETWORK.to_tensors()
    header["layers"] = [{**header["layers"][0], "type": "conv"}, header["layers"][1]]
    with pytest.raises(ArtifactError, match="layer 0 type: got 'conv', expected 'lut' or 'sum'"):
        LutNetwork.from_tensors(tensors, header)


@pytest.mark.parametrize(("bits_in", "bits_out"), [(9, 3), (2, 17), (0, 3)])
def test_a_described_width_that_would_need_a_huge_table(bits_in, bits_out):
    tensors, header = NETWORK.to_tensors()
    header["layers"] = [{"type": "lut", "bits_in": bits_in, "bits_out": bits_out}, header["layers"][1]]
    with pytest.raises(ArtifactError, match="layer 0 widths"):
        LutNetwork.from_tensors(tensors, header)


def test_no_such_file_and_no_artifact(tmp_path):
    with pytest.raises(ArtifactError, match=r"no artifact file: got .*gone, expected an existing \*\.hwir"):
        io.load(tmp_path / "gone")
    with pytest.raises(ArtifactError, match="unreadable artifact file"):
        io.load(tmp_path)
    (tmp_path / "text").write_text("a text that is no artifact at all")
    with pytest.raises(ArtifactError, match="text is truncated or not a safetensors file"):
        io.load(tmp_path / "text")
    (tmp_path / "plain").write_bytes(io._st_save({"a": np.zeros(1)}))
    with pytest.raises(ArtifactError, match="plain holds no hwir header"):
        io.load(tmp_path / "plain")


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.hwir.safetensors"
    first = io.save(NETWORK, path)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(io.os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        io.save(dataclasses.replace(NETWORK, meta={"run": "2"}), path)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert io.artifact_id(io.load(path)) == first


def test_the_id_depends_on_every_part():
    ids = {
        io.artifact_id(network)
        for network in [
            NETWORK,
            dataclasses.replace(NETWORK, meta={"a": "b"}),
            dataclasses.replace(NETWORK, signed_output=True),
            dataclasses.replace(NETWORK, n_classes=0),
            dataclasses.replace(NETWORK, input_quantiser=None),
            dataclasses.replace(NETWORK, **lut(table=LUT.table ^ np.uint8(1))),
        ]
    }
    assert len(ids) == 6


def test_header_edits_are_found():
    with pytest.raises(ArtifactError, match="was changed after export"):
        io.from_bytes(with_header(io.to_bytes(NETWORK), n_classes=0))


@pytest.mark.parametrize("bits", range(1, 17))
def test_pack_codes_round_trip(bits):
    table = np.random.default_rng(bits).integers(0, 1 << bits, (3, 19)).astype(np.uint8 if bits <= 8 else np.uint16)
    packed = pack_codes(table, bits)
    assert packed.shape == (3, -(-19 * bits // 8))
    np.testing.assert_array_equal(unpack_codes(packed, 19, bits), table)


def test_codes_are_checked():
    for codes, message in [
        (np.zeros((2, 3)), "codes dtype: got float64, expected an integer dtype"),
        (np.full((2, 3), 4), r"a code is out of range: got 4\.\.4, expected 0\.\.3"),
        (np.full((2, 3), -1), r"a code is out of range: got -1\.\.-1"),
        (np.zeros((2, 4), int), r"codes has the wrong shape: got \[2, 4\], expected \[batch, n_inputs\] = \[any, 3\]"),
    ]:
        with pytest.raises(ShapeError, match=message):
            NETWORK.reference(codes)


def test_the_quantiser_rounds_ties_to_even_and_clips():
    x = np.array([[0.5], [1.5], [2.5], [-9.0], [9.0]])
    unsigned = InputQuantiser(np.ones(1), np.zeros(1), 2, False)
    assert unsigned.reference(x).ravel().tolist() == [0, 2, 2, 0, 3]
    signed = InputQuantiser(np.ones(1), np.zeros(1), 2, True)  # −2..1, code = value + 2
    assert signed.reference(x).ravel().tolist() == [2, 3, 3, 0, 3]
    for value in (np.nan, np.inf):
        with pytest.raises(ShapeError, match="x holds NaN or infinity"):
            signed.reference(np.full((1, 1), value))


def test_classes_need_to_be_declared():
    assert NETWORK.classify(np.array([[3, 3], [1, 2]])).tolist() == [0, 1]
    with pytest.raises(ArtifactError, match="the network has no classes"):
        dataclasses.replace(NETWORK, n_classes=0).classify(np.zeros((1, 2), int))


def test_lut6_bound():
    """LogicNets' closed form: 12 inputs are a tree of 64 LUT6 and 16 + 4 + 1 multiplexers = 85."""
    assert [shannon_luts(x) for x in (1, 6, 7, 8, 12, 14)] == [1, 1, 3, 5, 85, 341]
    assert NETWORK.cost().values == {"lookups": 2, "adder_terms": 2, "table_bits": 96, "lut6_bound": 6}
