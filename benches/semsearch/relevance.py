"""How good the rankings are: keywords beside meaning, both together, and what approximation and quantisation cost."""

from __future__ import annotations

from typing import Any

import numpy as np

from benches.runner import Context
from benches.semsearch.collections import Collection, K, collection, listed
from benches.stats import Figure, mean
from ml.semsearch.documents import Document
from ml.semsearch.engines import HnswEngine
from ml.semsearch.evaluate import (
    WEIGHTS,
    bootstrap_gain,
    chosen_by_folds,
    linear_fusion,
    ndcg,
    rank_fusion,
    ranked,
    relevant_recall,
)  # fmt: skip
from ml.semsearch.quantise import BitCode, Int8, hamming, packed, rescored
from ml.semsearch.requests import WINDOW, mapping

FOLDS, RESCORED = 5, 300
CANDIDATES = (100, 400)  # ef of the graph; the last one is the bar's
BARRED = ("cranfield", "cisi")


def rankings(ctx: Context[Any], found: list[Collection]) -> list[dict[str, Any]]:
    """nDCG@10 of BM25, vectors and hybrids; a row a corpus."""
    rows = []
    for one in found:
        row: dict[str, Any] = {"corpus": one.name, "encoder": one.encoder}
        bm25, dense = one.ndcg(one.bm25), one.ndcg(one.dense)
        per_weight = {w: one.ndcg(linear_fusion(one.bm25, one.dense, w)) for w in WEIGHTS}
        fused, weights = chosen_by_folds(per_weight, FOLDS, ctx.rng(f"folds {one.name}"))
        rrf = one.ndcg(rank_fusion(one.bm25, one.dense))
        for name, values in (("bm25", bm25), ("dense", dense), ("hybrid", fused), ("rrf", rrf)):
            ctx.metric(f"ndcg_{name}_{one.name}", _over_queries(values), "", method=f"{one.encoder}, mean over queries")
            row[name] = float(values.mean())
        row["curve"] = [float(per_weight[w].mean()) for w in WEIGHTS]
        row["weight"] = float(np.median(weights))
        gain = bootstrap_gain(fused, [bm25, dense], ctx.rng(f"bootstrap {one.name}"))
        row["gain"] = gain[0]
        _gain(ctx, one, gain, row["weight"])
        semantic = bootstrap_gain(dense, [bm25], ctx.rng(f"semantic {one.name}"))
        ctx.metric(f"semantic_gain_{one.name}", *_interval(semantic), method=f"{one.encoder} over BM25, bootstrap 95 %")
        for name, scores in (("bm25", one.bm25), ("dense", one.dense)):
            reach = relevant_recall(ranked(scores, 100), one.gains)
            ctx.metric(f"recall100_{name}_{one.name}", float(reach.mean()), "", n=len(reach))
        rows.append(row)
    worst = max(max(row["bm25"], row["dense"]) - row["hybrid"] for row in rows)
    ctx.metric("hybrid_worst_loss", worst, "", n=len(rows), method=f"largest of {listed(found)}")
    return rows


def _gain(ctx: Context[Any], one: Collection, gain: tuple[float, float, float], weight: float) -> None:
    """The bar's metric for a sentence transformer; a name of its own for another encoder."""
    bar = one.name not in BARRED or one.encoder == "minilm"
    method = (
        f"weight by {FOLDS} folds over queries, dealt 20 times (median {weight:g}), l2_norm, window {WINDOW}; "
        f"over the better of BM25 and {one.encoder}; bootstrap 95 % over queries"
    )
    ctx.metric(f"hybrid_gain_{one.name}" + ("" if bar else f"_{one.encoder}"), *_interval(gain), method=method)


def _interval(gain: tuple[float, float, float]) -> tuple[Figure, str]:
    return Figure(gain[0], gain[1], gain[2]), "%"


def _over_queries(values: np.ndarray) -> Figure:
    return mean(values.tolist())


def other_encoder(ctx: Context[Any], found: list[Collection], rows: list[dict[str, Any]]) -> None:
    """LSA on the corpora that have a sentence transformer; joins the rows."""
    for one, row in zip(found, rows, strict=True):
        if one.encoder == "minilm":
            lsa = collection(one.name, "lsa")
            values = lsa.ndcg(lsa.dense)
            row["lsa"] = float(values.mean())
            ctx.metric(f"ndcg_lsa_{one.name}", _over_queries(values), "", method="TF-IDF and SVD")


