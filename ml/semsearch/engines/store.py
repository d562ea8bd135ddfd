"""Documents of an embedded index on the disk: one file a batch, written whole or not at all.

``<folder>/mapping.json`` and ``<folder>/<number>.segment.npz``. A batch counts once its file has its final name, after
it was synced; a kill leaves at most a temporary file, which the next opening removes. Later segments win, and a segment
may take ids out, so that indexing a batch again after a kill changes nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwsim.ir.errors import DataError
from ml.semsearch.documents import Body, Document

_SUFFIX, _PART = ".segment.npz", ".part"


@dataclass(frozen=True, eq=False)
class Segment:
    """One batch: documents written, and ids taken out before them."""

    documents: tuple[Document, ...]
    removed: tuple[str, ...] = ()


class SegmentStore:
    """The folder of one index.

    Args:
        folder: made by `create`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def exists(self) -> bool:
        """Whether an index is there."""
        return (self.folder / "mapping.json").is_file()

    def create(self, body: Body) -> None:
        """Make the folder and write the mapping."""
        self.folder.mkdir(parents=True, exist_ok=True)
        _write(self.folder / "mapping.json", json.dumps(body, indent=1).encode())

    def mapping(self) -> Body:
        """The body that `create` was given.

        Raises:
            DataError: it can't be read.
        """
        path = self.folder / "mapping.json"
        try:
            body: Body = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise DataError.of(f"index {self.folder}", error, "a mapping.json", "Index the documents again.") from error
        return body

    def append(self, segment: Segment) -> None:
        """Write one batch and wait until it is on the disk."""
        import io

        rows = [(d.id, d.text, dict(d.fields)) for d in segment.documents]
        vectors = np.array([d.vector for d in segment.documents], np.float32)
        header = json.dumps({"documents": rows, "removed": list(segment.removed)}).encode()
        buffer = io.BytesIO()
        np.savez(buffer, vectors=vectors, header=np.frombuffer(header, np.uint8))
        number = max((_number(path) for path in self._paths()), default=-1) + 1
        _write(self.folder / f"{number:08d}{_SUFFIX}", buffer.getvalue())

    def segments(self) -> Iterator[Segment]:
        """All batches in order; what a kill left half written is removed.

        Raises:
            DataError: a segment is damaged.
        """
        for left in self.folder.glob(f"*{_PART}"):
            left.unlink(missing_ok=True)
        for path in self._paths():
            try:
                with np.load(path) as held:
                    vectors, header = held["vectors"], json.loads(held["header"].tobytes())
            except (OSError, ValueError, KeyError) as error:
                mend = "Delete the file; its documents are indexed again."
                raise DataError.of(f"segment {path}", error, "a whole segment", mend) from error
            rows = zip(header["documents"], vectors, strict=True)
            documents = tuple(Document(name, text, vector, fields) for (name, text, fields), vector in rows)
            yield Segment(documents, tuple(header["removed"]))

    def drop(self) -> None:
        """Remove the index's files, and the folder when nothing else is in it."""
        for path in (*self._paths(), *self.folder.glob(f"*{_PART}"), self.folder / "mapping.json"):
            path.unlink(missing_ok=True)
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _paths(self) -> Sequence[Path]:
        return sorted(self.folder.glob(f"*{_SUFFIX}"), key=_number)


def same_mapping(first: Mapping[str, object], second: Mapping[str, object]) -> bool:
    """Whether two mapping bodies are equal as JSON."""
    return json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)


def _number(path: Path) -> int:
    return int(path.name.removesuffix(_SUFFIX))


def _write(path: Path, content: bytes) -> None:
    """Temporary file, sync, rename, sync of the folder."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}{_PART}")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
