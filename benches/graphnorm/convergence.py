"""How fast training goes: epochs to a training accuracy of 90 %, on all graphs of a set, without dropout (figure 4)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from benches import stats
from benches.files import digest, write_atomic
from benches.graphnorm.folds import SETS, graphs_of, train_dir
from benches.runner import Context

TARGET = 0.9


def curve(name: str, norm: str, seed: int, epochs: int, hidden: int, train_dir: str) -> dict[str, Any]:
    """Training accuracy of every epoch, in [0, 1]."""
    import torch

    from ml.graphnorm import Recipe, fit

    recipe = {"norm": norm, "seed": seed, "epochs": epochs, "hidden": hidden, "readout": SETS[name]["readout"]}
    kept = Path(train_dir) / f"curve-{name}-{norm}-s{seed}-{digest([SETS[name], recipe])[:8]}.json"
    if kept.exists():
        return dict(json.loads(kept.read_text()))
    torch.set_num_threads(1)
    graphs = graphs_of(name)
    every = np.arange(len(graphs))
    made = Recipe(norm=norm, readout=SETS[name]["readout"], hidden=hidden, epochs=epochs, seed=seed, dropout=0.0,
                  learn_epsilon=False)  # fmt: skip
    _, curves = fit(graphs, every, every[:0], made)
    found = {"train": curves.train, "loss": curves.loss}
    write_atomic(kept, json.dumps(found).encode())
    return found


def reached(train: list[float]) -> int:
    """First epoch, counted from 1, whose training accuracy is 90 %; the number of epochs when none is (censored)."""
    hits = np.flatnonzero(np.array(train) >= TARGET)
    return int(hits[0]) + 1 if len(hits) else len(train)


def measure(ctx: Context[Any], name: str, norms: tuple[str, ...]) -> dict[str, list[list[float]]]:
    """Curves by norm, one a seed; records epochs and the ratio of BatchNorm's to GraphNorm's."""
    config = ctx.config
    points = [
        {"name": name, "norm": norm, "seed": seed, "epochs": config.curve_epochs, "hidden": config.hidden,
         "train_dir": train_dir(ctx)}
        for norm in norms
        for seed in ctx.seeds(config.curve_seeds)
    ]  # fmt: skip
    curves: dict[str, list[list[float]]] = {norm: [] for norm in norms}
    for point, row in zip(points, ctx.sweep(curve, points), strict=True):
        curves[point["norm"]].append(row["train"])
    epochs = {norm: np.array([reached(one) for one in found], float) for norm, found in curves.items()}
    late = {norm: sum(max(one) < TARGET for one in found) for norm, found in curves.items()}
    budget = config.curve_epochs
    for norm, values in epochs.items():
        method = f"first epoch at 90 % training accuracy of {budget}; {late[norm]} of {len(values)} never"
        ctx.metric(f"epochs_to_90_train_{norm}_{name}", stats.mean(values.tolist()), "epochs", method=method)
        last = stats.mean([100 * one[-1] for one in curves[norm]])
        ctx.metric(f"train_acc_{norm}_{name}", last, "%", method=f"epoch {budget}")
    ratio = stats.mean((epochs["batch"] / epochs["graph"]).tolist())
    method = f"paired by seed, dropout off, {late['batch']} of BatchNorm's runs censored at {budget} epochs"
    ctx.metric(f"epochs_to_90_train_ratio_bn_over_gn_{name}", ratio, "×", method=method)
    return curves
