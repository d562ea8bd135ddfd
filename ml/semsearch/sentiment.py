"""The article's use case: the sentiment of a text, read off the labelled passages that a search finds for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hwsim.ir.errors import UsageError
from ml.semsearch.documents import Document, Hit
from ml.semsearch.encoders.encoder import Encoder
from ml.semsearch.engines.protocol import SearchEngine
from ml.semsearch.requests import mapping

FIELD = "label"


@dataclass(frozen=True)
class Opinion:
    """A label, its share of the votes, and the passages that voted."""

    label: str
    share: float
    hits: tuple[Hit, ...]


class SentimentSearch:
    """Votes of the k nearest labelled passages, each with the weight of its score above that of no likeness.

    Args:
        engine: where the passages are.   encoder: of passages and questions.   index: name of the index.

    Example:
        >>> from ml.semsearch.encoders import Lsa
        >>> from ml.semsearch.engines import ExactEngine
        >>> texts = ["a dull film", "dull and long", "a fine film", "fine and funny"]
        >>> search = SentimentSearch(ExactEngine(), Lsa.fit(texts, dims=3))
        >>> search.learn(texts, ["bad", "bad", "good", "good"])
        >>> search.opinion("so dull", k=2).label
        'bad'
    """

    def __init__(self, engine: SearchEngine, encoder: Encoder, index: str = "sentiment") -> None:
        self.engine, self.encoder, self.index = engine, encoder, index

    def learn(self, texts: Sequence[str], labels: Sequence[str]) -> None:
        """Index labelled passages; those that the encoder knows nothing of are left out."""
        self.engine.create(self.index, mapping(self.encoder.dims, keywords=(FIELD,)))
        vectors = self.encoder.encode(texts)
        rows = enumerate(zip(texts, labels, vectors, strict=True))
        self.engine.bulk(
            self.index, [Document(f"{i}", t, v, {FIELD: label}) for i, (t, label, v) in rows if v.any() and t.strip()]
        )

    def opinion(self, text: str, k: int = 15) -> Opinion:
        """The label with the most votes.

        Raises:
            UsageError: the encoder knows no word of the text.
        """
        vector = self.encoder.encode([text])[0]
        if not np.any(vector):
            raise UsageError.of("text", repr(text), "a word that the encoder knows", "Ask in other words.")
        hits = self.engine.knn(self.index, vector, k, num_candidates=max(100, k))
        votes: dict[str, float] = {}
        for hit in hits:
            votes[hit.fields[FIELD]] = votes.get(hit.fields[FIELD], 0.0) + max(hit.score - 0.5, 0.0)
        best = max(votes, key=lambda label: votes[label])
        return Opinion(best, votes[best] / (sum(votes.values()) or 1.0), tuple(hits))
