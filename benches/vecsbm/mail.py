"""A real graph with drawn covariates: email-Eu-core's departments of more than 50 (the paper's semi-synthetic data).

W_uv is the mean of `draws` multinomial draws whose probabilities depend on the two departments. Refinement runs from
the spectral labels with the correct score until nothing changes, at most 15 sweeps, as in the published script.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benches import stats
from benches.runner import Context
from ml.common.data import load
from ml.vecsbm import Graph, anneal_refine, matched, nmi, refine, spectral

LARGE = 50  # members that a department must exceed
COORDINATES = 6
SWEEPS = 15
DRAWS = (120, 12, 3)
METHODS = ("spectral", "sir", "ir1", "ir", "ir_reference", "annealed")


def departments(name: str) -> tuple[Graph, np.ndarray]:
    """The largest component among members of large departments, without covariates, and the departments."""
    data = load(name, download=False)
    large = np.flatnonzero(np.bincount(data.y_train) > LARGE)
    kept = np.flatnonzero(np.isin(data.y_train, large))
    edges = np.asarray(data.extras["edges"])
    graph, inside = Graph.of_edges(len(data.y_train), edges, np.zeros((len(edges), 1))).part(kept).largest_component()
    return graph, np.searchsorted(large, data.y_train[kept][inside])


def with_covariates(bare: Graph, z: np.ndarray, draws: int, rng: np.random.Generator) -> Graph:
    """The graph with simplex covariates of its departments."""
    K = int(z.max()) + 1
    share = rng.uniform(0, 1, (K, K, COORDINATES))
    upper = np.triu(np.ones((K, K), bool))[..., None]
    share = np.where(upper, share, share.transpose(1, 0, 2))
    share /= share.sum(axis=2, keepdims=True)
    return Graph(bare.n, bare.u, bare.v, rng.multinomial(draws, share[z[bare.u], z[bare.v]]) / draws)


def mailing(name: str, draws: int, seed: int, runs: int) -> dict[str, Any]:
    """NMI of every method on one set of covariates, and the log-likelihoods of the last two fits."""
    bare, z = departments(name)
    graph = with_covariates(bare, z, draws, np.random.default_rng([seed, draws]))
    K = int(z.max()) + 1
    start = spectral(graph, K, seed=seed)
    fits = {
        "sir": refine(graph, start, K, sweeps=SWEEPS),
        "ir1": refine(graph, start, K, mode="ir", sweeps=1),
        "ir": refine(graph, start, K, mode="ir", sweeps=SWEEPS),
        "ir_reference": refine(graph, start, K, mode="ir", sweeps=SWEEPS, reference_score=True),
        "annealed": anneal_refine(graph, K, runs=runs, seed=seed),
    }
    gain = fits["annealed"].loglik - fits["ir"].loglik
    row: dict[str, Any] = {method: nmi(fit.labels, z) for method, fit in fits.items()}
    return {**row, "spectral": nmi(start, z), "loglik_gain": gain}


def measure(ctx: Context[Any], name: str, seeds: int, runs: int) -> dict[str, Any]:
    """Rows by number of draws; metrics ``nmi_email_<draws>`` or, on the stand-in, ``nmi_planted_mail_<draws>``."""
    points = [{"name": name, "draws": d, "seed": s, "runs": runs} for d in DRAWS for s in ctx.seeds(seeds)]
    answers = ctx.sweep(mailing, points)
    label = "email" if name == "email_eu" else name
    rows: dict[str, Any] = {}
    for draws in DRAWS:
        mine = [answer for point, answer in zip(points, answers, strict=True) if point["draws"] == draws]
        rows[str(draws)] = {method: [row[method] for row in mine] for method in METHODS}
        for method in METHODS:
            suffix = "" if method == "ir" else f"_{method}"
            ctx.metric(f"nmi_{label}_{draws}{suffix}", stats.mean([row[method] for row in mine]))
        ctx.metric(
            f"loglik_gain_annealed_{label}_{draws}", stats.mean([row["loglik_gain"] for row in mine]), "nats",
            method="annealed fit − IR fit; a better fit of the model need not be a better department",
        )  # fmt: skip
    gain = np.subtract(rows["120"]["ir"], rows["120"]["spectral"])
    ctx.metric(f"gain_ir_over_spectral_{label}", stats.mean(gain.tolist()))
    return rows


def picture(name: str, seed: int) -> dict[str, Any]:
    """Edges, departments and IR's estimate of one graph, for the pictures."""
    bare, z = departments(name)
    graph = with_covariates(bare, z, DRAWS[0], np.random.default_rng([seed, DRAWS[0]]))
    K = int(z.max()) + 1
    start = spectral(graph, K, seed=seed)
    found = matched(refine(graph, start, K, mode="ir", sweeps=SWEEPS).labels, z)
    return {
        "edges": np.stack([graph.u, graph.v], axis=1).tolist(), "truth": z.tolist(), "found": found.tolist(),
        "start": matched(start, z).tolist(), "nmi": nmi(found, z), "nmi_start": nmi(start, z),
    }  # fmt: skip
