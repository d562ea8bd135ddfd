"""Accuracy of the encoders: generated sentences in every profile, the published sets in full."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from benches import stats
from benches.disan.runs import CONTEXTUAL, OPEN, Run, result, scheduled
from benches.runner import Context

RIVALS = ("undirected", "bilstm", "cnn")
COMPARED = ("trec", "sick", "sst2", "subj")  # the comparison at equal size
FOLDED = ("cr", "mpqa", "subj")  # cross-validated
FOLDS = (0, 9, 1, 8, 2, 7, 3, 6, 4, 5)  # the order in which folds are taken, where not all are
ORDER: dict[str, Any] = {"embedding": "random", "d": 24, "lr": 5e-3, "dropout": 0.1}
Rows = dict[str, list[dict[str, Any]]]


def trained(ctx: Context[Any], runs: list[Run]) -> list[dict[str, Any]]:
    """Results of runs, in parallel; those that were trained before are read."""
    points = [{"run": asdict(run), "train_dir": ctx.config.train_dir} for run in runs]
    rows = ctx.sweep(result, points)
    for run, row in zip(runs, rows, strict=True):
        ctx.record_data(run.task, row["data"], "docs/data.md")
    return rows


def word_order(ctx: Context[Any]) -> Rows:
    """The generated task: what each encoder makes of order alone."""
    config = ctx.config
    names = ("disan", *RIVALS) if config.order_seeds > 1 else ("disan", "undirected")
    seeds = ctx.seeds(config.order_seeds)
    options = {**ORDER, "epochs": config.order_epochs, "share": config.order_share}
    runs = [Run("word_order", encoder=e, seed=s, **options) for s in seeds for e in names]
    rows: Rows = {e: [] for e in names}
    for run, row in zip(runs, trained(ctx, runs), strict=True):
        rows[run.encoder].append(row)
    for e, found in rows.items():
        ctx.metric(f"acc_word_order_{e}", _mean(found, "acc"), "%", method="600 generated sentences, six classes")
    gain = [a["acc"] - b["acc"] for a, b in zip(rows["disan"], rows["undirected"], strict=True)]
    how = "generated sentences, six orders of three words, paired by seed"
    ctx.metric("direction_gain_word_order_pp", stats.mean(gain), "points", method=how)
    return rows


def compared(ctx: Context[Any]) -> dict[str, Rows]:
    """Encoders of equal size on four published sets, with GloVe 50-d; records the bar."""
    config = ctx.config
    names = ("disan", *RIVALS)
    runs = [
        scheduled(task, encoder=e, seed=s, fold=s if task in FOLDED else 0)
        for task in COMPARED
        for s in ctx.seeds(max(config.seeds, config.seeds_trec if task == "trec" else 0))
        for e in names
    ]
    rows: dict[str, Rows] = {task: {e: [] for e in names} for task in COMPARED}
    for run, row in zip(runs, trained(ctx, runs), strict=True):
        rows[run.task][run.encoder].append(row)
    for task, of_task in rows.items():
        for e, found in of_task.items():
            ctx.metric(f"acc_{task}_glove50_{e}", _mean(found, "acc"), "%", method=_told(found))
            ctx.metric(f"epoch_s_{task}_{e}", _mean(found, "epoch_s"), "s", method="CPU seconds of an epoch")
    means = {e: float(np.mean([_mean(rows[task][e], "acc").value for task in COMPARED])) for e in names}
    best = max(RIVALS, key=lambda e: means[e])
    for name, e in (("best_baseline", best), *((rival, rival) for rival in RIVALS)):
        gain, half = means["disan"] - means[e], _half(rows, e)
        how = f"DiSAN − {e}, mean over TREC, SICK, SST-2, SUBJ; 95 % by the sizes of the test sets"
        ctx.metric(f"disan_minus_{name}_pp", gain, "points", low=gain - half, high=gain + half, n=len(runs), method=how)
    return rows


def _half(rows: dict[str, Rows], rival: str) -> float:
    """Half the 95 % interval of a mean difference: binomial errors of both, as if they erred independently."""
    variance = 0.0
    for task in COMPARED:
        for found in (rows[task]["disan"], rows[task][rival]):
            p = _mean(found, "acc").value / 100
            variance += p * (1 - p) / found[0]["n_test"]
    return 196 * variance**0.5 / len(COMPARED)


def published_sets(ctx: Context[Any], compared_rows: dict[str, Rows]) -> dict[str, list[float]]:
    """The paper's sentence sets with GloVe 50-d, and with contextual states beyond the paper."""
    found: dict[str, list[float]] = {}
    found["trec_glove50"] = [row["acc"] for row in compared_rows["trec"]["disan"]]
    for task, count in (("subj", ctx.config.folds_subj), ("cr", ctx.config.folds), ("mpqa", ctx.config.folds)):
        rows = trained(ctx, [scheduled(task, fold=f) for f in FOLDS[:count]])
        found[f"{task}_glove50"] = [row["acc"] for row in rows]
    rows = trained(ctx, [scheduled("trec", seed=s, **OPEN) for s in range(ctx.config.seeds_trec)])
    found["trec_glove50_as_cr"] = [row["acc"] for row in rows]  # the recipe of CR; not in the comparison
    rows = trained(ctx, [scheduled("snli_small")] if ctx.config.snli else [])
    found["snli_dev_to_test"] = [row["acc"] for row in rows]
    for task in ("sick", "sst2"):
        found[task] = [row["acc"] for row in compared_rows[task]["disan"]]
    for task, options in CONTEXTUAL.items():
        count = getattr(ctx.config, f"states_{task}")
        seeds = [{"fold": f} for f in FOLDS[:count]] if task in FOLDED else [{"seed": s} for s in range(count)]
        rows = trained(ctx, [scheduled(task, **{**options, **one}) for one in seeds])
        found[task] = [row["acc"] for row in rows]
    for name, values in found.items():
        if values:
            kind = (
                "contextual MiniLM states beside GloVe 50-d, beyond the paper" if name in CONTEXTUAL else "GloVe 50-d"
            )
            folds = f", {len(values)} of 10 folds" if name.split("_")[0] in FOLDED else ""
            ctx.metric(f"acc_{name}", stats.mean(values), "%", method=f"{kind}{folds}; {stats.mean(values).method}")
    return found


def ablations(ctx: Context[Any]) -> Rows:
    """The paper's order of encoders without direction or context, on TREC."""
    names = ("multihead", "s2t", "additive") if ctx.config.ablations else ()
    runs = [scheduled("trec", encoder=e) for e in names]
    rows: Rows = {}
    for run, row in zip(runs, trained(ctx, runs), strict=True):
        ctx.metric(f"acc_{run.task}_glove50_{run.encoder}", row["acc"], "%", n=1, method=_told([row]))
        rows.setdefault(run.task, []).append(row)
    return rows


def _mean(rows: list[dict[str, Any]], name: str) -> stats.Figure:
    return stats.mean([row[name] for row in rows])


def _told(rows: list[dict[str, Any]]) -> str:
    told = stats.mean([row["acc"] for row in rows]).method
    return f"GloVe 50-d, {rows[0]['encoder_parameters']} parameters, {rows[0]['n_test']} test examples; {told}"
