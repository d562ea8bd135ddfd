"""Where data files are: `$HWSIM_DATA`, the user cache, or a download that is checked before anything reads it.

Environment:
    HWSIM_DATA: a folder of data sets; looked at first.
    HWSIM_CACHE: the cache folder (default: the user cache of the operating system, `hwsim` in it).
    HWSIM_OFFLINE: ``1`` means never download.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from hwsim.ir.errors import DataError

from .dataset import Progress, Source

log = logging.getLogger("hwsim.data")
"""Downloads and stand-ins are told here at WARNING, so that they reach stderr without any set-up."""


@dataclass(frozen=True)
class RemoteFile:
    """One file of a data set.

    Attributes:
        name: file name, the same in `$HWSIM_DATA`, in the cache and (usually) at the URL.
        urls: where it can be downloaded, tried in this order; empty when it can't.
        sha256: of the file as the URLs serve it; None when only the lock file of the cache can know it.
    """

    name: str
    urls: tuple[str, ...] = ()
    sha256: str | None = None


@dataclass(frozen=True)
class Found:
    """A folder that holds all files of a data set."""

    folder: Path
    source: Source

    def path(self, file: RemoteFile) -> Path:
        """Where `file` lies."""
        return self.folder / file.name


class UnreachableError(DataError):
    """The data can't be had here and now: not present, and no download possible. A stand-in may be used."""


def data_root(root: str | Path | None) -> Path | None:
    """The folder looked at first: `root`, else `$HWSIM_DATA`, else None.

    Raises:
        DataError: it is named but is not a folder.
    """
    named = str(root) if root is not None else os.environ.get("HWSIM_DATA", "")
    if not named:
        return None
    path = Path(named).expanduser()
    if not path.is_dir():
        what = "the data folder" if root is not None else "$HWSIM_DATA"
        raise DataError.of(what, f"{named}, which is no folder", "a folder of data sets", "Correct it or unset it.")
    return path


def cache_folder(dataset: str) -> Path:
    """The cache folder of one data set (not created)."""
    named = os.environ.get("HWSIM_CACHE", "")
    if named:
        return Path(named).expanduser() / "data" / dataset
    import pooch

    return Path(pooch.os_cache("hwsim")) / "data" / dataset


def find(
    dataset: str,
    files: Sequence[RemoteFile],
    *,
    subfolder: str | None = None,
    root: str | Path | None = None,
    progress: Progress | None = None,
    how_to_get: str = "",
) -> Found:
    """Find all `files` of `dataset` in the first of: data folder, cache, download into the cache.

    Args:
        dataset: name for messages and of the cache folder.
        files: all of them are needed.
        subfolder: folder under the data folder; default `dataset`.
        root: data folder instead of `$HWSIM_DATA`.
        progress: told the bytes of a download.
        how_to_get: last sentence of the message when there is no way.

    Raises:
        DataError: a folder holds only some of the files, or a downloaded file is damaged.
        UnreachableError: the data is not here and can't be downloaded.
    """
    base = data_root(root)
    places: list[tuple[Path, Source]] = [(cache_folder(dataset), "cache")]
    if base is not None:
        places.insert(0, (base / (subfolder or dataset), "$HWSIM_DATA"))
    for folder, source in places:
        missing = [f.name for f in files if not (folder / f.name).is_file()]
        if not missing:
            return Found(folder, source)
        if source == "$HWSIM_DATA" and len(missing) < len(files):
            raise DataError.of(
                f"{folder} holds {dataset} only in part",
                f"no {', '.join(missing)}",
                f"all of {', '.join(f.name for f in files)}",
                "Add the missing files or remove the folder.",
            )
    return _download_all(dataset, files, progress, how_to_get)


def check_sha256(path: Path, expected: str, *, content: bytes | None = None, mend: str = "") -> str:
    """Return the SHA-256 of `content` (default: of the file) after comparing it with `expected`.

    Raises:
        DataError: they differ.
    """
    got = hashlib.sha256(content).hexdigest() if content is not None else sha256_of(path)
    if got != expected:
        raise DataError.of(
            f"checksum of {'the content of ' if content is not None else ''}{path}",
            f"sha256 {got}",
            f"sha256 {expected}",
            mend or "The file is damaged or another version: delete it and load again, or put the original there.",
        )
    return got


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_locked(found: Found, file: RemoteFile) -> str:
    """Check a file without a published SHA-256 against the lock file beside it; the first use records it.

    The lock (`lock.json`) is written only in the cache. In `$HWSIM_DATA` the hash is returned unchecked.

    Raises:
        DataError: the file changed since it was recorded, or the lock file can't be read.
    """
    path = found.path(file)
    if found.source == "$HWSIM_DATA":
        return sha256_of(path)
    lock_path = found.folder / "lock.json"
    lock = _read_lock(lock_path)
    if file.name in lock:
        mend = f"The file changed since its first use: delete it and load again, or delete {lock_path} to trust it."
        return check_sha256(path, lock[file.name], mend=mend)
    lock[file.name] = sha256_of(path)
    write_atomically(lock_path, json.dumps(lock, indent=2, sort_keys=True).encode() + b"\n")
    return lock[file.name]


def write_atomically(path: Path, content: bytes) -> None:
    """Write a whole file or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(content)
    os.replace(temporary, path)


_LOCAL_ONLY: ContextVar[bool] = ContextVar("local_only", default=False)


@contextmanager
def local_only() -> Iterator[None]:
    """Inside this context nothing is downloaded: data on this machine, or `UnreachableError`."""
    token = _LOCAL_ONLY.set(True)
    try:
        yield
    finally:
        _LOCAL_ONLY.reset(token)


def is_offline() -> bool:
    """Whether `HWSIM_OFFLINE` or `local_only` forbids downloads."""
    return _LOCAL_ONLY.get() or os.environ.get("HWSIM_OFFLINE", "").lower() not in ("", "0", "false", "no")


def no_download() -> str:
    """What forbids downloads, for messages."""
    return "the caller" if _LOCAL_ONLY.get() else "HWSIM_OFFLINE"


def _read_lock(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        lock = json.loads(path.read_bytes())
    except ValueError as error:
        raise DataError.of(
            f"lock file {path}", str(error), "JSON", "Delete it; the next use records it again."
        ) from error
    if not isinstance(lock, dict):
        raise DataError.of(f"lock file {path}", type(lock).__name__, "an object", "Delete it and load again.")
    return {str(name): str(digest) for name, digest in lock.items()}


def _download_all(dataset: str, files: Sequence[RemoteFile], progress: Progress | None, how_to_get: str) -> Found:
    from . import download

    what, got = f"data set {dataset}", "no copy on this machine"
    if not all(f.urls for f in files):
        raise UnreachableError.of(what, got, "its files", how_to_get)
    if is_offline():
        raise UnreachableError.of(what, f"{got}, and {no_download()} forbids a download", "its files", how_to_get)
    folder = cache_folder(dataset)
    try:
        for file in files:
            if not (folder / file.name).is_file():
                download.fetch(file, folder, progress)
    except download.NoAnswerError as error:
        raise UnreachableError.of(what, f"{got}, and {error}", "its files", how_to_get) from error
    return Found(folder, "download")
