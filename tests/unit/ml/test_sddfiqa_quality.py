"""SDD-FIQA's regression: networks of the paper's shape, a loss of its form, and rivals that rank as they must."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import numpy as np
import pytest
import torch
from torch import nn

import ml.sddfiqa
from hwsim.ir.errors import ShapeError, UsageError
from ml.sddfiqa import backbones, baselines
from ml.sddfiqa.facenet import FaceNet, train_facenet
from ml.sddfiqa.quality import ChipNet, Regression, VectorHead, fit, huber, predict

MODULES = [m.name for m in pkgutil.iter_modules(ml.sddfiqa.__path__, "ml.sddfiqa.")]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


@pytest.mark.parametrize(("build", "millions"), [(backbones.ir50, 31.0), (backbones.mobilefacenet, 1.0)])
def test_the_papers_networks(build, millions: float) -> None:
    with torch.device("meta"):
        model = build()
        quality = model(torch.zeros(2, 3, 112, 112))
        features = model.backbone(torch.zeros(2, 3, 112, 112))
    assert quality.shape == (2,)
    assert features.shape == (2, 512, 7, 7)
    head = sum(p.numel() for p in model.quality.parameters())
    assert head == 25088 + 25088 + 1  # PReLU a value, then one linear answer
    body = sum(p.numel() for p in model.backbone.parameters())
    assert round(body / 1e6) == millions
    with pytest.raises(ShapeError, match=r"pictures has the wrong shape: got \[2, 3, 96, 96\]"):
        model(torch.zeros(2, 3, 96, 96))


def test_units_of_ir50() -> None:
    with torch.device("meta"):
        units = [m for m in backbones.ir50().modules() if isinstance(m, backbones.Unit)]
    assert len(units) == 3 + 4 + 14 + 3
    same = backbones.Unit(4, 4, 2).eval()
    x = torch.randn(1, 4, 6, 6, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(same(x), same.residual(x) + x[:, :, ::2, ::2])


def test_transfer_takes_what_fits() -> None:
    torch.manual_seed(0)
    one, two = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1)), nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    assert backbones.transfer(two, {**one.state_dict(), "other": torch.zeros(1)}) == ["0.bias", "0.weight"]
    assert torch.equal(one[0].weight, two[0].weight)


def test_the_loss_is_hubers() -> None:
    predicted, labels = torch.tensor([[1.5], [10.0]]), torch.tensor([1.0, 4.0])
    assert float(huber(nn.Identity(), predicted, labels)) == pytest.approx((0.5 * 0.25 + 5.5) / 2)


def test_a_head_learns_a_function_and_repeats_itself() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 6)).astype(np.float32)
    y = 50 + 10 * np.abs(x[:, 0]) - 5 * x[:, 1]
    made = [fit(VectorHead(x[:500], dropout=0.0), x[:500], y[:500], Regression(epochs=40), seed=1) for _ in range(2)]
    answers = [predict(model, x[500:]) for model in made]
    assert np.array_equal(*answers)
    assert np.corrcoef(answers[0], y[500:])[0, 1] > 0.85
    assert np.abs(answers[0] - y[500:]).mean() < np.abs(y[:500].mean() - y[500:]).mean() / 2


def test_a_chip_network_tells_bright_from_dark() -> None:
    rng = np.random.default_rng(1)
    level = rng.uniform(-0.8, 0.8, 96)
    x = (level[:, None, None, None] + 0.1 * rng.standard_normal((96, 1, 48, 48))).astype(np.float32)
    how = Regression(epochs=12, batch=16, flip=True)
    model = fit(ChipNet(channels=(4, 4, 8, 8)), x[:80], 50 + 40 * level[:80], how)
    assert np.corrcoef(predict(model, x[80:]), level[80:])[0, 1] > 0.9


def test_bad_labels() -> None:
    x = np.zeros((4, 2), np.float32)
    with pytest.raises(ShapeError, match=r"labels has the wrong shape: got \[3\]"):
        fit(VectorHead(x), x, [1, 2, 3])
    with pytest.raises(ShapeError, match=r"inputs and labels: got values that are not finite"):
        fit(VectorHead(x), x, [1, 2, 3, np.nan])
    with pytest.raises(UsageError, match=r"inputs: got 1, expected two or more"):
        fit(VectorHead(x), x[:1], [1])
    with pytest.raises(ShapeError, match=r"vectors has the wrong shape"):
        VectorHead(np.zeros(4))
    with pytest.raises(UsageError, match=r"epochs: got 0"):
        train_facenet(np.zeros((4, 48, 48), np.uint8), [0, 0, 1, 1], epochs=0)


def test_robustness_falls_with_dropouts_effect() -> None:
    net = FaceNet(3, channels=(4, 4, 4, 4))
    chips = np.random.default_rng(0).integers(0, 255, (3, 48, 48)).astype(np.uint8)
    with torch.no_grad():
        net.last.bias.fill_(0.0)
    shaky = baselines.ser_fiq(net, chips, passes=20)
    with torch.no_grad():
        net.last.bias.fill_(100.0)  # dropout no longer turns the embedding
    steady = baselines.ser_fiq(net, chips, passes=20)
    assert (shaky < steady).all()
    assert steady == pytest.approx(1.0, abs=0.05)  # 2·σ(0)
    assert np.array_equal(steady[:1], baselines.ser_fiq(net, chips[:1], passes=20))


def test_pair_confidence_prefers_steady_embeddings() -> None:
    rng = np.random.default_rng(2)
    y = np.repeat(np.arange(10), 20)
    noise = np.tile(np.repeat([0.1, 1.5], 10), 10)
    centre = rng.normal(size=(10, 8))
    x = np.concatenate((centre[y] + noise[:, None] * rng.normal(size=(200, 8)), noise[:, None]), axis=1)
    how = Regression(epochs=8, batch=256)
    head = baselines.pair_confidence(VectorHead(x, dropout=0.0), x, y, pairs=20, how=how)
    quality = predict(head, x.astype(np.float32))
    assert quality[noise < 1].mean() > quality[noise > 1].mean() + 5
    assert baselines.embedding_norm([[3, 4]]).tolist() == [5.0]


def test_a_recogniser_trains_a_little() -> None:
    from ml.common.datasets import toy_faces

    chips, people = toy_faces.faces(5, 6, seed=4)
    one = train_facenet(chips, people, epochs=2, copies=1, channels=(8, 8, 8, 8))
    two = train_facenet(chips, people, epochs=2, copies=1, channels=(8, 8, 8, 8))
    assert np.array_equal(one.embed(chips), two.embed(chips))
    three = train_facenet(chips, people, epochs=1, copies=0, start=one)
    assert three.embed(chips).shape == (30, 64)
    assert not np.array_equal(one.embed(chips), three.embed(chips))
