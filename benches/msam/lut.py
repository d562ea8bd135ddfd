"""Hand-over to LUT networks: the same optimiser question where weights vanish into truth tables.

A small NeuraLUT network is trained with AdamW and with AdamW + MSAM; its tables then suffer bit flips (configuration
memory upsets), and its input codes lose low bits. NeuraLUT's trainer is its own; here its network goes through
`ml.msam.train`, so that both runs differ in the optimiser alone. ρ was chosen on other seeds (`methods.TUNING_SEEDS`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benches import stats
from benches.runner import Context

NETWORK = "digits_f4"
N_TRAIN = 1200
RATES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05)
SHARED: dict[str, Any] = {"batch": 100, "lr": 3e-3, "smoothing": 0.0, "weight_decay": 0.0}
RUNS: dict[str, dict[str, Any]] = {"adamw": {}, "adamw_msam": {"rho": 0.1}}
FIX_AFTER = 0.75  # as NeuraLUT's own training: statistics rest for the last quarter


@dataclass(frozen=True)
class _Columns:
    """Batches of a task with samples as columns [n_in, batch], NeuraLUT's layout."""

    inner: Any

    @property
    def steps(self) -> int:
        return int(self.inner.steps)

    def epoch(self, epoch: int) -> Iterator[tuple[Any, Any]]:
        for x, y in self.inner.epoch(epoch):
            yield x.t().contiguous(), y


def network(method: str, seed: int, epochs: int, options: dict[str, Any]) -> tuple[Any, np.ndarray, np.ndarray]:
    """(`LutNetwork`, raw test images [n, 64], labels) after training with `method`."""
    import torch

    from ml.msam.recipe import Recipe
    from ml.msam.tasks import Samples, digits_task
    from ml.msam.train import Trainer
    from ml.neuralut.configs import named
    from ml.neuralut.export import to_ir
    from ml.neuralut.model import LutNet

    torch.set_num_threads(1)
    task = digits_task(seed, N_TRAIN)
    model = LutNet(named(NETWORK), seed, features=(1 / 16, -0.5))
    model.quantise_input.calibrate(task.x_train.t())
    recipe = Recipe(method, epochs=epochs, seed=seed, **{**SHARED, **options})

    def rest(net: Any, _: Any, epoch: int) -> None:
        net.fix_statistics(epoch >= FIX_AFTER * epochs)

    samples = Samples(task.x_train, task.y_train, recipe.batch, seed)
    Trainer(model, _Columns(samples), recipe, on_epoch=rest).fit()
    return to_ir(model), np.rint((task.x_test.numpy() + 0.5) * 16), task.y_test.numpy()


def flipped(network: Any, rate: float, rng: np.random.Generator) -> Any:
    """`network` with every stored table bit flipped with probability `rate`."""
    layers = []
    for layer in network.layers:
        bits = (rng.random((layer.bits_out, *layer.table.shape)) < rate).astype(np.int64)
        pattern = (bits << np.arange(layer.bits_out)[:, None, None]).sum(0)
        layers.append(replace(layer, table=(layer.table ^ pattern).astype(layer.table.dtype)))
    return replace(network, layers=tuple(layers))


def lut_row(method: str, seed: int, epochs: int, draws: int, options: dict[str, Any]) -> dict[str, float]:
    """Accuracies in percent of the tables: clean, with flipped table bits, with low input bits cut."""
    made, x, y = network(method, seed, epochs, options)
    codes = made.quantise(x)

    def accuracy(net: Any, inputs: np.ndarray) -> float:
        return 100 * float((net.classify(net.reference(inputs)) == y).mean())

    row = {"acc": accuracy(made, codes)}
    for rate in RATES:
        rng = np.random.default_rng([seed, round(rate * 1e6)])
        row[f"flip{rate:g}"] = float(np.mean([accuracy(flipped(made, rate, rng), codes) for _ in range(draws)]))
    for bits in range(1, made.input_bits):
        row[f"cut{bits}"] = accuracy(made, (codes >> bits << bits | 1 << (bits - 1)).astype(codes.dtype))
    return row


def measure(ctx: Context[Any]) -> dict[str, list[dict[str, float]]]:
    """Rows by method, one a seed; records accuracies and gains."""
    config = ctx.config
    points = [
        {"method": m, "seed": s, "epochs": config.lut_epochs, "draws": config.draws, "options": o}
        for s in ctx.seeds(config.lut_seeds)
        for m, o in RUNS.items()
    ]
    rows: dict[str, list[dict[str, float]]] = {m: [] for m in RUNS}
    for point, row in zip(points, ctx.sweep(lut_row, points), strict=True):
        rows[point["method"]].append(row)
    for name in ("acc", "flip0.01"):
        values = {m: np.array([row[name] for row in found]) for m, found in rows.items()}
        label = name.replace(".", "_")
        for m, found in values.items():
            ctx.metric(f"{label}_lut_{m}", stats.mean(found.tolist()), "%", method=f"tables of {NETWORK}")
        difference = stats.mean((values["adamw_msam"] - values["adamw"]).tolist())
        ctx.metric(f"lut_{label}_gain_pp", difference, "points", method="AdamW + MSAM − AdamW, paired by seed")
    return rows
