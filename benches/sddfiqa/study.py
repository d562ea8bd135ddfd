"""Who foresees a recogniser's errors best: labels, what was learned from them, and rivals, by error versus discard.

Every estimate is judged on the same test people; differences and ratios are paired over the same draws of identities.
Learned estimates are trained from several seeds; their AOC is the mean over seeds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from benches.runner import Context
from benches.sddfiqa.people import Case

FMR_NAMES = {1e-2: "fmr1e2", 1e-3: "fmr1e3", 1e-4: "fmr1e4"}
METHODS = {
    "label": "SDD label (upper guide)", "predicted": "SDD-FIQA, small CNN", "gate": "SDD-FIQA, block features",
    "head": "SDD-FIQA, head on embeddings", "pair": "PCNet-style", "ser_fiq": "SER-FIQ-style", "norm": "embedding norm",
    "laplacian": "Laplacian", "strength": "true strength", "random": "random",
}  # fmt: skip
GRID = 96  # points of a drawn curve
RANDOM = 4  # random orders, averaged


@dataclass(frozen=True, eq=False)
class Judged:
    """Estimates of a case: name → qualities float64 [seeds, test], the labels, and the trained networks of seed 0."""

    qualities: dict[str, np.ndarray]
    labels: Any
    models: dict[str, Any]


def estimates(ctx: Context[Any], case: Case, progress: Any) -> Judged:
    """Train and apply every estimator."""
    from ml.sddfiqa import baselines
    from ml.sddfiqa.facenet import pixels
    from ml.sddfiqa.features import block_features
    from ml.sddfiqa.labels import sdd_labels
    from ml.sddfiqa.quality import ChipNet, Regression, VectorHead, fit, predict

    (e, e_test), config = case.seen, ctx.config
    wanted = sdd_labels(e, case.train.identity, seed=ctx.seed).quality
    labels = sdd_labels(e_test, case.test.identity, seed=ctx.seed)
    blocks, blocks_test = block_features(case.train.chips), block_features(case.test.chips)
    x, x_test = pixels(case.train.chips), pixels(case.test.chips)
    vector = Regression(epochs=config.head_epochs, jitter=0.3)
    learned: dict[str, list[np.ndarray]] = {name: [] for name in ("predicted", "gate", "head", "pair")}
    models: dict[str, Any] = {}
    seeds = ctx.seeds(config.seeds)
    for i, seed in enumerate(seeds):
        chip = fit(ChipNet(seed=seed), x, wanted, Regression(config.chip_epochs, flip=True), seed=seed)
        gate = fit(VectorHead(blocks, seed=seed), blocks, wanted, vector, seed=seed)
        head = fit(VectorHead(e, seed=seed), e, wanted, vector, seed=seed)
        pair = baselines.pair_confidence(VectorHead(e, seed=seed), e, case.train.identity, seed=seed)
        found = predict(chip, x_test), predict(gate, blocks_test), predict(head, e_test), predict(pair, e_test)
        for name, quality in zip(learned, found, strict=True):
            learned[name].append(quality)
        models = models or {"predicted": chip, "gate": gate}
        progress(i + 1, len(seeds), "quality networks")
    one = {
        "label": labels.quality, "norm": baselines.embedding_norm(e_test),
        "laplacian": baselines.laplacian(case.test.chips), "strength": -case.test.strength,
    }  # fmt: skip
    if case.net is not None:
        one["ser_fiq"] = baselines.ser_fiq(case.net, case.test.chips, passes=config.passes, seed=ctx.seed)
    every = {name: np.stack(rows) for name, rows in learned.items()} | {k: v[None] for k, v in one.items()}
    every["random"] = ctx.rng("random order").random((RANDOM, len(case.test)))
    return Judged({name: every[name] for name in METHODS if name in every}, labels, models)


def judged_by(ctx: Context[Any], embeddings: np.ndarray, identity: Any, qualities: dict[str, np.ndarray]) -> Any:
    """AOC float64 [draws + 1, 3] of every method, mean over seeds; and the verifier."""
    from ml.sddfiqa.edc import FMRS, Verifier

    judge = Verifier(embeddings, identity)
    flat = {f"{name}/{i}": row for name, rows in qualities.items() for i, row in enumerate(rows)}
    found = judge.bootstrap(flat, FMRS, draws=ctx.config.draws, seed=ctx.seed)
    mean = {name: np.mean([found[f"{name}/{i}"] for i in range(len(r))], axis=0) for name, r in qualities.items()}
    return mean, judge


def measure(ctx: Context[Any], case: Case, judged: Judged) -> dict[str, Any]:
    """Record every figure of a case; returns what the plots need."""
    aoc, judge = judged_by(ctx, case.seen[1], case.test.identity, judged.qualities)
    _areas(ctx, case, aoc, judge)
    _ratios(ctx, case, aoc)
    _partial(ctx, case, judge, judged)
    _cross(ctx, case, judged)
    _degradations(ctx, case, judged)
    return {"title": case.title, "judge": case.judge, "curves": _curves(judge, judged), "aoc": _table(aoc)}


def _interval_metric(ctx: Context[Any], name: str, column: np.ndarray, n: int, method: str) -> None:
    from ml.sddfiqa.edc import interval

    value, low, high = interval(column)
    ctx.metric(name, value, "1", low, high, n, f"{method}; 95 % by bootstrap over {n} identities")


def _areas(ctx: Context[Any], case: Case, aoc: dict[str, np.ndarray], judge: Any) -> None:
    n = judge.n_identities
    for column, (fmr, name) in enumerate(FMR_NAMES.items()):
        start = judge.curve(np.zeros(judge.n), fmr).start
        ctx.metric(f"fnmr_start_{name}{case.suffix}", 100 * start, "%", n=judge.genuine.shape[1], method=case.judge)
        for method, values in aoc.items():
            text = f"{METHODS[method]}; 1 − mean of g(φ)/g(0) over φ = 0 … 0.95"
            _interval_metric(ctx, f"aoc_{method}_{name}{case.suffix}", values[:, column], n, text)


def _ratios(ctx: Context[Any], case: Case, aoc: dict[str, np.ndarray]) -> None:
    """The bars: each FMR, and the worst of those that the bar names."""
    n = len(np.unique(case.test.identity))
    ratio = aoc["predicted"] / aoc["label"]
    for column, name in enumerate(FMR_NAMES.values()):
        _interval_metric(
            ctx, f"aoc_ratio_predicted_to_label_{name}{case.suffix}", ratio[:, column], n, "small CNN over label"
        )
    worst = int(np.argmin(ratio[0, :2]))
    text = f"the lower of FMR 1e-2 and 1e-3; {case.title}, {case.judge}"
    _interval_metric(ctx, f"aoc_ratio_predicted_to_label{case.suffix}", ratio[:, worst], n, text)
    for rival in ("norm", "laplacian", "pair", "ser_fiq"):
        if rival not in aoc:
            continue
        gain = aoc["predicted"] - aoc[rival]
        for column, name in enumerate(FMR_NAMES.values()):
            text = f"small CNN − {METHODS[rival]}"
            _interval_metric(ctx, f"aoc_gain_vs_{rival}_{name}{case.suffix}", gain[:, column], n, text)
        text = f"mean over three FMRs, as the paper's last column; {case.title}, {case.judge}"
        _interval_metric(ctx, f"aoc_mean_gain_vs_{rival}{case.suffix}", gain.mean(1), n, text)
        least = int(np.argmin(gain[0]))
        text = f"least of all three FMRs; {case.title}, {case.judge}"
        _interval_metric(ctx, f"aoc_gain_vs_{rival}{case.suffix}", gain[:, least], n, text)


def _partial(ctx: Context[Any], case: Case, judge: Any, judged: Judged) -> None:
    """pAUC up to a discard of 20 %, as later work reports it."""
    for name in ("label", "predicted", "norm", "laplacian"):
        area = float(np.mean([judge.curve(q, 1e-3).area(0, 0.2) for q in judged.qualities[name]]))
        text = f"{METHODS[name]}; mean FNMR at FMR 1e-3 over φ = 0 … 0.2, lower is better"
        ctx.metric(f"pauc20_{name}_fmr1e3{case.suffix}", 100 * area, "%", method=text)


def _cross(ctx: Context[Any], case: Case, judged: Judged) -> None:
    """What was learned from one recogniser's labels, judged by the other: the abstract's claim of generalisation."""
    wanted = {name: judged.qualities[name] for name in ("label", "predicted", "norm", "laplacian")}
    aoc, judge = judged_by(ctx, case.others[1], case.test.identity, wanted)
    n = judge.n_identities
    for column, (fmr, name) in enumerate(FMR_NAMES.items()):
        start = 100 * judge.curve(np.zeros(judge.n), fmr).start
        text = f"labels of {case.judge}, judged by {case.other} (FNMR {start:.1f} % at φ = 0)"
        _interval_metric(ctx, f"aoc_cross_recogniser_{name}{case.suffix}", aoc["predicted"][:, column], n, text)
        for rival in ("norm", "laplacian"):
            gain = aoc["predicted"][:, column] - aoc[rival][:, column]
            _interval_metric(ctx, f"aoc_cross_gain_vs_{rival}_{name}{case.suffix}", gain, n, text)
    text = f"FMR 1e-3; small CNN, labels of {case.judge}, judged by {case.other}"
    _interval_metric(ctx, f"aoc_cross_recogniser{case.suffix}", aoc["predicted"][:, 1], n, text)
    text = f"FMR 1e-3; labels themselves of {case.judge}, judged by {case.other}"
    _interval_metric(ctx, f"aoc_cross_label{case.suffix}", aoc["label"][:, 1], n, text)


def _degradations(ctx: Context[Any], case: Case, judged: Judged) -> None:
    """Rank correlation of label, and of the prediction, with the strength of each degradation (higher = worse)."""
    from scipy.stats import spearmanr

    found = []
    for kind in sorted(set(case.test.kind) - {"clean"}):
        these = case.test.kind == kind
        for what, quality in (("label", judged.labels.quality), ("predicted", judged.qualities["predicted"].mean(0))):
            rank = float(spearmanr(case.test.strength[these], quality[these]).statistic)
            metric = f"{what}_corr_with_known_degradation_{kind}{case.suffix}"
            ctx.metric(metric, rank, "1", n=int(these.sum()), method="Spearman, strength against quality")
            found += [rank] if what == "label" else []
    mean = float(np.mean(found))
    ctx.metric(f"label_corr_with_known_degradation{case.suffix}", mean, "1", method="mean over kinds")


def _curves(judge: Any, judged: Judged) -> dict[str, dict[str, list[float]]]:
    """FNMR in percent over φ = 0 … 0.95 of every method and FMR, mean over seeds."""
    grid = np.linspace(0, 0.95, GRID)
    made: dict[str, dict[str, list[float]]] = {}
    for fmr, name in FMR_NAMES.items():
        made[name] = {}
        for method, rows in judged.qualities.items():
            curves = [judge.curve(row, fmr) for row in rows]
            drawn = [c.fnmr[np.searchsorted(c.discard, grid, "right") - 1] for c in curves]
            made[name][method] = (100 * np.mean(drawn, axis=0)).round(4).tolist()
    return made


def _table(aoc: dict[str, np.ndarray]) -> dict[str, list[list[float]]]:
    """Method → (value, low, high) a FMR."""
    from ml.sddfiqa.edc import interval

    return {name: [list(interval(values[:, k])) for k in range(values.shape[1])] for name, values in aoc.items()}
