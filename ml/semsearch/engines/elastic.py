"""`ElasticEngine`: a real Elasticsearch through the official client, at ``$ES_URL`` (extra ``[elastic]``).

Every write is waited for (``refresh=wait_for``), ids are the documents' own, and a batch that failed is sent again as
it was, so that a retry after a time-out changes nothing. What is retried: 429, 502, 503, 504, lost connections and
time-outs, `RETRIES` times with a pause that doubles, or as long as ``Retry-After`` says.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from hwsim.ir.errors import ShapeError, ToolFailedError, ToolMissingError, UsageError
from ml.semsearch.documents import Body, BulkReport, Document, Hit, Stats
from ml.semsearch.engines.protocol import SearchEngine, no_index
from ml.semsearch.requests import TEXT, VECTOR

RETRIES, FIRST_PAUSE_S, LONGEST_PAUSE_S = 5, 0.5, 30.0
AGAIN = frozenset({429, 502, 503, 504})


class ElasticEngine(SearchEngine):
    """An Elasticsearch server, 8.16 or newer for all request bodies.

    Args:
        url: of the server; None = ``$ES_URL``.   api_key: None = ``$ES_API_KEY``, or none.
        timeout_s: of one request.   pause: called with the seconds to wait before a retry.

    Raises:
        ToolMissingError: the client is not installed, or no server is named.
    """

    name = "elastic"

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        timeout_s: float = 30.0,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        try:
            import elasticsearch
        except ImportError as error:
            mend = "Install it with: pip install 'hwsim[elastic]'."
            raise ToolMissingError.of("Elasticsearch's client", "no package elasticsearch", "it", mend) from error
        self.url = url or os.environ.get("ES_URL", "")
        if not self.url:
            raise ToolMissingError.of("Elasticsearch", "no $ES_URL", "the address of a server", "Set ES_URL.")
        self._errors, self._pause = elasticsearch, pause
        key = api_key or os.environ.get("ES_API_KEY") or None
        self._client = elasticsearch.Elasticsearch(
            self.url, api_key=key, request_timeout=timeout_s, max_retries=0, retry_on_timeout=False
        )
        self._mappings: dict[str, Body] = {}
        self.retries = 0

    def create(self, index: str, body: Body) -> None:
        """As `SearchEngine.create`."""
        if self._call(f"index {index}", lambda: self._client.indices.exists(index=index)).body:
            held, wanted = self._vector(index), body["mappings"]["properties"][VECTOR]
            if held["dims"] != wanted["dims"] or held.get("similarity", "cosine") != wanted["similarity"]:
                got, was = (f"dims {f['dims']}, {f.get('similarity', 'cosine')}" for f in (wanted, held))
                mend = "Drop the index, or use the encoder it was made with."
                raise UsageError.of(f"index {index!r} exists with another mapping", got, f"{was}, as it is", mend)
            return
        self._call(f"index {index}", lambda: self._client.indices.create(index=index, **body))

    def drop(self, index: str) -> None:
        """As `SearchEngine.drop`."""
        self._mappings.pop(index, None)
        self._call(f"index {index}", lambda: self._client.indices.delete(index=index, ignore_unavailable=True))

    def write(self, index: str, documents: Sequence[Document]) -> BulkReport:
        """As `SearchEngine.write`; items that the server refuses are in the report's `failed`."""
        dims, before = int(self._vector(index)["dims"]), self.retries
        for document in documents:
            if np.shape(document.vector) != (dims,):
                got = f"{list(np.shape(document.vector))} in document {document.id!r}"
                raise ShapeError.of("vector", got, f"[{dims}], the mapping's dims", "Use the index's encoder.")
        todo, failed = {document.id: document for document in documents}, []
        wanted, pause = len(todo), FIRST_PAUSE_S
        for attempt in range(RETRIES + 1):
            items = self._bulk(index, [_line(d) for d in todo.values()])
            bad = {name: reason for name, status, reason in items if status >= 300 and status not in AGAIN}
            failed += sorted(bad.items())
            again = {name for name, status, _ in items if status in AGAIN}
            todo = {name: document for name, document in todo.items() if name in again}
            if not todo:
                break
            if attempt < RETRIES:
                self.retries += 1
                self._pause(pause)
                pause = min(2 * pause, LONGEST_PAUSE_S)
        failed += [(name, f"still refused after {RETRIES} retries (429 or 503)") for name in todo]
        return BulkReport(wanted - len(failed), tuple(failed), self.retries - before)

    def remove(self, index: str, ids: Sequence[str]) -> int:
        """As `SearchEngine.remove`."""
        self._vector(index)
        items = self._bulk(index, [({"delete": {"_id": name}}, None) for name in dict.fromkeys(ids)]) if ids else []
        return sum(status == 200 for _, status, _ in items)

    def missing(self, index: str, ids: Sequence[str]) -> list[str]:
        """As `SearchEngine.missing`."""
        self._vector(index)
        if not ids:
            return []
        held = self._call(f"index {index}", lambda: self._client.mget(index=index, ids=list(ids), source=False))
        found = {doc["_id"] for doc in held["docs"] if doc.get("found")}
        return [name for name in ids if name not in found]

    def search(self, index: str, body: Body) -> list[Hit]:
        """As `SearchEngine.search`."""
        wanted = {**body, "source_excludes": [VECTOR]}
        found = self._call(f"search in {index}", lambda: self._client.search(index=index, **wanted))
        return [_hit(hit) for hit in found["hits"]["hits"]]

    def stats(self, index: str) -> Stats:
        """As `SearchEngine.stats`."""
        field = self._vector(index)
        count = self._call(f"index {index}", lambda: self._client.count(index=index))["count"]
        return Stats(self.name, int(count), int(field["dims"]), field.get("similarity", "cosine"))

    def _vector(self, index: str) -> Body:
        """The vector field of an index's mapping, asked for once."""
        if index not in self._mappings:
            found = self._call(f"index {index}", lambda: self._client.indices.get_mapping(index=index))
            properties = next(iter(found.body.values()))["mappings"]["properties"]
            self._mappings[index] = properties[VECTOR]
        return self._mappings[index]

    def _bulk(self, index: str, lines: Sequence[tuple[Body, Body | None]]) -> list[tuple[str, int, str]]:
        """(id, status, reason) of every action of one request."""
        operations = [part for pair in lines for part in pair if part is not None]
        found = self._call(
            f"bulk into {index}", lambda: self._client.bulk(index=index, operations=operations, refresh="wait_for")
        )
        items = (next(iter(item.values())) for item in found["items"])
        return [(item["_id"], int(item["status"]), _reason(item.get("error"))) for item in items]

    def _call(self, what: str, request: Callable[[], Any]) -> Any:
        """A request with retries; every failure becomes one of ours."""
        pause = FIRST_PAUSE_S
        for attempt in range(RETRIES + 1):
            try:
                return request()
            except (self._errors.ApiError, self._errors.TransportError) as error:
                status = getattr(error, "status_code", 0)  # 0: lost, refused, timed out, or no Elasticsearch
                final = status not in AGAIN if status else isinstance(error, self._errors.UnsupportedProductError)
                if final or attempt == RETRIES:
                    raise self._failed(what, status, error) from error
                wait = _retry_after(getattr(error, "meta").headers) if status else None  # noqa: B009
            self.retries += 1
            self._pause(min(wait if wait is not None else pause, LONGEST_PAUSE_S))
            pause *= 2
        raise AssertionError("unreachable")

    def _failed(self, what: str, status: int, error: Any) -> Exception:
        """Our error for a failed request."""
        if status == 404:
            return no_index(what.removeprefix("index ").removeprefix("search in "))
        if status in (401, 403):
            got = f"{status} {error.message}"
            return UsageError.of(f"{what} at {self.url}", got, "access", "Set ES_API_KEY to a key that may do this.")
        if 400 <= status < 500 and status != 429:
            got = f"{status} {_reason(error.body.get('error') if isinstance(error.body, Mapping) else error.body)}"
            return UsageError.of(f"{what}: Elasticsearch refused it", got, "a request it takes", "Mend the request.")
        if isinstance(error, self._errors.UnsupportedProductError):
            got, mend = "a server that is not Elasticsearch", "Correct ES_URL."
            return ToolFailedError.of(f"{what} at {self.url}", got, "Elasticsearch", mend)
        if status:
            mend = "What was answered before is indexed; look at the server, then go on."
            return ToolFailedError.of(f"{what} at {self.url}", f"{status} {error.message}", "an answer", mend)
        mend = "Start it or correct ES_URL; what was answered before is indexed."
        got = f"{type(error).__name__}: {getattr(error, 'message', error)}"
        return ToolFailedError.of(f"{what} at {self.url}", got, "a running Elasticsearch", mend)


def _line(document: Document) -> tuple[Body, Body]:
    """Action and source of one document in a bulk request."""
    source = {TEXT: document.text, VECTOR: np.asarray(document.vector, np.float64).tolist(), **document.fields}
    return {"index": {"_id": document.id}}, source


def _hit(hit: Mapping[str, Any]) -> Hit:
    source = dict(hit.get("_source", {}))
    return Hit(hit["_id"], float(hit["_score"]), source.pop(TEXT, ""), source)


def _reason(error: Any) -> str:
    """The reason in an Elasticsearch error object, with its cause."""
    if not isinstance(error, Mapping):
        return str(error or "")
    cause = error.get("caused_by", {}).get("reason", "") if isinstance(error.get("caused_by"), Mapping) else ""
    reason = str(error.get("reason", error.get("type", "")))
    return f"{reason}: {cause}" if cause else reason


def _retry_after(headers: Mapping[str, str]) -> float | None:
    text = headers.get("retry-after", "")
    return float(text) if text.replace(".", "", 1).isdigit() else None
