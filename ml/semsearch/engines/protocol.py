"""`SearchEngine`: what every engine does, and the calls that are the same for all of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, Protocol

import numpy as np

from hwsim.ir.errors import DataError, HwsimError
from ml.semsearch import requests
from ml.semsearch.documents import Body, BulkReport, Document, Hit, Stats

Progress = Callable[[float, float, str], None]
BATCH = 500


class BulkError(HwsimError):
    """Documents that were refused; all others of the call are indexed. `report` says which."""

    def __init__(self, message: str, report: BulkReport) -> None:
        super().__init__(message)
        self.report = report


class SearchEngine(Protocol):
    """One or more indexes of documents with text and vector.

    Implementations give `create`, `drop`, `write`, `remove`, `missing`, `search` and `stats`; the others build a
    request body (`ml.semsearch.requests`) and call `search`. An index that does not exist is a `DataError` in all.
    """

    name: str

    @abstractmethod
    def create(self, index: str, body: Body) -> None:
        """Make an index with the body of `requests.mapping`; an index of that name with the same mapping is kept.

        Raises:
            UsageError: it exists with another mapping, or the engine lacks one of its options.
        """

    @abstractmethod
    def drop(self, index: str) -> None:
        """Remove an index and its documents; nothing happens when there is none."""

    @abstractmethod
    def write(self, index: str, documents: Sequence[Document]) -> BulkReport:
        """Index one batch; visible to the next search and safe from a kill when it returns.

        Raises:
            ShapeError: vectors of another width than the mapping's; nothing of the batch is indexed.
        """

    @abstractmethod
    def remove(self, index: str, ids: Sequence[str]) -> int:
        """Take documents out; returns how many there were."""

    @abstractmethod
    def missing(self, index: str, ids: Sequence[str]) -> list[str]:
        """Those of `ids` that the index does not hold, in order."""

    @abstractmethod
    def search(self, index: str, body: Body) -> list[Hit]:
        """Answer a request body; best first, ties by the engine's own order."""

    @abstractmethod
    def stats(self, index: str) -> Stats:
        """Documents, width and size of an index."""

    def bulk(
        self, index: str, documents: Iterable[Document], batch: int = BATCH, progress: Progress | None = None
    ) -> BulkReport:
        """Index many documents, batch by batch.

        A document that breaks a rule (no text, a vector of zeros or with NaN) does not stop the others.

        Raises:
            BulkError: some documents were refused; raised at the end, when all others are indexed.
            ShapeError: a vector of another width than the mapping's; earlier batches stay indexed.
        """
        stream, done, failed, retries = iter(documents), 0, [], 0
        total = len(documents) if isinstance(documents, Sequence) else 0
        similarity = self.stats(index).similarity
        while part := list(islice(stream, batch)):
            reasons = [refusal(document, similarity) for document in part]
            failed += [(d.id, reason) for d, reason in zip(part, reasons, strict=True) if reason]
            kept = [d for d, reason in zip(part, reasons, strict=True) if not reason]
            report = self.write(index, kept) if kept else BulkReport(0)
            done, retries = done + report.indexed, retries + report.retries
            failed += report.failed
            if progress:
                progress(done + len(failed), total, index)
        result = BulkReport(done, tuple(failed), retries)
        if failed:
            listed = "; ".join(f"{name}: {reason}" for name, reason in failed[:3])
            what = f"{len(failed)} of {done + len(failed)} documents were refused"
            raise BulkError(
                f"{what}: got {listed}, expected documents with text and a vector that is not zero. "
                f"Mend or leave them out; the other {done} are indexed.", result,
            )  # fmt: skip
        return result

    def knn(self, index: str, vector: np.ndarray, k: int = 10, **more: Any) -> list[Hit]:
        """Nearest neighbours; `more` as of `requests.knn_clause`."""
        return self.search(index, requests.knn_body(vector, k, **more))

    def match(self, index: str, text: str, k: int = 10, where: requests.Filter | None = None) -> list[Hit]:
        """BM25."""
        return self.search(index, requests.match_body(text, k, where))

    def hybrid(
        self,
        index: str,
        text: str,
        vector: np.ndarray,
        k: int = 10,
        weight: float | None = None,
        window: int = requests.WINDOW,
        where: requests.Filter | None = None,
    ) -> list[Hit]:
        """BM25 and neighbours fused: by ranks, or with `weight` of the vectors by scores."""
        if weight is None:
            return self.search(index, requests.rrf_body(text, vector, k, window, where=where))
        return self.search(index, requests.linear_body(text, vector, weight, k, window, where=where))


def refusal(document: Document, similarity: str) -> str:
    """Why a document can't be indexed, or an empty string."""
    vector = np.asarray(document.vector)
    if not document.text.strip():
        return "no text"
    if not np.isfinite(vector).all():
        return "NaN or infinity in its vector"
    if similarity == "cosine" and not vector.any():
        return "a zero vector has no cosine"
    if similarity == "dot_product" and abs(float(np.linalg.norm(vector)) - 1) > 1e-3:
        return "dot_product takes vectors of length 1"
    return ""


def no_index(index: str, known: Iterable[str] = ()) -> DataError:
    """The error for an index that is not there."""
    listed = ", ".join(sorted(known)) or "none yet"
    return DataError.of("index", f"{index!r}, which does not exist", f"one of: {listed}", "Create it first.")
