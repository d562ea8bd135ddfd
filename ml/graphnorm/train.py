"""Training of one network on one split: the paper's recipe, every epoch's accuracies kept.

Adam, rate 0.01 falling to 0 in a straight line, batches of 128 graphs (paper, appendix; authors' code). The training
accuracy is that of the batches while they are learned from. Dropout acts on the scores, as in the authors' code, and
the accuracy is taken before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from hwsim.ir.errors import HwsimError, UsageError
from ml.common.seed import numpy_generator, torch_generator
from ml.common.train import FitConfig, Trainer
from ml.graphnorm.graphs import Batch, GraphSet
from ml.graphnorm.models import GraphNetwork

EVALUATION_BATCH = 512
Progress = Callable[[int, int, str], None]


class NotFiniteError(HwsimError):
    """The training loss became NaN or infinite."""


@dataclass(frozen=True)
class Recipe:
    """What a training is, besides its graphs.

    Attributes:
        norm: see `ml.graphnorm.norms.norm`.   layer: ``"gin"`` or ``"gcn"``.   readout: ``"sum"`` or ``"mean"``.
        hidden, depth: channels and layers.   dropout: on the scores.   learn_epsilon: train ξ.
        epochs, lr, batch: of the optimiser.   seed: start values, order of batches, dropout.
        device: see `ml.common.device.choose`.
        target: stop once the training accuracy of an epoch reaches it; above 1 for never.

    Raises:
        UsageError: batch or dropout out of range; others when the network or the optimiser is made.
    """

    norm: str = "graph"
    layer: str = "gin"
    readout: str = "sum"
    hidden: int = 64
    depth: int = 4
    dropout: float = 0.5
    learn_epsilon: bool = True
    epochs: int = 400
    lr: float = 0.01
    batch: int = 128
    seed: int = 0
    device: str = "cpu"
    target: float = 2.0

    def __post_init__(self) -> None:
        if self.batch < 1 or not 0 <= self.dropout < 1:
            got = f"batches of {self.batch}, dropout {self.dropout}"
            raise UsageError.of("recipe", got, "batches of 1 or more, dropout in [0, 1)", "Change it.")

    def network(self, graphs: GraphSet) -> GraphNetwork:
        """A fresh network for these graphs."""
        return GraphNetwork(
            graphs.n_features, graphs.n_classes, hidden=self.hidden, depth=self.depth, layer=self.layer,
            norm_name=self.norm, readout=self.readout, learn_epsilon=self.learn_epsilon, seed=self.seed,
        )  # fmt: skip


@dataclass
class Curves:
    """Accuracies after each epoch, in [0, 1], and losses."""

    train: list[float] = field(default_factory=list)
    test: list[float] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Batches:
    """Batches of graphs in an order drawn from (seed, epoch); the last one may be smaller."""

    graphs: GraphSet
    indices: NDArray[np.int64]
    size: int
    seed: int

    @property
    def steps(self) -> int:
        return -(-len(self.indices) // self.size)

    def epoch(self, epoch: int) -> Iterator[tuple[Batch, Tensor]]:
        """(batch, labels) pairs; a single graph that is left over joins the batch before it."""
        order = self.indices[numpy_generator(self.seed, "order", epoch).permutation(len(self.indices))]
        ends = [*range(self.size, len(order), self.size), len(order)]
        if len(ends) > 1 and ends[-1] - ends[-2] == 1:  # batch norm of one graph of one node has no variance
            del ends[-2]
        for first, last in zip([0, *ends[:-1]], ends, strict=True):
            part = order[first:last]
            yield self.graphs.batch(part), torch.from_numpy(self.graphs.labels[part])


class _Reached(Exception):
    """The target is reached: a signal, not an error."""


class _Recorder:
    """Loss of the trainer; counts right answers on the way."""

    def __init__(self, recipe: Recipe, progress: Progress | None) -> None:
        self.recipe, self.progress, self.curves = recipe, progress, Curves()
        self._draw = torch_generator(recipe.seed, "dropout")
        self._right = self._count = self._loss = 0.0

    def loss(self, _: nn.Module, scores: Tensor, labels: Tensor) -> Tensor:
        """Mean cross-entropy after dropout; raises `NotFiniteError`."""
        kept = torch.rand(scores.shape, generator=self._draw).to(scores.device) >= self.recipe.dropout
        value = functional.cross_entropy(scores * kept / (1.0 - self.recipe.dropout), labels)
        number = float(value.detach())
        if not np.isfinite(number):
            mend = "Lower lr, or look at the data."
            raise NotFiniteError.of(f"loss in epoch {len(self.curves.loss)}", number, "a finite number", mend)
        self._right += float((scores.detach().argmax(1) == labels).sum())
        self._count += len(labels)
        self._loss += number * len(labels)
        return value

    def close(self, test: float) -> None:
        """An epoch ended with this accuracy on held-out graphs."""
        self.curves.train.append(self._right / self._count)
        self.curves.loss.append(self._loss / self._count)
        self.curves.test.append(test)
        self._right = self._count = self._loss = 0.0
        if self.progress:
            note = f"training {self.curves.train[-1]:.3f}, test {test:.3f}"
            self.progress(len(self.curves.train), self.recipe.epochs, note)
        if self.curves.train[-1] >= self.recipe.target:
            raise _Reached


def fit(
    graphs: GraphSet,
    train: NDArray[np.int64],
    test: NDArray[np.int64],
    recipe: Recipe,
    progress: Progress | None = None,
) -> tuple[GraphNetwork, Curves]:
    """Train on some graphs, judge after every epoch on others (none: NaN).

    Returns:
        The network after the last epoch, in evaluation mode, and its curves.

    Raises:
        UsageError: no graph to train on, or a wrong recipe.   NotFiniteError: the loss is NaN.

    Example:
        >>> from ml.common.data import load
        >>> graphs = GraphSet.of(load("motif_graphs"))
        >>> index = np.arange(len(graphs))
        >>> model, curves = fit(graphs, index[:200], index[200:], Recipe(hidden=8, depth=2, epochs=2))
        >>> len(curves.test)
        2
    """
    from ml.common.device import choose

    if not len(train):
        raise UsageError.of("training graphs", 0, "1 or more", "Pass indices of graphs to train on.")
    model = recipe.network(graphs).to(choose(recipe.device))
    recorder = _Recorder(recipe, progress)
    config = FitConfig(recipe.epochs, recipe.lr, betas=(0.9, 0.999), schedule="linear")

    def evaluate(network: nn.Module) -> float:
        recorder.close(accuracy(network, graphs, test))
        return 0.0

    batches: Any = Batches(graphs, np.asarray(train, np.int64), recipe.batch, recipe.seed)
    with suppress(_Reached):
        Trainer(model, batches, evaluate, config, select=False, loss=recorder.loss).fit()
    return model.eval(), recorder.curves


@torch.no_grad()
def accuracy(model: nn.Module, graphs: GraphSet, indices: NDArray[np.int64]) -> float:
    """Share of the chosen graphs that the network classifies rightly in evaluation mode; NaN for none."""
    if not len(indices):
        return float("nan")
    was, right = model.training, 0
    model.eval()
    device = next(model.parameters()).device
    for at in range(0, len(indices), EVALUATION_BATCH):
        part = indices[at : at + EVALUATION_BATCH]
        scores = model(graphs.batch(part).to(device)).cpu()
        right += int((scores.argmax(1) == torch.from_numpy(graphs.labels[part])).sum())
    model.train(was)
    return right / len(indices)
