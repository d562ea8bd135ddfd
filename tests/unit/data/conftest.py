"""Each test has its own empty cache and no data folder; a loopback server plays the mirrors."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ml.common.datasets import download

SHARED = os.environ.get("HWSIM_DATA", "")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HWSIM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("HWSIM_DATA", raising=False)
    monkeypatch.delenv("HWSIM_OFFLINE", raising=False)
    monkeypatch.setattr(download, "_silent_hosts", {})
    return tmp_path / "cache" / "data"


@pytest.fixture
def shared() -> Path:
    """The folder of real data that HWSIM_DATA named when the tests started."""
    if not SHARED:
        pytest.skip("needs HWSIM_DATA: a folder with mnist/, jsc/ and cifar/")
    return Path(SHARED)


@dataclass
class Mirror:
    """What the loopback server serves, and what it was asked for."""

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    cut_at: int | None = None  # send no byte of a file from this position on, until `cuts` are used up
    cuts: int = 0
    knows_ranges: bool = True
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    served = Mirror(f"http://127.0.0.1:{server.server_port}")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append((self.path, dict(self.headers)))
            content = served.files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            asked_range = self.headers.get("Range")
            start = int(asked_range.removeprefix("bytes=").rstrip("-")) if asked_range and served.knows_ranges else 0
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            end = len(content)
            if served.cuts:
                served.cuts -= 1
                end = served.cut_at or 0
            self.wfile.write(content[start:end])

        def log_message(self, *args: object) -> None:
            pass

    server.RequestHandlerClass = Handler
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield served
    server.shutdown()
    thread.join()
    server.server_close()
