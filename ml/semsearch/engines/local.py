"""An engine inside this process: vectors, postings and, with a folder, segments on the disk."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hwsim.ir.errors import ShapeError, UsageError
from ml.semsearch.bm25 import Bm25
from ml.semsearch.documents import Body, BulkReport, Document, Hit, Stats
from ml.semsearch.engines.answer import Primitives, Scores, answer
from ml.semsearch.engines.filters import accepts
from ml.semsearch.engines.protocol import SearchEngine, no_index
from ml.semsearch.engines.store import Segment, SegmentStore, same_mapping
from ml.semsearch.engines.vectors import Vectors
from ml.semsearch.requests import TEXT, VECTOR
from ml.semsearch.scores import score

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,100}\Z")


class LocalEngine(SearchEngine):
    """Base of the engines that live in this process.

    Args:
        folder: where indexes are kept; None = in memory only.
    """

    name = "local"

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = Path(folder) if folder is not None else None
        self._open: dict[str, LocalIndex] = {}

    def vectors_of(self, field: Body) -> Vectors:
        """Vectors for the ``dense_vector`` field of a mapping."""
        raise NotImplementedError

    def create(self, index: str, body: Body) -> None:
        """As `SearchEngine.create`."""
        if not _NAME.match(index):
            raise UsageError.of("index name", repr(index), "lower-case letters, digits, - _ .", "Rename it.")
        properties = body["mappings"]["properties"]
        store = SegmentStore(self.folder / index) if self.folder else None
        if index in self._open or (store and store.exists()):
            held = self._index(index).body
            if not same_mapping(held, body):
                was, now = (b["mappings"]["properties"][VECTOR].get("dims") for b in (held, body))
                got = f"dims {now}" if was != now else "other options"
                mend = "Drop the index, or use the encoder it was made with."
                raise UsageError.of(f"index {index!r} exists with another mapping", got, f"dims {was}, as it is", mend)
            return
        made = LocalIndex(body, self.vectors_of(properties[VECTOR]), store)
        if store:
            store.create(body)
        self._open[index] = made

    def drop(self, index: str) -> None:
        """As `SearchEngine.drop`."""
        self._open.pop(index, None)
        if self.folder:
            SegmentStore(self.folder / index).drop()

    def write(self, index: str, documents: Sequence[Document]) -> BulkReport:
        """As `SearchEngine.write`."""
        return self._index(index).write(documents)

    def remove(self, index: str, ids: Sequence[str]) -> int:
        """As `SearchEngine.remove`."""
        return self._index(index).remove(ids)

    def missing(self, index: str, ids: Sequence[str]) -> list[str]:
        """As `SearchEngine.missing`."""
        held = self._index(index).numbers
        return [name for name in ids if name not in held]

    def ids(self, index: str) -> list[str]:
        """Ids of all documents."""
        return list(self._index(index).numbers)

    def search(self, index: str, body: Body) -> list[Hit]:
        """As `SearchEngine.search`."""
        return self._index(index).search(body)

    def stats(self, index: str) -> Stats:
        """As `SearchEngine.stats`."""
        held = self._index(index)
        return Stats(self.name, len(held.numbers), held.dims, held.similarity, held.vectors.bytes)

    def _index(self, index: str) -> LocalIndex:
        if index not in self._open:
            store = SegmentStore(self.folder / index) if self.folder else None
            if store is None or not store.exists():
                raise no_index(index, self._open)
            body = store.mapping()
            self._open[index] = LocalIndex(body, self.vectors_of(body["mappings"]["properties"][VECTOR]), store)
        return self._open[index]


class LocalIndex:
    """Documents of one index. A document that is written again gets a new number; its old one is dead.

    Attributes:
        body: of the mapping.   vectors: searched.   numbers: id → number of the live document.
    """

    def __init__(self, body: Body, vectors: Vectors, store: SegmentStore | None) -> None:
        properties = body["mappings"]["properties"]
        self.body, self.vectors, self._store = body, vectors, store
        self.dims, self.similarity = int(properties[VECTOR]["dims"]), str(properties[VECTOR]["similarity"])
        self._keywords = {name for name, field in properties.items() if field["type"] == "keyword"}
        self._text = Bm25(properties[TEXT].get("analyzer", "standard"))
        self._hits: list[Hit] = []
        self.numbers: dict[str, int] = {}
        for segment in store.segments() if store and store.exists() else ():
            self._apply(segment)

    def write(self, documents: Sequence[Document]) -> BulkReport:
        """As `SearchEngine.write`."""
        for document in documents:
            if np.shape(document.vector) != (self.dims,):
                got = f"{list(np.shape(document.vector))} in document {document.id!r}"
                raise ShapeError.of("vector", got, f"[{self.dims}], the mapping's dims", "Use the index's encoder.")
            if stray := sorted(set(document.fields) - self._keywords):
                got = f"{stray} in document {document.id!r}"
                raise UsageError.of("fields", got, f"some of {sorted(self._keywords)}", "Add them to the mapping.")
        segment = Segment(tuple(documents))
        if self._store:
            self._store.append(segment)
        self._apply(segment)
        return BulkReport(len(documents))

    def remove(self, ids: Sequence[str]) -> int:
        """As `SearchEngine.remove`."""
        held = tuple(name for name in dict.fromkeys(ids) if name in self.numbers)
        if held:
            segment = Segment((), held)
            if self._store:
                self._store.append(segment)
            self._apply(segment)
        return len(held)

    def _apply(self, segment: Segment) -> None:
        last = {d.id: i for i, d in enumerate(segment.documents)}
        documents = [d for i, d in enumerate(segment.documents) if last[d.id] == i]
        dead = [self.numbers.pop(name) for name in (*segment.removed, *last) if name in self.numbers]
        if documents:
            self.vectors.add(np.stack([np.asarray(d.vector, np.float32) for d in documents]))
            self._text.add(d.text for d in documents)
            for document in documents:
                self.numbers[document.id] = len(self._hits)
                self._hits.append(Hit(document.id, 0.0, document.text, dict(document.fields)))
        if dead:
            self._text.remove(dead)

    def search(self, body: Body) -> list[Hit]:
        """As `SearchEngine.search`."""
        scores = answer(body, Primitives(self.dims, self.similarity, self._nearest, self._matching, self._cosines))
        held = ((self._hits[self.numbers[name]], value) for name, value in scores.items())
        return [Hit(hit.id, float(value), hit.text, hit.fields) for hit, value in held]

    def _allowed(self, only: Body | None) -> np.ndarray | None:
        """bool [numbers] of live documents that pass a filter; None = all."""
        if only is None and len(self.numbers) == len(self._hits):
            return None
        allowed = np.zeros(len(self._hits), bool)
        live = self.numbers.values()
        allowed[[i for i in live if only is None or accepts(only, self._hits[i].fields)]] = True
        return allowed

    def _nearest(self, vector: np.ndarray, k: int, ef: int, only: Body | None, least: float | None) -> Scores:
        values, numbers = self.vectors.search(vector[None], k, ef, self._allowed(only))
        pairs = [(int(i), float(s)) for i, s in zip(numbers[0], values[0], strict=True) if i >= 0]
        if least is not None:
            far = self.similarity == "l2_norm"  # its raw values are squared distances
            pairs = [(i, s) for i, s in pairs if (s <= least**2 if far else s >= least)]
        scores = score(self.similarity, np.array([s for _, s in pairs]))
        return {self._hits[i].id: float(s) for (i, _), s in zip(pairs, scores, strict=True)}

    def _matching(self, text: str, only: Body | None, size: int) -> Scores:
        scores = self._text.scores(text)
        allowed = self._allowed(only)
        if allowed is not None:
            scores = np.where(allowed, scores, 0)
        best = np.argsort(-scores, kind="stable")[:size]
        return {self._hits[i].id: float(scores[i]) for i in best if scores[i] > 0}

    def _cosines(self, vector: np.ndarray, only: Body | None) -> Scores:
        if self.similarity not in ("cosine", "dot_product"):
            got = f"similarity {self.similarity}"
            raise UsageError.of("script cosineSimilarity", got, "cosine or dot_product", "Use knn on this index.")
        cosines = self.vectors.scores(vector / np.linalg.norm(vector))
        allowed = self._allowed(only)
        live = self.numbers.items() if allowed is None else ((n, i) for n, i in self.numbers.items() if allowed[i])
        return {name: float(cosines[i]) for name, i in live}
