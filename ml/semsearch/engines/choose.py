"""An engine by name; by default Elasticsearch when ``$ES_URL`` is set, else faiss."""

from __future__ import annotations

import os
from pathlib import Path

from hwsim.ir.errors import UsageError
from ml.semsearch.engines.exact import ExactEngine
from ml.semsearch.engines.hnsw import HnswEngine
from ml.semsearch.engines.protocol import SearchEngine

NAMES = ("hnsw", "exact", "lucene", "elastic")


def engine(name: str | None = None, folder: str | Path | None = None) -> SearchEngine:
    """The engine called `name`.

    Args:
        name: one of `NAMES`; None = ``elastic`` with ``$ES_URL``, else ``hnsw``.
        folder: where an engine of this process keeps its indexes; None = in memory.

    Raises:
        UsageError: another name.   ToolMissingError: the extra of the engine is not installed.
    """
    chosen = name or ("elastic" if os.environ.get("ES_URL") else "hnsw")
    if chosen == "elastic":
        from ml.semsearch.engines.elastic import ElasticEngine

        return ElasticEngine()
    if chosen == "lucene":
        from ml.semsearch.engines.lucene import LuceneEngine

        return LuceneEngine(folder)
    if chosen not in NAMES:
        raise UsageError.of("engine", repr(chosen), f"one of {', '.join(NAMES)}", "Choose one of them.")
    return HnswEngine(folder) if chosen == "hnsw" else ExactEngine(folder)
