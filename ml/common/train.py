"""A training loop that can be killed: fixed seeds, cosine schedule, atomic checkpoints, exact resume.

Everything that a later epoch needs is in the checkpoint: parameters, buffers, optimiser state, the best
state so far and the history. Randomness comes from (seed, epoch), so that a resumed run ends with the same
bytes as an uninterrupted one. The kept state is the one with the best *validation* accuracy; the test set
is not known here.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from hwsim.ir.errors import UsageError

Progress = Callable[[int, int, str], None]
Loss = Callable[[nn.Module, Tensor, Tensor], Tensor]


class Batches(Protocol):
    """Training data: `epoch(e)` yields (x, labels) batches, the same ones for the same e; x has `to(device)`."""

    @property
    def steps(self) -> int: ...

    def epoch(self, epoch: int) -> Iterator[tuple[Any, Tensor]]: ...


@dataclass(frozen=True)
class FitConfig:
    """Optimiser and schedule.

    lr falls from `lr` to `lr·final` by half a cosine over all steps after `warmup` epochs of linear rise, or in a
    straight line with schedule="linear".
    optimiser: "adamw" with `betas`, "sgd" with `momentum`, or "adadelta".

    Raises:
        UsageError: a value outside its range.
    """

    epochs: int
    lr: float = 3e-3
    betas: tuple[float, float] = (0.5, 0.999)  # the paper's code
    weight_decay: float = 0.0
    warmup: float = 0.0
    final: float = 0.0
    label_smoothing: float = 0.0
    check_every: int = 1
    optimiser: str = "adamw"
    momentum: float = 0.9
    schedule: str = "cosine"

    def __post_init__(self) -> None:
        if self.optimiser not in ("adamw", "sgd", "adadelta"):
            raise UsageError.of("optimiser", repr(self.optimiser), "'adamw' or 'sgd' or 'adadelta'", "Change it.")
        if self.schedule not in ("cosine", "linear"):
            raise UsageError.of("schedule", repr(self.schedule), "'cosine' or 'linear'", "Change it.")
        for name, good in (("epochs", self.epochs >= 1), ("lr", self.lr > 0), ("check_every", self.check_every >= 1)):
            if not good:
                raise UsageError.of(f"{name} out of range", getattr(self, name), "a positive number", "Change it.")

    def build(self, groups: Any) -> torch.optim.Optimizer:
        """The optimiser over parameters or parameter groups (a group's own "lr" keeps its ratio to `lr`)."""
        if self.optimiser == "sgd":
            return torch.optim.SGD(groups, lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay)
        if self.optimiser == "adadelta":
            return torch.optim.Adadelta(groups, lr=self.lr, weight_decay=self.weight_decay)
        return torch.optim.AdamW(groups, lr=self.lr, betas=self.betas, weight_decay=self.weight_decay, fused=True)

    def rate(self, step: int, steps: int) -> float:
        """Learning rate of step `step` (0-based) of an epoch-wise total of `steps` an epoch."""
        rise, total = self.warmup * steps, self.epochs * steps
        if step < rise:
            return self.lr * (step + 1) / rise
        phase = (step - rise) / max(total - rise, 1)
        left = 1 - phase if self.schedule == "linear" else 0.5 * (1 + math.cos(math.pi * phase))
        return self.lr * (self.final + (1 - self.final) * left)


@dataclass
class FitResult:
    """What a finished fit leaves: the selected epoch and its validation accuracy, history, seconds."""

    best_epoch: int = -1
    best_accuracy: float = -1.0
    history: list[dict[str, float]] = field(default_factory=list)
    wall_s: float = 0.0
    cpu_s: float = 0.0


def save_atomic(value: Any, path: Path) -> None:
    """torch.save that leaves the old file whole when it is interrupted."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        torch.save(value, part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _snapshot(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


class Trainer:
    """Fits `model` to `batches`, judging by `evaluate(model) → accuracy on held-out data`.

    Batches follow the model to its device. `on_epoch(model, optimiser, epoch)` runs before each epoch and may
    change masks in place. With `select=False` the last state is kept instead of the best one.
    `loss(model, scores, labels)` replaces the cross-entropy.
    """

    def __init__(
        self,
        model: nn.Module,
        batches: Batches,
        evaluate: Callable[[nn.Module], float],
        config: FitConfig,
        *,
        checkpoint: Path | None = None,
        on_epoch: Callable[[nn.Module, torch.optim.Optimizer, int], None] | None = None,
        parameters: Callable[[nn.Module], Any] | None = None,
        progress: Progress | None = None,
        select: bool = True,
        loss: Loss | None = None,
    ) -> None:
        self.loss = loss or self._cross_entropy
        self.select = select
        self.model, self.batches, self.evaluate, self.config = model, batches, evaluate, config
        self.checkpoint, self.on_epoch, self.progress = checkpoint, on_epoch, progress
        groups = parameters(model) if parameters else model.parameters()
        self.optimiser = config.build(groups)
        for group in self.optimiser.param_groups:
            group["base"] = group["lr"] / config.lr
        self.result = FitResult()
        self.best: dict[str, Tensor] = _snapshot(model)
        self.epoch = 0

    def _resume(self) -> None:
        if self.checkpoint is None or not self.checkpoint.exists():
            return
        state = torch.load(self.checkpoint, weights_only=False, map_location="cpu")
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.best, self.result, self.epoch = state["best"], state["result"], state["epoch"]

    def _save(self) -> None:
        if self.checkpoint is None:
            return
        state = {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "best": self.best,
            "result": self.result,
            "epoch": self.epoch,
        }
        save_atomic(state, self.checkpoint)

    def _cross_entropy(self, _: nn.Module, scores: Tensor, labels: Tensor) -> Tensor:
        return functional.cross_entropy(scores, labels, label_smoothing=self.config.label_smoothing)

    def _train_epoch(self) -> float:
        self.model.train()
        total, count, steps = 0.0, 0, self.batches.steps
        device = next(self.model.parameters()).device
        for i, (x, labels) in enumerate(self.batches.epoch(self.epoch)):
            x, labels = x.to(device), labels.to(device)
            rate = self.config.rate(self.epoch * steps + i, steps)
            for group in self.optimiser.param_groups:
                group["lr"] = rate * group["base"]
            scores = self.model(x)
            loss = self.loss(self.model, scores, labels)
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            self.optimiser.step()
            total, count = total + float(loss.detach()) * len(labels), count + len(labels)
        return total / max(count, 1)

    def _judge(self, loss: float) -> None:
        last = self.epoch + 1 == self.config.epochs
        if (self.epoch + 1) % self.config.check_every and not last:
            return
        self.model.eval()
        with torch.no_grad():
            accuracy = self.evaluate(self.model)
        self.result.history.append({"epoch": self.epoch, "loss": loss, "val": accuracy})
        if accuracy >= self.result.best_accuracy:
            self.result.best_accuracy, self.result.best_epoch = accuracy, self.epoch
            self.best = _snapshot(self.model)
        if self.progress:
            note = f"loss {loss:.4f} val {accuracy:.4f} best {self.result.best_accuracy:.4f}"
            self.progress(self.epoch + 1, self.config.epochs, note)

    def fit(self, until: int | None = None) -> FitResult:
        """Train to the last epoch (or stop after epoch `until`); the model ends in its selected state."""
        self._resume()
        wall, cpu = time.monotonic(), time.process_time()
        wall0, cpu0 = self.result.wall_s, self.result.cpu_s
        while self.epoch < min(self.config.epochs, until or self.config.epochs):
            if self.on_epoch:
                self.on_epoch(self.model, self.optimiser, self.epoch)
            self._judge(self._train_epoch())
            self.epoch += 1
            self.result.wall_s = wall0 + time.monotonic() - wall
            self.result.cpu_s = cpu0 + time.process_time() - cpu
            self._save()
        if self.select and self.epoch >= self.config.epochs:
            self.model.load_state_dict(self.best)
        return self.result
