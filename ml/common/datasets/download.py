"""Downloads through `pooch`: announced, resumed where they broke off, checked, and only then put in their place."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hwsim.ir.errors import DataError

from .dataset import Progress
from .store import RemoteFile, log

CONNECT_TIMEOUT_S = 3.0
"""How long an offline machine waits at most for each host."""
READ_TIMEOUT_S = 30.0
BLOCK_BYTES = 1 << 16
ATTEMPTS = 3
"""Connections tried for one file: a broken transfer goes on where it stopped."""

_silent_hosts: dict[str, str] = {}
"""Hosts that did not answer in this process, with the reason: they are not waited for twice."""


class NoAnswerError(Exception):
    """No URL of a file could be reached."""


def fetch(file: RemoteFile, folder: Path, progress: Progress | None, known_hash: str | None = None) -> Path:
    """Download `file` into `folder` and check it.

    Args:
        known_hash: ``"<algorithm>:<digest>"`` that the server's own catalogue gives; used when `file.sha256`
            is None.

    Raises:
        NoAnswerError: no URL answered.
        DataError: the file broke off or has the wrong checksum.
    """
    import pooch

    pooch.get_logger().setLevel("WARNING")
    if file.sha256 is not None:
        known_hash = f"sha256:{file.sha256}"
    reasons = []
    for url in file.urls:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            getter = _Getter(folder / f"{file.name}.part", progress)
            with _one_at_a_time(folder):  # who had to wait finds the file there, and pooch does not ask again
                return Path(pooch.retrieve(url, known_hash, fname=file.name, path=folder, downloader=getter))
        except NoAnswerError as error:
            reasons.append(str(error))
        except DataError:
            raise
        except ValueError as error:  # pooch's checksum error
            raise DataError.of(f"checksum of {url}", _got(error), known_hash, "Try again; nothing was kept.") from error
        except OSError as error:
            raise DataError.of(
                f"writing {file.name}", error, f"a writable {folder}", "Free space or set HWSIM_CACHE."
            ) from error
    raise NoAnswerError("; ".join(reasons))


def fetch_text(url: str) -> str:
    """The body of a small text document.

    Raises:
        NoAnswerError: the host did not answer, or with an error status.
    """
    with _open(url, {}) as response:
        log.warning("downloading %s", url)
        return str(response.text)


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Hold the lock of a cache folder; the operating system frees it when the process ends, however it ends."""
    try:
        import fcntl
    except ImportError:  # no such locks on this system: the checksum still refuses a mixed file
        yield
        return
    with folder.with_name(f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class _Getter:
    """A pooch downloader: streams into a `.part` file, which a later attempt or process continues."""

    def __init__(self, part: Path, progress: Progress | None) -> None:
        self.part, self.progress = part, progress

    def __call__(self, url: str, output_file: str, _pooch: object, check_only: bool = False) -> None:
        for _ in range(ATTEMPTS):
            if self._stream(url):
                os.replace(self.part, output_file)
                return
        raise DataError.of(
            f"download of {url}",
            f"{_size(self.part)} bytes and then a broken connection, {ATTEMPTS} times",
            "the whole file",
            "Load again: it goes on where it stopped.",
        )

    def _stream(self, url: str) -> bool:
        """Append what is missing of `url` to the part file; True when it is whole."""
        import requests

        start = _size(self.part)
        with _open(url, {"Range": f"bytes={start}-"} if start else {}) as response:
            if response.status_code == 416:  # the part is no prefix of this file: begin again
                self.part.unlink()
                return False
            sent = response.headers.get("Content-Range", "")
            is_rest = response.status_code == 206 and sent.startswith(f"bytes {start}-")
            done = start if is_rest else 0
            total = done + int(response.headers.get("Content-Length", 0))
            log.warning("downloading %s (%.1f MB) to %s", url, (total - done) / 1e6, self.part.parent)
            try:
                with self.part.open("ab" if is_rest else "wb") as out:
                    for block in response.iter_content(BLOCK_BYTES):
                        out.write(block)
                        done += len(block)
                        if self.progress is not None:
                            self.progress(done, total, f"downloading {url}")
            except requests.exceptions.RequestException:
                return False
        return done >= total


def _open(url: str, headers: dict[str, str]) -> Any:
    import requests

    host = urlsplit(url).netloc
    if host in _silent_hosts:
        raise NoAnswerError(_silent_hosts[host])
    headers = {"User-Agent": "hwsim", "Accept-Encoding": "identity", **headers}
    try:
        response = requests.get(url, headers=headers, stream=True, timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S))
    except requests.exceptions.RequestException as error:
        _silent_hosts[host] = f"{host} can't be reached ({type(error).__name__})"
        raise NoAnswerError(_silent_hosts[host]) from error
    if response.status_code >= 400 and response.status_code != 416:
        response.close()
        raise NoAnswerError(f"{url} answered HTTP {response.status_code}")
    return response


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _got(error: ValueError) -> str:
    """The hash that pooch found, out of its message; the whole message when its wording changes."""
    digests = re.findall(r"\b(?:[0-9a-f]{64}|[0-9a-f]{32})\b", str(error))
    return digests[-1] if digests else str(error)
