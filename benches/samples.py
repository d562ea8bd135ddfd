"""`samples.csv`: results of single computations, kept as they come, so that a killed run goes on.

Each row is ``problem,key,values,seconds``: a hash of the whole problem (paper, configuration, seed and the
row's own key), the key and the values as JSON, and what the row cost. A row counts once its line is complete
and on the disk; a line torn by a kill is dropped when the file is opened again. Rows of another problem are
never returned.
"""

from __future__ import annotations

import csv
import io
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from benches.files import canonical, digest, make_folder, storing
from hwsim.ir.errors import UsageError

HEADER = "problem,key,values,seconds\n"


class Samples:
    """Append-only table of one run.

    Example:
        >>> import tempfile
        >>> table = Samples(Path(tempfile.mkdtemp()) / "samples.csv", {"slug": "toy", "trials": 100})
        >>> table.add({"errors": 3}, snr_db=10)
        >>> table.get(snr_db=10)
        {'errors': 3}
        >>> table.get(snr_db=12) is None
        True
    """

    def __init__(self, path: Path, problem: object) -> None:
        """Open or create `path`; `problem` is plain data that names everything the values depend on.

        Raises:
            UsageError: the file is damaged before its last line, or is not a samples file.
        """
        self.path = path
        self._problem = problem
        self._rows: dict[str, dict[str, Any]] = {}
        self.dropped = self._load() if path.exists() else 0

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, **key: Any) -> dict[str, Any] | None:
        """Values stored under `key`, or None."""
        return self._rows.get(self._hash(key))

    def add(self, values: dict[str, Any], seconds: float = 0.0, **key: Any) -> None:
        """Store JSON-able `values` under `key`; on the disk when this returns. A second row wins."""
        line = io.StringIO()
        texts = [self._hash(key), canonical(key).decode(), canonical(values).decode(), f"{seconds:.6g}"]
        csv.writer(line, lineterminator="\n").writerow(texts)
        self._append(line.getvalue())
        self._rows[texts[0]] = msgspec.json.decode(texts[2])

    def once(self, compute: Callable[[], dict[str, Any]], **key: Any) -> dict[str, Any]:
        """Values under `key`; computed and stored when they are not there yet."""
        if (known := self.get(**key)) is not None:
            return known
        start = time.perf_counter()
        self.add(compute(), time.perf_counter() - start, **key)
        return self._rows[self._hash(key)]

    def _hash(self, key: dict[str, Any]) -> str:
        return digest({"problem": self._problem, "key": key})

    def _append(self, line: str) -> None:
        make_folder(self.path.parent)
        # unbuffered: a buffer would be flushed once more on closing, behind the truncation
        with storing(self.path), self.path.open("ab", buffering=0) as file:
            whole = file.seek(0, os.SEEK_END)
            rest = memoryview((line if whole else HEADER + line).encode())
            try:
                while rest:
                    rest = rest[file.write(rest) :]
                os.fsync(file.fileno())
            except OSError:
                os.truncate(self.path, whole)  # shrinking needs no room: leave no half line behind
                raise

    def _load(self) -> int:
        """Read the rows and cut off a torn tail; returns how many bytes were cut."""
        data = self.path.read_bytes()
        mend = "Restore the file, or start a new run."
        if not (data.startswith(HEADER.encode()) or HEADER.encode().startswith(data)):
            raise UsageError.of(f"{self.path} is damaged", "another first line", repr(HEADER), mend)
        good = end = 0
        bad = ""
        for number, raw in enumerate(data.splitlines(keepends=True), start=1):
            end += len(raw)
            if not self._read_line(number, raw):
                bad = bad or f"line {number}"
            elif bad:
                raise UsageError.of(f"{self.path} is damaged", bad, "whole rows", mend)
            else:
                good = end
        if good < len(data):
            with storing(self.path):
                os.truncate(self.path, good)
        return len(data) - good

    def _read_line(self, number: int, raw: bytes) -> bool:
        """Take one line in; False when it is not a whole row."""
        if not raw.endswith(b"\n"):
            return False
        try:
            text = raw.decode()
            if number == 1:
                return text == HEADER
            problem, _, values, seconds = next(csv.reader([text]))
            float(seconds)
            row = msgspec.json.decode(values, type=dict[str, Any])
        except (UnicodeDecodeError, msgspec.DecodeError, ValueError, csv.Error, StopIteration):
            return False
        self._rows[problem] = row
        return True
