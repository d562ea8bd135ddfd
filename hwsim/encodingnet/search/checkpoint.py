"""State of an interrupted search in a small JSON file; written whole or not at all."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from hwsim.ir.errors import DataError


def problem_key(*parts: Any) -> str:
    """Hash of everything that defines a search; arrays by their bytes."""
    digest = hashlib.sha256()
    for part in parts:
        array = part if isinstance(part, np.ndarray) else None
        digest.update(repr(part).encode() if array is None else np.ascontiguousarray(array).tobytes())
        digest.update(b"|")
    return digest.hexdigest()[:16]


def save(path: Path | None, key: str, state: dict[str, Any]) -> None:
    """Write `state` (JSON-able) for the problem `key`; None writes nothing."""
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(path.suffix + ".tmp")
    temporary.write_text(json.dumps({"key": key, **state}), encoding="utf-8")
    temporary.replace(path)


def load(path: Path | None, key: str) -> dict[str, Any] | None:
    """The state that `save` wrote, or None where there is no file.

    Raises:
        DataError: the file belongs to another problem, or is damaged.
    """
    if path is None or not path.exists():
        return None
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        found = state["key"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError.of(f"checkpoint {path}", repr(error), "a file written by a search", "Delete it.") from error
    if found != key:
        raise DataError.of(f"checkpoint {path} of another search", found, key, "Give each search a file of its own.")
    return dict(state)
