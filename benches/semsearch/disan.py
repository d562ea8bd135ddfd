"""DiSAN's sentence encoder under the search. Neither paper imports the other, so they meet here, by injection.

The network is trained on sentence pairs (which entails which) with its word vectors fixed. So any word of GloVe can be
given to it afterwards, and the vocabulary is that of the pairs and of all corpora. A text's vector is the mean of its
sentences' vectors.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benches.runner import Context
from benches.semsearch.collections import Collection
from benches.stats import mean
from hwsim.ir.errors import ToolMissingError
from ml.common.data import UnreachableError
from ml.common.datasets.sentences import tokenise
from ml.semsearch.chunks import sentences
from ml.semsearch.encoders.encoder import InjectedEncoder

if TYPE_CHECKING:
    from ml.disan import SentenceEncoder
    from ml.disan.tasks import Task
    from ml.disan.vocabulary import Vocabulary

LONGEST = 60  # words of a sentence; longer ones come in pieces, as attention costs the square
RECIPE: dict[str, Any] = {"d": 100, "epochs": 5, "lr": 3e-3, "dropout": 0.2, "tune": False}


def load(file: Path) -> InjectedEncoder:
    """The encoder in a file of `SentenceEncoder.save`; its name holds the file's SHA-256.

    Raises:
        DataError: no such file, or not one of those.
    """
    from ml.disan import SentenceEncoder

    found = SentenceEncoder.load(file)
    return injected(found, f"disan-{found.width}-{hashlib.sha256(file.read_bytes()).hexdigest()[:12]}")


def injected(encoder: SentenceEncoder, name: str) -> InjectedEncoder:
    """A sentence encoder as an encoder of texts; a text without a known word becomes zeros."""

    def encode(texts: Sequence[str]) -> np.ndarray:
        return _means(texts, lambda parts: encoder.encode(parts), encoder.vocabulary, encoder.width)

    return InjectedEncoder(name, encoder.width, encode)


def word_vectors(encoder: SentenceEncoder, name: str) -> InjectedEncoder:
    """What DiSAN starts from: the mean of a text's word vectors, sentence by sentence likewise."""
    table = encoder.model.words.weight.detach().numpy()

    def encode(texts: Sequence[str]) -> np.ndarray:
        def rows(parts: list[str]) -> np.ndarray:
            return np.stack([table[encoder.vocabulary.ids(part)].mean(0) for part in parts])

        return _means(texts, rows, encoder.vocabulary, table.shape[1])

    return InjectedEncoder(name, table.shape[1], encode)


def _means(texts: Sequence[str], rows: Any, vocabulary: Vocabulary, width: int) -> np.ndarray:
    """Mean vector of each text's sentences that have a known word."""
    parts: list[str] = []
    owner: list[int] = []
    for i, text in enumerate(texts):
        for words in sentences(text, LONGEST):
            tokens = " ".join(tokenise(" ".join(words)))
            if tokens and (vocabulary.ids(tokens) > 1).any():  # 0 and 1 are padding and the unknown word
                parts.append(tokens)
                owner.append(i)
    out = np.zeros((len(texts), width))
    if parts:
        np.add.at(out, owner, rows(parts))
    return out / np.maximum(np.bincount(owner, minlength=len(texts)), 1)[:, None]


def trained(ctx: Context[Any], texts: Sequence[str]) -> tuple[Path, Task]:
    """File of the trained encoder, and its task; trained now when no run before left one for these words."""
    import torch

    from ml.disan import SentenceEncoder
    from ml.disan.tasks import load_task
    from ml.disan.train import Recipe, train

    task = _widened(load_task(ctx.config.disan_task, download=False), texts)
    recipe = Recipe(**RECIPE, seed=ctx.seed)
    key = hashlib.sha256(repr((task.name, recipe, task.vocabulary.words)).encode()).hexdigest()[:12]
    file = Path(ctx.config.train_dir) / f"disan-{task.name}-{key}.pt"
    if not file.exists():
        torch.set_num_threads(1)
        model, _ = train(task, recipe, checkpoint=file.with_suffix(".checkpoint"))
        SentenceEncoder(model, task.vocabulary).save(file)
        file.with_suffix(".checkpoint").unlink(missing_ok=True)
    return file, task


def _widened(task: Task, texts: Sequence[str]) -> Task:
    """The task with GloVe's words of further texts at the end of its vocabulary."""
    from ml.disan.vocabulary import Vocabulary, glove, vectors

    known, _ = glove()
    more = sorted({word.lower() for text in texts for word in tokenise(text)} & known.keys())
    vocabulary = Vocabulary([*task.vocabulary.words[2:], *more])
    return replace(task, vocabulary=vocabulary, vectors=vectors(vocabulary.words, "glove50")[0])


def measure(ctx: Context[Any], found: list[Collection]) -> list[dict[str, Any]]:
    """nDCG@10 of DiSAN's vectors, and of the mean word vectors below them; a row a corpus."""
    from ml.disan import SentenceEncoder
    from ml.disan.examples import accuracy

    real = [one for one in found if one.name != "topics"]  # whose words are made up
    if not real:
        return []
    try:
        file, task = trained(ctx, [text for one in real for text in (*one.corpus.texts, *one.corpus.queries)])
    except (UnreachableError, ToolMissingError) as error:
        ctx.note(f"no figures with DiSAN's encoder: {error}")
        return []
    ctx.record_data(task.name, task.dataset.source, "what DiSAN's encoder is trained on")
    sentence = SentenceEncoder.load(file)
    right = 100 * accuracy(sentence.model, task.test)
    ctx.metric("disan_pair_accuracy", right, "%", n=len(task.test), method=f"{task.name}, test pairs, three classes")
    method = f"DiSAN of {sentence.width} features trained on {task.name}, GloVe 50-d fixed; mean over sentences"
    below = "mean of GloVe 50-d vectors over words and sentences"
    rows = []
    for one in real:
        row: dict[str, Any] = {"corpus": one.name}
        for name, encoder, how in (
            ("disan", load(file), method), ("glove", word_vectors(sentence, "glove"), below),
        ):  # fmt: skip
            documents, queries = (encoder.encode(texts) for texts in (one.corpus.texts, one.corpus.queries))
            values = one.ndcg(queries @ documents.T)
            ctx.metric(f"ndcg_{one.name}_{name}", mean(values.tolist()), "", method=how)
            row[name] = float(values.mean())
        rows.append(row)
    return rows
