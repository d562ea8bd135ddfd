"""Cross-validated accuracy of GIN with each norm (the paper's tables), paired tests, curves of the folds."""

from __future__ import annotations

from typing import Any

import numpy as np

from benches.graphnorm.folds import N_FOLDS, fold_run, train_dir
from benches.graphnorm.studies import studies
from benches.runner import Context
from benches.stats import Figure

LAST = 10  # epochs of the figure that picks no epoch
Curves = dict[str, dict[str, Any]]


def measure(ctx: Context[Any]) -> dict[str, Curves]:
    """Set → norm → mean curves; records accuracies and paired differences."""
    found: dict[str, Curves] = {}
    for name, study in studies(ctx.config).items():
        points: list[dict[str, Any]] = [
            {"name": name, "norm": norm, "repeat": repeat, "fold": fold, "options": study.options,
             "train_dir": train_dir(ctx)}
            for norm in study.norms
            for repeat in range(study.repeats)
            for fold in range(study.folds)
        ]  # fmt: skip
        rows = ctx.sweep(fold_run, points)
        by_norm: dict[str, list[dict[str, Any]]] = {}
        for point, row in zip(points, rows, strict=True):
            by_norm.setdefault(point["norm"], []).append(row)
        found[name] = {norm: _record(ctx, name, norm, runs) for norm, runs in by_norm.items()}
        _compare(ctx, name, by_norm)
    return found


def _record(ctx: Context[Any], name: str, norm: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    from ml.graphnorm.folds import best_epoch

    test, train = (100 * np.array([run[part] for run in runs]) for part in ("test", "train"))
    epoch, values = best_epoch(test)
    suffix = "" if norm == "graph" else f"_{norm}"
    spread = float(values.std(ddof=0))
    mean = float(values.mean())
    method = (
        f"best epoch ({epoch + 1} of {test.shape[1]}) of the mean curve, {len(runs)} folds, ± one standard deviation "
        "of folds; the authors' figure: no test set is left"
    )
    ctx.metric(f"acc_{name}{suffix}", Figure(mean, mean - spread, mean + spread, len(runs), method), "%")
    last = test[:, -LAST:].mean(axis=1)
    spread, mean = float(last.std(ddof=0)), float(last.mean())
    method = f"mean of the last {LAST} epochs, {len(runs)} folds, ± one standard deviation"
    ctx.metric(f"acc_last_{name}{suffix}", Figure(mean, mean - spread, mean + spread, len(runs), method), "%")
    return {"train": train.mean(axis=0).tolist(), "test": test.mean(axis=0).tolist(), "at_best": values.tolist()}


def _compare(ctx: Context[Any], name: str, by_norm: dict[str, list[dict[str, Any]]]) -> None:
    """GraphNorm minus each other norm over the same folds, last epochs, corrected resampled t-test."""
    from ml.graphnorm.folds import paired_test

    last = {norm: [100 * float(np.mean(run["test"][-LAST:])) for run in runs] for norm, runs in by_norm.items()}
    for norm in list(by_norm)[1:]:
        n = min(len(last["graph"]), len(last[norm]))
        if n < 2:
            continue
        test = paired_test(last["graph"][:n], last[norm][:n], 1 / (N_FOLDS - 1))
        half = abs(test.difference / test.t) * _t(n) if test.t and np.isfinite(test.t) else 0.0
        method = f"last {LAST} epochs, {n} paired folds, corrected resampled t-test: t {test.t:.2f}, p {test.p:.3f}"
        figure = Figure(test.difference, test.difference - half, test.difference + half, n, method)
        ctx.metric(f"gn_minus_{norm}_{name}_pp", figure, "points")


def _t(n: int) -> float:
    from scipy.stats import t

    return float(t.ppf(0.975, n - 1))
