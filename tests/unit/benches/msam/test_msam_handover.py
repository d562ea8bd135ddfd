"""MSAM's bench: fast evaluations equal the artifacts' references, errors hit what they claim to hit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benches.msam import lut, mac, mechanism, methods, spiking, weights
from hwsim.ir.lut import LutLayer, LutNetwork
from ml.msam import bits

MODEL, TASK, OUTCOME = methods.train_digits("msam", 3, 12, {"rho": 0.3})


def test_the_spiking_evaluation_is_the_artifacts_reference() -> None:
    assert spiking.equal_samples(MODEL, TASK, 25) == 25


def test_rates_of_spiking_neurons_follow_the_network() -> None:
    row = spiking.measure(MODEL, TASK, 3, 1)
    clean = weights.measure(MODEL, TASK, 3, 1)["acc"]
    assert row["snn_q8"] > clean - 3
    assert {f"snn_q{b}" for b in spiking.BITS} < set(row)


def test_the_array_evaluation_is_the_artifacts_reference() -> None:
    harsh = mac.network(MODEL, TASK, mac.units()[mac.HARSH])
    assert mac.equal_samples(harsh, TASK, 25) == 25


def test_product_errors_grow_with_the_dropped_columns() -> None:
    for kind, columns in (("truncated", mac.TRUNCATED), ("booth", mac.BOOTH)):
        errors = [mac.error_of(f"{kind}{column}") for column in columns]
        assert errors == sorted(errors)
    assert mac.error_of("truncated0") == 0.0
    assert mac.units()[mac.HARSH].n_bits == 15


def test_weights_are_the_same_bits_after_the_study() -> None:
    before = [w.detach().clone() for w in bits.weight_matrices(MODEL).values()]
    row = weights.measure(MODEL, TASK, 3, 2)
    assert all(torch.equal(a, b) for a, b in zip(before, bits.weight_matrices(MODEL).values(), strict=True))
    assert row == weights.measure(MODEL, TASK, 3, 2), "equal seeds, equal errors"
    assert row["noise0.3"] <= row["acc"]


def test_flipped_tables() -> None:
    layer = LutLayer(np.array([[0, 1]], np.int32), np.array([[0, 1, 2, 3]], np.uint8), 1, 2)
    network = LutNetwork(2, 1, (layer,))
    rng = np.random.default_rng(0)
    assert lut.flipped(network, 1.0, rng).layers[0].table.tolist() == [[3, 2, 1, 0]]
    assert lut.flipped(network, 0.0, rng).layers[0].table.tolist() == [[0, 1, 2, 3]]


def test_zero_crossings() -> None:
    rhos = np.array([0.1, 0.2, 0.4])
    assert mechanism._crossing(rhos, np.array([-1.0, 1.0, 2.0])) == pytest.approx(0.15)
    assert mechanism._crossing(rhos, np.array([-3.0, -2.0, -1.0])) == 0.4
    assert mechanism._crossing(rhos, np.array([1.0, 2.0, 3.0])) == 0.1


def test_a_mechanism_row_has_every_measure_and_trains_as_without_it() -> None:
    row = mechanism.mechanism_row("msam", 3, 4, 2)
    assert row["over"]["epoch"] == [0.0, 2.0, 3.0]
    assert {"cosine", "rise", "rho_zero", "negative", "sharp_random", "top", "loss"} <= set(row["over"])
    _, _, plain = methods.train_digits("msam", 3, 4, methods.BY_NAME["msam"].options)
    assert row["over"]["loss"][-1] == plain.history[-1]["loss"]
    assert {name: len(curve) for name, curve in row["shape"].items()} == dict.fromkeys(mechanism.RADII, 25)
    assert row["shape"]["random"][12] == pytest.approx(0.0, abs=1e-6)
