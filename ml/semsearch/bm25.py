"""BM25 as Lucene computes it, over an inverted index in memory.

score = Σ over query terms of idf(t) · f / (f + k1 · (1 − b + b · |d| / avg |d|)), k1 = 1.2, b = 0.75, with the length
|d| rounded down to what Lucene keeps in one byte (`SmallFloat.intToByte4`), so that scores agree and not only ranks.
A term that a query holds twice counts twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from ml.semsearch.analysis import terms
from ml.semsearch.scores import K1, B, idf

_FREE = 24  # lengths below are kept as they are


def stored_length(length: int) -> int:
    """The length that one byte of Lucene's norms stands for: exact below 40, then 4 significant bits.

    Example:
        >>> [stored_length(n) for n in (7, 39, 41, 164, 1000)]
        [7, 39, 40, 152, 984]
    """
    if length < _FREE:
        return length
    rest = length - _FREE
    shift = max(rest.bit_length() - 4, 0)
    return _FREE + (rest >> shift << shift)


class Bm25:
    """Postings of documents 0, 1, …; documents may be taken out again.

    Args:
        analyzer: of documents and queries.
    """

    def __init__(self, analyzer: str = "english") -> None:
        self.analyzer = analyzer
        self._postings: dict[str, list[tuple[int, int]]] = {}
        self._lengths: list[int] = []
        self._live: list[bool] = []
        self._frozen: tuple[dict[str, tuple[np.ndarray, np.ndarray]], np.ndarray, float, int] | None = None

    def __len__(self) -> int:
        return len(self._lengths)

    def add(self, texts: Iterable[str]) -> None:
        """Append documents."""
        for text in texts:
            words = terms(text, self.analyzer)
            number = len(self._lengths)
            for term, count in Counter(words).items():
                self._postings.setdefault(term, []).append((number, count))
            self._lengths.append(len(words))
            self._live.append(True)
        self._frozen = None

    def remove(self, numbers: Iterable[int]) -> None:
        """Take documents out: they score nothing and count in no statistic."""
        for number in numbers:
            self._live[number] = False
        self._frozen = None

    def scores(self, query: str) -> np.ndarray:
        """float64 [documents] of one query; 0 where no term matches.

        Example:
            >>> index = Bm25()
            >>> index.add(["wing flow", "heat transfer", "heat of a wing"])
            >>> index.scores("heated wings").argmax()
            np.int64(2)
        """
        postings, norms, average, documents = self._freeze()
        total = np.zeros(len(self._lengths))
        for term, times in Counter(terms(query, self.analyzer)).items():
            if term in postings:
                numbers, counts = postings[term]
                length = K1 * (1 - B + B * norms[numbers] / average)
                total[numbers] += times * idf(documents, np.array(len(numbers))) * counts / (counts + length)
        return total

    def _freeze(self) -> tuple[dict[str, tuple[np.ndarray, np.ndarray]], np.ndarray, float, int]:
        """Postings of live documents as arrays, stored lengths, average length, number of documents with a term."""
        if self._frozen is None:
            live = np.array(self._live, bool)
            arrays = {}
            for term, pairs in self._postings.items():
                numbers, counts = np.array(pairs, np.int64).T
                kept = live[numbers]
                if kept.any():
                    arrays[term] = numbers[kept], counts[kept].astype(np.float64)
            lengths = np.array(self._lengths, np.int64)
            filled = live & (lengths > 0)
            documents = int(filled.sum())
            norms = np.array([stored_length(n) for n in self._lengths], np.float64)
            self._frozen = arrays, norms, float(lengths[filled].mean()) if documents else 1.0, documents
        return self._frozen


def bm25_scores(texts: Sequence[str], queries: Sequence[str], analyzer: str = "english") -> np.ndarray:
    """float64 [queries, documents] in one call."""
    index = Bm25(analyzer)
    index.add(texts)
    return np.stack([index.scores(query) for query in queries])
