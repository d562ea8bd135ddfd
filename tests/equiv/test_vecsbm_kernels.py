"""Fast sweeps, sums and log-likelihoods equal sums over all pairs of nodes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from benches.vecsbm import dense
from hwsim.annealing import random_labels
from hwsim.testing import naive_potts as naive
from ml.vecsbm import Graph, Model, loglik, sample, to_ising, to_potts
from ml.vecsbm.features import Features
from ml.vecsbm.spectral import filled

FEW = settings(max_examples=20, deadline=None)


@st.composite
def cases(draw, directed=None):
    """A model of any covariances and a graph of it with labels in which every class has members."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    K, d, n = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(4, 12))
    directed = draw(st.booleans()) if directed is None else directed
    pi = rng.uniform(0.2, 0.7, (K, K))
    mu, root = rng.normal(size=(K, K, d)), rng.normal(size=(K, K, d, d))
    gamma = root @ np.swapaxes(root, -1, -2) + 0.3 * np.eye(d)
    gamma = (gamma + np.swapaxes(gamma, -1, -2)) / 2
    if not directed:
        mu, gamma = mu + mu.transpose(1, 0, 2), (gamma + gamma.transpose(1, 0, 2, 3)) / 2
    model = Model(rng.dirichlet(np.full(K, 5.0)), (pi + pi.T) / 2, mu, gamma)
    z = filled(rng.integers(0, K, n), K)
    return model, sample(model, n, rng, labels=z, directed_covariates=directed)[0], z


def matrices(graph: Graph) -> tuple[np.ndarray, np.ndarray]:
    A, W = np.zeros((graph.n, graph.n), int), np.zeros((graph.n, graph.n, graph.d))
    A[graph.u, graph.v] = A[graph.v, graph.u] = 1
    W[graph.u, graph.v], W[graph.v, graph.u] = graph.w, graph.w if graph.back is None else graph.back
    return A, W


def density_of(model: Model, W: np.ndarray, both: bool):
    """scipy's Gaussian, of what node i sees of node j."""

    def one(w, k, j):
        return multivariate_normal(model.mu[k, j], model.gamma[k, j]).logpdf(w)

    def log_density(i, j, k, other):
        own = one(W[i, j], k, other)
        return own + one(W[j, i], other, k) if both else own

    return log_density


@FEW
@given(cases(), st.sampled_from([0.3, 1.0, np.inf]), st.integers(0, 2**63), st.integers(0, 9), st.integers(0, 99))
def test_sweep(case, beta, seed, read, number):
    model, graph, z = case
    A, W = matrices(graph)
    features = Features(graph, "full")
    labels = z.copy()
    counts = np.bincount(z, minlength=model.K)
    changed = features.sweep(features.scores(model), labels, counts, beta, seed, read, number)
    log_density = density_of(model, W, graph.directed_covariates)
    expected = naive.vecsbm_sweep(A, W, model.alpha, model.pi, log_density, z, beta, seed, read, number)
    assert labels.tolist() == expected
    assert counts.tolist() == np.bincount(expected, minlength=model.K).tolist()
    assert changed == (labels != z).sum()


@FEW
@given(cases(directed=True), st.booleans())
def test_the_published_codes_score(case, reference_score):
    # own row only, no prior; rᵀΓ⁺r − ½·det Γ where asked
    model, graph, z = case
    A, W = matrices(graph)
    features = Features(graph, "full", own_row=True)
    labels = z.copy()
    scores = features.scores(model, prior=False, reference_score=reference_score)
    features.sweep(scores, labels, np.bincount(z, minlength=model.K), np.inf)
    log_density = density_of(model, W, both=False)
    if reference_score:

        def log_density(i, j, k, other):
            r, gamma = W[i, j] - model.mu[k, other], model.gamma[k, other]
            return -float(r @ np.linalg.pinv(gamma) @ r) + 0.5 * np.linalg.det(gamma)

    assert labels.tolist() == naive.vecsbm_sweep(A, W, np.ones(model.K), model.pi, log_density, z, np.inf, 0, 0, 0)


