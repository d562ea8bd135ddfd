"""Named trainings (seed 0 unless said), and two methods compared at equal tuning budgets.

`train_recipe("mnist_std", folder, seed)` trains one of `RECIPES`; `duel("std", "stdbp", folder)` tries the same
learning rates for both methods on one seed, then as many options of each one's own (`TRIALS`), picks by validation
accuracy, trains the other seeds with what was picked and compares test accuracies. Finished runs in the folder are
read, not repeated; broken-off ones go on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from hwsim.ir.errors import UsageError
from ml.common.train import Progress
from ml.evsnn.train import RunSpec, run

_MNIST = RunSpec(data="mnist", net="784-400-10", epochs=30, lr=0.06, shift=1, moved=0.67)
_FASHION = RunSpec(data="fashion_mnist", net="784-400-10", epochs=25, lr=0.04, shift=1, moved=0.3, mirror=True)
_STEPS = replace(_MNIST, net="784-400-400-10", epochs=12, lr=0.05)
_CONV = replace(_MNIST, net="1x28x28-20C5-P2-40C5-P2-200-10", epochs=30, lr=0.04, gain_max=2.0, shift=2, moved=1.0)
_CIFAR = RunSpec(data="cifar10_subset", net="3x32x32-16C3s-P2-32C3s-P2-10", epochs=8, lr=0.05, batch=64, mirror=True)
_EVENTS = RunSpec(data="nmnist", net="2x17x17-200-10", epochs=40, lr=0.05, batch=32, steps=10, shift=1, leak=0.8)
_BARS = RunSpec(data="moving_bars", net="2x16x16-100-8", epochs=20, lr=0.05, batch=32, steps=10, leak=0.9)

RECIPES: dict[str, RunSpec] = {
    "digits_std": RunSpec(net="64-64-10", epochs=40, batch=32, lr=0.1, smoothing=0.05),
    "mnist_std": _MNIST,
    "fashion_std": _FASHION,
    "mnist_std_conv": _CONV,
    "fashion_std_conv": replace(_CONV, data="fashion_mnist", mirror=True, shift=1, moved=0.5),
    "mnist_mpd": replace(_STEPS, method="mpd", width=2.0),
    "mnist_mpd_quiet": replace(_STEPS, method="mpd", quiet=1.0),
    "mnist_stbp": replace(_STEPS, method="stbp"),
    "nmnist_std": replace(_EVENTS, method="std_multi"),
    "nmnist_mpd": replace(_EVENTS, method="mpd"),
    "bars_std": replace(_BARS, method="std_multi"),
    "bars_mpd": replace(_BARS, method="mpd"),
    "cifar": _CIFAR,
}
RATES = (0.02, 0.05, 0.1)
TRIALS: dict[str, tuple[dict[str, Any], ...]] = {
    "mpd": ({"adapt": "stat"}, {"adapt": "window"}, {"adapt": "rate"}),  # the paper's threshold adapts
    "tssl": ({"lr": 0.2}, {"leak": 0.8}, {"theta": 0.5}),
}


def train_recipe(name: str, folder: Path, seed: int = 0, progress: Progress | None = None) -> dict[str, Any]:
    """Summary of the recipe `name`, trained (or read, if finished) in ``folder/<name>-s<seed>``.

    Raises:
        UsageError: no such recipe; and what `ml.evsnn.train.run` raises.
    """
    if name not in RECIPES:
        raise UsageError.of("recipe", repr(name), f"one of {', '.join(RECIPES)}", "Choose one.")
    return finished(replace(RECIPES[name], seed=seed), folder / f"{name}-s{seed}", progress)


def finished(spec: RunSpec, out: Path, progress: Progress | None = None) -> dict[str, Any]:
    """Summary of the run in folder `out`, after training it if it is not there.

    Raises:
        UsageError: the folder holds a run of another specification.
    """
    path = out / "summary.json"
    if not path.exists():
        return run(spec, out, progress)
    summary = json.loads(path.read_text())
    if RunSpec(**summary["spec"]) != spec:
        raise UsageError.of(f"run in {out}", summary["spec"], spec, "Name another folder, or delete this one.")
    return summary


@dataclass(frozen=True)
class Duel:
    """Two methods at equal budgets; accuracies in percent over seeds.

    Attributes:
        first, second: method names; options: the learning rate and more that validation chose for each.
        accuracies: test accuracies of each, one a seed.
    """

    first: str
    second: str
    options: tuple[dict[str, Any], dict[str, Any]]
    accuracies: tuple[tuple[float, ...], tuple[float, ...]]

    @property
    def points(self) -> float:
        """Mean accuracy of the first less that of the second, in points."""
        return fmean(self.accuracies[0]) - fmean(self.accuracies[1])

    @property
    def spread(self) -> float:
        """Standard deviation of the difference of paired seeds, in points; 0 for one seed."""
        pairs = [a - b for a, b in zip(*self.accuracies, strict=True)]
        return stdev(pairs) if len(pairs) > 1 else 0.0


def duel(
    first: str,
    second: str,
    folder: Path,
    spec: RunSpec = _CIFAR,
    rates: tuple[float, ...] = RATES,
    seeds: tuple[int, ...] = (0, 1, 2),
    progress: Progress | None = None,
) -> Duel:
    """Compare two methods on the task and network of `spec`; see the module."""
    (one, accuracies), (other, others) = (_tuned(spec, m, folder, rates, seeds, progress) for m in (first, second))
    return Duel(first, second, (one, other), (accuracies, others))


def _tuned(
    spec: RunSpec,
    method: str,
    folder: Path,
    rates: tuple[float, ...],
    seeds: tuple[int, ...],
    progress: Progress | None,
) -> tuple[dict[str, Any], tuple[float, ...]]:
    """(options that validation prefers on the first seed, test accuracies in percent with them)."""

    def trained(options: dict[str, Any], seed: int) -> dict[str, Any]:
        return _summary(spec, method, options, seed, folder, progress)

    def best(tried: list[dict[str, Any]]) -> dict[str, Any]:
        return max(tried, key=lambda options: trained(options, seeds[0])["val_accuracy"])

    rate = best([{"lr": rate} for rate in rates])
    chosen = best([rate, *({**rate, **trial} for trial in TRIALS.get(method, ()))])
    return chosen, tuple(100 * trained(chosen, seed)["test_accuracy"] for seed in seeds)


def _summary(
    spec: RunSpec, method: str, options: dict[str, Any], seed: int, folder: Path, progress: Progress | None
) -> dict[str, Any]:
    more = "".join(f"-{name}={value}" for name, value in options.items() if name != "lr")
    out = folder / f"{spec.data}-{method}-lr{options['lr']:g}{more}-s{seed}"
    return finished(replace(spec, method=method, seed=seed, **options), out, progress)
