"""Trainings in torch: MPD-ED beside time-step surrogates, event data, convolutions, duels on the CIFAR-10 subset.

Every run is a recipe of `ml.evsnn.recipes`, or one with another number of steps, in a folder of its own under
`Config.train_dir`; a finished folder is taken as it is, a killed one goes on from its checkpoint.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from benches import stats
from benches.evsnn.inputs import found
from benches.files import digest
from benches.runner import Context
from benches.stats import Figure

PAIR = ("mnist_stbp", "mnist_mpd", "mnist_mpd_quiet")
COUNTED = 1000  # test images whose backward operations are counted
METHODS = ("stbp", "mpd")


def spec_of(name: str, seed: int) -> Any:
    """A recipe, or ``<method>_t<steps>``: 784-400-10 on MNIST with so many steps; ``_digits`` on digits, shortly."""
    from ml.evsnn.recipes import RECIPES

    if name in RECIPES:
        return replace(RECIPES[name], seed=seed)
    method, _, rest = name.partition("_")
    if rest == "digits":
        return replace(
            RECIPES["digits_std"], method=method, net="64-64-64-10", epochs=12, lr=0.03, seed=seed, smoothing=0.0
        )
    return replace(RECIPES["mnist_mpd"], method=method, net="784-400-10", steps=int(rest.removeprefix("t")), seed=seed)


def folder_of(name: str, seed: int, train_dir: str) -> Path:
    """Where a run lies: another specification, another folder."""
    made = digest(asdict(spec_of(name, seed)))[:8]
    return Path(train_dir).expanduser() / f"{name}-s{seed}-{made}"


def trained(name: str, seed: int, train_dir: str) -> dict[str, Any]:
    """Test and validation accuracy in percent of a run, after training it if it is not there."""
    import torch

    from ml.evsnn.recipes import finished

    torch.set_num_threads(1)
    summary = finished(spec_of(name, seed), folder_of(name, seed, train_dir))
    return {"test": 100 * summary["test_accuracy"], "val": 100 * summary["val_accuracy"], "cpu_s": summary["cpu_s"]}


def sweep(ctx: Context[Any], names: tuple[str, ...], seeds: list[int]) -> dict[str, list[dict[str, Any]]]:
    """All seeds of some runs, side by side; each row has what `trained` gives."""
    points = [{"name": name, "seed": seed, "train_dir": ctx.config.train_dir} for name in names for seed in seeds]
    rows = ctx.sweep(trained, points)
    return {name: rows[i * len(seeds) : (i + 1) * len(seeds)] for i, name in enumerate(names)}


def counts(ctx: Context[Any], name: str, seed: int) -> dict[str, list[float]]:
    """Backward operations a sample of each layer of a finished run, by events and dense, on test images."""
    from ml.evsnn.counts import mpd_counts
    from ml.evsnn.tasks import load_task
    from ml.evsnn.train import restore

    net, spec = restore(folder_of(name, seed, ctx.config.train_dir))
    task = load_task(spec.data, spec.steps, download=False)
    layers = mpd_counts(net, task.scaled(task.x_test[:COUNTED]))  # type: ignore[arg-type]
    return {
        "event": [c.event for c in layers],
        "dense": [c.dense for c in layers],
        "rate": [c.rate_out for c in layers],
    }


def pair(ctx: Context[Any]) -> dict[str, Any] | None:
    """MPD-ED, with and without a price on spikes, beside time-step surrogates at T = 4: operations and accuracy."""
    if found("mnist") is None:
        ctx.note("MNIST is not here: backward operations on it are the kept ones; digits stand in beside them")
        return None
    seeds = ctx.seeds(ctx.config.seeds)
    rows = sweep(ctx, PAIR, seeds)
    accuracy = {name: [row["test"] for row in rows[name]] for name in PAIR}
    ctx.metric("stbp_mnist_acc", stats.mean(accuracy["mnist_stbp"]), "%", method="time-step surrogates, 784-400-400-10")
    drawn: dict[str, Any] = {"accuracy": accuracy}
    for name, prefix in (("mnist_mpd", "mpd"), ("mnist_mpd_quiet", "mpd_quiet")):
        drawn[prefix] = made = counts(ctx, name, seeds[0])
        method = "784-400-400-10, T = 4, dense over events, multiply-adds a test image: {:.0f} over {:.0f}"
        hidden, whole = (made["dense"][1], made["event"][1]), (sum(made["dense"]), sum(made["event"]))
        ctx.metric(f"{prefix}_backward_op_ratio", hidden[0] / hidden[1], "×", n=COUNTED, method=method.format(*hidden))
        ctx.metric(f"{prefix}_backward_op_ratio_network", whole[0] / whole[1], "×", method=method.format(*whole))
        ctx.metric(f"{prefix}_mnist_acc", stats.mean(accuracy[name]), "%", method="MPD-ED, test images")
        lost = [a - b for a, b in zip(accuracy["mnist_stbp"], accuracy[name], strict=True)]
        ctx.metric(f"{prefix}_accuracy_loss", stats.mean(lost), "points", method="below time-step surrogates, by seed")
    return drawn


def digits(ctx: Context[Any]) -> dict[str, Any]:
    """The same on scikit-learn's digits, 64-64-64-10: runs anywhere in seconds, answers no bar."""
    seeds = [ctx.seed]
    rows = sweep(ctx, ("stbp_digits", "mpd_digits"), seeds)
    made = counts(ctx, "mpd_digits", seeds[0])
    ratio = made["dense"][1] / made["event"][1]
    ctx.metric("mpd_backward_op_ratio_digits", ratio, "×", method="64 × 64 layer, T = 4, digits")
    lost = rows["stbp_digits"][0]["test"] - rows["mpd_digits"][0]["test"]
    ctx.metric("mpd_accuracy_loss_digits", lost, "points", method="below time-step surrogates, one seed")
    return {"accuracy": {name: [row["test"] for row in found_rows] for name, found_rows in rows.items()}, "mpd": made}


