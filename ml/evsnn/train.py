"""Train a spiking network by STD-ED, MPD-ED or a baseline, and report its accuracy.

`python -m ml.evsnn.train --method std --data mnist --net 784-400-10 --epochs 30 --out build/train/evsnn/mnist-std-s0`

The run's folder holds ``checkpoint.pt`` (resumed automatically), ``model.pt`` (selected state) and ``summary.json``.
The epoch is selected by accuracy on a part held out of the training set; the test set is read once, after training.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from hwsim.ir.errors import HwsimError, UsageError
from ml.common.device import choose
from ml.common.train import FitConfig, FitResult, Progress, Trainer, save_atomic
from ml.evsnn.mpd import ADAPTS, MpdNet, MpdRule
from ml.evsnn.potential import MASKS, SURROGATES, LifRule
from ml.evsnn.shape import parse
from ml.evsnn.spike_time import Threshold
from ml.evsnn.std import StdNet, StdRule
from ml.evsnn.tasks import Task, accuracy, load_task

SELECTION = "highest validation accuracy; the later epoch on ties"
TAU_GRAD = 5.5  # steps, backward kernel of multi-spike STD-ED (Zhu 2022)
TAU_SYNAPSE = 3.0  # steps, synapse of TSSL-BP

# method: (what it is, mask, surrogate); an empty mask means one spike a neuron
METHODS = {
    "std": ("STD-ED, falling threshold", "", ""),
    "stdbp": ("STDBP, constant threshold", "", ""),
    "std_multi": ("STD-ED, many spikes a neuron", "spike", "slope"),
    "mpd": ("MPD-ED", "spike", "triangle"),
    "stbp": ("STBP, every step", "none", "triangle"),
    "tssl": ("TSSL-BP", "tssl", "slope"),
}


@dataclass(frozen=True)
class RunSpec:
    """Everything that decides a run's result.

    method: one of `METHODS`; net: shape in the notation of `ml.evsnn.shape`; steps: T of the step methods, also of
    event frames; adapt, theta, leak, quiet, gain, target: see `MpdRule`; mask, surrogate: other than the method's;
    mean, spread, levels, wake, wanted, ticks, bits, fraction, gain_max: see `StdRule` and `Threshold`; shift, moved,
    mirror: augmentation; start: ``model.pt`` of another run to start from.
    """

    method: str = "std"
    net: str = "64-100-10"
    data: str = "digits"
    seed: int = 0
    epochs: int = 40
    batch: int = 128
    lr: float = 0.05
    warmup: float = 0.0
    decay: float = 0.0
    smoothing: float = 0.0
    shift: int = 0
    moved: float = 1.0
    mirror: bool = False
    steps: int = 4
    adapt: str = "fixed"
    theta: float = 1.0
    leak: float = 0.5
    gain: float = 1.5
    quiet: float = 0.0
    target: float = 0.1
    mask: str = ""
    surrogate: str = ""
    width: float = 1.0
    mean: float = 0.0
    gain_max: float = 8.0
    spread: float = 1.0
    levels: bool = True
    wake: float = 10.0
    wanted: float = 0.05
    ticks: int = 0
    bits: int = 0
    fraction: int = 0
    start: str = ""

    def build(self) -> StdNet | MpdNet:
        """The untrained network.

        Raises:
            UsageError: unknown method, or a rule or shape that breaks its own ranges.
        """
        if self.method not in METHODS:
            raise UsageError.of("method", repr(self.method), f"one of {', '.join(METHODS)}", "Change --method.")
        shape = parse(self.net)
        mask, surrogate = (a or b for a, b in zip((self.mask, self.surrogate), METHODS[self.method][1:], strict=True))
        if not METHODS[self.method][1]:
            threshold = Threshold(slope=1.0 if self.method == "std" else 0.0, gain_max=self.gain_max)
            analogue = shape.inputs[0] == 3
            rule = StdRule(
                threshold, self.mean, self.spread, self.ticks, self.bits, self.fraction, self.wake, self.wanted,
                analogue,
            )  # fmt: skip
            return StdNet(shape, rule, self.seed)
        multi = self.method == "std_multi"
        lif = LifRule(
            1.0 if multi else self.leak, mask, surrogate, self.width, math.exp(-1 / TAU_GRAD) if multi else None
        )
        synapse = TAU_SYNAPSE if self.method == "tssl" else 0.0
        mpd = MpdRule(
            lif, self.steps, self.adapt, self.theta, self.target, synapse, self.gain, self.quiet, self.wake / 10,
            self.wanted, self.levels,
        )  # fmt: skip
        return MpdNet(shape, mpd, self.seed)


def parameter_groups(lr: float) -> Callable[[torch.nn.Module], list[dict[str, Any]]]:
    """Optimiser groups: a weight tensor learns at lr/√fan-in, the scale of its start values, all else at lr/10."""

    def groups(model: torch.nn.Module) -> list[dict[str, Any]]:
        out = []
        for parameter in model.parameters():
            rate = lr / parameter[0].numel() ** 0.5 if parameter.dim() > 1 else lr / 10
            out.append({"params": [parameter], "lr": rate})
        return out

    return groups


def train_network(
    spec: RunSpec, task: Task, out: Path | None = None, progress: Progress | None = None, device: str = "auto"
) -> tuple[StdNet | MpdNet, FitResult]:
    """Train (or resume) one network on `device`; it is returned on the CPU, selected, in evaluation mode."""
    model = spec.build()
    if spec.start:
        model.load_state_dict(torch.load(spec.start, weights_only=True))
    model.to(choose(device))
    smoothing = spec.smoothing
    trainer = Trainer(
        model,
        task.batches(spec.batch, spec.seed, spec.shift, spec.moved, spec.mirror),
        partial(accuracy, task=task, x=task.x_val, y=task.y_val),
        FitConfig(spec.epochs, spec.lr, (0.9, 0.999), weight_decay=spec.decay, warmup=spec.warmup),
        checkpoint=out / "checkpoint.pt" if out else None,
        parameters=parameter_groups(spec.lr),
        progress=progress,
        loss=lambda net, scores, labels: net.loss(scores, labels, smoothing),  # type: ignore[operator]
    )
    with _denormals_are_zero():
        result = trainer.fit()
    return model.cpu().eval(), result


@contextmanager
def _denormals_are_zero() -> Iterator[None]:
    """Decaying potentials pass through denormals, which take many times as long; the process keeps its own mode."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def run(
    spec: RunSpec, out: Path, progress: Progress | None = None, device: str = "auto", **data_options: Any
) -> dict[str, Any]:
    """Train and summarise one run in folder `out`; returns the summary."""
    task = load_task(spec.data, spec.steps, **data_options)
    model, result = train_network(spec, task, out, progress, device)
    save_atomic(model.state_dict(), out / "model.pt")
    summary = {
        "spec": asdict(spec),
        "method": METHODS[spec.method][0],
        "data": task.dataset.provenance(),
        "selection": SELECTION,
        "best_epoch": result.best_epoch,
        "val_accuracy": result.best_accuracy,
        "test_accuracy": accuracy(model, task, task.x_test, task.dataset.y_test),
        "wall_s": result.wall_s,
        "cpu_s": result.cpu_s,
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "history": result.history,
    }
    (out / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")
    return summary


def restore(out: Path) -> tuple[StdNet | MpdNet, RunSpec]:
    """The network that the run in folder `out` selected, in evaluation mode, and the run's specification."""
    spec = RunSpec(**json.loads((out / "summary.json").read_text())["spec"])
    model = spec.build()
    model.load_state_dict(torch.load(out / "model.pt", weights_only=True))
    return model.eval(), spec


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ml.evsnn.train", description="Train a spiking network.")
    choices = {"method": tuple(METHODS), "adapt": ADAPTS, "mask": ("", *MASKS), "surrogate": ("", *SURROGATES)}
    for name, value in asdict(RunSpec()).items():
        if isinstance(value, bool):
            parser.add_argument(f"--{name}", action=argparse.BooleanOptionalAction, default=value)
        else:
            parser.add_argument(f"--{name}", type=type(value), default=value, choices=choices.get(name))
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--quiet-log", action="store_true", help="no progress lines")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    options = vars(_parser().parse_args(arguments))
    out, threads, silent, device = (options.pop(name) for name in ("out", "threads", "quiet_log", "device"))

    def tell(done: int, total: int, note: str) -> None:
        print(f"{done}/{total} {note}", file=sys.stderr, flush=True)

    try:
        if threads < 1:
            raise UsageError.of("--threads", threads, "at least 1", "Change it.")
        torch.set_num_threads(threads)
        summary = run(RunSpec(**options), out, None if silent else tell, device)
    except HwsimError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    summary.pop("history")
    print(json.dumps(summary, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