def references(ctx: Context[Any], found: list[Collection]) -> None:
    """BM25 of the embedded engine beside Lucene's, and beside bm25s on equal terms."""
    for one in found:
        ours = float(one.ndcg(one.bm25).mean())
        name = f"bm25_ndcg_err_{one.name}"
        lucene = _lucene(one)
        if lucene is None:
            reference = _bm25s(one)
            if reference is None:
                if one.name in BARRED:
                    ctx.not_comparable(name, "neither Lucene (extra [lucene]) nor bm25s is installed")
                continue
            ctx.metric(name, abs(ours - reference), "", method="bm25s, method lucene, equal terms")
            continue
        theirs, difference = lucene
        ctx.metric(name, abs(ours - theirs), "", method="Lucene 10 in process, EnglishAnalyzer")
        ctx.metric(f"bm25_score_err_{one.name}", difference, "", method="largest difference of a score, Lucene")
        if (reference := _bm25s(one)) is not None:
            ctx.metric(f"bm25_ndcg_err_bm25s_{one.name}", abs(ours - reference), "", method="bm25s, equal terms")


def _lucene(one: Collection) -> tuple[float, float] | None:
    """(nDCG@10 of Lucene's BM25, largest difference of a score from ours)."""
    from ml.semsearch.engines.lucene import LuceneEngine, available

    if not available():
        return None
    engine = LuceneEngine()
    _fill(engine, one)
    number = {doc: i for i, doc in enumerate(one.corpus.doc_ids)}
    found, worst = np.full((len(one.queries), K), -1), 0.0
    for row, query in enumerate(one.corpus.queries):
        for rank, hit in enumerate(engine.match("corpus", query, K)):
            found[row, rank] = number[hit.id]
            worst = max(worst, abs(hit.score - one.bm25[row, number[hit.id]]))
    return float(ndcg(found, one.gains, K).mean()), float(worst)


def _bm25s(one: Collection) -> float | None:
    """nDCG@10 of bm25s on our terms."""
    try:
        import bm25s
    except ImportError:
        return None
    from ml.semsearch.analysis import terms

    index = bm25s.BM25(method="lucene", k1=1.2, b=0.75)
    index.index([terms(text) for text in one.corpus.texts], show_progress=False)
    scores = np.stack([index.get_scores(terms(query)) for query in one.corpus.queries]).astype(float)
    return float(one.ndcg(np.where(scores > 0, scores, -np.inf)).mean())


def _fill(engine: Any, one: Collection) -> None:
    """All documents into the index ``corpus``."""
    engine.create("corpus", mapping(one.documents.shape[1], keywords=()))
    rows = zip(one.corpus.doc_ids, one.corpus.texts, one.documents, strict=True)
    engine.bulk("corpus", [Document(*row) for row in rows])


def approximations(ctx: Context[Any], found: list[Collection]) -> list[dict[str, Any]]:
    """nDCG@10 that graph, 8-bit codes and bits lose against exact cosines; the worst corpus is the bar's figure."""
    rows: list[dict[str, Any]] = []
    for one in found:
        engine = HnswEngine()
        _fill(engine, one)
        number = {doc: i for i, doc in enumerate(one.corpus.doc_ids)}
        graph = {ef: _by_graph(engine, one, number, ef) for ef in CANDIDATES}
        fine, code = Int8.of(one.documents).scores(one.queries), BitCode.of(one.documents)
        coarse = -hamming(packed(code(one.queries)), packed(code(one.documents))).astype(float)
        exact = float(one.ndcg(one.dense).mean())
        rows.append({
            "corpus": one.name, "hnsw": exact - graph[CANDIDATES[-1]], "hnsw_ef100": exact - graph[CANDIDATES[0]],
            "int8": one.loss(fine), "bits": one.loss(coarse),
            "bits_rescore": one.loss(rescored(coarse, fine, RESCORED)),
            "bits_rescore100": one.loss(rescored(coarse, fine, 100)),
        })  # fmt: skip
    for name, method in (
        ("hnsw", f"faiss, m 16, ef {CANDIDATES[-1]}"), ("hnsw_ef100", "faiss, m 16, ef 100"),
        ("int8", "a scale a document"), ("bits", "384 bits, Hamming distance"),
        ("bits_rescore", f"384 bits, best {RESCORED} ordered by int8"),
        ("bits_rescore100", "384 bits, best 100 ordered by int8"),
    ):  # fmt: skip
        worst = max(row[name] for row in rows)
        ctx.metric(f"{name}_ndcg_loss", worst, "", n=len(rows), method=f"{method}; worst of {listed(found)}")
    return rows


def _by_graph(engine: HnswEngine, one: Collection, number: dict[str, int], ef: int) -> float:
    """Mean nDCG@10 of the engine's neighbours."""
    hits = [engine.knn("corpus", query, K, num_candidates=ef) for query in one.queries]
    return float(ndcg(np.array([[number[hit.id] for hit in row] for row in hits]), one.gains, K).mean())
