"""What is indexed and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Body = dict[str, Any]  # JSON of a request or a mapping, in Elasticsearch's words


@dataclass(frozen=True, eq=False)
class Document:
    """One passage.

    Attributes:
        id: unique in an index; indexing an id again replaces its document.
        text: not empty.
        vector: float [dims], not all zero under the cosine similarity.
        fields: further keyword fields; a filter may ask for their values.
    """

    id: str
    text: str
    vector: np.ndarray
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Hit:
    """One found document: `score` is Elasticsearch's ``_score``, higher is nearer."""

    id: str
    score: float
    text: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Stats:
    """State of an index.

    Attributes:
        engine: name of the engine.   documents: live ones.   dims: of the vectors.   similarity: of the mapping.
        bytes: of vectors and graph as far as the engine knows, else 0.
    """

    engine: str
    documents: int
    dims: int
    similarity: str
    bytes: int = 0


@dataclass(frozen=True)
class BulkReport:
    """What a bulk call did.

    Attributes:
        indexed: documents written.   failed: (id, reason) of the refused ones.
        retries: requests that were sent again.
    """

    indexed: int
    failed: tuple[tuple[str, str], ...] = ()
    retries: int = 0
