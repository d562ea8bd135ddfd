"""Answers request bodies over three primitives, as Elasticsearch does: one interpreter for every local engine."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwsim.ir.errors import ShapeError, UsageError
from ml.semsearch.documents import Body
from ml.semsearch.requests import TEXT, VECTOR, candidates
from ml.semsearch.scores import NORMALIZERS, ordered, reciprocal_ranks

Scores = dict[str, float]
SIZE = 10  # of a body without size


@dataclass(frozen=True)
class Primitives:
    """What an index can do; every function returns id → ``_score``.

    Attributes:
        dims, similarity: of the mapping.
        nearest: (vector, k, num_candidates, filter or None, least raw similarity or None).
        matching: (text, filter or None, size).
        cosines: (vector, filter or None) → cosine with every document.
    """

    dims: int
    similarity: str
    nearest: Callable[[np.ndarray, int, int, Body | None, float | None], Scores]
    matching: Callable[[str, Body | None, int], Scores]
    cosines: Callable[[np.ndarray, Body | None], Scores]


def answer(body: Body, index: Primitives) -> Scores:
    """id → score of the best ``size`` documents, best first.

    Raises:
        UsageError: a key or query that is not one of `ml.semsearch.requests`.
        ShapeError: a query vector of another width, or of zeros.
    """
    _known("search body", body, {"knn", "query", "retriever", "size"})
    size = int(body.get("size", SIZE))
    if "retriever" in body:
        if len(body) > 1 + ("size" in body):
            raise UsageError.of("search body", sorted(body), "retriever alone", "Put query and knn into retrievers.")
        return ordered(_retrieve(body["retriever"], index, size), size)
    total: Scores = {}
    clauses = body.get("knn", [])
    for clause in clauses if isinstance(clauses, list) else [clauses]:
        _add(total, _knn(clause, index))
    if "query" in body:
        _add(total, _query(body["query"], index, size if not total else index_window(size)))
    return ordered(total, size)


def index_window(size: int) -> int:
    """How many documents of a query are scored where they are added to others: all that could matter."""
    return max(size, 10_000)


def _knn(clause: Body, index: Primitives) -> Scores:
    known = {"field", "query_vector", "k", "num_candidates", "filter", "similarity", "boost"}
    _known("knn", clause, known)
    if clause.get("field") != VECTOR:
        raise UsageError.of("knn.field", clause.get("field"), f"{VECTOR!r}, the vector field", "Correct the name.")
    k = int(clause.get("k", SIZE))
    vector = checked(clause["query_vector"], index.dims, index.similarity)
    wanted = candidates(k, clause.get("num_candidates"))
    found = index.nearest(vector, k, wanted, clause.get("filter"), clause.get("similarity"))
    return {name: value * float(clause.get("boost", 1.0)) for name, value in found.items()}


def _query(query: Body, index: Primitives, size: int) -> Scores:
    (kind, inner), *more = query.items()
    if more or kind not in ("match", "bool", "script_score", "match_all"):
        raise UsageError.of("query", sorted(query), "match, bool, script_score or match_all", "Use another query.")
    if kind == "match":
        text, boost = _match(inner)
        return {name: boost * value for name, value in index.matching(text, None, size).items()}
    if kind == "bool":
        _known("bool", inner, {"must", "filter"})
        text, boost = _match(inner["must"][0]["match"])
        only: Body = {"bool": {"filter": inner.get("filter", [])}}
        return {name: boost * value for name, value in index.matching(text, only, size).items()}
    if kind == "match_all":
        return dict.fromkeys(index.cosines(np.ones(index.dims, np.float32), None), 1.0)
    return _scripted(inner, index)


def _match(inner: Body) -> tuple[str, float]:
    """(text, boost) of a match query."""
    if list(inner) != [TEXT]:
        raise UsageError.of("match", sorted(inner), f"the field {TEXT!r}", "Correct the name.")
    asked: Any = inner[TEXT]
    return (asked, 1.0) if isinstance(asked, str) else (asked["query"], float(asked.get("boost", 1.0)))


def _scripted(inner: Body, index: Primitives) -> Scores:
    """``cosineSimilarity(params.q, 'vector') + 1.0`` over the documents of an inner query."""
    script = inner["script"]
    wanted = rf"cosineSimilarity\(params\.(\w+), '{VECTOR}'\) \+ 1\.0"
    found = re.fullmatch(wanted, script["source"])
    if not found:
        expected = f"cosineSimilarity(params.q, '{VECTOR}') + 1.0"
        raise UsageError.of("script of script_score", repr(script["source"]), expected, "Local engines run this one.")
    vector = checked(script["params"][found[1]], index.dims, "cosine")
    return {name: value + 1 for name, value in index.cosines(vector, inner["query"]).items()}


def _retrieve(retriever: Body, index: Primitives, size: int) -> Scores:
    (kind, inner), *more = retriever.items()
    if more or kind not in ("standard", "knn", "rrf", "linear"):
        raise UsageError.of("retriever", sorted(retriever), "standard, knn, rrf or linear", "Use another retriever.")
    if kind == "standard":
        return ordered(_query(inner["query"], index, size), size)
    if kind == "knn":
        return ordered(_knn(inner, index), size)
    window = int(inner.get("rank_window_size", size))
    if kind == "rrf":
        _known("rrf", inner, {"retrievers", "rank_constant", "rank_window_size"})
        lists = [list(_retrieve(part, index, window)) for part in inner["retrievers"]]
        return reciprocal_ranks(lists, int(inner.get("rank_constant", 60)))
    _known("linear", inner, {"retrievers", "rank_window_size"})
    total: Scores = {}
    for part in inner["retrievers"]:
        found = _retrieve(part["retriever"], index, window)
        if (name := part.get("normalizer", "none")) not in NORMALIZERS:
            raise UsageError.of("normalizer", repr(name), f"one of {', '.join(NORMALIZERS)}", "Choose one of them.")
        found = NORMALIZERS[name](found)
        if weight := float(part.get("weight", 1.0)):
            _add(total, {name: weight * value for name, value in found.items()})
    return total


def _add(total: Scores, more: Scores) -> None:
    for name, value in more.items():
        total[name] = total.get(name, 0.0) + value


def _known(what: str, body: Body, known: set[str]) -> None:
    unknown = sorted(set(body) - known)
    if unknown:
        raise UsageError.of(f"{what}: unknown key", unknown, f"some of {sorted(known)}", "Correct or drop it.")


def checked(values: Any, dims: int, similarity: str) -> np.ndarray:
    """A query vector float32 [dims].

    Raises:
        ShapeError: another width, or zeros under cosine.
    """
    vector = np.asarray(values, np.float32)
    if vector.shape != (dims,):
        raise ShapeError.of("query vector", list(vector.shape), f"[{dims}], the mapping's dims", "Use its encoder.")
    if similarity == "cosine" and not vector.any():
        raise ShapeError.of("query vector", "zeros", "a direction", "A zero vector has no cosine; ask otherwise.")
    return vector
