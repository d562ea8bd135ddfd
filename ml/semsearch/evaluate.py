"""How good a ranking is: nDCG, recall, and a fusion weight chosen without looking at the queries it is judged on.

nDCG@k = DCG / ideal DCG with DCG = Σ_i gain_i / log2(i + 1), ranks i from 1 (Järvelin and Kekäläinen 2002; gains enter
as they are, not as 2^gain − 1, as in trec_eval).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hwsim.ir.errors import UsageError, check_shape
from ml.common.corpora import Corpus
from ml.semsearch.requests import WINDOW

WEIGHTS = tuple(np.round(np.linspace(0, 1, 21), 2).tolist())


def gain_matrix(corpus: Corpus) -> np.ndarray:
    """float64 [queries, documents]: gain of every document for every query, 0 where it was not judged relevant."""
    number = {doc: i for i, doc in enumerate(corpus.doc_ids)}
    gains = np.zeros((len(corpus.queries), len(corpus.texts)))
    for row, query in zip(gains, corpus.query_ids, strict=True):
        for doc, gain in corpus.gains[query].items():
            row[number[doc]] = gain
    return gains


def ranked(scores: np.ndarray, k: int) -> np.ndarray:
    """int64 [queries, k]: documents by falling score, ties by number; −1 where fewer than k score above −∞."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.where(np.take_along_axis(scores, order, 1) == -np.inf, -1, order)


def ndcg(found: np.ndarray, gains: np.ndarray, k: int = 10) -> np.ndarray:
    """float64 [queries] nDCG@k.

    Args:
        found: int [queries, ≥ k], documents best first; −1 = nothing found.   gains: [queries, documents].

    Raises:
        ShapeError: other shapes.   UsageError: a query without a relevant document.

    Example:
        >>> ndcg(np.array([[1, 0]]), np.array([[1.0, 0.0, 0.0]]), 2).round(3).tolist()
        [0.631]
    """
    check_shape("found", found.shape, "[queries, k]", (len(gains), None))
    if not (gains > 0).any(axis=1).all():
        raise UsageError.of("gains", "a query without a relevant document", "one or more", "Leave such queries out.")
    discount = 1 / np.log2(np.arange(2, k + 2))
    cut = found[:, :k]
    got = np.where(cut >= 0, np.take_along_axis(gains, np.maximum(cut, 0), 1), 0.0)
    ideal = -np.sort(-gains, axis=1)[:, :k]
    return (got * discount[: got.shape[1]]).sum(1) / (ideal * discount[: ideal.shape[1]]).sum(1)


def recall(found: np.ndarray, wanted: np.ndarray) -> float:
    """Share of the entries of `wanted` [queries, k] that `found` [queries, ≥ k] holds, mean over queries.

    Example:
        >>> recall(np.array([[1, 2, 3]]), np.array([[3, 4, 1]])).__round__(3)
        0.667
    """
    return float(np.mean([len(set(f) & set(w)) / len(w) for f, w in zip(found.tolist(), wanted.tolist(), strict=True)]))


def relevant_recall(found: np.ndarray, gains: np.ndarray) -> np.ndarray:
    """float64 [queries]: share of each query's relevant documents among `found`."""
    hit = np.where(found >= 0, np.take_along_axis(gains, np.maximum(found, 0), 1), 0.0) > 0
    return hit.sum(1) / (gains > 0).sum(1)


def linear_fusion(
    first: np.ndarray, second: np.ndarray, weight: float, window: int = WINDOW, normalizer: str = "l2_norm"
) -> np.ndarray:
    """float64 [queries, documents]: (1 − weight) · first + weight · second, each row normalised first.

    As the linear retriever does it: of each list the best `window` documents with a score, ``minmax`` to 0 … 1 or
    ``l2_norm`` to length 1; a document of neither list scores −∞.

    Example:
        >>> linear_fusion(np.array([[3.0, -np.inf]]), np.array([[1.0, 1.0]]), 0.5).round(2).tolist()
        [[0.85, 0.35]]
    """
    fused = np.zeros(first.shape)
    seen = np.zeros(first.shape, bool)
    for scores, share in ((first, 1 - weight), (second, weight)):
        kept = _window(scores, window)
        fused += share * _normalised(scores, kept, normalizer)
        seen |= kept & (share > 0)
    return np.where(seen, fused, -np.inf)


