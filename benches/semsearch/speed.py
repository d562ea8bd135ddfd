"""Neighbours in a large index: recall and time of the graph beside an exact search, on one thread."""

from __future__ import annotations

from typing import Any

import numpy as np

from benches.runner import Context
from benches.stats import cpu_rounds
from ml.semsearch.engines.vectors import HnswVectors
from ml.semsearch.evaluate import recall

DIMS, K, M, EF_CONSTRUCTION = 384, 10, 16, 100
PER_CLUSTER, SPREAD = 100, 0.5
CANDIDATES = (20, 50, 100, 200)
BLOCK = 10_000


def clustered(rng: np.random.Generator, n: int, queries: int, dims: int = DIMS) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors float32 around n / 100 random directions, at a mean cosine of 0.89 to them, and queries likewise."""
    centres = rng.standard_normal((max(1, n // PER_CLUSTER), dims), dtype=np.float32)
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)

    def draw(count: int) -> np.ndarray:
        made = rng.standard_normal((count, dims), dtype=np.float32) * np.float32(SPREAD / np.sqrt(dims))
        made += centres[rng.integers(0, len(centres), count)]
        return made / np.linalg.norm(made, axis=1, keepdims=True)

    return draw(n), draw(queries)


def measure(ctx: Context[Any], progress: Any) -> list[dict[str, Any]]:
    """A row a size: what a walk visits; at the largest, recall and times over ef."""
    import faiss
    from threadpoolctl import threadpool_limits

    faiss.omp_set_num_threads(1)
    rows = []
    vectors, queries = clustered(ctx.rng("clustered vectors"), max(ctx.config.ann_sizes), ctx.config.ann_queries)
    sizes = sorted(ctx.config.ann_sizes)
    with threadpool_limits(1):
        graph = HnswVectors(DIMS, "cosine", "hnsw", M, EF_CONSTRUCTION)
        for i, n in enumerate(sizes):
            for start in range(graph.index.ntotal, n, BLOCK):
                graph.add(vectors[start : min(n, start + BLOCK)])
                progress(i, len(sizes), f"{graph.index.ntotal} of {sizes[-1]} vectors")
            rows.append({"documents": n, **_visits(graph, queries)})
        rows[-1]["curve"] = _times(ctx, graph, vectors, queries)
    return rows


def _visits(graph: HnswVectors, queries: np.ndarray, ef: int = 100) -> dict[str, float]:
    """Nodes expanded and vectors compared by a query."""
    import faiss

    stats: Any = getattr(faiss.cvar, "hnsw_stats")  # noqa: B009  (its type stub does not know it)
    stats.reset()
    graph.search(queries, K, ef)
    return {"hops": stats.nhops / len(queries), "evaluations": stats.ndis / len(queries)}


def _times(ctx: Context[Any], graph: HnswVectors, vectors: np.ndarray, queries: np.ndarray) -> list[dict[str, float]]:
    """Recall and CPU time over ef; the bars' figures at the smallest ef that reaches the recall."""
    import faiss

    flat = faiss.IndexFlatIP(DIMS)
    flat.add(vectors)
    exact = flat.search(queries, K)[1]
    few = queries[: max(10, len(queries) // 8)]

    def each(search: Any, rows: np.ndarray) -> Any:
        return lambda: [search(row) for row in rows[:, None]]

    work = {f"{ef}": each(lambda q, ef=ef: graph.search(q, K, ef), queries) for ef in CANDIDATES}
    work |= {"exact": each(lambda q: flat.search(q, K), few), "batch": lambda: flat.search(queries, K)}
    cpu = cpu_rounds(work, 3)
    one, batch = cpu["exact"] / len(few), cpu["batch"] / len(queries)
    curve = []
    for ef in CANDIDATES:
        found = graph.search(queries, K, ef)[1]
        curve.append({"ef": ef, "recall": recall(found, exact), "ms": 1e3 * cpu[f"{ef}"] / len(queries)})
    chosen = next((row for row in curve if row["recall"] >= 0.998), curve[-1])
    n, suffix = len(vectors), "" if len(vectors) >= 100_000 else f"_{len(vectors)}"
    method = f"{n} clustered vectors of {DIMS}, m {M}, ef_construction {EF_CONSTRUCTION}, ef {chosen['ef']}, one thread"
    ctx.metric(f"knn_recall_at10{suffix}", chosen["recall"], "", n=len(queries), method=method)
    timing = f"{method}; CPU of single queries, best of 3, exact: faiss IndexFlatIP"
    ctx.metric(f"knn_speedup_vs_exact{suffix}", 1e3 * one / chosen["ms"], "×", n=len(queries), method=timing)
    together = f"{method}; exact search of {len(queries)} queries in one call"
    ctx.metric(f"knn_speedup_vs_exact_batch{suffix}", 1e3 * batch / chosen["ms"], "×", n=len(queries), method=together)
    ctx.metric(f"knn_ms{suffix}", chosen["ms"], "ms", n=len(queries), method=method)
    ctx.metric(f"exact_ms{suffix}", 1e3 * one, "ms", n=len(few), method="faiss IndexFlatIP, one query at a time")
    return curve
