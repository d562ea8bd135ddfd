"""`FakeElastic`: a strict stand-in for a server's protocol, on the loopback interface. It is no Elasticsearch.

It takes only what the client of version 9 may send (media types, ndjson framing, methods), holds bodies to the
official schema and to the limits of the documentation, and answers with `ExactEngine`'s results in Elasticsearch's
shapes. Faults are queued: each is met by one request.
"""

from __future__ import annotations

import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import elastic_schema
import numpy as np

from hwsim.ir.errors import HwsimError
from ml.semsearch.documents import Document
from ml.semsearch.engines.exact import ExactEngine
from ml.semsearch.engines.protocol import refusal

JSON_TYPE = "application/vnd.elasticsearch+json; compatible-with=9"
NDJSON_TYPE = "application/vnd.elasticsearch+x-ndjson; compatible-with=9"


class FakeElastic:
    """Start with ``with FakeElastic() as fake: … fake.url``.

    Attributes:
        faults: ("status", code, headers) | ("items", code, share) | ("slow", seconds) | ("drop",) | ("foreign",).
        requests: (method, path) of everything that came.   bulk_sizes: documents of every bulk request.
    """

    def __init__(self) -> None:
        self.engine, self.mappings = ExactEngine(), {}
        self.faults: list[tuple[Any, ...]] = []
        self.requests: list[tuple[str, str]] = []
        self.bulk_sizes: list[int] = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                fake._serve(self)

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_any

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> FakeElastic:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        path, _, query = handler.path.partition("?")
        text = handler.rfile.read(int(handler.headers.get("content-length", 0))).decode()
        self.requests.append((handler.command, path))
        fault = self.faults.pop(0) if self.faults else ("none",)
        if fault[0] == "drop":
            handler.close_connection = True
            handler.connection.close()
            return
        if fault[0] == "slow":
            time.sleep(fault[1])
        if fault[0] == "status":
            status, body = fault[1], error("unavailable", "no shard is active" if fault[1] == 503 else "busy")
            headers = fault[2]
        else:
            headers = {}
            status, body = self._checked(handler, path, text, query, fault)
        self._send(handler, status, body, headers, product=fault[0] != "foreign")

    def _send(
        self, handler: BaseHTTPRequestHandler, status: int, body: Any, headers: dict[str, str], product: bool
    ) -> None:
        content = b"" if handler.command == "HEAD" else json.dumps(body).encode()
        try:
            handler.send_response(status)
            handler.send_header("content-type", JSON_TYPE.replace("; ", ";"))
            handler.send_header("content-length", str(len(content)))
            if product:
                handler.send_header("X-Elastic-Product", "Elasticsearch")
            for name, value in headers.items():
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(content)
        except OSError:  # the client went away
            handler.close_connection = True

    def _checked(
        self, handler: BaseHTTPRequestHandler, path: str, text: str, query: str, fault: tuple[Any, ...]
    ) -> tuple[int, Any]:
        want = NDJSON_TYPE if path.endswith("_bulk") else JSON_TYPE
        for name in ("accept", *(["content-type"] if text else [])):
            got = handler.headers.get(name, "").replace("; ", ";").replace(";", "; ")
            if got not in (want, JSON_TYPE if name == "accept" else want):
                return 406, error("media_type_header_exception", f"{name}: {got}, expected {want}")
        index, _, verb = path.strip("/").partition("/")
        try:
            return self._answer(handler.command, index, verb, text, query, fault)
        except HwsimError as problem:
            return 400, error("illegal_argument_exception", str(problem))

    def _answer(
        self, method: str, index: str, verb: str, text: str, query: str, fault: tuple[Any, ...]
    ) -> tuple[int, Any]:
        known = index in self.mappings
        match (method, verb):
            case ("HEAD", ""):
                return (200 if known else 404), {}
            case ("PUT", ""):
                return self._create(index, json.loads(text))
            case ("DELETE", ""):
                self.engine.drop(index)
                self.mappings.pop(index, None)
                return 200, {"acknowledged": True}
        if not known:
            return 404, error("index_not_found_exception", f"no such index [{index}]")
        match (method, verb):
            case ("GET", "_mapping"):
                return 200, {index: self.mappings[index]}
            case ("PUT", "_bulk"):
                assert "refresh=wait_for" in query
                return 200, self._bulk(index, text, fault)
            case ("POST", "_mget"):
                held = set(self.engine.ids(index))
                return 200, {"docs": [{"_index": index, "_id": i, "found": i in held} for i in json.loads(text)["ids"]]}
            case ("POST", "_count"):
                return 200, {"count": self.engine.stats(index).documents, "_shards": shards()}
            case ("POST", "_search"):
                return self._search(index, json.loads(text))
        return 405, error("method_not_allowed", f"{method} {verb}")

    def _create(self, index: str, body: Any) -> tuple[int, Any]:
        if wrong := elastic_schema.check(body, "indices.create.Request"):
            return 400, error("mapper_parsing_exception", "; ".join(wrong))
        if index in self.mappings:
            return 400, error("resource_already_exists_exception", index)
        if re.search(r"[A-Z ]", index):
            return 400, error("invalid_index_name_exception", index)
        self.mappings[index] = body
        self.engine.create(index, body)
        return 200, {"acknowledged": True, "index": index}

    def _bulk(self, index: str, text: str, fault: tuple[Any, ...]) -> Any:
        assert text.endswith("\n"), "ndjson ends with a newline"
        lines = [json.loads(line) for line in text.splitlines()]
        items: list[dict[str, Any]] = []
        at = 0
        while at < len(lines):
            ((action, meta),) = lines[at].items()
            at += 1
            if action == "delete":
                status = 200 if self.engine.remove(index, [meta["_id"]]) else 404
                items.append({"delete": {"_id": meta["_id"], "status": status}})
                continue
            assert action == "index"
            source = lines[at]
            at += 1
            if fault[0] == "items" and len(items) % fault[2] == 0:
                reason = {"type": "es_rejected_execution_exception", "reason": "rejected"}
                items.append({"index": {"_id": meta["_id"], "status": fault[1], "error": reason}})
                continue
            items.append({"index": {"_id": meta["_id"], **self._index(index, meta["_id"], source)}})
        self.bulk_sizes.append(len(items))
        return {"took": 1, "errors": any("error" in next(iter(i.values())) for i in items), "items": items}

    def _index(self, index: str, name: str, source: dict[str, Any]) -> dict[str, Any]:
        """Status of one document, its vector held to the mapping as the server does."""
        properties = self.mappings[index]["mappings"]["properties"]
        if stray := set(source) - set(properties):
            return {"status": 400, "error": {"type": "strict_dynamic_mapping_exception", "reason": str(sorted(stray))}}
        vector = np.array(source["vector"])
        if len(vector) != properties["vector"]["dims"]:
            cause = {"type": "illegal_argument_exception", "reason": "different number of dimensions"}
            return {"status": 400, "error": {"type": "document_parsing_exception", "reason": "x", "caused_by": cause}}
        fields = {k: v for k, v in source.items() if k not in ("text", "vector")}
        document = Document(name, source["text"], vector, fields)
        if reason := refusal(document, properties["vector"]["similarity"]).replace("no text", ""):
            return {"status": 400, "error": {"type": "document_parsing_exception", "reason": reason}}
        self.engine.write(index, [document])
        return {"status": 201}

    def _search(self, index: str, body: Any) -> tuple[int, Any]:
        if wrong := elastic_schema.check(body, "_global.search.Request"):
            return 400, error("parsing_exception", "; ".join(wrong))
        hits = [
            {"_index": index, "_id": h.id, "_score": h.score, "_source": {"text": h.text, **h.fields}}
            for h in self.engine.search(index, body)
        ]
        return 200, {"took": 1, "timed_out": False, "_shards": shards(), "hits": {"hits": hits}}


def error(kind: str, reason: str) -> dict[str, Any]:
    return {"error": {"type": kind, "reason": reason, "root_cause": []}, "status": 400}


def shards() -> dict[str, int]:
    return {"total": 1, "successful": 1, "skipped": 0, "failed": 0}
