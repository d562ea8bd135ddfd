"""Raw sentences to vectors: a trained network with its vocabulary behind one call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hwsim.ir.errors import DataError
from ml.common.datasets.sentences import texts, tokenise
from ml.common.train import Progress, save_atomic
from ml.disan.examples import examples
from ml.disan.model import SentenceModel
from ml.disan.tasks import Task, load_task
from ml.disan.train import Recipe, train
from ml.disan.vocabulary import Vocabulary

BATCH = 256


class SentenceEncoder:
    """Sentence vectors of a trained model; any callable of this face can take its place.

    Args:
        model: trained network.   vocabulary: the words its vectors stand for.

    Example:
        >>> from ml.disan.tasks import load_task
        >>> task = load_task("word_order", embedding="random")
        >>> encoder = SentenceEncoder.untrained(task, Recipe(d=8))
        >>> encoder.encode(["North of the river.", "East or west?"]).shape, encoder.width
        ((2, 16), 16)
    """

    def __init__(self, model: SentenceModel, vocabulary: Vocabulary) -> None:
        self.model, self.vocabulary = model.eval(), vocabulary

    @classmethod
    def untrained(cls, task: Task, recipe: Recipe) -> SentenceEncoder:
        """The start values of a recipe."""
        from ml.disan.train import build

        return cls(build(task, recipe), task.vocabulary)

    @classmethod
    def train(
        cls, task: str | Task, recipe: Recipe | None = None, *, progress: Progress | None = None
    ) -> SentenceEncoder:
        """Train on a task and keep the encoder."""
        data = load_task(task) if isinstance(task, str) else task
        model, _ = train(data, recipe or Recipe(), progress=progress)
        return cls(model, data.vocabulary)

    @property
    def width(self) -> int:
        """Features of a sentence vector."""
        return int(self.model.encoder.width)  # type: ignore[arg-type]

    @torch.no_grad()
    def encode(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        """Vectors float32 [n, width] of raw or tokenised sentences, in their order.

        Raises:
            ShapeError: an empty sentence.
        """
        spaced = texts([" ".join(tokenise(sentence)) for sentence in sentences])
        data = examples(spaced, np.zeros(len(spaced), np.int64), self.vocabulary)
        order = np.argsort(data.longest(), kind="stable")
        out = np.zeros((len(spaced), self.width), np.float32)
        for start in range(0, len(order), BATCH):
            some = order[start : start + BATCH]
            out[some] = self.model.encode(data.tokens(some)).numpy()
        return out

    def save(self, path: Path) -> None:
        """Write model and vocabulary to one file."""
        model = self.model
        shape: dict[str, Any] = {
            "name": model.name, "d": model.d, "classes": model.out.out_features, "pairs": model.pairs,
            "hidden": model.hidden.out_features,
        }  # fmt: skip
        save_atomic({"shape": shape, "words": self.vocabulary.words[2:], "weights": model.state_dict()}, path)

    @classmethod
    def load(cls, path: Path) -> SentenceEncoder:
        """Read what `save` wrote.

        Raises:
            DataError: no such file, or a damaged one.
        """
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            shape, weights = state["shape"], state["weights"]
            model = SentenceModel(torch.zeros_like(weights["words.weight"]), **shape)
            model.load_state_dict(weights)
            return cls(model, Vocabulary(state["words"]))
        except Exception as error:  # torch raises pickle's own errors for files that are none of its own
            mend = "Save it again, or train anew."
            raise DataError.of(f"sentence encoder {path}", error, "a file of SentenceEncoder.save", mend) from error
