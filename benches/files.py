"""Files that appear whole or not at all, and hashes of plain data.

Every file of a run is written beside its place, flushed to the disk and renamed, so that a kill or a full
disk leaves the earlier file as it was.
"""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from hwsim.ir.errors import HwsimError, UsageError

_NOT_ALLOWED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG}


class StorageError(HwsimError):
    """The disk refused a write (full, over quota, broken); what was written earlier is intact."""

    exit_code = 4


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Turn an `OSError` of a write to `path` into an error that says what to do.

    Raises:
        UsageError: the place cannot be written by this user.
        StorageError: the disk is full or failing.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        if error.errno in _NOT_ALLOWED:
            mend = "Choose another place with --out, or mend its permissions."
            raise UsageError.of(f"cannot write {path}", reason, "a writable folder", mend) from error
        mend = "Free space, then go on with --resume; every file written earlier is whole."
        raise StorageError.of(f"cannot write {path}", reason, "a disk with room", mend) from error


def make_folder(path: Path) -> Path:
    """Create `path` and its parents; raises as `storing`."""
    with storing(path):
        path.mkdir(parents=True, exist_ok=True)
    return path


def write_atomic(path: Path, data: bytes | str) -> None:
    """Write `data` to `path` so that a reader sees the old file or the whole new one; raises as `storing`."""
    make_folder(path.parent)
    with storing(path):
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data.encode() if isinstance(data, str) else data)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o644)  # mkstemp makes 0600; results are meant to be read
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def link_atomic(link: Path, target: str) -> None:
    """Point the symbolic link `link` at `target` in one step; raises as `storing`."""
    with storing(link):
        temporary = link.with_name(f".{link.name}.{os.getpid()}")
        temporary.unlink(missing_ok=True)
        os.symlink(target, temporary)
        os.replace(temporary, link)


def jsonable(value: Any) -> Any:
    """numpy scalars and arrays as numbers and lists, paths as text: the hook of every JSON encoder here."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} cannot be stored as JSON")


def plain(value: object) -> Any:
    """`value` (struct, dataclass, tuple, numpy number, …) as JSON would give it back."""
    return msgspec.json.decode(canonical(value))


def canonical(value: object) -> bytes:
    """JSON bytes of plain data, equal for equal data whatever the order of keys."""
    return msgspec.json.encode(value, order="deterministic", enc_hook=jsonable)


def digest(value: object, length: int = 16) -> str:
    """First `length` hex digits of the SHA-256 of `canonical(value)`."""
    return hashlib.sha256(canonical(value)).hexdigest()[:length]


def file_sha256(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
