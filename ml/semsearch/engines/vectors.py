"""Vectors to search: exactly with numpy, or through a faiss graph."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from hwsim.ir.errors import UsageError
from ml.semsearch.encoders.encoder import normalised
from ml.semsearch.scores import raw

GROW = 2


class Vectors(Protocol):
    """Vectors 0, 1, … of one similarity."""

    def add(self, vectors: np.ndarray) -> None:
        """Append float32 [n, dims]."""

    def search(
        self, queries: np.ndarray, k: int, candidates: int, allowed: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """(raw similarities, numbers) [queries, ≤ k] of the nearest, nearest first, −1 where there are fewer.

        `allowed` bool [n]: only these; None = all.
        """

    def scores(self, query: np.ndarray) -> np.ndarray:
        """Raw similarities [n] with one query, exactly."""

    @property
    def bytes(self) -> int:
        """Memory of vectors and graph."""


class ExactVectors:
    """A matrix; every search looks at all of it. It is the oracle of the others."""

    def __init__(self, dims: int, similarity: str) -> None:
        self.similarity, self._count = similarity, 0
        self._held = np.zeros((64, dims), np.float32)

    def add(self, vectors: np.ndarray) -> None:
        """As `Vectors.add`."""
        end = self._count + len(vectors)
        if end > len(self._held):
            grown = np.zeros((max(end, GROW * len(self._held)), self._held.shape[1]), np.float32)
            grown[: self._count] = self._held[: self._count]
            self._held = grown
        self._held[self._count : end] = prepared(vectors, self.similarity)
        self._count = end

    def search(
        self, queries: np.ndarray, k: int, candidates: int, allowed: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """As `Vectors.search`; exact, ties by number."""
        numbers = np.arange(self._count) if allowed is None else np.flatnonzero(allowed)
        sign = -1.0 if self.similarity == "l2_norm" else 1.0
        k = min(k, len(numbers))
        found, values = np.empty((len(queries), k), np.int64), np.empty((len(queries), k))
        for i, query in enumerate(queries):
            s = self.scores(query)[numbers]
            best = np.argsort(-sign * s, kind="stable")[:k]
            found[i], values[i] = numbers[best], s[best]
        return values, found

    def scores(self, query: np.ndarray) -> np.ndarray:
        """As `Vectors.scores`."""
        return raw(self.similarity, prepared(query, self.similarity), self._held[: self._count])

    @property
    def bytes(self) -> int:
        """As `Vectors.bytes`."""
        return self._count * self._held.shape[1] * 4


class HnswVectors:
    """A hierarchical navigable small world graph of faiss (Malkov and Yashunin 2018).

    Args:
        dims, similarity: of the vectors.   options: ``hnsw``, ``int8_hnsw``, ``flat`` or ``int8_flat``.
        m, ef_construction: of the graph; faiss keeps 2·m links on the lowest level, as Lucene does.

    Raises:
        UsageError: other options.
    """

    SUPPORTED = ("hnsw", "int8_hnsw", "flat", "int8_flat")

    def __init__(
        self, dims: int, similarity: str, options: str = "hnsw", m: int = 16, ef_construction: int = 100
    ) -> None:
        import faiss

        if options not in self.SUPPORTED:
            mend = "Choose one of them, or the engine that has it."
            raise UsageError.of("index_options of faiss", options, f"one of {', '.join(self.SUPPORTED)}", mend)
        self.similarity, self.dims, self._faiss = similarity, dims, faiss
        metric = faiss.METRIC_L2 if similarity == "l2_norm" else faiss.METRIC_INNER_PRODUCT
        self._graph = options.endswith("hnsw")
        kind: Any = faiss.ScalarQuantizer.QT_8bit
        if options == "hnsw":
            self.index: Any = faiss.IndexHNSWFlat(dims, m, metric)
        elif options == "int8_hnsw":
            self.index = faiss.IndexHNSWSQ(dims, kind, m, metric)
        elif options == "flat":
            self.index = faiss.IndexFlat(dims, metric)
        else:
            self.index = faiss.IndexScalarQuantizer(dims, kind, metric)
        if self._graph:
            self.index.hnsw.efConstruction = ef_construction

    def add(self, vectors: np.ndarray) -> None:
        """As `Vectors.add`. The first vectors set the ranges of 8-bit codes."""
        ready = np.ascontiguousarray(prepared(vectors, self.similarity))
        if not self.index.is_trained:
            self.index.train(ready)
        self.index.add(ready)

    def search(
        self, queries: np.ndarray, k: int, candidates: int, allowed: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """As `Vectors.search`; `candidates` is the graph's ef. The filter works during the walk."""
        count = self.index.ntotal
        if count == 0 or (allowed is not None and not allowed.any()):
            return np.zeros((len(queries), 0)), np.zeros((len(queries), 0), np.int64)
        ready = np.ascontiguousarray(prepared(queries, self.similarity))
        values, found = self.index.search(ready, min(k, count), params=self._parameters(candidates, allowed))
        return values, found

    def _parameters(self, candidates: int, allowed: np.ndarray | None) -> Any:
        faiss = self._faiss
        chosen: dict[str, Any] = {}
        if allowed is not None:
            bitmap = np.packbits(allowed, bitorder="little")
            chosen["sel"] = faiss.IDSelectorBitmap(bitmap)
        if self._graph:
            return faiss.SearchParametersHNSW(efSearch=candidates, **chosen)
        return faiss.SearchParameters(**chosen) if chosen else None

    def scores(self, query: np.ndarray) -> np.ndarray:
        """As `Vectors.scores`, over the stored (perhaps 8-bit) vectors."""
        held = self.index.reconstruct_n(0, self.index.ntotal) if self.index.ntotal else np.zeros((0, self.dims))
        return raw(self.similarity, prepared(query, self.similarity), held)

    @property
    def bytes(self) -> int:
        """As `Vectors.bytes`."""
        codes = self._faiss.downcast_index(self.index.storage) if self._graph else self.index
        links = self.index.hnsw.neighbors.size() * 4 if self._graph else 0
        return int(codes.ntotal * codes.sa_code_size() + links)


def prepared(vectors: np.ndarray, similarity: str) -> np.ndarray:
    """float32 rows, of length 1 under cosine, as Elasticsearch normalises them when they are indexed."""
    rows = np.asarray(vectors, np.float32)
    return normalised(rows) if similarity == "cosine" else rows