@FEW
@given(cases(directed=False))
def test_sirs_sweep_by_pairs(case):
    model, graph, z = case
    A, W = matrices(graph)
    features = Features(graph, "fixed")
    fitted = features.estimate(z, model.K)
    fast, slow, skipping = z.copy(), z.copy(), z.copy()
    features.sweep(features.scores(fitted, prior=False), fast, np.bincount(z, minlength=model.K), np.inf)
    tables = A.astype(np.int8), W, np.log(fitted.pi), np.log1p(-fitted.pi), fitted.mu
    dense.sweep_pairs(*tables, slow, False)
    dense.sweep_pairs(*tables, skipping, True)
    assert fast.tolist() == slow.tolist() == skipping.tolist()


@FEW
@given(cases(), st.booleans())
def test_estimates(case, biased):
    """Plain averages (pseudo = 0) over pairs of classes, in raw units."""
    model, graph, z = case
    A, W = matrices(graph)
    fitted = Features(graph, "full").estimate(z, model.K, pseudo=0.0, biased_diagonal=biased)
    Z = np.eye(model.K)[z]
    sizes = Z.sum(axis=0)
    pairs = np.outer(sizes, sizes) - (0 if biased else np.diag(sizes))
    edges = Z.T @ A @ Z
    known = (edges > 0) & (pairs > 0)
    np.testing.assert_allclose(fitted.pi[known], np.minimum(edges[known] / pairs[known], 1 - 1e-12), rtol=1e-9)
    for k, j in np.argwhere(known):
        w = W[z == k][:, z == j][A[z == k][:, z == j] > 0]
        np.testing.assert_allclose(fitted.mu[k, j], w.mean(axis=0), atol=1e-9)
        np.testing.assert_allclose(fitted.gamma[k, j], np.cov(w.T, bias=True).reshape(graph.d, -1), atol=1e-6)


@FEW
@given(cases())
def test_log_likelihood_and_potts_energy(case):
    model, graph, z = case
    A, W = matrices(graph)
    log_density = density_of(model, W, graph.directed_covariates)
    total = float(np.log(model.alpha)[z].sum())
    for i in range(graph.n):
        for j in range(i + 1, graph.n):
            p = model.pi[z[i], z[j]]
            total += np.log(p) + log_density(i, j, z[i], z[j]) if A[i, j] else np.log(1 - p)
    assert loglik(graph, z, model) == pytest.approx(total, abs=1e-8)
    assert float(to_potts(graph, model).energies(z[None])[0]) == pytest.approx(-total, abs=1e-8)


def test_the_closed_form_of_the_symmetric_ising_problem():
    rng = np.random.default_rng(0)
    n, p, q, sigma2 = 30, 0.4, 0.2, 1.7
    inside, outside = rng.normal(size=2), rng.normal(size=2)
    same = np.eye(2, dtype=bool)
    mu = np.where(same[..., None], inside, outside)
    model = Model([0.5, 0.5], np.where(same, p, q), mu, np.tile(sigma2 * np.eye(2), (2, 2, 1, 1)))
    graph, _ = sample(model, n, rng)
    form = to_ising(graph, model)
    J = np.full((n, n), 0.5 * np.log((1 - p) / (1 - q)))
    middle = graph.w - (inside + outside) / 2
    J[graph.u, graph.v] += 0.5 * (np.log(p * (1 - q) / (q * (1 - p))) + middle @ (inside - outside) / sigma2)
    matrix = np.zeros((n, n))
    u, v, weight = form.problem.edges
    matrix[u, v] = weight
    np.testing.assert_allclose(matrix, -np.triu(J, 1), atol=1e-12)  # E = −Σ J s s in the paper's sign
    np.testing.assert_allclose(form.problem.h, 0, atol=1e-12)
    z = random_labels(20, n, 2, 1)
    energies = form.problem.energies(form.spins(z)) + form.offset
    np.testing.assert_allclose(energies, [-loglik(graph, row, model) for row in z], atol=1e-9)
