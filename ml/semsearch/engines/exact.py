"""`ExactEngine`: every search looks at every vector, in numpy. The oracle of the other engines."""

from __future__ import annotations

from ml.semsearch.documents import Body
from ml.semsearch.engines.local import LocalEngine
from ml.semsearch.engines.vectors import ExactVectors, Vectors


class ExactEngine(LocalEngine):
    """Exact neighbours whatever the mapping's index options; `num_candidates` is checked and not needed."""

    name = "exact"

    def vectors_of(self, field: Body) -> Vectors:
        """As `LocalEngine.vectors_of`."""
        return ExactVectors(field["dims"], field["similarity"])
