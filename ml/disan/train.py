"""One trainer for every encoder: equal data, schedule and selection; killed trainings go on from their checkpoint.

| | paper (authors' code) | default here |
|---|---|---|
| optimiser | Adadelta, rate 0.5, batch 64 | AdamW, rate 1e-3, half a cosine: as good in a tenth of the steps |
| L2 | 5e-5 (SNLI), 1e-4 (SST) of ½‖W‖², matrices only | the same factor as an argument, 0 |
| kept inputs | 0.75 (SNLI), 0.7 (SST) | 0.7 |
| selection | best development accuracy | the same; the last epoch where the development part is trained on (`hold`) |
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from hwsim.ir.errors import DataError, HwsimError, UsageError
from ml.common.device import choose
from ml.common.seed import derive
from ml.common.train import FitConfig, FitResult, Loss, Progress, Trainer
from ml.disan.encoders import NAMES, encoder, equal_width
from ml.disan.encoders import parameters as size_of
from ml.disan.examples import Batches, accuracy
from ml.disan.model import SentenceModel
from ml.disan.tasks import Task


class DivergedError(HwsimError):
    """The loss is not a number any more."""


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training besides the task.

    Attributes:
        encoder: one of `ml.disan.encoders.NAMES`.
        d: DiSAN's d; other encoders get the width that makes them equally large.
        epochs, batch, lr, optimiser: see `ml.common.train.FitConfig`; ``"adadelta"`` is the paper's.
        dropout: share of dropped inputs of linear maps.
        l2: factor of ½‖W‖² over all weight matrices but the word vectors.
        tune: train the word vectors.
        words_rate: learning rate of the word vectors over `lr`; a word is in few of the batches.
        smoothing: share of every label that is spread over all classes.
        hold: keep the development part out and choose the epoch that does best on it; without, it is trained on too,
            and the last epoch is kept.
        share: part of the training examples that an epoch sees, besides those of `Task.always`.
        seed: of start values and batches.

    Raises:
        UsageError: a value out of range.
    """

    encoder: str = "disan"
    d: int = 100
    epochs: int = 10
    batch: int = 64
    lr: float = 1e-3
    optimiser: str = "adamw"
    dropout: float = 0.3
    l2: float = 0.0
    tune: bool = True
    words_rate: float = 1.0
    smoothing: float = 0.0
    hold: bool = True
    share: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.encoder not in NAMES:
            raise UsageError.of("encoder", repr(self.encoder), f"one of {', '.join(NAMES)}", "Correct the name.")
        if not 0 <= self.dropout < 1 or self.l2 < 0 or self.d < 1:
            got = f"dropout {self.dropout}, l2 {self.l2}, d {self.d}"
            raise UsageError.of("recipe", got, "dropout in [0, 1), l2 ≥ 0, d ≥ 1", "Change it.")
        if not self.words_rate > 0 or not 0 <= self.smoothing < 1:
            got = f"words_rate {self.words_rate}, smoothing {self.smoothing}"
            raise UsageError.of("recipe", got, "words_rate > 0, smoothing in [0, 1)", "Change it.")
        self.schedule()

    def schedule(self) -> FitConfig:
        """Optimiser and learning rate over training; the paper's rate stays constant."""
        final = 1.0 if self.optimiser == "adadelta" else 0.0
        return FitConfig(self.epochs, self.lr, (0.9, 0.999), optimiser=self.optimiser, final=final)


def build(task: Task, recipe: Recipe) -> SentenceModel:
    """The untrained network of a recipe for a task."""
    n_in = task.vectors.shape[1] + task.n_states
    like = size_of(encoder("disan", n_in, recipe.d))
    d = recipe.d if recipe.encoder == "disan" else equal_width(recipe.encoder, n_in, like)
    return SentenceModel(
        torch.from_numpy(task.vectors), recipe.encoder, d, task.dataset.n_classes, pairs=task.pairs,
        dropout=recipe.dropout, n_states=task.n_states, tune=recipe.tune, hidden=recipe.d, seed=recipe.seed,
    )  # fmt: skip


def train(
    task: Task, recipe: Recipe, *, checkpoint: Path | None = None, progress: Progress | None = None, device: str = "cpu"
) -> tuple[SentenceModel, FitResult]:
    """Train a network; it holds the weights of the best development accuracy, in evaluation mode.

    With `Recipe.hold` off it holds the last ones, and `val` in the history is the accuracy on examples it has seen.

    Dropout masks are drawn from torch's global generator inside a fork that `recipe.seed` starts, epoch by epoch, so
    that a resumed training ends with the same bytes.

    Raises:
        DivergedError: the loss is NaN or infinite.
        DataError: the checkpoint is damaged, or of another recipe.

    Example:
        >>> from ml.disan.tasks import load_task
        >>> task = load_task("word_order", embedding="random")
        >>> model, result = train(task, Recipe(d=8, epochs=1, share=0.1))
        >>> len(result.history)
        1
    """
    model = build(task, recipe).to(choose(device))
    seen = task.train if recipe.hold else task.train.joined(task.dev)
    trainer = Trainer(
        model, Batches(seen, recipe.batch, recipe.seed, recipe.share, task.always), lambda m: accuracy(m, task.dev),
        recipe.schedule(), checkpoint=checkpoint, on_epoch=_seeded(recipe), progress=progress, loss=_loss(recipe),
        parameters=_groups(recipe), select=recipe.hold,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        try:
            result = trainer.fit()
        except (pickle.UnpicklingError, EOFError, KeyError, RuntimeError) as error:
            if checkpoint is None or not checkpoint.exists() or trainer.epoch:
                raise
            mend = "Remove it; training then begins anew."
            raise DataError.of(f"checkpoint {checkpoint}", error, f"one of {asdict(recipe)}", mend) from error
    return model.eval(), result


def _seeded(recipe: Recipe) -> Callable[[nn.Module, torch.optim.Optimizer, int], None]:
    """Starts torch's generator, which dropout draws from, by (seed, epoch)."""

    def on_epoch(model: nn.Module, optimiser: torch.optim.Optimizer, epoch: int) -> None:
        torch.manual_seed(derive(recipe.seed, "dropout", epoch))

    return on_epoch


def _groups(recipe: Recipe) -> Callable[[nn.Module], list[Any]]:
    """What the optimiser gets: all that is trained, the word vectors apart where their rate is another."""

    def parameters(model: nn.Module) -> list[Any]:
        named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        if recipe.words_rate == 1:
            return [p for _, p in named]
        words = {"params": [p for name, p in named if name.startswith("words")], "lr": recipe.lr * recipe.words_rate}
        return [{"params": [p for name, p in named if not name.startswith("words")]}, words]

    return parameters


def _loss(recipe: Recipe) -> Loss:
    """Cross-entropy with the paper's L2 term; raises when it is not finite."""

    def loss(model: nn.Module, scores: Tensor, labels: Tensor) -> Tensor:
        value = functional.cross_entropy(scores, labels, label_smoothing=recipe.smoothing)
        if recipe.l2:
            matrices = [p for n, p in model.named_parameters() if p.ndim > 1 and p.requires_grad and "words" not in n]
            value = value + recipe.l2 / 2 * sum((p * p).sum() for p in matrices)
        if not math.isfinite(float(value.detach())):
            mend = "Lower lr, or look for NaN in the data."
            raise DivergedError.of(f"loss of {recipe.encoder}", float(value.detach()), "a finite number", mend)
        return value

    return loss
