"""The paper's picture (figure 2): test accuracy over ρ, negative and positive, against SGD and Nesterov.

Run on tuning seeds, apart from all reported ones, it is also what chose ρ.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benches import stats
from benches.msam.methods import TUNING_SEEDS, train_digits
from benches.runner import Context

GRID = (-1.0, -0.5, -0.3, -0.1, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.3, 1.7, 2.0, 3.0)


def rho_row(method: str, seed: int, epochs: int, options: dict[str, Any]) -> dict[str, float]:
    """Test and training accuracy in percent, last training loss."""
    from ml.msam import DivergedError
    from ml.msam.tasks import accuracy

    try:
        model, task, outcome = train_digits(method, seed, epochs, options)
    except DivergedError:
        return {"acc": 10.0, "acc_train": 10.0, "loss": float(np.log(10)), "diverged": 1.0}
    return {
        "acc": 100 * accuracy(model, task.x_test, task.y_test),
        "acc_train": 100 * accuracy(model, task.x_train, task.y_train),
        "loss": outcome.history[-1]["loss"],
        "diverged": 0.0,
    }


def measure(ctx: Context[Any]) -> dict[str, Any]:
    """Accuracies and losses over ρ; records what a negative ρ costs and where the optimum lies."""
    runs: list[tuple[str, dict[str, Any]]] = [("sgd", {}), ("nesterov", {}), *(("msam", {"rho": r}) for r in GRID)]
    seeds = [TUNING_SEEDS + seed for seed in ctx.seeds(ctx.config.rho_seeds)]
    points = [
        {"method": m, "seed": s, "epochs": ctx.config.digits_epochs, "options": o} for m, o in runs for s in seeds
    ]
    found = ctx.sweep(rho_row, points)
    table = np.array([[row["acc"], row["acc_train"], row["loss"]] for row in found]).reshape(len(runs), len(seeds), 3)
    sgd, nag, msam = table[0], table[1], table[2:]
    best = int(msam[:, :, 0].mean(1).argmax())
    ctx.metric("rho_optimal_digits", GRID[best], "", method=f"of {len(GRID)} values, seeds from {TUNING_SEEDS} on")
    for name, row, of in (
        ("negative_rho_gain_pp", msam[GRID.index(-0.3)], "ρ = −0.3"),
        ("large_negative_rho_gain_pp", msam[GRID.index(-1.0)], "ρ = −1"),
        ("too_large_rho_gain_pp", msam[GRID.index(3.0)], "ρ = 3"),
    ):
        figure = stats.mean((row[:, 0] - sgd[:, 0]).tolist())
        ctx.metric(name, figure, "points", method=f"{of} − SGD, clean accuracy")
    ctx.metric("nag_train_loss_ratio", stats.mean((nag[:, 2] / sgd[:, 2]).tolist()), "×", method="Nesterov / SGD")
    loss = stats.mean((msam[best][:, 2] / sgd[:, 2]).tolist())
    ctx.metric("msam_train_loss_ratio", loss, "×", method="MSAM at its best ρ / SGD, loss at the shifted weights")
    return {"grid": list(GRID), "msam": msam.tolist(), "sgd": sgd.tolist(), "nag": nag.tolist()}