def by_steps(ctx: Context[Any]) -> dict[str, list[list[float]]] | None:
    """Accuracy of 784-400-10 against its number of steps T, mean over seeds: [[T, percent], …] by method."""
    if found("mnist") is None:
        return None
    steps = [int(t) for t in ctx.config.step_counts.split()]
    rows = sweep(ctx, tuple(f"{method}_t{t}" for method in METHODS for t in steps), ctx.seeds(ctx.config.seeds))
    return {method: [[t, fmean(r["test"] for r in rows[f"{method}_t{t}"])] for t in steps] for method in METHODS}


def events(ctx: Context[Any]) -> None:
    """Both rules on N-MNIST (1000 training samples), or on generated bars."""
    task = "nmnist" if found("nmnist") is not None else "bars"
    rows = sweep(ctx, (f"{task}_std", f"{task}_mpd"), ctx.seeds(ctx.config.seeds))
    for method in ("std", "mpd"):
        values = [row["test"] for row in rows[f"{task}_{method}"]]
        ctx.metric(f"{method}_{task}_acc", stats.mean(values), "%", method="10 steps, all seeds")


def convolutions(ctx: Context[Any]) -> None:
    """STD-ED with convolutions, MNIST and Fashion-MNIST."""
    for data, name, metric in (
        ("mnist", "mnist_std_conv", "std_mnist_acc_conv"),
        ("fashion_mnist", "fashion_std_conv", "std_fmnist_acc_conv"),
    ):
        if found(data) is None:
            ctx.not_comparable(metric, f"{data} is not on this machine")
            continue
        rows = sweep(ctx, (name,), ctx.seeds(ctx.config.conv_seeds))[name]
        method = f"{spec_of(name, 0).net}, 10 000 test images, float network; {len(rows)} seeds"
        ctx.metric(metric, stats.mean([row["test"] for row in rows]), "%", method=method)


def duels(ctx: Context[Any]) -> None:
    """Equal learning rates tried for both methods, the chosen one trained with every seed."""
    from ml.evsnn.recipes import duel

    if found("cifar10_subset") is None:
        for name in ("std_over_stdbp_points", "mpd_over_tssl_points"):
            ctx.not_comparable(name, "the CIFAR-10 subset is not on this machine")
        return
    folder = Path(ctx.config.train_dir).expanduser() / "duels"
    for ours, other in (("std", "stdbp"), ("mpd", "tssl")):
        one = duel(ours, other, folder, seeds=tuple(ctx.seeds(ctx.config.duel_seeds)))
        gains = [a - b for a, b in zip(*one.accuracies, strict=True)]
        ends = ", ".join(f"{a:.2f} and {b:.2f}" for a, b in zip(*one.accuracies, strict=True))
        options = " and ".join(", ".join(f"{k} {v}" for k, v in chosen.items()) for chosen in one.options)
        method = f"CIFAR-10 subset, {ours} and {other} by seed: {ends} %; {options}"
        ctx.metric(f"{ours}_over_{other}_points", _mean(gains, method), "points")


def _mean(values: list[float], method: str) -> Figure:
    figure = stats.mean(values)
    return replace(figure, method=f"{method}; {figure.method}")
