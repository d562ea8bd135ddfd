"""VEC-SBM's bench: slopes, mails and annealers on small cases."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from benches.vecsbm import encodings, handover, mail, rate, reverse, traces
from ml.common.data import load
from ml.vecsbm import Graph

DATA = Path(os.environ.get("HWSIM_DATA", "/nonexistent"))


def test_slopes_of_known_errors() -> None:
    x = np.array([2.0, 3.0, 4.0])
    errors = np.rint(1e6 * np.exp(-1.2 * x))[:, None].repeat(5, axis=1).astype(int)
    figure = rate.slope(x, errors, 10**6, np.random.default_rng(0))
    assert figure.value == pytest.approx(1.2, rel=1e-3)
    assert figure.low == pytest.approx(1.2, rel=1e-3)
    nothing = np.array([[100], [10], [0]])  # a point without errors has no logarithm
    assert rate.slope(x, nothing, 1000, np.random.default_rng(0)).value == pytest.approx(np.log(10))


def test_covariates_of_mails_are_shares() -> None:
    bare, z = mail.departments("planted_mail")
    bare.check_connected()
    assert np.bincount(z).min() > mail.LARGE * 0.8
    graph = mail.with_covariates(bare, z, 12, np.random.default_rng(0))
    np.testing.assert_allclose(graph.w.sum(axis=1), 1)
    assert set(np.unique(np.rint(graph.w * 12 - np.rint(graph.w * 12)))) == {0.0}
    same = (z[graph.u] == 0) & (z[graph.v] == 0)
    spread = graph.w[same].std(axis=0)
    share = graph.w[same].mean(axis=0)
    # a binomial share's own spread; 5 σ of a standard deviation over the edges of one department
    np.testing.assert_allclose(spread, np.sqrt(share * (1 - share) / 12), rtol=5 / np.sqrt(2 * same.sum()))


@pytest.mark.skipif(not (DATA / "email_eu").is_dir(), reason="set HWSIM_DATA to the folder with email_eu/")
def test_the_real_mails() -> None:
    data = load("email_eu")
    assert len(data.extras["edges"]) == 16_064  # SNAP's figure for undirected, loops dropped
    graph, z = mail.departments("email_eu")
    assert (graph.n, graph.m) == (400, 3770)
    assert np.bincount(z).tolist() == [60, 103, 48, 90, 52, 47]


def test_the_ising_form_counts_log_likelihood() -> None:
    row = handover.two_class(120, 0, 5.0)
    assert 0 <= row["error"] < 1e-9
    assert row["gap_native"] < row["gap_sir"] + 1e-9
    assert {"nmi_qpu", "nmi_qpu_ideal", "nmi_bits4"} <= set(row)


def test_dropping_the_counters_breaks_a_graph_without_covariates() -> None:
    row = handover.precision("graph only", 0, 200)
    assert row["b4"] > 0.95
    assert row["no counter"] < 0.1


def test_reverse_anneals_have_their_control() -> None:
    row = reverse.anneals(100, 0.7, 0)
    for sweeps in reverse.SWEEPS:
        for beta in reverse.REHEATS:
            assert {f"{name} {beta} {sweeps}" for name in ("control", "spectral", "sir", "80 %")} <= set(row)
    assert row["80 % 1.0 5"] < row["control 1.0 5"]
    drawn = traces.traces(120, 0)
    assert all(len(values) == traces.SWEEPS for values in drawn["series"].values())
    first = {name: values[0] for name, values in drawn["series"].items()}
    assert first["reverse from sIR"] < first["forward"]


def test_raw_tables_need_a_penalty_that_freezes() -> None:
    row = encodings.encoded(60, 0)
    assert row["one-hot, double, P 0.25"]["gap"] < row["one-hot, raw, P 1.1"]["gap"]
    assert row["native Potts"]["valid"] == 1.0


def test_a_graph_without_edges_is_a_graph() -> None:
    empty = Graph.of_edges(3, np.zeros((0, 2), int), np.zeros((0, 2)))
    assert empty.m == 0
    assert empty.components.tolist() == [0, 1, 2]
