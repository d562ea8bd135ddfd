"""Corpora with their vectors, BM25 scores and gains: what every part of the bench looks at."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from benches.runner import Context
from ml.common import corpora
from ml.semsearch.bm25 import bm25_scores
from ml.semsearch.encoders.cache import encode_cached
from ml.semsearch.encoders.lsa import Lsa
from ml.semsearch.encoders.transformer import SentenceTransformerEncoder, available
from ml.semsearch.evaluate import gain_matrix, ndcg, ranked

K = 10
LSA_DIMS = 128


@dataclass(frozen=True, eq=False)
class Collection:
    """A corpus under one encoder.

    Attributes:
        corpus: texts, queries.   encoder: ``"lsa"`` or ``"minilm"``.   gains: [queries, documents].
        documents, queries: float32 unit vectors.   bm25: [queries, documents], −∞ where no term matches.
    """

    corpus: corpora.Corpus
    encoder: str
    gains: np.ndarray
    documents: np.ndarray
    queries: np.ndarray
    bm25: np.ndarray

    @property
    def name(self) -> str:
        return self.corpus.name

    @property
    def dense(self) -> np.ndarray:
        """Cosines [queries, documents]."""
        return self.queries @ self.documents.T

    def ndcg(self, scores: np.ndarray) -> np.ndarray:
        """nDCG@10 of every query."""
        return ndcg(ranked(scores, K), self.gains, K)

    def loss(self, scores: np.ndarray) -> float:
        """Mean nDCG@10 that these scores lose against the exact cosines; below 0 when they gain."""
        return float(self.ndcg(self.dense).mean() - self.ndcg(scores).mean())


@cache
def _transformer() -> SentenceTransformerEncoder:
    return SentenceTransformerEncoder()


@cache
def collection(name: str, encoder: str) -> Collection:
    """A corpus under an encoder; raises `UnreachableError` when it is not on this machine."""
    corpus = corpora.load(name)
    made: Any = Lsa.fit(corpus.texts, LSA_DIMS) if encoder == "lsa" else _transformer()
    documents, queries = (encode_cached(made, texts) for texts in (corpus.texts, corpus.queries))
    bm25 = bm25_scores(corpus.texts, corpus.queries)
    return Collection(corpus, encoder, gain_matrix(corpus), documents, queries, np.where(bm25 > 0, bm25, -np.inf))


def chosen(ctx: Context[Any]) -> list[Collection]:
    """The profile's corpora that are here, each under its encoder: LSA for made-up words, else MiniLM if installed."""
    found = []
    for name in ctx.config.corpora.split():
        encoder = "lsa" if name == "topics" or not (ctx.config.transformer and available()) else "minilm"
        try:
            one = collection(name, encoder)
        except corpora.UnreachableError as error:
            ctx.note(f"{name} was left out: {error}")
            continue
        ctx.record_data(name, one.corpus.source, f"{one.corpus.variant}; vectors: {encoder}")
        found.append(one)
    return found


def listed(found: list[Collection]) -> str:
    """Names and encoders, for a metric's method."""
    return ", ".join(f"{one.name} ({one.encoder})" for one in found)
