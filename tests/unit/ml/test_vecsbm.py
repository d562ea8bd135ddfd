"""VEC-SBM: graphs, samples, fits, separation, hand-over, and what is refused."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from dataclasses import replace

import numpy as np
import pytest

import ml.vecsbm
from hwsim.annealing import PottsProblem, heat_bath, random_labels
from hwsim.ir import io
from hwsim.ir.errors import ShapeError, UsageError
from ml.common.data import load
from ml.vecsbm import (
    Graph,
    Model,
    Schedule,
    accuracy,
    anneal_refine,
    loglik,
    matched,
    nmi,
    predicted_error,
    refine,
    sample,
    scenarios,
    separation,
    spectral,
    to_ir,
    to_ising,
    to_potts,
)  # fmt: skip
from ml.vecsbm.features import Features
from ml.vecsbm.separation import coefficients

EASY = scenarios.two_classes(200, 6.0, 1.0, tau=3.0)
HARD = scenarios.planted(300, 2, 2.5, 1.5, 2.0)  # the graph alone says almost nothing
PATH = Graph.of_edges(3, [[0, 1], [1, 2]], [[0.0], [1.0]])


@pytest.mark.parametrize("name", [m.name for m in pkgutil.walk_packages(ml.vecsbm.__path__, "ml.vecsbm.")])
def test_examples_run(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def easy(seed=0):
    return sample(EASY, 200, np.random.default_rng(seed))


# ---- graphs ----------------------------------------------------------------------------------------------------


def test_a_matrix_and_its_edges_are_the_same_graph():
    graph, _ = sample(EASY, 30, np.random.default_rng(1), directed_covariates=True)
    A, W = np.zeros((30, 30), int), np.zeros((30, 30, 3))
    A[graph.u, graph.v] = A[graph.v, graph.u] = 1
    W[graph.u, graph.v], W[graph.v, graph.u] = graph.w, graph.back
    again = Graph.of_matrix(A, W)
    assert again.directed_covariates
    for name in ("u", "v", "w", "back"):
        np.testing.assert_array_equal(getattr(again, name), getattr(graph, name))
    W[graph.v, graph.u] = graph.w
    assert not Graph.of_matrix(A, W).directed_covariates


def test_arcs_lead_back_to_their_edges():
    graph, _ = easy()
    start, neighbour, edge, from_u = graph.arcs
    own = np.repeat(np.arange(graph.n), np.diff(start))
    np.testing.assert_array_equal(own[from_u], graph.u[edge[from_u]])
    np.testing.assert_array_equal(neighbour[from_u], graph.v[edge[from_u]])
    np.testing.assert_array_equal(neighbour[~from_u], graph.u[edge[~from_u]])


def test_the_largest_component_keeps_its_covariates():
    graph = Graph.of_edges(6, [[0, 1], [4, 5], [5, 3], [3, 4]], [[1.0], [2.0], [3.0], [4.0]])
    part, kept = graph.largest_component()
    assert kept.tolist() == [3, 4, 5]
    assert (part.u.tolist(), part.v.tolist()) == ([0, 0, 1], [1, 2, 2])
    assert part.w.ravel().tolist() == [4.0, 3.0, 2.0]
    part.check_connected()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Graph.of_edges(3, [[0, 1, 2]], [[0.0]]), ShapeError, r"pairs has the wrong shape: got \[1, 3\]"),
        (lambda: Graph.of_edges(3, [[0, 1]], [0.0]), ShapeError, r"w has the wrong shape: got \[1\], expected"),
        (lambda: Graph.of_edges(3, [[0, 3]], [[0.0]]), ShapeError, r"pairs: got nodes 0…3, expected 0…2"),
        (lambda: Graph.of_edges(3, [[1, 1]], [[0.0]]), ShapeError, r"pairs: got a loop at node 1"),
        (lambda: Graph.of_edges(3, [[0, 1]], [[np.nan]]), ShapeError, r"w: got values that are not finite"),
        (
            lambda: Graph.of_edges(3, [[0, 1], [1, 0]], [[0.0], [1.0]]),
            UsageError,
            r"a directed graph: got pair 0–1 twice, expected an undirected one.*directed_covariates=True",
        ),
        (
            lambda: Graph.of_edges(3, [[0, 1], [1, 2]], [[0.0], [1.0]], directed_covariates=True),
            UsageError,
            r"directed covariates: got a pair that stands twice or only one way",
        ),
        (
            lambda: Graph.of_matrix(np.array([[0, 1], [0, 0]]), np.zeros((2, 2, 1))),
            UsageError,
            r"A: got a directed graph, expected A = Aᵀ",
        ),
        (lambda: Graph.of_matrix(np.eye(2) * 2, np.zeros((2, 2, 1))), ShapeError, r"A: got other values"),
        (lambda: Graph.of_matrix(np.eye(2), np.zeros((2, 2, 1))), ShapeError, r"a loop at node 0"),
        (
            lambda: spectral(Graph.of_edges(4, [[0, 1], [2, 3]], np.zeros((2, 1))), 2),
            UsageError,
            r"a disconnected graph: got 2 components, the largest of 2 nodes.*allow_disconnected=True",
        ),
        (
            lambda: anneal_refine(Graph.of_edges(4, [[0, 1]], [[0.0]]), 2),
            UsageError,
            r"a disconnected graph: got 3 components",
        ),
        (lambda: spectral(PATH, 4), UsageError, r"K classes of 3 nodes: got 4, expected 1…3"),
        (lambda: anneal_refine(PATH, 4), UsageError, r"K classes of 3 nodes: got 4"),
        (lambda: refine(PATH, [0, 1, 2], 4), UsageError, r"K classes of 3 nodes: got 4"),
        (lambda: refine(PATH, [0, 0, 2], 3), UsageError, r"labels: got no node in class \[1\], expected 3 classes"),
        (lambda: refine(PATH, [0, 1], 2), ShapeError, r"labels has the wrong shape: got \[2\]"),
        (lambda: refine(PATH, [0, 1, 2], 2), ShapeError, r"labels: got 0…2, expected integers 0…1"),
        (lambda: refine(PATH, [0.0, 1.0, 0.0], 2), ShapeError, r"labels: got float64"),
        (lambda: refine(PATH, [0, 1, 1], 2, mode="map"), UsageError, r"mode: got 'map', expected 'sir' or 'ir'"),
        (lambda: refine(PATH, [0, 1, 1], 2, sweeps=-1), UsageError, r"sweeps: got -1"),
        (lambda: anneal_refine(PATH, 2, runs=0), UsageError, r"runs: got 0, expected 1 or more"),
        (lambda: anneal_refine(PATH, 2, marginal=-1), UsageError, r"marginal sweeps: got -1"),
        (lambda: anneal_refine(PATH, 2, covariance="round"), UsageError, r"covariance: got 'round'"),
        (lambda: Schedule(2.0, 1.0), UsageError, r"schedule: got β 2\.0…1\.0 in 100 sweeps"),
        (
            lambda: sample(EASY, 5, np.random.default_rng(0), labels=np.zeros(5, int)),
            UsageError,
            r"labels: got no node in class \[1\]",
        ),
        (lambda: sample(replace(EASY, mu=np.arange(12.0).reshape(2, 2, 3)), 5, np.random.default_rng(0)), UsageError,
         r"shared covariates: got means or covariances that depend on the direction"),
        (lambda: replace(EASY, pi=np.full((2, 2), 1.5)), ShapeError, r"pi: .* expected a symmetric matrix of prob"),
        (lambda: replace(EASY, alpha=[1.0, 0.0]), ShapeError, r"alpha: .* Drop empty classes"),
        (lambda: to_ising(*three()), UsageError, r"classes of an Ising problem: got 3, expected 2"),
        (lambda: to_potts(PATH, EASY), ShapeError, r"w has the wrong shape: got \[2, 1\], expected \[m, d\]"),
        (lambda: to_potts(easy()[0], replace(EASY, gamma=np.zeros((2, 2, 3, 3)))), UsageError, r"gamma: got a sing"),
        (lambda: nmi([0, 1], [0]), ShapeError, r"labels to compare"),
        (lambda: scenarios.two_classes(500, 2.5, 1.5, tau=9.0), UsageError, r"tau: got 9\.0, expected .* \(no cov"),
        (lambda: scenarios.planted(500, 2, 2.5, 1.5), UsageError, r"tau and distance: got both or none"),
    ],
)  # fmt: skip
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


def three():
    model = scenarios.planted(60, 3, 5.0, 3.0, distance=1.0)
    return sample(model, 60, np.random.default_rng(0))[0], model


# ---- fits ------------------------------------------------------------------------------------------------------


def test_samples_follow_the_model():
    rng = np.random.default_rng(0)
    model = scenarios.scenario2(rng, 2000)
    model = replace(model, pi=np.array([[0.05, 0.04, 0.01], [0.04, 0.06, 0.02], [0.01, 0.02, 0.05]]))
    graph, z = sample(model, 2000, rng)
    fitted = Features(graph, "full").estimate(z, 3)
    edges = np.outer(*[np.bincount(z)] * 2) * model.pi / 2
    assert (abs(fitted.pi - model.pi) < 5 * np.sqrt(model.pi / edges * model.pi)).all()  # 5 σ of a binomial share
    assert abs(fitted.mu - model.mu).max() < 5 / np.sqrt(edges.min())
    assert abs(fitted.gamma - model.gamma).max() < 10 / np.sqrt(edges.min())
    assert np.bincount(z).min() > 2000 / 3 - 5 * np.sqrt(2000 * 2 / 9)


def test_refinement_beats_the_spectral_start_where_covariates_tell():
    graph, z = sample(HARD, 300, np.random.default_rng(0))
    start = spectral(graph, 2)
    assert nmi(start, z) < 0.3
    fit = anneal_refine(graph, 2, seed=1)
    assert nmi(fit.labels, z) > 0.9
    assert fit.loglik == pytest.approx(loglik(graph, fit.labels, fit.model))
    assert fit.posterior is not None
    np.testing.assert_allclose(fit.posterior.sum(axis=1), 1)
    assert (fit.posterior.argmax(axis=1) == fit.labels).all()


def test_the_most_likely_labels_beat_the_truth():
    model = scenarios.two_classes(200, 2.5, 1.5, tau=0.5)
    graph, z = sample(model, 200, np.random.default_rng(0))
    run = heat_bath(to_potts(graph, model), np.geomspace(0.05, 5, 200), random_labels(8, 200, 2, 0))
    assert run.energies.min() <= -loglik(graph, z, model)


def test_fits_do_not_depend_on_the_numbering_of_classes():
    graph, z = easy(3)
    a, b = refine(graph, z, 2, sweeps=3), refine(graph, 1 - z, 2, sweeps=3)
    assert (a.labels == 1 - b.labels).all()
    assert a.loglik == pytest.approx(b.loglik)


def test_covariates_may_be_moved_and_scaled():
    graph, _ = sample(HARD, 300, np.random.default_rng(4))
    moved = replace(graph, w=1e-3 * graph.w + 7.0)
    ours, theirs = (refine(g, spectral(g, 2), 2, mode="ir", sweeps=8) for g in (graph, moved))
    assert (ours.labels == theirs.labels).all()


def test_equal_seeds_equal_fits():
    graph, _ = easy(5)
    a, b = (anneal_refine(graph, 2, runs=2, seed=9) for _ in range(2))
    assert a.loglik == b.loglik
    assert a.labels.tobytes() == b.labels.tobytes()


def test_an_empty_class_may_come_back():
    graph, z = easy(6)
    features = Features(graph, "full")
    model = features.estimate(np.zeros(200, int), 2)
    assert np.isfinite(features.scores(model).theta).all()
    fit = anneal_refine(graph, 3, runs=2)
    assert np.isfinite(fit.loglik)
    assert accuracy(fit.labels, z) > 0.4


def test_progress_is_told():
    told = []
    anneal_refine(easy()[0], 2, runs=3, progress=lambda *args: told.append(args))
    assert [(done, total) for done, total, _ in told] == [(1, 3), (2, 3), (3, 3)]


# ---- separation ------------------------------------------------------------------------------------------------


def test_separation_by_numerical_integration():
    """∫ √(P_a P_b) of one pair of nodes in one dimension, on a grid."""
    pi = np.array([[0.3, 0.1], [0.1, 0.2]])
    mu, sd = np.array([[0.0, 1.0], [1.0, 3.0]]), np.array([[1.0, 0.5], [0.5, 2.0]])
    model = Model([0.5, 0.5], pi, mu[..., None], (sd**2)[..., None, None])
    x = np.linspace(-20, 25, 200_001)

    def normal(k, j):
        return np.exp(-((x - mu[k, j]) ** 2) / 2 / sd[k, j] ** 2) / np.sqrt(2 * np.pi) / sd[k, j]

    for share in (0.5, 0.3):
        got = coefficients(model, share)
        for k in range(2):
            a, b = (pi[0, k], normal(0, k)), (pi[1, k], normal(1, k))
            mixed = np.trapezoid(a[1] ** (1 - share) * b[1] ** share, x)
            absent = (1 - a[0]) ** (1 - share) * (1 - b[0]) ** share
            expected = absent + a[0] ** (1 - share) * b[0] ** share * mixed
            assert got[k, 0, 1] == pytest.approx(expected, rel=1e-9)


def test_the_refined_rate_is_the_error_of_one_node():
    # 40 graphs of 400 nodes: about 260 errors, 5 σ = 31 %
    model = scenarios.two_classes(400, 2.5, 1.5, tau=0.4)
    wrong = 0
    for seed in range(40):
        graph, z = sample(model, 400, np.random.default_rng(seed))
        wrong += int((to_potts(graph, model).local_fields(z).argmin(axis=1) != z).sum())
    assert wrong / 16_000 == pytest.approx(predicted_error(model, 400, refined=True), rel=0.31)
    assert predicted_error(model, 400) == pytest.approx(400**-0.4)


def test_separation_grows_with_density_and_looks():
    sparse, dense = (scenarios.planted(500, 2, p, p, distance=1.5) for p in (2.0, 4.0))
    assert separation(dense, 500) / separation(sparse, 500) == pytest.approx(2, rel=0.01)
    assert separation(sparse, 500, directed_covariates=True) > 1.5 * separation(sparse, 500)


# ---- hand-over and data ----------------------------------------------------------------------------------------


def test_the_artifact_keeps_the_answer(tmp_path):
    graph, z = sample(HARD, 300, np.random.default_rng(2))
    made = to_ir(graph, HARD, 4, spectral(graph, 2)[None])
    io.save(made, tmp_path / "communities.hwir.safetensors")
    again = io.load(tmp_path / "communities.hwir.safetensors")
    assert (again.initial == made.initial).all()
    assert again.cost().values["coupler_bits"] == 4 * graph.m  # two classes, shared covariates: one weight a coupler
    run = heat_bath(PottsProblem.of_potts(again), np.geomspace(0.05, 5, 200), random_labels(4, 300, 2, 0))
    assert nmi(run.labels[run.energies.argmin()], z) > 0.9


def test_matched_labels():
    assert matched(np.array([2, 2, 0, 1]), np.array([0, 0, 1, 2])).tolist() == [0, 0, 1, 2]
    assert accuracy(np.array([1, 1, 1, 0]), np.array([0, 0, 1, 1])) == 0.75
    assert nmi(np.array([1, 1, 0, 0]), np.array([0, 0, 1, 1])) == 1.0


def test_planted_mail_is_always_the_same():
    data = load("planted_mail")
    assert data.sha256s["planted_mail"] == "73c6715ce1e845f46c1b9e73be80d1ee04817ffaf7b25810059936d1ab752cc2"
    edges = data.extras["edges"]
    assert (edges[:, 0] < edges[:, 1]).all()
    assert np.bincount(data.y_train).tolist() == [65, 109, 51, 92, 55, 61]
