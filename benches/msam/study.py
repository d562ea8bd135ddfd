"""The digits study: one network a method and seed, then every error that the hardware models know."""

from __future__ import annotations

from typing import Any

import numpy as np

from benches import stats
from benches.msam import mac, spiking, weights
from benches.msam.methods import METHODS, train_digits
from benches.runner import Context

HEADLINE = ("acc", "q4", "q3", "noise0.2", "flip0.01", f"mac_{mac.HARSH}", "snn_q4")
GAINS = {
    "clean_gain_pp": "acc",
    "noise_gain_pp_sigma0.2": "noise0.2",
    "bitflip_gain_pp_1pct": "flip0.01",
    "encoded_mac_gain_pp": f"mac_{mac.HARSH}",
    "snn_flip_gain_pp_1pct": "snn_flip0.01",
    "snn_noise_gain_pp_sigma0.2": "snn_noise0.2",
}
Rows = dict[str, list[dict[str, float]]]


def digits_row(method: str, seed: int, epochs: int, draws: int, options: dict[str, Any]) -> dict[str, float]:
    """Train one network; accuracies in percent clean and under every error."""
    model, task, outcome = train_digits(method, seed, epochs, options)
    row = weights.measure(model, task, seed, draws)
    row |= mac.measure(model, task) | spiking.measure(model, task, seed, max(draws // 4, 1))
    return row | {"loss": outcome.history[-1]["loss"], "gradients": float(outcome.gradients), "wall_s": outcome.wall_s}


def measure(ctx: Context[Any], progress: Any) -> Rows:
    """Rows by method, one a seed; records accuracies and gains over SGD, paired by seed."""
    config, seeds = ctx.config, ctx.seeds(ctx.config.digits_seeds)
    points = [
        {"method": m.name, "seed": seed, "epochs": config.digits_epochs, "draws": config.draws, "options": m.options}
        for seed in seeds
        for m in METHODS
    ]
    found = ctx.sweep(digits_row, points)
    rows: Rows = {m.name: [] for m in METHODS}
    for point, row in zip(points, found, strict=True):
        rows[point["method"]].append(row)
    progress(len(points), len(points), "trained")
    _record(ctx, rows)
    return rows


def column(rows: list[dict[str, float]], name: str) -> np.ndarray:
    """One figure over seeds."""
    return np.array([row[name] for row in rows])


def gain(rows: Rows, name: str, method: str = "msam", over: str = "sgd") -> stats.Figure:
    """Mean difference over seeds, paired: same images, start values and errors."""
    return stats.mean((column(rows[method], name) - column(rows[over], name)).tolist())


def _record(ctx: Context[Any], rows: Rows) -> None:
    for m in METHODS:
        for name in HEADLINE:
            metric = f"{name.replace('.', '_')}_digits_{m.name}"
            ctx.metric(metric, stats.mean(column(rows[m.name], name).tolist()), "%", method=m.label)
        ctx.metric(f"gradients_digits_{m.name}", float(column(rows[m.name], "gradients").mean()), "")
    for metric, name in GAINS.items():
        figure = gain(rows, name)
        ctx.metric(metric, figure, "points", method=f"MSAM − SGD, paired by seed; {figure.method}")
    ctx.metric("msam_minus_sam_digits_pp", gain(rows, "acc", over="sam"), "points", method="paired by seed")
    ctx.metric("msam_minus_nesterov_digits_pp", gain(rows, "acc", over="nesterov"), "points", method="paired by seed")
    ctx.metric("nesterov_gain_digits_pp", gain(rows, "acc", "nesterov"), "points", method="paired by seed")
    for unit in ("truncated9", "truncated11", "booth10", "booth11"):
        ctx.metric(f"encoded_mac_gain_pp_{unit}", gain(rows, f"mac_{unit}"), "points", method="MSAM − SGD")
    figure = gain(rows, f"mac_{mac.HARSH}", over="randbet")
    ctx.metric("encoded_mac_gain_pp_over_randbet", figure, "points", method="MSAM − RandBET, paired by seed")