def _normalised(scores: np.ndarray, kept: np.ndarray, normalizer: str) -> np.ndarray:
    if normalizer == "l2_norm":
        held = np.where(kept, scores, 0.0)
        length = np.linalg.norm(held, axis=1, keepdims=True)
        return held / np.where(length > 0, length, 1)
    low = np.where(kept, scores, np.inf).min(axis=1, keepdims=True)
    high = np.where(kept, scores, -np.inf).max(axis=1, keepdims=True)
    span = np.where(np.isfinite(high - low) & (high > low), high - low, 1)
    return np.where(kept, np.where(high > low, (scores - low) / span, 1.0), 0.0)


def rank_fusion(first: np.ndarray, second: np.ndarray, constant: int = 60, window: int = WINDOW) -> np.ndarray:
    """float64 [queries, documents]: Σ 1 / (constant + rank), as the retriever ``rrf``."""
    fused = np.zeros(first.shape)
    for scores in (first, second):
        kept = _window(scores, window)
        ranks = np.argsort(np.argsort(-scores, axis=1, kind="stable"), axis=1) + 1
        fused += np.where(kept, 1 / (constant + ranks), 0.0)
    return np.where(fused > 0, fused, -np.inf)


def _window(scores: np.ndarray, window: int) -> np.ndarray:
    """Which documents are among the `window` best with a score (BM25 gives 0 to those that match nothing)."""
    ranks = np.argsort(np.argsort(-scores, axis=1, kind="stable"), axis=1)
    return (ranks < window) & np.isfinite(scores)


def chosen_by_folds(
    per_weight: Mapping[float, np.ndarray], folds: int, rng: np.random.Generator, repeats: int = 20
) -> tuple[np.ndarray, list[float]]:
    """nDCG of each query under the weight that is best on the other folds, and the weights that were chosen.

    The queries are dealt to folds `repeats` times, and a query's figure is the mean over these: how the folds fall
    moves a single dealing's figure by more than a percent.

    Args:
        per_weight: weight → nDCG [queries].   folds: parts of the queries.   rng: deals queries to folds.

    Raises:
        UsageError: fewer queries than folds.
    """
    weights = sorted(per_weight)
    table = np.stack([per_weight[w] for w in weights])
    if table.shape[1] < folds:
        raise UsageError.of("queries", table.shape[1], f"{folds} or more", "Use fewer folds.")
    queries = np.arange(table.shape[1])
    total, used = np.zeros(len(queries)), []
    for _ in range(repeats):
        part = rng.permutation(queries % folds)
        chosen = np.array([table[:, part != f].mean(axis=1).argmax() for f in range(folds)])
        total += table[chosen[part], queries]
        used += [weights[i] for i in chosen]
    return total / repeats, used


def bootstrap_gain(
    ours: np.ndarray, others: Sequence[np.ndarray], rng: np.random.Generator, rounds: int = 2000
) -> tuple[float, float, float]:
    """Relative gain in percent of mean `ours` over the best mean of `others`, and its 95 % interval over queries.

    The better of the others is chosen anew in each round, as it is in the figure itself.
    """
    table = np.stack([ours, *others])
    draws = rng.integers(0, table.shape[1], (rounds, table.shape[1]))
    means = table[:, draws].mean(axis=2)
    gains = 100 * (means[0] / means[1:].max(axis=0) - 1)
    value = 100 * (table[0].mean() / table[1:].mean(axis=1).max() - 1)
    low, high = np.percentile(gains, [2.5, 97.5])
    return float(value), float(min(low, value)), float(max(high, value))
