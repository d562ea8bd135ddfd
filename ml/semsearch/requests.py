"""Request bodies in Elasticsearch's query language: every engine takes these and nothing else.

Checked here before anything is sent: k ≤ num_candidates ≤ 10 000, vectors without NaN, weights and sizes above 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hwsim.ir.errors import ShapeError, UsageError
from ml.semsearch.analysis import ANALYZERS
from ml.semsearch.documents import Body
from ml.semsearch.scores import NORMALIZERS, RANK_CONSTANT, SIMILARITIES

TEXT, VECTOR = "text", "vector"  # field names of every index
MAX_CANDIDATES, MAX_DIMS, WINDOW = 10_000, 4096, 200
INDEX_OPTIONS = ("hnsw", "int8_hnsw", "int4_hnsw", "bbq_hnsw", "flat", "int8_flat", "int4_flat", "bbq_flat")
Filter = Mapping[str, str | Sequence[str]]


def mapping(
    dims: int,
    similarity: str = "cosine",
    options: str = "hnsw",
    m: int = 16,
    ef_construction: int = 100,
    analyzer: str = "english",
    keywords: Sequence[str] = ("source",),
) -> Body:
    """Body of ``PUT /<index>``: a text field, a dense vector field and keyword fields.

    Args:
        dims: 1 … 4096.   similarity: one of `SIMILARITIES`.
        options: one of `INDEX_OPTIONS`; not every engine has all.   m, ef_construction: of graphs.
        analyzer: ``"english"`` or ``"standard"``.   keywords: names of fields that filters ask for.

    Raises:
        UsageError: a value outside these.

    Example:
        >>> mapping(384)["mappings"]["properties"]["vector"]["index_options"]
        {'type': 'hnsw', 'm': 16, 'ef_construction': 100}
    """
    if not 1 <= dims <= MAX_DIMS:
        raise UsageError.of("dims of the mapping", dims, f"1…{MAX_DIMS}", "Use an encoder of that width.")
    for name, got, known in (
        ("similarity", similarity, SIMILARITIES), ("index_options", options, INDEX_OPTIONS),
        ("analyzer", analyzer, ANALYZERS),
    ):  # fmt: skip
        if got not in known:
            raise UsageError.of(
                f"{name} of the mapping", repr(got), f"one of {', '.join(known)}", "Choose one of them."
            )
    if m < 2 or ef_construction < 1:
        got = f"m {m}, ef_construction {ef_construction}"
        raise UsageError.of("graph of the mapping", got, "m ≥ 2, ef_construction ≥ 1", "Use 16 and 100.")
    graph = {"m": m, "ef_construction": ef_construction} if options.endswith("hnsw") else {}
    properties: Body = {
        TEXT: {"type": "text", "analyzer": analyzer},
        VECTOR: {
            "type": "dense_vector", "dims": dims, "index": True, "similarity": similarity,
            "index_options": {"type": options, **graph},
        },
        **{name: {"type": "keyword"} for name in keywords},
    }  # fmt: skip
    return {"mappings": {"dynamic": "strict", "properties": properties}}


def candidates(k: int, num_candidates: int | None = None) -> int:
    """Elasticsearch's num_candidates: given, or min(1.5 · k, 10 000).

    Raises:
        UsageError: k below 1 or above num_candidates, or num_candidates above 10 000.

    Example:
        >>> candidates(10), candidates(10, 100)
        (15, 100)
    """
    chosen = min(k * 3 // 2, MAX_CANDIDATES) if num_candidates is None else num_candidates
    if k < 1 or chosen > MAX_CANDIDATES or k > chosen:
        got = f"k {k}, num_candidates {chosen}"
        want = f"1 ≤ k ≤ num_candidates ≤ {MAX_CANDIDATES}"
        raise UsageError.of("knn", got, want, "Raise num_candidates or lower k.")
    return chosen


def knn_clause(
    vector: np.ndarray,
    k: int = 10,
    num_candidates: int | None = None,
    where: Filter | None = None,
    similarity: float | None = None,
    boost: float | None = None,
) -> Body:
    """The ``knn`` object of a search.

    Args:
        vector: [dims].   where: keyword field → value or values that documents must have.
        similarity: least raw similarity.   boost: factor of the scores.

    Raises:
        UsageError: see `candidates`.   ShapeError: a vector that is not one row of finite numbers.
    """
    clause: Body = {
        "field": VECTOR, "query_vector": listed(vector), "k": k, "num_candidates": candidates(k, num_candidates),
    }  # fmt: skip
    if where:
        clause["filter"] = filter_clause(where)
    if similarity is not None:
        clause["similarity"] = similarity
    if boost is not None:
        clause["boost"] = boost
    return clause


def filter_clause(where: Filter) -> Body:
    """``bool.filter`` over keyword fields."""
    terms = [{"term": {f: v}} if isinstance(v, str) else {"terms": {f: list(v)}} for f, v in where.items()]
    return {"bool": {"filter": terms}}


def match_query(text: str, where: Filter | None = None) -> Body:
    """The ``query`` object of a BM25 search."""
    match: Body = {"match": {TEXT: {"query": text}}}
    return {"bool": {"must": [match], **filter_clause(where)["bool"]}} if where else match


def knn_body(vector: np.ndarray, k: int = 10, **more: Any) -> Body:
    """Approximate nearest neighbours; `more` as of `knn_clause`."""
    return {"knn": knn_clause(vector, k, **more), "size": k}


def match_body(text: str, k: int = 10, where: Filter | None = None) -> Body:
    """BM25."""
    return {"query": match_query(text, where), "size": sized(k)}


def exact_body(vector: np.ndarray, k: int = 10, where: Filter | None = None) -> Body:
    """Every document scored by a script: cosine + 1, since scores must not be below 0."""
    inner: Body = filter_clause(where) if where else {"match_all": {}}
    script = {"source": f"cosineSimilarity(params.q, '{VECTOR}') + 1.0", "params": {"q": listed(vector)}}
    return {"query": {"script_score": {"query": inner, "script": script}}, "size": sized(k)}


def summed_body(text: str, vector: np.ndarray, k: int = 10, boosts: tuple[float, float] = (1.0, 1.0)) -> Body:
    """``query`` and ``knn`` side by side: the sum of the boosted scores. `boosts`: of the text, of the vector."""
    query = {"match": {TEXT: {"query": text, "boost": boosts[0]}}}
    return {"query": query, "knn": knn_clause(vector, k, WINDOW, boost=boosts[1]), "size": sized(k)}


def rrf_body(
    text: str,
    vector: np.ndarray,
    k: int = 10,
    window: int = WINDOW,
    constant: int = RANK_CONSTANT,
    where: Filter | None = None,
) -> Body:
    """Reciprocal rank fusion of BM25 and neighbours, `window` of each."""
    window = max(window, sized(k))
    rrf = {"retrievers": _both(text, vector, window, where), "rank_constant": constant, "rank_window_size": window}
    return {"retriever": {"rrf": rrf}, "size": k}


def linear_body(
    text: str,
    vector: np.ndarray,
    weight: float,
    k: int = 10,
    window: int = WINDOW,
    normalizer: str = "l2_norm",
    where: Filter | None = None,
) -> Body:
    """(1 − weight) · BM25 + weight · neighbours, each list normalised first.

    Raises:
        UsageError: a weight outside 0 … 1.
    """
    if not 0 <= weight <= 1:
        raise UsageError.of("weight of the vectors", weight, "0 … 1", "0 is BM25 alone, 1 vectors alone.")
    if normalizer not in NORMALIZERS:
        raise UsageError.of("normalizer", repr(normalizer), f"one of {', '.join(NORMALIZERS)}", "Choose one of them.")
    window = max(window, sized(k))
    parts = [
        {"retriever": retriever, "weight": float(share), "normalizer": normalizer}
        for retriever, share in zip(_both(text, vector, window, where), (1 - weight, weight), strict=True)
    ]
    return {"retriever": {"linear": {"retrievers": parts, "rank_window_size": window}}, "size": k}


def _both(text: str, vector: np.ndarray, window: int, where: Filter | None) -> list[Body]:
    knn = knn_clause(vector, window, max(window, candidates(window)), where)
    return [{"standard": {"query": match_query(text, where)}}, {"knn": knn}]


def listed(vector: np.ndarray) -> list[float]:
    """The JSON form of a vector.

    Raises:
        ShapeError: not one row, or not finite.
    """
    row = np.asarray(vector, np.float64)
    if row.ndim != 1 or not np.isfinite(row).all():
        got = f"shape {list(row.shape)}" if row.ndim != 1 else "NaN or infinity"
        raise ShapeError.of("query vector", got, "[dims], finite", "Pass one vector.")
    return row.tolist()


def sized(k: int) -> int:
    """k, 1 or more.

    Raises:
        UsageError: less.
    """
    if k < 1:
        raise UsageError.of("k", k, "1 or more", "Ask for at least one document.")
    return k
