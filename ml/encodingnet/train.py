"""Train a float network, then fine-tune its integer twin on exact and on encoded products, with one budget for all.

`python -m ml.encodingnet.train --data digits --net lenet --arms exact m40 m32 m32-trained --out build/digits`

An *arm* is a product unit and a way to train: ``exact``; ``m40`` an encoding of 40 wide bits under all layers;
``m32-trained`` the same with position weights trained in every layer. The run's folder holds a checkpoint a stage
(resumed automatically), ``<arm>.hwir.safetensors`` and ``summary.json``. Defaults follow the paper's code
(models/my_quant_layer.py, Code_2_finetune_models.py): 8-bit signed codes, ranges from ten batches, straight-through
gradients, SGD with momentum 0.9, range rate 1e-5, 25 epochs. The test set is read once, after training, by the
integer network.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hwsim.encodingnet.encodings import exact
from hwsim.ir import io
from hwsim.ir.encoding import Encoding
from hwsim.ir.errors import UsageError
from ml.common.convert import QuantModel, quantise
from ml.common.train import FitConfig, Progress, Trainer, save_atomic
from ml.encodingnet.model import build
from ml.encodingnet.tasks import Batches, Task, accuracy, load_task
from ml.encodingnet.units import unit_for

TRAINED = "-trained"


@dataclass(frozen=True)
class RunSpec:
    """Everything that decides a run's result.

    epochs, lr, decay: of the float network (SGD); tune_*: of the fine-tuning of every arm.
    alpha_lr: rate of the ranges; position_lr: of trained position weights, relative to their start.
    shift, flip: augmentation, in both stages. per_channel: weight scales (the paper: one a layer).
    """

    data: str = "digits"
    net: str = "lenet"
    seed: int = 0
    batch: int = 128
    epochs: int = 30
    lr: float = 0.1
    decay: float = 5e-4
    shift: int = 0
    flip: bool = False
    tune_epochs: int = 25
    tune_lr: float = 1e-4
    tune_decay: float = 1e-4
    optimiser: str = "sgd"
    alpha_lr: float = 1e-5
    position_lr: float = 1e-5
    gradient: str = "ste"
    per_channel: bool = True

    def tuning(self) -> FitConfig:
        return FitConfig(
            self.tune_epochs, self.tune_lr, (0.9, 0.999), weight_decay=self.tune_decay, optimiser=self.optimiser
        )


def train_float(
    spec: RunSpec, task: Task, out: Path | None = None, progress: Progress | None = None
) -> tuple[nn.Module, float]:
    """Train (or resume) the float network; (network in evaluation mode, seconds)."""
    model = build(spec.net, task.shape, task.dataset.n_classes, spec.seed)
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    config = FitConfig(spec.epochs, spec.lr, weight_decay=spec.decay, warmup=1, optimiser="sgd")
    trainer = Trainer(
        model,
        Batches(task.x_train, task.y_train, spec.batch, spec.seed, spec.shift, spec.flip),
        lambda m: accuracy(m, task.x_val, task.y_val),
        config,
        checkpoint=out / "float.pt" if out else None,
        progress=progress,
        select=False,
    )
    result = trainer.fit()
    return model.eval(), result.wall_s


def start_arm(spec: RunSpec, task: Task, model: nn.Module, encoding: Encoding, trained: bool) -> QuantModel:
    """The integer twin of a float network before fine-tuning."""
    data = task.calibration()
    options: dict[str, Any] = {"per_channel": spec.per_channel, "n_classes": task.dataset.n_classes}
    meta = {"network": spec.net, "data": task.dataset.variant}
    twin = quantise(model, data, encoding, correct="none" if trained else "sums", meta=meta, **options)
    if trained:
        twin.train_positions(data[:256])
        twin.correct_sums(data[:256])
    twin.set_gradient(spec.gradient)
    return twin


def _groups(spec: RunSpec, twin: QuantModel) -> list[dict[str, Any]]:
    """Parameter groups: weights decay; ranges and position weights have rates of their own."""
    scales, positions = twin.scales(), twin.positions()
    special = {id(p) for p in (*scales, *positions)}
    rest = [p for p in twin.parameters() if p.requires_grad and id(p) not in special]
    groups = [{"params": rest, "lr": spec.tune_lr}, {"params": scales, "lr": spec.alpha_lr, "weight_decay": 0.0}]
    if positions:
        groups.append({"params": positions, "lr": spec.position_lr, "weight_decay": 0.0})
    return groups


def tune(
    spec: RunSpec, task: Task, twin: QuantModel, checkpoint: Path | None = None, progress: Progress | None = None
) -> float:
    """Fine-tune (or resume) an integer twin; seconds. It ends in evaluation mode."""
    trainer = Trainer(
        twin,
        Batches(task.x_train, task.y_train, spec.batch, spec.seed + 1, spec.shift, spec.flip),
        lambda m: accuracy(m.graph, task.x_val, task.y_val),  # type: ignore[arg-type]
        spec.tuning(),
        checkpoint=checkpoint,
        parameters=lambda m: _groups(spec, twin),
        progress=progress,
        select=False,
    )
    result = trainer.fit()
    twin.eval()
    return result.wall_s


def run(
    spec: RunSpec,
    arms: Iterable[str],
    out: Path,
    progress: Progress | None = None,
    encodings: Mapping[str, Encoding] | None = None,
    **data_options: Any,
) -> dict[str, Any]:
    """Train, fine-tune every arm, write artifacts and the summary to folder `out`; returns the summary.

    Args:
        arms: names as in the module's docstring.
        encodings: product units by name (``"m40"``); default: `ml.encodingnet.units.unit_for`.

    Raises:
        UsageError: an unknown arm, network or data set.
    """
    started = time.time()
    out.mkdir(parents=True, exist_ok=True)
    task = load_task(spec.data, **data_options)
    model, seconds = train_float(spec, task, out, progress)
    x_test, y_test = task.test()
    report: dict[str, Any] = {"spec": asdict(spec), "data": task.dataset.provenance(), "float_s": seconds}
    report["float_accuracy"] = accuracy(model, x_test, y_test)
    report["arms"] = {}
    for arm in arms:
        name = arm.removesuffix(TRAINED)
        encoding = exact(8, 8) if name == "exact" else (encodings or {}).get(name) or unit_for(name)
        twin = start_arm(spec, task, model, encoding, arm.endswith(TRAINED)).eval()
        before = accuracy(twin, x_test, y_test)
        wall = tune(spec, task, twin, out / f"{arm}.pt", progress)
        network = dataclasses.replace(twin.to_ir(), meta={**twin.meta, "arm": arm, "unit": _unit_text(encoding)})
        report["arms"][arm] = {
            "wide_bits": encoding.n_bits,
            "accuracy_before": before,
            "accuracy": accuracy(twin, x_test, y_test),
            "tune_s": wall,
            "artifact": io.save(network, out / f"{arm}{io.SUFFIX}"),
        }
        save_atomic(twin.state_dict(), out / f"{arm}.state.pt")
        report["wall_s"] = time.time() - started
        (out / "summary.json").write_text(json.dumps(report, indent=1, sort_keys=True) + "\n")
    return report


def _unit_text(encoding: Encoding) -> str:
    return json.dumps({"wide_bits": encoding.n_bits, **encoding.meta}, sort_keys=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ml.encodingnet.train", description=__doc__.split("\n")[0])
    for field in dataclasses.fields(RunSpec):
        name = "--" + field.name.replace("_", "-")
        if isinstance(field.default, bool):
            parser.add_argument(name, action=argparse.BooleanOptionalAction, default=field.default)
        else:
            parser.add_argument(name, type=type(field.default), default=field.default)
    parser.add_argument("--arms", nargs="*", default=["exact", "m40", "m32", "m32-trained"])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=0, help="CPU threads, 0 for torch's choice")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Command line; prints the summary on stdout and progress on stderr."""
    args = vars(_parser().parse_args(argv))
    arms, out, threads = args.pop("arms"), args.pop("out"), args.pop("threads")
    if threads:
        torch.set_num_threads(threads)

    def progress(done: int, total: int, note: str) -> None:
        print(f"{done}/{total} {note}", file=sys.stderr, flush=True)

    try:
        print(json.dumps(run(RunSpec(**args), arms, out, progress), indent=1, sort_keys=True))
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
