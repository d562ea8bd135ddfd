"""Enumeration: tables equal the network's own codes, addresses are in order, the rounding margin is a proof."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.ir import io
from ml.common.seed import numpy_generator
from ml.neuralut import one_input
from ml.neuralut.configs import LayerConfig, NetConfig, OneInputConfig
from ml.neuralut.export import address_codes, enumerate_tables, to_ir
from ml.neuralut.input_stage import LeadingBits
from ml.neuralut.model import LutNet
from ml.neuralut.one_input import OneInputNet


@st.composite
def small_networks(draw: st.DrawFn) -> LutNet:
    """A network of two layers with any kind of neuron and running statistics of a few random batches."""
    kind = draw(st.sampled_from(["neuralut", "logicnets", "polylut"]))
    bits, fan_in = draw(st.sampled_from([(1, 4), (2, 2), (2, 3), (3, 2)]))
    layers = (
        LayerConfig(draw(st.integers(4, 6)), fan_in, draw(st.integers(1, 2)), kind, width=4),
        LayerConfig(3, 2, draw(st.integers(1, 4)), kind, width=4),
    )
    seed = draw(st.integers(0, 2**31))
    model = LutNet(NetConfig("drawn", 5, bits, layers), seed, features=(0.5, -0.25), fused=False)
    model.train()
    noise = numpy_generator(seed, "batch")
    for _ in range(3):
        model(torch.from_numpy(noise.normal(size=(5, 64)).astype(np.float32)))
    return model.eval()


@settings(max_examples=25, deadline=None)
@given(model=small_networks(), seed=st.integers(0, 1000))
def test_tables_equal_codes_of_every_layer(model: LutNet, seed: int) -> None:
    x = numpy_generator(seed).normal(size=(200, 5)) * 3
    network = to_ir(model)
    own = model.codes(x, block=64)
    tables = network.reference_layers(network.quantise(x))
    assert np.array_equal(own[0], network.quantise(x))
    for codes, expected in zip(own[1:], tables, strict=True):
        assert np.array_equal(codes, expected)
    assert len(own) == len(tables) + 1


@settings(max_examples=10, deadline=None)
@given(model=small_networks())
def test_margin_proves_tables_that_keep_off_the_boundaries(model: LutNet) -> None:
    tables, margin = enumerate_tables(model)
    assert 0 < margin.error_bound < 1e-9
    assert 0 <= margin.unproven <= sum(table.size for table in tables)
    if margin.distance > margin.error_bound:
        assert margin.unproven == 0
    if margin.distance == 0:
        assert margin.unproven > 0


def test_margin_finds_an_entry_on_the_boundary() -> None:
    config = NetConfig("edge", 1, 1, (LayerConfig(1, 1, 2, "logicnets"),))
    model = LutNet(config, 0).eval()
    quantise = model.stack[0][1]
    with torch.no_grad():
        model.stack[0][0].theta.zero_()
        quantise.beta.fill_(0.5 * float(quantise.scale))  # v = ½ for every address
    _, margin = enumerate_tables(model)
    assert margin.unproven == 2


def test_first_connection_is_the_most_significant() -> None:
    codes = address_codes(3, 2)
    assert codes.shape == (3, 64)
    weights = np.array([16, 4, 1])
    assert np.array_equal(weights @ codes, np.arange(64))


def test_to_ir_round_trips_and_takes_raw_features() -> None:
    config = NetConfig("small", 6, 2, (LayerConfig(4, 2, 2, width=4), LayerConfig(2, 3, 2, width=4)))
    network = to_ir(LutNet(config, 3, features=(1 / 255, -0.5)).eval(), {"data": "noise"})
    again = io.from_bytes(io.to_bytes(network))
    x = numpy_generator(0).integers(0, 256, size=(50, 6))
    assert np.array_equal(again.reference(again.quantise(x)), network.reference(network.quantise(x)))
    assert again.meta["data"] == "noise"
    assert again.n_classes == 2


def test_negative_output_weight_keeps_the_class() -> None:
    config = NetConfig("small", 6, 2, (LayerConfig(4, 2, 2, width=4), LayerConfig(3, 3, 4, width=4)))
    model = LutNet(config, 5).eval()
    x = numpy_generator(1).normal(size=(300, 6))
    with torch.no_grad():
        model.out_weight.fill_(-1.0)
        scores = model(torch.from_numpy(x.T.astype(np.float32))).numpy()
    network = to_ir(model)
    assert np.array_equal(network.classify(network.reference(network.quantise(x))), scores.argmax(1))


def test_leading_bits_are_wires() -> None:
    stage = LeadingBits(3, 2, 255, (1 / 100, -1.0))
    pixels = np.arange(256)
    x = torch.from_numpy((pixels / 100 - 1.0).astype(np.float32)).expand(3, -1)
    codes = (stage(x) / stage.scale).numpy() - stage.spec.lo
    assert np.array_equal(codes[0], pixels >> 6)
    gain, offset = stage.folded()
    assert np.array_equal(np.rint(x[0].numpy() * gain[0] + offset[0]) - stage.spec.lo, pixels >> 6)


def test_edges_and_sums_equal_the_network_after_pruning() -> None:
    config = OneInputConfig("edges", 5, (4, 3), (3, 4, 5), width=4, keep=0.5)
    model = OneInputNet(config, 2, features=(0.5, 0.1), fused=False)
    noise = numpy_generator(3)
    model.train()
    for _ in range(3):
        model(torch.from_numpy(noise.normal(size=(5, 64)).astype(np.float32)))
    model.prune(1.0)
    model.eval()
    network = one_input.to_ir(model, {"data": "noise"})
    assert [layer.n_out for layer in network.layers] == [10, 4, 6, 3]
    x = noise.normal(size=(300, 5)) * 4
    own, layers = model.codes(x), network.reference_layers(network.quantise(x))
    assert np.array_equal(own[1], layers[1])
    assert np.array_equal(own[2], layers[3])
    trained = model(torch.from_numpy((x * 0.5 + 0.1).T.astype(np.float32))).detach().numpy()
    assert (trained.argmax(1) == network.classify(layers[3])).mean() > 0.99  # float32 ties at a boundary


def test_votes_are_counted_by_class() -> None:
    layers = (LayerConfig(8, 3, 1, width=4, depth=2, skip=2), LayerConfig(12, 4, 1, width=4, depth=2, skip=2))
    config = NetConfig("votes", 6, 1, layers, input_top=255, votes=4)
    model = LutNet(config, 1, features=(1 / 128, -1.0), fused=False)
    pixels = numpy_generator(2).integers(0, 256, size=(300, 6))
    x = torch.from_numpy((pixels.T / 128 - 1).astype(np.float32))
    model.train()
    for _ in range(60):
        model(x)
    model.eval()
    network = to_ir(model)
    own, layers_out = model.codes(pixels), network.reference_layers(network.quantise(pixels))
    assert config.classes == 3
    assert np.array_equal(own[-1], layers_out[-1])
    assert np.array_equal(layers_out[-1], layers_out[-2].reshape(300, 3, 4).sum(2))
    assert len(np.unique(layers_out[-1])) > 2
    assert np.array_equal(model(x).detach().numpy().argmax(1), network.classify(layers_out[-1]))
