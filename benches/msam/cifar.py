"""The CIFAR-10 subset with a small convolutional network: the full profile's training runs, one folder a run.

No augmentation: 10 000 images and 25 epochs of a network of 54 000 weights underfit with it, and nothing that trades
training for generalisation can help there. Rate, decay and every ρ were chosen on a fifth of the training images,
with a seed that no figure uses.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from benches import stats
from benches.files import digest, write_atomic
from benches.runner import Context
from hwsim.ir.errors import DataError

SHAPE: dict[str, Any] = {"channels": (24, 48, 96), "strides": (2, 2, 2)}
SHARED: dict[str, Any] = {"batch": 128, "lr": 0.1, "warmup": 1.0, "smoothing": 0.1, "weight_decay": 5e-4}
RUNS: dict[str, dict[str, Any]] = {"sgd": {}, "nesterov": {}, "msam": {"rho": 1.0}, "sam": {"rho": 0.1}}


def trained(method: str, seed: int, epochs: int, options: dict[str, Any], train_dir: str) -> dict[str, Any]:
    """Train one network, or take it from its folder; accuracies in percent, gradient passes, history."""
    import torch

    from ml.msam.models import cnn
    from ml.msam.recipe import Recipe
    from ml.msam.tasks import Samples, accuracy, cifar_task
    from ml.msam.train import Trainer

    recipe = Recipe(method, epochs=epochs, seed=seed, **{**SHARED, **options})
    folder = Path(train_dir) / f"cifar-{method}-s{seed}-{digest([SHAPE, SHARED, options, epochs])[:8]}"
    summary = folder / "summary.json"
    if summary.exists():
        return dict(json.loads(summary.read_text()))
    torch.set_num_threads(1)
    task = cifar_task()
    model = cnn(**SHAPE, seed=seed)
    batches = Samples(task.x_train, task.y_train, recipe.batch, seed, recipe.augment)
    trainer = Trainer(
        model,
        batches,
        recipe,
        evaluate=lambda m: accuracy(m, task.x_test, task.y_test),
        check_every=5,
        checkpoint=folder / "checkpoint.pt",
    )
    outcome = trainer.fit()
    found = {
        "acc": 100 * accuracy(model, task.x_test, task.y_test),
        "acc_train": 100 * accuracy(model, task.x_train, task.y_train),
        "gradients": outcome.gradients,
        "wall_s": outcome.wall_s,
        "history": outcome.history,
    }
    write_atomic(summary, json.dumps(found).encode())
    return found


def measure(ctx: Context[Any]) -> dict[str, list[dict[str, Any]]] | None:
    """Train every method with every seed; records accuracies and differences. None without the data."""
    from ml.common.data import load

    try:
        data = load("cifar10_subset")
    except DataError as error:
        ctx.note(f"CIFAR-10's subset is not here: {error}")
        return None
    ctx.record_data("cifar10_subset", data.source, data.variant)
    config = ctx.config
    points = [
        {"method": m, "seed": s, "epochs": config.cifar_epochs, "options": o, "train_dir": config.train_dir}
        for s in ctx.seeds(config.cifar_seeds)
        for m, o in RUNS.items()
    ]
    rows: dict[str, list[dict[str, Any]]] = {m: [] for m in RUNS}
    for point, row in zip(points, ctx.sweep(trained, points), strict=True):
        rows[point["method"]].append(row)
    _record(ctx, rows)
    return rows


def _record(ctx: Context[Any], rows: dict[str, list[dict[str, Any]]]) -> None:
    acc = {m: np.array([row["acc"] for row in found]) for m, found in rows.items()}
    for m, values in acc.items():
        ctx.metric(f"acc_cifar_{m}", stats.mean(values.tolist()), "%", method="2000 test images, last epoch")
        train = stats.mean([row["acc_train"] for row in rows[m]])
        ctx.metric(f"acc_train_cifar_{m}", train, "%")
    for name, (a, b) in {
        "msam_minus_sam_pp": ("msam", "sam"),
        "msam_minus_sgd_cifar_pp": ("msam", "sgd"),
        "msam_minus_nesterov_cifar_pp": ("msam", "nesterov"),
        "sam_minus_sgd_cifar_pp": ("sam", "sgd"),
    }.items():
        ctx.metric(name, stats.mean((acc[a] - acc[b]).tolist()), "points", method="CIFAR-10 subset, paired by seed")
    used = {m: np.mean([row["gradients"] for row in found]) for m, found in rows.items()}
    ctx.metric("msam_over_sam_gradients", float(used["msam"] / used["sam"]), "×")
