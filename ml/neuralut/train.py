"""Train a network of L-LUTs, export its tables, and report the accuracy of the tables.

`python -m ml.neuralut.train --config hdr5l --seed 0 --epochs 150 --out build/train/neuralut/hdr5l-s0`

The run's folder holds ``checkpoint.pt`` (resumed automatically), ``model.pt`` (selected state),
``network.hwir.safetensors`` (tables) and ``summary.json``. The epoch is selected by accuracy on a part held
out of the training set; the test set is read once, after training.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hwsim.ir import io
from hwsim.ir.errors import EquivalenceError, HwsimError, UsageError
from hwsim.ir.lut import LutNetwork
from ml.common.train import FitConfig, FitResult, Progress, Trainer, save_atomic
from ml.neuralut.configs import KINDS, NetConfig, named
from ml.neuralut.export import to_ir
from ml.neuralut.model import LutNet
from ml.neuralut.tasks import Task, accuracy, load_task
from ml.neuralut.warmup import WarmupNet

SELECTION = "highest validation accuracy; the later epoch on ties"
FIX_AFTER = 0.75  # share of the epochs after which batch norm keeps its statistics: the rest trains what is exported
PRUNE_UNTIL = 0.6  # share of the warm-up after which every neuron has its final fan-in


@dataclass(frozen=True)
class RunSpec:
    """Everything that decides a run's result.

    config: named shape; kind, degree: function inside the tables; scale: width of the hidden layers;
    warmup: epochs of dense warm-up that learn the masks, 0 for random masks.
    """

    config: str = "digits"
    data: str = "digits"
    kind: str = "neuralut"
    degree: int = 2
    scale: float = 1.0
    seed: int = 0
    epochs: int = 40
    batch: int = 128
    lr: float = 3e-3
    shift: int = 0
    moved: float = 1.0
    decay: float = 0.0
    warmup: int = 0
    smoothing: float = 0.0
    beta1: float = 0.5

    def network(self) -> NetConfig:
        """The shape after kind and scale.

        Raises:
            UsageError: unknown shape or kind.
        """
        shape = named(self.config)
        shape = shape if self.scale == 1.0 else shape.scaled(self.scale)
        return shape if self.kind == "neuralut" else shape.as_kind(self.kind, self.degree)

    def fit(self, epochs: int) -> FitConfig:
        return FitConfig(epochs, self.lr, (self.beta1, 0.999), weight_decay=self.decay, label_smoothing=self.smoothing)


def learn_masks(spec: RunSpec, task: Task, out: Path | None, progress: Progress | None) -> list[torch.Tensor]:
    """Masks of every layer from the dense warm-up (resumable like the training itself)."""
    model = WarmupNet(spec.network(), spec.seed, task.features)
    model.quantise_input.calibrate(task.normalised(task.x_train))
    x_val = task.normalised(task.x_val)

    def prune(net: Any, _: torch.optim.Optimizer, epoch: int) -> None:
        net.prune(epoch / (PRUNE_UNTIL * spec.warmup))

    trainer = Trainer(
        model,
        task.batches(spec.batch, spec.seed, spec.shift, spec.moved),
        lambda m: accuracy(m, x_val, task.y_val),
        spec.fit(spec.warmup),
        checkpoint=out / "warmup.pt" if out else None,
        on_epoch=prune,
        progress=progress,
        select=False,
    )
    trainer.fit()
    return model.masks()


def train_network(
    spec: RunSpec, task: Task, out: Path | None = None, progress: Progress | None = None
) -> tuple[LutNet, FitResult]:
    """Train (or resume) one network; it is returned in its selected state, in evaluation mode."""
    model = LutNet(spec.network(), spec.seed, task.features)
    model.quantise_input.calibrate(task.normalised(task.x_train))
    if spec.warmup:
        model.set_masks(learn_masks(spec, task, out, progress))
    x_val = task.normalised(task.x_val)

    def fix_statistics(net: Any, _: torch.optim.Optimizer, epoch: int) -> None:
        for _, quantise in net.stack:
            quantise.fixed = epoch >= FIX_AFTER * spec.epochs

    trainer = Trainer(
        model,
        task.batches(spec.batch, spec.seed, spec.shift, spec.moved),
        lambda m: accuracy(m, x_val, task.y_val),
        spec.fit(spec.epochs),
        checkpoint=out / "checkpoint.pt" if out else None,
        on_epoch=fix_statistics,
        progress=progress,
    )
    result = trainer.fit()
    return model.eval(), result


def check_codes(model: LutNet, network: LutNetwork, x: np.ndarray) -> np.ndarray:
    """Output codes of the tables, after comparing every layer with the network's own codes on `x`.

    Raises:
        EquivalenceError: a code differs.
    """
    own = model.codes(x)
    tables = [network.quantise(x), *network.reference_layers(network.quantise(x))]
    for i, (a, b) in enumerate(zip(own, tables, strict=True)):
        wrong = int((a != b).sum())
        last_flipped = i == len(own) - 1 and bool(model.out_weight.detach() < 0)
        if wrong and not last_flipped:
            raise EquivalenceError.of(
                f"signals after layer {i - 1}: network and tables differ", f"{wrong} codes", "none", "Report a defect."
            )
    return tables[-1]


def run(spec: RunSpec, out: Path, progress: Progress | None = None, **data_options: Any) -> dict[str, Any]:
    """Train, export, check and summarise one run in folder `out`; returns the summary."""
    started = time.time()
    task = load_task(spec.data, **data_options)
    model, result = train_network(spec, task, out, progress)
    save_atomic(model.state_dict(), out / "model.pt")
    meta = {"data": task.dataset.variant, "run": json.dumps(asdict(spec), sort_keys=True)}
    network = to_ir(model, meta)
    artifact = io.save(network, out / f"network{io.SUFFIX}")
    codes = check_codes(model, network, task.dataset.x_test)
    test = float((network.classify(codes) == task.dataset.y_test).mean())
    summary = {
        "spec": asdict(spec),
        "network": model.config.name,
        "data": task.dataset.provenance(),
        "selection": SELECTION,
        "best_epoch": result.best_epoch,
        "val_accuracy": result.best_accuracy,
        "test_accuracy_of_tables": test,
        "codes_equal_on": len(codes),
        "artifact": artifact,
        "margin": {k: network.meta[k] for k in ("rounding_margin", "rounding_error_bound", "unproven_entries")},
        "lut6_bound": network.cost().values["lut6_bound"],
        "wall_s": result.wall_s,
        "cpu_s": result.cpu_s,
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "total_wall_s": time.time() - started,
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
        "history": result.history,
    }
    (out / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")
    return summary


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ml.neuralut.train", description="Train a network of L-LUTs.")
    defaults = RunSpec()
    for name, value in asdict(defaults).items():
        choices = KINDS if name == "kind" else None
        parser.add_argument(f"--{name}", type=type(value), default=value, choices=choices)
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quiet", action="store_true")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    options = vars(_parser().parse_args(arguments))
    out, threads, quiet = options.pop("out"), options.pop("threads"), options.pop("quiet")
    torch.set_num_threads(threads)

    def tell(done: int, total: int, note: str) -> None:
        print(f"{done}/{total} {note}", file=sys.stderr, flush=True)

    try:
        if threads < 1:
            raise UsageError.of("--threads", threads, "at least 1", "Change it.")
        summary = run(RunSpec(**options), out, None if quiet else tell)
    except HwsimError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    summary.pop("history")
    print(json.dumps(summary, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
