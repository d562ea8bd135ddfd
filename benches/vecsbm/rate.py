"""Error against separation: is the optimum's error n^−τ, and do covariates count times the density of edges?

Two equal classes, Π = p and q in units of ln n/n, covariates D apart; parameters known, so that what is measured is the
statistic, not its search. Slopes are fitted by least squares on ln(error), weighted by the number of errors, with
intervals by resampling graphs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benches import stats
from benches.runner import Context
from hwsim.annealing import heat_bath, random_labels
from ml.vecsbm import accuracy, predicted_error, refine, sample, scenarios, spectral, to_potts
from ml.vecsbm.separation import exponent

TAUS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
P, Q = 2.5, 1.5
DENSITIES = (1.5, 2.0, 2.5, 3.0, 3.5)  # p = q: the graph alone tells nothing
DISTANCE = 1.5
BETAS = np.concatenate([np.geomspace(0.1, 3, 120), np.full(10, np.inf)])
READS = 4
RESAMPLES = 400


def wrong(n: int, p: float, q: float, tau: float, distance: float, seed: int) -> dict[str, Any]:
    """Wrong nodes of the most probable labels, of one node at a time (others known), of sIR and of spectral labels."""
    rng = np.random.default_rng([seed, n, round(100 * p), round(100 * tau)])
    model = scenarios.planted(n, 2, p, q, tau or None, distance or None)
    graph, z = sample(model, n, rng)
    energy = to_potts(graph, model)
    run = heat_bath(energy, BETAS, random_labels(READS, n, 2, seed), seed, threads=1)
    start = spectral(graph, 2, seed=seed, allow_disconnected=True)
    found = {"map": run.labels[run.energies.argmin()], "sir": refine(graph, start, 2).labels, "spectral": start}
    errors = {name: round(n * (1 - accuracy(labels, z))) for name, labels in found.items()}
    return {**errors, "oracle": int((energy.local_fields(z).argmin(axis=1) != z).sum())}


def slope(x: np.ndarray, errors: np.ndarray, n: int, rng: np.random.Generator) -> stats.Figure:
    """−d ln(error)/dx with errors int [points, graphs]."""

    def fit(counts: np.ndarray) -> float:
        total = counts.sum(axis=1)
        some = total > 0
        if some.sum() < 2:
            return float("nan")
        rate = np.log(total[some] / (n * counts.shape[1]))
        return -float(np.polyfit(x[some], rate, 1, w=np.sqrt(total[some]))[0])

    graphs = errors.shape[1]
    drawn = np.array([fit(errors[:, rng.integers(0, graphs, graphs)]) for _ in range(RESAMPLES)])
    value, drawn = fit(errors), drawn[np.isfinite(drawn)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return stats.Figure(value, min(low, value), max(high, value), graphs, "weighted fit, graphs resampled")


def measure(ctx: Context[Any], sizes: Sequence[int], graphs: int) -> dict[str, Any]:
    """Error rates by size and exponent; metrics ``rate_slope_ratio`` (largest size) and what stands beside it."""
    series: dict[str, Any] = {}
    for n in sizes:
        settings = [{"p": P, "q": Q, "tau": tau, "distance": 0.0} for tau in TAUS]
        series[str(n)] = _series(ctx, n, settings, graphs)
    n = sizes[-1]
    suffixes = {"map": "", "oracle": "_oracle"}
    for kind, suffix in suffixes.items():
        figure = slope(np.array(series[str(n)]["x"]), np.array(series[str(n)][kind]), n, ctx.rng("slope"))
        ctx.metric(f"rate_slope_ratio{suffix}", figure, "×")
    counted, expected = np.array(series[str(n)]["oracle"]), np.array(series[str(n)]["refined"])
    ratio = counted.sum(axis=1) / (n * graphs) / expected
    ctx.metric("oracle_over_refined_prediction", float(ratio.mean()), "×", n=len(ratio), method="mean over τ")
    ctx.metric("map_error_tau0.7", stats.mean((np.array(series[str(n)]["map"])[TAUS.index(0.7)] / n).tolist()))
    even = _series(ctx, n, [{"p": p, "q": p, "tau": 0.0, "distance": DISTANCE} for p in DENSITIES], graphs)
    figure = slope(np.array(even["x"]), np.array(even["map"]), n, ctx.rng("density"))
    ctx.metric("density_slope_ratio", figure, "×")
    return {"sizes": series, "density": even}


def _series(ctx: Context[Any], n: int, settings: Sequence[dict[str, Any]], graphs: int) -> dict[str, Any]:
    points = [{"n": n, **setting, "seed": s} for setting in settings for s in ctx.seeds(graphs)]
    answers = ctx.sweep(wrong, points)
    models = [scenarios.planted(n, 2, s["p"], s["q"], s["tau"] or None, s["distance"] or None) for s in settings]
    counts = {
        kind: np.array([a[kind] for a in answers]).reshape(len(settings), graphs).tolist()
        for kind in ("map", "oracle", "sir", "spectral")
    }
    refined = [predicted_error(model, n, refined=True) for model in models]
    return {"x": [exponent(model, n) for model in models], "refined": refined, **counts}
