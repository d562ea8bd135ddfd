"""Observed addresses, masks and compression on networks small enough to check by hand or by brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from hwsim.ir.errors import ShapeError, UsageError
from hwsim.ir.lut import LutLayer, LutNetwork
from hwsim.neuralut.dontcare import (
    accuracy,
    care_masks,
    compress,
    compress_exact,
    near,
    observe,
    reachable_masks,
    tune_rarity,
)
from hwsim.testing.naive import lut_layer as naive_layer
from hwsim.testing.strategies import generators, lut_networks
from rtl.synth.lutmap import live_luts, map_network
from rtl.synth.lutmap.complete import complete_table


def trained_like(rng: np.random.Generator) -> LutNetwork:
    """Two smooth layers of 8→2-bit L-LUTs and ten inputs of two bits."""
    address = np.arange(256)
    codes = (address[:, None] >> np.array([6, 4, 2, 0])) & 3
    layers = []
    for n_in, n_out in ((10, 8), (8, 4)):
        y = codes @ rng.normal(size=(4, n_out))
        table = np.clip(np.rint(y - y.mean(axis=0) + 1.5), 0, 3).astype(np.uint8)
        layers.append(LutLayer(rng.integers(0, n_in, (n_out, 4)).astype(np.int32), table.T.copy(), 2, 2))
    return LutNetwork(10, 2, tuple(layers), None, 4)


@settings(max_examples=30, deadline=None)
@given(lut_networks(max_layers=3, max_width=4, max_address_bits=8, max_bits=4, sums=False), generators())
def test_counts_by_naive_walk(network: LutNetwork, rng: np.random.Generator) -> None:
    codes = rng.integers(0, 1 << network.input_bits, (9, network.n_inputs))
    counts = observe(network, codes)
    for sample in codes.tolist():
        for layer, seen in zip(network.layers, counts, strict=True):
            assert isinstance(layer, LutLayer)
            assert seen is not None
            for k in range(layer.n_out):
                address = 0
                for j in layer.connections[k]:
                    address = address * 2**layer.bits_in + sample[j]
                seen[k, address] -= 1
            sample = naive_layer(layer, sample)
    assert all(not np.any(seen) for seen in counts)


def test_near_is_one_code_step() -> None:
    seen = np.zeros((1, 16), bool)
    seen[0, 0b01_10] = True
    wide = near(seen, bits=2, fan_in=2, steps=1)
    assert np.flatnonzero(wide[0]).tolist() == [0b00_10, 0b01_01, 0b01_10, 0b01_11, 0b10_10]
    assert near(seen, 2, 2, 2).sum() == 11  # of 16 addresses, those at Manhattan distance ≤ 2 of (1, 2)


def test_reachable_by_brute_force() -> None:
    rng = np.random.default_rng(0)
    first = LutLayer(
        np.array([[0, 0], [0, 1]], np.int32), rng.choice([0, 2], (2, 16)).astype(np.uint8), bits_in=2, bits_out=2
    )
    second = LutLayer(np.array([[0, 1], [1, 1]], np.int32), rng.integers(0, 4, (2, 16)).astype(np.uint8), 2, 2)
    network = LutNetwork(2, 2, (first, second))
    everything = np.array([[a, b] for a in range(4) for b in range(4)])
    for mask, counts in zip(reachable_masks(network), observe(network, everything), strict=True):
        assert mask is not None
        assert counts is not None
        assert not np.any(~mask & (counts > 0))
    mask = reachable_masks(network)[0]
    assert mask is not None
    assert np.flatnonzero(mask[0]).tolist() == [0, 5, 10, 15]


def test_compression_keeps_what_was_seen_and_saves_luts() -> None:
    rng = np.random.default_rng(4)
    network = trained_like(rng)
    codes = rng.integers(0, 4, (40, 1)) + rng.integers(-1, 1, (40, 10))
    codes = np.clip(codes, 0, 3)
    steps: list[str] = []
    done = compress(network, codes, complete_table, progress=lambda i, n, note: steps.append(note))
    assert np.array_equal(done.network.reference(codes), network.reference(codes))
    before, after = map_network(network).luts, map_network(done.network).luts
    assert after < 0.8 * before
    assert len(steps) == 2
    assert steps[0].endswith("% of addresses kept")
    assert done.rarity == (1, 1)


@settings(max_examples=15, deadline=None)
@given(generators())
def test_exact_compression_changes_no_output(rng: np.random.Generator) -> None:
    first = LutLayer(
        rng.integers(0, 3, (6, 4)).astype(np.int32), rng.choice([0, 2, 3], (6, 256)).astype(np.uint8), 2, 2
    )
    second = LutLayer(rng.integers(0, 6, (3, 4)).astype(np.int32), rng.integers(0, 4, (3, 256)).astype(np.uint8), 2, 2)
    network = LutNetwork(3, 2, (first, second))
    done = compress_exact(network, complete_table)
    everything = (np.arange(64)[:, None] >> np.array([4, 2, 0])) & 3
    assert np.array_equal(done.reference(everything), network.reference(everything))
    assert map_network(done).luts <= map_network(network).luts + 2


def test_margin_protects_neighbours_and_dead_luts_are_left() -> None:
    rng = np.random.default_rng(6)
    network = trained_like(rng)
    codes = rng.integers(1, 3, (20, 10))
    live = list(live_luts(network))
    live[0] = live[0] & (np.arange(8) != 2)
    done = compress(network, codes, complete_table, margin=1, live=live)
    wide = np.clip(codes + np.eye(10, dtype=int)[rng.integers(0, 10, 20)], 0, 3)
    first, original = done.network.layers[0], network.layers[0]
    assert np.array_equal(first.reference(wide.astype(np.uint8)), original.reference(wide.astype(np.uint8)))
    assert np.array_equal(first.table[2], original.table[2])


def test_rarity_is_tuned_on_held_out_samples() -> None:
    rng = np.random.default_rng(8)
    network = trained_like(rng)
    codes = np.clip(rng.integers(0, 4, (300, 1)) + rng.integers(-1, 2, (300, 10)), 0, 3)
    labels = network.classify(network.reference(codes))
    done = tune_rarity(network, codes, labels, complete_table, held_out=100, max_loss=2.0, candidates=(2,))
    assert done.held_out_loss is not None
    assert set(done.rarity) <= {1, 2}
    assert accuracy(done.network, codes, labels) >= 97.0


def test_errors() -> None:
    network = trained_like(np.random.default_rng(1))
    layer = network.layers[0]
    assert isinstance(layer, LutLayer)
    with pytest.raises(ShapeError, match="counts has the wrong shape"):
        care_masks(layer, np.zeros((2, 2), np.int64))
    with pytest.raises(UsageError, match=r"rarity, margin: got \(0, 0\)"):
        care_masks(layer, np.zeros((8, 256), np.int64), rarity=0)
    with pytest.raises(UsageError, match="held_out: got 5"):
        tune_rarity(network, np.zeros((5, 10), int), np.zeros(5), complete_table, held_out=5)
