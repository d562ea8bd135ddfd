"""One trainer for every optimiser: equal data, schedule and evaluation, gradient passes counted.

A killed training goes on from its checkpoint and ends with the same bytes. Everything is judged at the clean weights;
with batch norm, its statistics are collected anew there at the end.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

from hwsim.ir.errors import UsageError
from ml.common.train import Batches, Progress, save_atomic
from ml.msam.batchnorm import batch_norms, recalibrate_bn
from ml.msam.guard import RhoGuard
from ml.msam.perturbed import DivergedError, MomentumPerturbed, unperturbed
from ml.msam.recipe import Recipe

RECALIBRATION = 50  # batches; the authors' code takes an epoch
Probe = Callable[["Trainer"], dict[str, float]]


@dataclass
class Outcome:
    """What a training leaves: one row an epoch, gradient passes, seconds."""

    history: list[dict[str, float]] = field(default_factory=list)
    gradients: int = 0
    wall_s: float = 0.0


class Trainer:
    """Fits `model` to `batches` as `recipe` says; use `fit`.

    Args:
        model: trained in place, on its device.
        batches: `epoch(e)` yields (x, labels).
        evaluate: called after every `check_every` epochs at the clean weights.
        checkpoint: file to save to after every epoch, and to go on from.
        probe: measures at the clean weights after an epoch; its figures join the history.
        on_epoch: called before each epoch with (model, optimiser, epoch).
        progress: told (epochs done, all, note).
        amp: mixed precision (bfloat16) on a CUDA device.
        guard: with MSAM and AdamWMSAM, halve a ρ that is too long (`ml.msam.guard.RhoGuard`).
    """

    def __init__(
        self,
        model: nn.Module,
        batches: Batches,
        recipe: Recipe,
        *,
        evaluate: Callable[[nn.Module], float] | None = None,
        check_every: int = 1,
        checkpoint: Path | None = None,
        probe: Probe | None = None,
        on_epoch: Callable[[nn.Module, Optimizer, int], None] | None = None,
        progress: Progress | None = None,
        amp: bool = True,
        guard: bool = False,
    ) -> None:
        self.model, self.batches, self.recipe = model, batches, recipe
        self.evaluate, self.check_every, self.checkpoint = evaluate, check_every, checkpoint
        self.probe, self.on_epoch, self.progress = probe, on_epoch, progress
        self.optimiser = recipe.optimiser(model)
        self.schedule = recipe.schedule()
        self.device = next(model.parameters()).device
        self.amp = amp and self.device.type == "cuda"
        self.outcome, self.epoch = Outcome(), 0
        guarded = guard and isinstance(self.optimiser, MomentumPerturbed)
        self.guard = RhoGuard(model, self.optimiser) if guarded else None  # type: ignore[arg-type]

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """Smoothed cross-entropy of a batch."""
        with torch.autocast("cuda", torch.bfloat16) if self.amp else nullcontext():
            return functional.cross_entropy(self.model(x).float(), y, label_smoothing=self.recipe.smoothing)

    def step(self, x: Tensor, y: Tensor) -> float:
        """One update on a batch; its loss."""

        def closure() -> Any:
            self.optimiser.zero_grad(set_to_none=True)
            loss = self.loss(x, y)
            loss.backward()
            if self.recipe.clip_norm:
                nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip_norm)
            self.outcome.gradients += 1
            return loss.detach()

        value = float(self.optimiser.step(closure))
        if not math.isfinite(value) and not isinstance(self.optimiser, MomentumPerturbed):
            mend = "Lower lr or rho, or look at the data."
            raise DivergedError.of(f"loss in epoch {self.epoch} with {self.recipe.method}", value, "finite", mend)
        if self.guard:
            self.guard.start(value)
        return value

    def _train_epoch(self) -> float:
        self.model.train()
        total, steps = 0.0, self.batches.steps
        for i, (x, y) in enumerate(self.batches.epoch(self.epoch)):
            done = self.epoch * steps + i
            for group in self.optimiser.param_groups:
                group["lr"] = self.schedule.rate(done, steps)
                if "rho" in group:
                    group["rho"] = self.recipe.radius if done >= self.recipe.rho_from * steps else 0.0
            total += self.step(x.to(self.device), y.to(self.device))
        return total / steps

    def _judge(self, loss: float) -> None:
        row = {"epoch": float(self.epoch), "loss": loss}
        last = self.epoch + 1 == self.recipe.epochs
        if last or (self.epoch + 1) % self.check_every == 0:
            with unperturbed(self.optimiser):
                if self.probe:
                    row |= self.probe(self)
                if self.evaluate:
                    row["accuracy"] = self.evaluate(self.model)
        self.outcome.history.append(row)
        if self.progress:
            note = f"{self.recipe.method} loss {loss:.4f}"
            note += f" accuracy {row['accuracy']:.4f}" if "accuracy" in row else ""
            self.progress(self.epoch + 1, self.recipe.epochs, note)

    def fit(self, until: int | None = None) -> Outcome:
        """Train to the last epoch (or stop after epoch `until`); a finished model holds the clean weights.

        Raises:
            DivergedError: the loss or, with the guard's ten chances used, the gradients are not finite.
            UsageError: a checkpoint of another recipe.
        """
        self._resume()
        start, before = time.monotonic(), self.outcome.wall_s
        while self.epoch < min(self.recipe.epochs, until or self.recipe.epochs):
            if self.on_epoch:
                self.on_epoch(self.model, self.optimiser, self.epoch)
            loss = self._train_epoch()
            if self.guard:
                self.guard.check(loss)
            self._judge(loss)
            self.epoch += 1
            self.outcome.wall_s = before + time.monotonic() - start
            self._save()
        if self.epoch >= self.recipe.epochs:
            self._finish()
        return self.outcome

    def _finish(self) -> None:
        if isinstance(self.optimiser, MomentumPerturbed):
            self.optimiser.unperturb()
        if batch_norms(self.model):
            recalibrate_bn(self.model, self.batches.epoch(self.recipe.epochs), RECALIBRATION)
        self.model.eval()

    def _save(self) -> None:
        if self.checkpoint is None:
            return
        extra = {name: getattr(self.optimiser, name) for name in ("count",) if hasattr(self.optimiser, name)}
        draws = getattr(self.optimiser, "generator", None)
        state = {"recipe": asdict(self.recipe), "model": self.model.state_dict(), "epoch": self.epoch,
                 "optimiser": self.optimiser.state_dict(), "outcome": asdict(self.outcome), "extra": extra,
                 "draws": None if draws is None else draws.get_state(),
                 "guard": self.guard.state_dict() if self.guard else None}  # fmt: skip
        save_atomic(state, self.checkpoint)

    def _resume(self) -> None:
        if self.checkpoint is None or not self.checkpoint.exists():
            return
        state: dict[str, Any] = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
        if state["recipe"] != asdict(self.recipe):
            got = f"a checkpoint of {state['recipe']['method']}"
            raise UsageError.of(str(self.checkpoint), got, f"one of {self.recipe}", "Remove it, or change the folder.")
        self.model.load_state_dict(state["model"])  # both as they were: shifted weights, and the shift
        self.optimiser.load_state_dict(state["optimiser"])
        for name, value in state["extra"].items():
            setattr(self.optimiser, name, value)
        if state["draws"] is not None:
            self.optimiser.generator.set_state(state["draws"])  # type: ignore[attr-defined]
        if self.guard and state["guard"]:
            self.guard.load_state_dict(state["guard"])
        self.outcome, self.epoch = Outcome(**state["outcome"]), state["epoch"]
