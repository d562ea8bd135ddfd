"""`HnswEngine`: faiss graphs in this process, the default engine; it needs no server."""

from __future__ import annotations

from ml.semsearch.documents import Body
from ml.semsearch.engines.local import LocalEngine
from ml.semsearch.engines.vectors import HnswVectors, Vectors


class HnswEngine(LocalEngine):
    """Approximate neighbours; ``index_options`` hnsw, int8_hnsw, flat and int8_flat.

    Example:
        >>> import numpy as np
        >>> from ml.semsearch.documents import Document
        >>> from ml.semsearch.requests import mapping
        >>> engine = HnswEngine()
        >>> engine.create("birds", mapping(2))
        >>> owl, lark = (Document(name, "a bird", v) for name, v in zip(("owl", "lark"), np.eye(2)))
        >>> report = engine.bulk("birds", [owl, lark])
        >>> [(hit.id, hit.score) for hit in engine.knn("birds", np.array([1.0, 0.0]), k=1)]
        [('owl', 1.0)]
    """

    name = "hnsw"

    def vectors_of(self, field: Body) -> Vectors:
        """As `LocalEngine.vectors_of`."""
        options = field["index_options"]
        graph = {key: options[key] for key in ("m", "ef_construction") if key in options}
        return HnswVectors(field["dims"], field["similarity"], options["type"], **graph)
