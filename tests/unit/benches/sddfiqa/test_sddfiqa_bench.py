"""SDD-FIQA's bench: circuits of the label engine, the plain loop, the L-LUT gate's teacher."""

from __future__ import annotations

import doctest
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from benches.sddfiqa import circuits, lut, page, rounds
from ml.sddfiqa.labels import sdd_labels
from ml.sddfiqa.quality import Regression, VectorHead, fit, predict

CODES = arrays(np.int64, (3, 24), elements=st.integers(-127, 127))


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 11])
def test_networks_sort_every_zero_one_sequence(n: int) -> None:
    every = np.array(list(itertools.product((0, 1), repeat=n)))  # Knuth's zero–one principle
    assert np.array_equal(circuits.sort_by(circuits.batcher(n), every), np.sort(every, axis=1))


def test_size_of_published_networks() -> None:
    # Batcher 1968: (p² − p + 4)·2^(p−2) − 1 compare-exchanges and p(p + 1)/2 stages for 2^p values
    for p in (2, 3, 4, 5):
        stages = circuits.batcher(1 << p)
        assert sum(map(len, stages)) == (p * p - p + 4) * 2 ** (p - 2) - 1
        assert len(stages) == p * (p + 1) // 2


@settings(max_examples=40, deadline=None)
@given(CODES, CODES)
def test_both_exact_circuits_are_scipys_distance(p: np.ndarray, q: np.ndarray) -> None:
    from scipy.stats import wasserstein_distance

    by_sorting = circuits.sorting_networks(p, q)
    assert np.array_equal(by_sorting, circuits.histogram(p, q))
    want = [24 * wasserstein_distance(a, b) for a, b in zip(p, q, strict=True)]
    assert by_sorting == pytest.approx(want, abs=1e-6)
    assert (np.abs(circuits.accumulators(p, q)) <= by_sorting).all()


def test_accumulators_are_exact_where_samples_do_not_cross() -> None:
    rng = np.random.default_rng(0)
    p, q = rng.integers(20, 90, (50, 24)), rng.integers(-50, 20, (50, 24))
    assert np.array_equal(circuits.accumulators(p, q), circuits.sorting_networks(p, q))


def test_the_formulas_by_hand() -> None:
    # m = 2, b = 8: w = 9; one exchange a network: 2·1·12 = 24; 2·2·9 = 36 differences; a tree of one adder of 10 bits
    cost = circuits.costs(2)["sorting networks"]
    assert (cost.lut6, cost.flip_flops, cost.cycles) == (24 + 36 + 10, 2 * 2 * 8 * 1 + 10, 1)
    assert circuits.costs(2)["accumulators"] == circuits.Cost(18, 18, 2)
    assert doctest.testmod(circuits).failed == 0


def test_the_plain_loop_ranks_as_the_labels_do() -> None:
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(4), 30)
    x = rng.normal(size=(4, 8))[y] + np.tile(np.linspace(0.1, 2, 30), 4)[:, None] * rng.normal(size=(120, 8))
    images = np.arange(0, 120, 5)
    plain = rounds.looped(x, y, images, rng, 4).mean(0)
    # independent draws: they agree as far as labels are stable
    assert np.corrcoef(plain, sdd_labels(x, y).distance.mean(0)[images])[0, 1] > 0.95
    assert rounds.oracle_error(x, y, 0, sdd_labels(x, y)) < 1e-12
    wrong = sdd_labels(x, y, seed=1)
    assert rounds.oracle_error(x, y, 0, wrong) > 1e-3


def test_a_gate_of_tables_follows_its_teacher() -> None:
    from hwsim.neuralut import simulate
    from ml.neuralut.export import to_ir

    rng = np.random.default_rng(0)
    x = rng.normal(size=(512, 12)).astype(np.float32)
    head = fit(VectorHead(x, dropout=0.0), x, 50 + 10 * x[:, 0] + 5 * x[:, 1], Regression(epochs=20))
    network = to_ir(lut.train(lut.shape(12, 64, 32), head, x, 0, 40))
    result = simulate(network, x.astype(np.float64))
    assert np.array_equal(result.outputs, network.reference(network.quantise(x)))
    assert result.outputs.shape == (512, 1)
    assert 0 <= result.outputs.min() <= result.outputs.max() <= 32
    assert np.corrcoef(result.outputs[:, 0], predict(head, x))[0, 1] > 0.7


def test_published_figures_are_marked_as_other_data() -> None:
    facts = page.published()
    ours = next(row for row in facts["aoc"] if row["method"] == "SDD-FIQA")
    assert ours["lfw"][3] == 0.8149
    assert "Nothing here reproduces them" in facts["note"]
    assert all(np.mean(row["lfw"][:3]) == pytest.approx(row["lfw"][3], abs=6e-4) for row in facts["aoc"])
