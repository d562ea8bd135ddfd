"""Folds, paired tests, training, theory, hand-over: counted by hand, equal for equal seeds, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import t as student

from hwsim.encodingnet.encodings import exact
from hwsim.ir.errors import ShapeError, UsageError
from ml.common.data import load
from ml.common.datasets.toy_graphs import circulant
from ml.common.train import FitConfig
from ml.graphnorm import GraphSet, Recipe, fit
from ml.graphnorm.export import Widths, graph_codes, to_ir
from ml.graphnorm.folds import best_epoch, folds, paired_test
from ml.graphnorm.theory import batch_noise, interlaces, regular_pair, singular_values
from ml.graphnorm.train import Batches, NotFiniteError, accuracy

GRAPHS = GraphSet.of(load("motif_graphs"))
EVERY = np.arange(len(GRAPHS))


def test_folds_are_stratified_and_cover_everything_once():
    labels = np.array([0] * 33 + [1] * 17)
    seen = []
    for train, test in folds(labels, 5):
        assert not set(train) & set(test)
        assert sorted([*train, *test]) == list(range(50))
        assert 3 <= labels[test].sum() <= 4
        seen += test.tolist()
    assert sorted(seen) == list(range(50))
    assert [t.tolist() for _, t in folds(labels, 5, 0)] != [t.tolist() for _, t in folds(labels, 5, 1)]


def test_best_epoch_takes_the_first_of_equals():
    epoch, values = best_epoch(np.array([[0.1, 0.9, 0.8, 0.7], [0.3, 0.5, 0.6, 0.7]]))
    assert (epoch, values.tolist()) == (1, [0.9, 0.5])


def test_paired_test_by_hand():
    # d = (1, 2, 3): mean 2, variance 1; corrected variance 1/3 + 1/9 = 4/9, t = 2/(2/3) = 3
    found = paired_test([2, 4, 6], [1, 2, 3], 1 / 9)
    assert found.t == pytest.approx(3)
    assert found.p == pytest.approx(2 * student.sf(3, 2))
    assert (found.difference, found.deviation, found.n) == (2, 1, 3)
    assert paired_test([1, 1], [1, 1], 0.5).p == 1


def test_a_training_repeats_and_learns():
    recipe = Recipe(hidden=16, depth=3, epochs=30, dropout=0.0, seed=3, batch=32)
    (one, curves), (two, again) = (fit(GRAPHS, EVERY[:200], EVERY[200:], recipe) for _ in range(2))
    assert curves == again
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert max(curves.train) > 0.9 > 0.65 > curves.train[0]
    assert curves.test[-1] == accuracy(one, GRAPHS, EVERY[200:])
    assert fit(GRAPHS, EVERY[:200], EVERY[200:], Recipe(hidden=8, epochs=1, seed=4))[1] != curves


def test_training_stops_at_its_target():
    recipe = Recipe(norm="batch", hidden=16, epochs=200, dropout=0.0, target=0.8, batch=32)
    _, curves = fit(GRAPHS, EVERY, EVERY[:0], recipe)
    assert len(curves.train) < 200
    assert curves.train[-1] >= 0.8 > max(curves.train[:-1])
    assert np.isnan(curves.test[0])


def test_batches_hold_every_graph_once_and_none_alone():
    batches = Batches(GRAPHS, EVERY[:65], 32, 0)
    found = list(batches.epoch(0))
    assert [len(y) for _, y in found] == [32, 33]
    assert sorted(torch.cat([y for _, y in found]).tolist()) == sorted(GRAPHS.labels[:65].tolist())
    assert [y.tolist() for _, y in batches.epoch(1)] != [y.tolist() for _, y in found]


def test_the_rate_falls_in_a_straight_line():
    config = FitConfig(4, 0.1, schedule="linear")
    assert [config.rate(s, 2) for s in range(8)] == pytest.approx([0.1 * (1 - s / 8) for s in range(8)])
    with pytest.raises(UsageError, match="schedule: got 'steps', expected 'cosine' or 'linear'"):
        FitConfig(4, schedule="steps")


def test_singular_values_of_a_complete_graph_and_a_ring():
    lam, mu = singular_values(np.ones((5, 5)) - np.eye(5), xi=0.25)
    assert lam == pytest.approx([5.25, 0.25, 0.25, 0.25, 0.25])
    assert mu == pytest.approx([0.25, 0.25, 0.25, 0.25, 0])  # proposition 4.2: the structure is gone
    ring = np.zeros((6, 6))
    for a, b in circulant(6, (1,)):
        ring[a, b] = ring[b, a] = 1
    lam, mu = singular_values(ring)
    assert lam == pytest.approx(sorted(np.abs(1 + 2 * np.cos(np.pi * np.arange(6) / 3)), reverse=True))
    assert interlaces(lam, mu)
    assert not interlaces(mu, lam)


def test_regular_graphs_are_told_apart_by_their_mean_alone():
    assert regular_pair(1.0) < 1e-9
    assert regular_pair(0.5) > 0.05
    assert regular_pair(0.5, mixed=False) < 0.01  # u and σ scale alike: α ≠ 1 does not help equal features


def test_batch_noise_by_hand():
    # data −1, 1, 3, 5: mean 2, σ = √(20/3); batch means 0 and 4, each 2 from it; batch σ = √2
    mean, std = batch_noise([torch.tensor([[-1.0], [1.0]]), torch.tensor([[3.0], [5.0]])])
    assert mean == pytest.approx(2 / np.sqrt(20 / 3))
    assert std == pytest.approx(1 - np.sqrt(2) / np.sqrt(20 / 3))


@pytest.mark.parametrize(("norm", "readout"), [("graph", "sum"), ("instance", "mean"), ("batch", "sum")])
def test_the_integer_network_answers_as_the_trained_one(norm, readout):
    recipe = Recipe(norm=norm, readout=readout, hidden=12, depth=3, epochs=25, seed=1, batch=32)
    model, _ = fit(GRAPHS, EVERY[:200], EVERY[200:], recipe)
    network = to_ir(model, GRAPHS, EVERY[:200], exact(8, 8))
    assert (network.unit is None) == (norm == "batch")
    outputs = network.reference(graph_codes(GRAPHS, EVERY[200:]))
    scores = model(GRAPHS.batch(EVERY[200:])).detach().numpy()
    agree = network.classify(outputs) == scores.argmax(1)
    margin = np.abs(scores[:, 0] - scores[:, 1])
    assert agree[margin > 0.25 * margin.max()].all()
    slope = np.polyfit((outputs[:, 0] - outputs[:, 1]).astype(float), scores[:, 0] - scores[:, 1], 1)
    assert np.corrcoef(outputs[:, 0] - outputs[:, 1], scores[:, 0] - scores[:, 1])[0, 1] > 0.97
    assert slope[0] > 0
    assert next(model.parameters()).dtype == torch.float32


def test_folding_graphnorm_differs_from_the_unit():
    model, _ = fit(GRAPHS, EVERY[:200], EVERY[:0], Recipe(hidden=8, depth=2, epochs=3))
    folded = to_ir(model, GRAPHS, EVERY[:200], exact(8, 8), fold=True)
    assert folded.unit is None
    codes = graph_codes(GRAPHS, EVERY[:50])
    assert (folded.reference(codes) != to_ir(model, GRAPHS, EVERY[:200], exact(8, 8)).reference(codes)).any()


def test_wrong_calls():
    with pytest.raises(UsageError, match=r"folds: got 11, expected 2…10, the members of the smallest class"):
        list(folds(np.array([0] * 10 + [1] * 12), 11))
    with pytest.raises(ShapeError, match="curves: got"):
        best_epoch(np.zeros((0, 3)))
    with pytest.raises(ShapeError, match="folds: got 2 and 3"):
        paired_test([1, 2], [1, 2, 3], 0.1)
    with pytest.raises(UsageError, match="training graphs: got 0"):
        fit(GRAPHS, EVERY[:0], EVERY, Recipe())
    with pytest.raises(UsageError, match="recipe: got batches of 0"):
        Recipe(batch=0)
    with pytest.raises(NotFiniteError, match=r"loss in epoch 0: got nan, expected a finite number\. Lower lr"):
        fit(GRAPHS, EVERY, EVERY, Recipe(hidden=4, norm="none", lr=1e30, epochs=1, batch=32))
    with pytest.raises(UsageError, match="adjacency: got"):
        singular_values(np.ones((2, 3)))
    with pytest.raises(UsageError, match="batches: got 1"):
        batch_noise([torch.ones(2, 2)])
    gcn = Recipe(layer="gcn", hidden=4).network(GRAPHS)
    with pytest.raises(UsageError, match="hand-over: got GcnLayer, expected GIN with graph, instance or batch norm"):
        to_ir(gcn, GRAPHS, EVERY, exact(8, 8))
    layered = Recipe(norm="layer", hidden=4).network(GRAPHS)
    with pytest.raises(UsageError, match="hand-over: got LayerNorm"):
        to_ir(layered, GRAPHS, EVERY, exact(8, 8))
    with pytest.raises(UsageError, match=r"operand widths: got 9 × 8 bits, expected at most 8 × 8"):
        to_ir(Recipe(hidden=4).network(GRAPHS), GRAPHS, EVERY, exact(8, 8), Widths(x_bits=9))
    with pytest.raises(UsageError, match="widths: got weights 1"):
        Widths(w_bits=1)
