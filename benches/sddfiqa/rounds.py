"""The label engine: equal to a plain oracle, its speed beside the published way, how stable labels are."""

from __future__ import annotations

from typing import Any

import numpy as np

from benches import stats
from benches.runner import Context

LOOPED = 6  # images that the plain loop labels for its rate


def looped(
    features: np.ndarray, identity: np.ndarray, images: Any, rng: np.random.Generator, rounds: int
) -> np.ndarray:
    """Distances [rounds, images] as the authors' program finds them: pair by pair, cosine by cosine, scipy's W₁."""
    from scipy.stats import wasserstein_distance

    def cosine(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.dot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b)))

    out = np.empty((rounds, len(images)))
    for k in range(rounds):
        for column, i in enumerate(images):
            mates = [j for j in np.flatnonzero(identity == identity[i]) if j != i]
            rng.shuffle(mates)
            positives = [cosine(features[i], features[j]) for j in mates[:24]]
            drawn: list[int] = []
            while len(drawn) < 24:
                j = int(rng.integers(len(features)))
                if identity[j] != identity[i] and j not in drawn:
                    drawn.append(j)
            negatives = [cosine(features[i], features[j]) for j in drawn]
            out[k, column] = wasserstein_distance(positives, negatives)
    return out


def oracle_error(embeddings: Any, identity: Any, seed: int, labels: Any) -> float:
    """Largest difference of one round to scipy's W₁ of the same draws, over rounds and every 7th image."""
    from scipy.stats import wasserstein_distance

    from ml.sddfiqa.labels import draws_of, gallery

    people = gallery(embeddings, identity)
    worst = 0.0
    for k in range(len(labels.distance)):
        positives, negatives = draws_of(people, 24, seed, k)
        for row in range(k, len(people.order), 7):
            p, q = positives[row][positives[row] >= 0], negatives[row]
            x = people.features[row]
            want = wasserstein_distance(people.features[p] @ x, people.features[q] @ x)
            worst = max(worst, abs(want - labels.distance[k, people.order[row]]))
    return worst


def measure(ctx: Context[Any], case: Any) -> dict[str, Any]:
    """Every figure of the label engine, on a case's test embeddings."""
    from scipy.stats import spearmanr

    from ml.sddfiqa.labels import all_pairs_labels, sdd_labels

    e, identity = case.seen[1], case.test.identity
    labels = sdd_labels(e, identity, seed=ctx.seed)
    error = oracle_error(e, identity, ctx.seed, labels)
    ctx.metric("labels_equal_scipy_max_err", error, "1", n=labels.distance.size // 7, method="W₁ a round, same draws")
    few = np.arange(0, len(e), 3)  # fewer than 24 mates an image: samples of unequal sizes
    small = sdd_labels(e[few], identity[few], seed=ctx.seed)
    error = oracle_error(e[few], identity[few], ctx.seed, small)
    text = "W₁ of unequal sizes, same draws"
    ctx.metric("labels_equal_scipy_max_err_few", error, "1", n=small.distance.size // 7, method=text)
    rng = ctx.rng("loop")
    images = rng.permutation(len(e))[:LOOPED]
    work = {
        "ours": lambda: sdd_labels(e, identity, seed=ctx.seed),
        "loop": lambda: looped(e, identity, images, rng, 12),
    }
    took = stats.cpu_rounds(work, 3)
    rate, loop = len(e) / took["ours"], LOOPED / took["loop"]
    text = f"{len(e)} images, 12 rounds, CPU seconds of one thread, best of 3"
    ctx.metric("labels_per_s", rate, "1/s", method=text)
    ctx.metric("labels_per_s_loop", loop, "1/s", method="pairs drawn and compared one by one, scipy's W₁")
    ctx.metric("labels_per_s_ratio_vs_loop", rate / loop, "×", method=f"{rate:.0f} against {loop:.0f} labels a second")
    again = [sdd_labels(e, identity, seed=ctx.seed + 100 + i).quality for i in range(5)]
    ranks = [float(spearmanr(labels.quality, one).statistic) for one in again]
    ctx.metric("label_seed_rank_corr", min(ranks), "1", n=len(ranks), method="least of five other seeds, Spearman")
    every = all_pairs_labels(e, identity)
    for name, other in (("all_pairs", every.quality), ("means", labels.means.mean(0))):
        rank = float(spearmanr(labels.quality, other).statistic)
        ctx.metric(f"label_rank_corr_{name}", rank, "1", n=len(e), method="with the labels of 12 rounds, Spearman")
    one = sdd_labels(e, identity, seed=ctx.seed, rounds=1).quality
    spread = float(np.std([sdd_labels(e, identity, seed=s, rounds=1).quality for s in range(8)], axis=0).mean())
    rank = float(spearmanr(one, labels.quality).statistic)
    ctx.metric("label_rank_corr_one_round", rank, "1", n=len(e), method="K = 1 with K = 12")
    ctx.metric("label_std_one_round", spread, "1", method="of a label of 0 … 100 over draws, K = 1; all pairs: 0")
    return {"labels": labels.quality.round(3).tolist(), "kind": case.test.kind.tolist(),
            "strength": case.test.strength.round(4).tolist()}  # fmt: skip


def many(ctx: Context[Any]) -> None:
    """CPU seconds of one thread for many faces with 128 values each."""
    import time

    from ml.sddfiqa.labels import sdd_labels

    n, rng = ctx.config.many, ctx.rng("many faces")
    x, identity = rng.standard_normal((n, 128), np.float32), np.repeat(np.arange(n // 20), 20)
    start = time.process_time()
    sdd_labels(x, identity, seed=ctx.seed)
    spent = time.process_time() - start
    ctx.metric("label_seconds_100k", spent * 100_000 / n, "s", n=n, method=f"{n} images, 12 rounds, CPU, one thread")
