"""Elasticsearch's scores, as plain functions of similarities and ranks.

| similarity | _score |
|---|---|
| ``cosine``, ``dot_product`` (float) | (1 + s) / 2 |
| ``l2_norm`` | 1 / (1 + d²) |
| ``max_inner_product`` | s < 0: 1 / (1 − s), else s + 1 |
| bit vectors, ``l2_norm`` | (bits − Hamming distance) / bits |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from hwsim.ir.errors import UsageError

SIMILARITIES = ("cosine", "dot_product", "l2_norm", "max_inner_product")
RANK_CONSTANT = 60
K1, B = 1.2, 0.75


def score(similarity: str, s: np.ndarray) -> np.ndarray:
    """``_score`` of raw similarities.

    Args:
        similarity: one of `SIMILARITIES`.
        s: cosine or inner product; for ``l2_norm`` the squared distance d².

    Raises:
        UsageError: another similarity.

    Example:
        >>> score("max_inner_product", np.array([2.0, -1.0])).tolist()
        [3.0, 0.5]
    """
    s = np.asarray(s, np.float64)
    if similarity in ("cosine", "dot_product"):
        return (1 + s) / 2
    if similarity == "l2_norm":
        return 1 / (1 + s)
    if similarity == "max_inner_product":
        return np.where(s < 0, 1 / (1 - np.minimum(s, 0)), s + 1)
    raise UsageError.of("similarity", repr(similarity), f"one of {', '.join(SIMILARITIES)}", "Choose one of them.")


def bit_score(distance: np.ndarray, bits: int) -> np.ndarray:
    """``_score`` of Hamming distances between vectors of `bits` bits."""
    return (bits - np.asarray(distance, np.float64)) / bits


def raw(similarity: str, query: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Raw similarities [n] of a query [dims] with vectors [n, dims]; squared distances for ``l2_norm``."""
    if similarity == "l2_norm":
        return np.square(vectors - query).sum(axis=1)
    return vectors @ query


def idf(documents: int, frequency: np.ndarray) -> np.ndarray:
    """Lucene's BM25 weight of a term that `frequency` of `documents` documents hold: ln(1 + (N − n + ½) / (n + ½))."""
    n = np.asarray(frequency, np.float64)
    return np.log1p((documents - n + 0.5) / (n + 0.5))


def reciprocal_ranks(lists: Sequence[Sequence[str]], constant: int = RANK_CONSTANT) -> dict[str, float]:
    """Reciprocal rank fusion: Σ over lists of 1 / (constant + rank), ranks from 1; best first, ties by id.

    Example:
        >>> list(reciprocal_ranks([["a", "b"], ["b"]]))
        ['b', 'a']
    """
    total: dict[str, float] = {}
    for ranked in lists:
        for rank, name in enumerate(ranked, 1):
            total[name] = total.get(name, 0.0) + 1 / (constant + rank)
    return ordered(total)


def minmax(scores: Mapping[str, float]) -> dict[str, float]:
    """Scores moved to 0 … 1, as the linear retriever's ``minmax`` normaliser does; all 1 when they are equal.

    Example:
        >>> minmax({"a": 3.0, "b": 1.0, "c": 2.0})
        {'a': 1.0, 'b': 0.0, 'c': 0.5}
    """
    if not scores:
        return {}
    low, high = min(scores.values()), max(scores.values())
    if high == low:
        return dict.fromkeys(scores, 1.0)
    return {name: (value - low) / (high - low) for name, value in scores.items()}


def l2_norm(scores: Mapping[str, float]) -> dict[str, float]:
    """Scores divided by the length of their vector, as the normaliser ``l2_norm``; zeros stay.

    Example:
        >>> l2_norm({"a": 3.0, "b": 4.0})
        {'a': 0.6, 'b': 0.8}
    """
    length = float(np.linalg.norm(list(scores.values()))) or 1.0
    return {name: value / length for name, value in scores.items()}


NORMALIZERS: dict[str, Callable[[Mapping[str, float]], dict[str, float]]] = {
    "none": dict,
    "minmax": minmax,
    "l2_norm": l2_norm,
}


def ordered(scores: Mapping[str, float], size: int | None = None) -> dict[str, float]:
    """The `size` best, best first, ties by id."""
    return dict(sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:size])
