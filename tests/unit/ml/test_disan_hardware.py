"""DiSAN on the array: the hardware form equals the model, its integers equal the reference; masks and tables."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hwsim.encodingnet.encodings import exact, truncated
from hwsim.encodingnet.network import NetworkRunner
from hwsim.ir.errors import ShapeError, UsageError
from hwsim.ir.mac_vector import Table
from ml.common.mac_torch import TorchMac
from ml.disan import hardware
from ml.disan.examples import Examples, scores
from ml.disan.model import SentenceModel

N = 7


@pytest.fixture(scope="module")
def model() -> SentenceModel:
    generator = torch.Generator().manual_seed(0)
    return SentenceModel(torch.randn(30, 6, generator=generator), "disan", 8, 3, seed=1).eval()


@pytest.fixture(scope="module")
def some() -> Examples:
    rng = np.random.default_rng(0)
    lengths = np.tile(np.arange(1, N + 1), 10)
    starts = np.cumsum(lengths) - lengths
    row = rng.integers(2, 30, int(lengths.sum()))
    return Examples(row, starts, lengths, np.zeros(len(lengths), np.int64))


def test_the_hardware_form_is_the_model(model: SentenceModel, some: Examples) -> None:
    x, away = hardware.features(model, some, np.arange(len(some)), N)
    with torch.no_grad():
        found = hardware.ArrayDiSAN(model, N).eval()(x, away)
    assert torch.allclose(found, scores(model, some), atol=2e-3)


def test_integers_equal_the_reference_and_follow_the_model(model: SentenceModel, some: Examples) -> None:
    network = hardware.to_ir(model, some, N, exact(8, 8))
    x = [part.numpy() for part in hardware.features(model, some, np.arange(len(some)), N)]
    codes = network.quantise(x)
    fast = NetworkRunner(network)(codes, detail="none").outputs
    assert np.array_equal(fast[:9], network.reference([c[:9] for c in codes]))
    mac = TorchMac(network)
    assert np.array_equal(mac(*mac.quantise(*map(torch.from_numpy, x))).numpy(), fast)
    real = scores(model, some).numpy()
    error = np.abs(fast * network.output_scale - real).max()
    assert error < 0.1 * np.ptp(real)


def test_a_coarse_unit_still_follows(model: SentenceModel, some: Examples) -> None:
    network = hardware.to_ir(model, some, N, truncated(8, 8, 4))
    x = [part.numpy() for part in hardware.features(model, some, np.arange(len(some)), N)]
    found = NetworkRunner(network)(network.quantise(x), detail="none").outputs * network.output_scale
    real = scores(model, some).numpy()
    assert np.corrcoef(found.ravel(), real.ravel())[0, 1] > 0.98


def test_the_exponential_of_the_bounded_logit_is_one_table(model: SentenceModel, some: Examples) -> None:
    network = hardware.to_ir(model, some, N, exact(8, 8))
    on_pairs = [
        op for i, op in enumerate(network.ops) if isinstance(op, Table) and len(network.shapes[op.inputs[0]]) == 3
    ]
    assert len(on_pairs) == 2  # one a direction
    for op in on_pairs:
        table = op.table
        assert table[0] == 0
        assert (np.diff(table) >= 0).all()
        assert 0.0 < table[table > 0].min() / table.max() < 0.02


def test_the_table_function() -> None:
    x = torch.tensor([-30.0, -12.5, -3.0, 0.0, 2.0, 90.0], dtype=torch.float64)
    expected = [0.0, 0.0, float(np.exp(5 * np.tanh(-0.6))), 1.0, float(np.exp(5 * np.tanh(0.4))), float(np.exp(5))]
    assert hardware.bounded_exp(5.0)(x).tolist() == pytest.approx(expected, rel=1e-6)


def test_longer_networks_give_the_same_scores(model: SentenceModel, some: Examples) -> None:
    rows = np.flatnonzero(some.lengths <= 4)
    found = []
    with torch.no_grad():
        for n in (4, 9):
            found.append(hardware.ArrayDiSAN(model, n).eval()(*hardware.features(model, some, rows, n)))
    assert torch.allclose(*found, atol=1e-4)


def test_what_can_not_be_handed_over(model: SentenceModel, some: Examples) -> None:
    with pytest.raises(ShapeError, match=r"a sentence: got 7 words, expected at most 3"):
        hardware.features(model, some, np.arange(len(some)), 3)
    with pytest.raises(ShapeError, match=r"calibration: got no sentence of up to 0 words"):
        hardware.to_ir(model, some, 0, exact(8, 8))
    for other in (SentenceModel(torch.zeros(3, 4), "cnn", 3), SentenceModel(torch.zeros(3, 4), "disan", 3, pairs=True)):
        with pytest.raises(UsageError, match=r"hand-over: got .*expected disan for single sentences"):
            hardware.ArrayDiSAN(other, 4)
