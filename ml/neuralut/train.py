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
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hwsim.ir import io
from hwsim.ir.errors import EquivalenceError, HwsimError, UsageError
from hwsim.ir.lut import LutNetwork
from ml.common.device import choose
from ml.common.train import FitConfig, FitResult, Progress, Trainer, save_atomic
from ml.neuralut import one_input
from ml.neuralut.configs import KINDS, NetConfig, OneInputConfig, named, one_input_configs
from ml.neuralut.export import to_ir
from ml.neuralut.model import LutNet
from ml.neuralut.one_input import OneInputNet
from ml.neuralut.scores import margin_loss
from ml.neuralut.tasks import Task, accuracy, load_task
from ml.neuralut.warmup import WarmupNet

SELECTION = "highest validation accuracy; the later epoch on ties"
FIX_AFTER = 0.75  # share of the epochs after which batch norm keeps its statistics: the rest trains what is exported
PRUNE_UNTIL = 0.6  # share of the warm-up after which every neuron has its final fan-in


@dataclass(frozen=True)
class RunSpec:
    """Everything that decides a run's result.

    config: named shape; kind, degree: function inside the tables; scale: width of the hidden layers;
    warmup: epochs of dense warm-up that learn the masks, 0 for random masks; shift, moved: augmentation of
    images; decay: weight decay; margin: of the loss, in steps of the output code.
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
    margin: float = 0.0

    def network(self) -> NetConfig | OneInputConfig:
        """The shape after kind and scale.

        Raises:
            UsageError: unknown shape or kind, or a kind, scale or warm-up for a network of one-input tables.
        """
        if self.config in one_input_configs():
            if (self.kind, self.scale, self.warmup, self.margin) != ("neuralut", 1.0, 0, 0.0):
                got = f"kind {self.kind}, scale {self.scale:g}, warmup {self.warmup}, margin {self.margin:g}"
                raise UsageError.of(f"options for {self.config}", got, "the defaults", "Leave them out.")
            return one_input_configs()[self.config]
        shape = named(self.config)
        shape = shape if self.scale == 1.0 else shape.scaled(self.scale)
        return shape if self.kind == "neuralut" else shape.as_kind(self.kind, self.degree)

    def fit(self, epochs: int) -> FitConfig:
        return FitConfig(epochs, self.lr, (self.beta1, 0.999), weight_decay=self.decay, label_smoothing=self.smoothing)


Hook = Callable[[Any, torch.optim.Optimizer, int], None]
Net = LutNet | OneInputNet


def _fit(
    spec: RunSpec,
    epochs: int,
    model: torch.nn.Module,
    task: Task,
    hook: Hook,
    checkpoint: Path | None,
    progress: Progress | None,
    select: bool,
) -> FitResult:
    """Train `model` on the task, judged on its validation part."""
    x_val = task.normalised(task.x_val)
    trainer = Trainer(
        model,
        task.batches(spec.batch, spec.seed, spec.shift, spec.moved),
        lambda m: accuracy(m, x_val, task.y_val),
        spec.fit(epochs),
        checkpoint=checkpoint,
        on_epoch=hook,
        progress=progress,
        select=select,
        loss=partial(margin_loss, margin=spec.margin) if spec.margin else None,
    )
    return trainer.fit()


def learn_masks(
    spec: RunSpec, task: Task, out: Path | None, progress: Progress | None, device: torch.device
) -> list[torch.Tensor]:
    """Masks of every layer from the dense warm-up (resumable like the training itself)."""
    shape = spec.network()
    assert isinstance(shape, NetConfig)  # only L-LUT networks have masks; `train_network` asks for no others
    model = WarmupNet(shape, spec.seed, task.features)
    model.quantise_input.calibrate(task.normalised(task.x_train))
    model.to(device)

    def prune(net: Any, _: torch.optim.Optimizer, epoch: int) -> None:
        net.prune(epoch / (PRUNE_UNTIL * spec.warmup))

    _fit(spec, spec.warmup, model, task, prune, out / "warmup.pt" if out else None, progress, False)
    return model.masks()


def train_network(
    spec: RunSpec, task: Task, out: Path | None = None, progress: Progress | None = None, device: str = "auto"
) -> tuple[Net, FitResult]:
    """Train (or resume) one network on `device`; it is returned on the CPU, selected, in evaluation mode."""
    where = choose(device)
    shape = spec.network()
    model: Net
    if isinstance(shape, OneInputConfig):
        model = OneInputNet(shape, spec.seed, task.features)
    else:
        model = LutNet(shape, spec.seed, task.features)
    model.quantise_input.calibrate(task.normalised(task.x_train))
    if spec.warmup and isinstance(model, LutNet):
        model.set_masks(learn_masks(spec, task, out, progress, where))
    model.to(where)

    def hook(net: Any, _: torch.optim.Optimizer, epoch: int) -> None:
        if isinstance(net, OneInputNet):
            net.prune(epoch / (PRUNE_UNTIL * spec.epochs))
        else:
            net.fix_statistics(epoch >= FIX_AFTER * spec.epochs)

    # a pruned network is selected only by its last state: earlier ones have more edges
    checkpoint = out / "checkpoint.pt" if out else None
    result = _fit(spec, spec.epochs, model, task, hook, checkpoint, progress, isinstance(model, LutNet))
    return model.cpu().eval(), result


def tables_of(model: Net, meta: dict[str, str] | None = None) -> LutNetwork:
    """The network's tables."""
    return one_input.to_ir(model, meta) if isinstance(model, OneInputNet) else to_ir(model, meta)


def check_codes(model: Net, network: LutNetwork, x: np.ndarray) -> np.ndarray:
    """Output codes of the tables, after comparing every layer with the network's own codes on `x`.

    Raises:
        EquivalenceError: a code differs.
    """
    own, inputs = model.codes(x), network.quantise(x)
    layers = network.reference_layers(inputs)
    if isinstance(model, OneInputNet):
        layers = layers[1::2]  # the sums; tables of single edges stand between them
    for i, (a, b) in enumerate(zip(own, [inputs, *layers], strict=True)):
        if wrong := int((a != b).sum()):
            raise EquivalenceError.of(
                f"signals after layer {i - 1}: network and tables differ", f"{wrong} codes", "none", "Report a defect."
            )
    return layers[-1]


def run(
    spec: RunSpec, out: Path, progress: Progress | None = None, device: str = "auto", **data_options: Any
) -> dict[str, Any]:
    """Train, export, check and summarise one run in folder `out`; returns the summary."""
    started = time.time()
    task = load_task(spec.data, **data_options)
    model, result = train_network(spec, task, out, progress, device)
    save_atomic(model.state_dict(), out / "model.pt")
    meta = {"data": task.dataset.variant, "run": json.dumps(asdict(spec), sort_keys=True)}
    network = tables_of(model, meta)
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
        "margin": {k: v for k, v in network.meta.items() if k not in meta and k != "network"},
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
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--quiet", action="store_true")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    options = vars(_parser().parse_args(arguments))
    out, threads, quiet, device = (options.pop(name) for name in ("out", "threads", "quiet", "device"))
    torch.set_num_threads(threads)

    def tell(done: int, total: int, note: str) -> None:
        print(f"{done}/{total} {note}", file=sys.stderr, flush=True)

    try:
        if threads < 1:
            raise UsageError.of("--threads", threads, "at least 1", "Change it.")
        summary = run(RunSpec(**options), out, None if quiet else tell, device)
    except HwsimError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    summary.pop("history")
    print(json.dumps(summary, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
