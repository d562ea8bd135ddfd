"""The label engine as a circuit: W₁ of m positive and m negative similarities, three ways, and what each costs.

Similarities are signed codes of b = 8 bits, s = rint(127·cos). All three read m pairs and answer m·127·W₁, or what
comes near to it:

| circuit | computes | LUT6 | flip-flops | cycles a label |
|---|---|---|---|---|
| accumulators | Σ P − Σ N | 2w, w = b + ⌈log₂ m⌉ | 2w | m |
| sorting networks | Σ_r abs(P_(r) − N_(r)) | 2·C(m)·3b/2 + 2m(b + 1) + Σ_adders width | 2·m·b·S + tree | 1, pipelined |
| histogram | Σ_t abs(F_P(t) − F_N(t)) | 2^b·(1 + ⌈log₂ m⌉)/64 + 2w + 2(1 + ⌈log₂ m⌉) | 2w | m + 2^b |

C(m) compare-exchanges and S stages of Batcher's odd-even merge sort (1968), inputs that are always largest left out.
A compare-exchange of b bits: a comparator of two bits a LUT on the carry chain, b/2, and b LUTs whose two outputs are
min and max. An adder takes a LUT a bit, a subtraction with absolute value 2(b + 1); an accumulator adds or subtracts
in the same LUTs. The last two are exact, and equal to each other; the first is W₁ wherever no sorted pair crosses.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

BITS = 8


@dataclass(frozen=True)
class Cost:
    """LUT6, flip-flops, and cycles from one label to the next."""

    lut6: int
    flip_flops: int
    cycles: int


def batcher(n: int) -> list[list[tuple[int, int]]]:
    """Stages of compare-exchanges (low, high) that sort n values, Batcher's odd-even merge sort.

    Example:
        >>> batcher(4)
        [[(0, 1), (2, 3)], [(0, 2), (1, 3)], [(1, 2)]]
    """
    stages = []
    size = 1 << max(n - 1, 0).bit_length()
    p = 1
    while p < size:
        k = p
        while k >= 1:
            stage = []
            for j in range(k % p, size - k, 2 * k):
                for i in range(min(k, size - j - k)):
                    if (i + j) // (2 * p) == (i + j + k) // (2 * p) and i + j + k < n:
                        stage.append((i + j, i + j + k))
            stages.append(stage)
            k //= 2
        p *= 2
    return stages


def sort_by(stages: list[list[tuple[int, int]]], values: np.ndarray) -> np.ndarray:
    """`values` [..., n] after the network."""
    out = values.copy()
    for stage in stages:
        low, high = np.array(stage).T
        a, b = out[..., low], out[..., high]
        out[..., low], out[..., high] = np.minimum(a, b), np.maximum(a, b)
    return out


def codes(similarity: np.ndarray) -> np.ndarray:
    """Signed codes int64 of cosines."""
    return np.rint(127 * np.clip(similarity, -1, 1)).astype(np.int64)


def accumulators(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Σ P − Σ N of codes int64 [n, m]."""
    return p.sum(1) - q.sum(1)


def sorting_networks(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Σ |P_(r) − N_(r)| through two networks."""
    stages = batcher(p.shape[1])
    return np.abs(sort_by(stages, p) - sort_by(stages, q)).sum(1)


def histogram(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Σ_t |#P ≤ t − #N ≤ t| over all codes t: one up/down counter a code, then a scan."""
    counts = np.zeros((len(p), 1 << BITS), np.int64)
    rows = np.arange(len(p))[:, None]
    np.add.at(counts, (rows, p + 128), 1)
    np.add.at(counts, (rows, q + 128), -1)
    return np.abs(counts.cumsum(1)).sum(1)


def costs(m: int, b: int = BITS) -> dict[str, Cost]:
    """Cost of every circuit by the formulas above.

    Example:
        >>> {name: cost.lut6 for name, cost in costs(24).items()}
        {'accumulators': 26, 'sorting networks': 3862, 'histogram': 62}
    """
    w, count_bits = b + math.ceil(math.log2(m)), 1 + math.ceil(math.log2(m))
    stages = batcher(m)
    exchanges = sum(len(stage) for stage in stages)
    tree_lut = tree_ff = 0
    terms, width = m, b + 1
    while terms > 1:
        terms, width = (terms + 1) // 2, width + 1
        tree_lut, tree_ff = tree_lut + terms * width, tree_ff + terms * width
    sorters = 2 * exchanges * 3 * b // 2
    return {
        "accumulators": Cost(2 * w, 2 * w, m),
        "sorting networks": Cost(sorters + m * 2 * (b + 1) + tree_lut, 2 * m * b * len(stages) + tree_ff, 1),
        "histogram": Cost((1 << b) * count_bits // 64 + 2 * w + 2 * count_bits, 2 * w, m + (1 << b)),
    }


def measure(ctx: Any, embeddings: Any, identities: Any, quality: np.ndarray, suffix: str) -> list[dict[str, Any]]:
    """Each circuit on the draws of the paper's rounds: rank correlation with the labels `quality`, and its cost."""
    from scipy.stats import spearmanr

    from ml.sddfiqa.labels import PAIRS, ROUNDS, draws_of, gallery, stretched

    people = gallery(embeddings, identities)
    similarity = codes(people.features @ people.features.T)
    rows = np.arange(len(similarity))[:, None]
    found = {name: np.zeros((ROUNDS, len(rows))) for name in ("accumulators", "sorting networks", "histogram")}
    for k in range(ROUNDS):
        positives, negatives = draws_of(people, PAIRS, ctx.seed, k)
        p, q = similarity[rows, positives], similarity[rows, negatives]
        for name, circuit in zip(found, (accumulators, sorting_networks, histogram), strict=True):
            found[name][k] = circuit(p, q)
    table: list[dict[str, Any]] = []
    for name, cost in costs(PAIRS).items():
        label = people.restored(stretched(found[name]).mean(0))
        rank = float(spearmanr(label, quality).statistic)
        slug = name.replace(" ", "_")
        ctx.metric(f"engine_{slug}_rank_corr{suffix}", rank, "1", method="labels of 8-bit similarities, same draws")
        ctx.metric(f"engine_{slug}_lut6", cost.lut6, "LUT6", method="formula in benches/sddfiqa/circuits.py, m = 24")
        ctx.metric(f"engine_{slug}_cycles", cost.cycles, "cycles", method="a label and round")
        table.append({"name": name, "rank": rank, "lut6": cost.lut6, "ff": cost.flip_flops, "cycles": cost.cycles})
    ctx.metric(
        "engine_lut6_ratio", table[1]["lut6"] / table[0]["lut6"], "×", method="sorting networks over accumulators"
    )
    return table
