"""Similarity-distribution pseudo-labels: how far an image's matches stand from its non-matches (SDD-FIQA section 3.2).

    P(x) = {⟨f(x), f(x')⟩ : same identity, x' ≠ x},   N(x) = {⟨f(x), f(x')⟩ : other identities}
    round k: draw m of P and m of N,  q_k(x) = W₁(P_k, N_k) = ∫ |F_P(t) − F_N(t)| dt
    Q(x) = mean_k 100·(q_k(x) − min_x q_k)/(max_x q_k − min_x q_k)

| symbol | here |
|---|---|
| f(x) | `embeddings`, rows scaled to length 1 |
| m, K | `pairs` = 24, `rounds` = 12 |
| q_k [n] | `Labels.distance[k]` |
| Q [n] | `Labels.quality`, in 0 … 100; the mean is not stretched again, so its extremes lie inside |

An identity with fewer than m + 1 images gives all its other images as positives; negatives are always m. All-pairs mode
takes P and N whole: one matrix product, sorted rows, no randomness. For equal sizes W₁ is (1/m) Σ|P_(r) − N_(r)|, and
mean(P) − mean(N) where the sorted samples do not cross: what two accumulators compute.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwsim.core.threads import in_parts
from hwsim.ir.errors import ShapeError, UsageError, check_shape
from ml.sddfiqa import kernels

PAIRS, ROUNDS = 24, 12  # m and K of the paper
GEMM_LIMIT = 3000  # images up to which the matrix of all similarities costs less than the products that are drawn
_BLOCK_BYTES = 1 << 26

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, eq=False)
class Labels:
    """Pseudo-labels of n images.

    Attributes:
        quality: float64 [n], Q in 0 … 100.
        distance: float64 [rounds, n], W₁ of every round ([1, n] in all-pairs mode).
        means: float64 [rounds, n], mean(P) − mean(N) of the same draws.
    """

    quality: np.ndarray
    distance: np.ndarray
    means: np.ndarray


@dataclass(frozen=True, eq=False)
class Gallery:
    """Checked embeddings in the order of identities.

    Attributes:
        features: float64 [n, d], rows of length 1.
        order: int64 [n], image behind every row.
        begin, size: int64 [n], first row and number of images of the row's identity.
    """

    features: np.ndarray
    order: np.ndarray
    begin: np.ndarray
    size: np.ndarray

    def restored(self, values: np.ndarray) -> np.ndarray:
        """`values` [..., n] of the rows in the order of the images."""
        out = np.empty_like(values)
        out[..., self.order] = values
        return out


def check_identities(identities: Any, n: int, names: Sequence[Any] | None = None) -> np.ndarray:
    """Class indices int64 [n] of `identities`.

    Args:
        identities: one label an image: integers ≥ 0 or strings.
        names: the known identities; every one must occur and no other may. None takes those that occur.

    Raises:
        ShapeError: not one label an image.
        UsageError: an unknown or missing label, an identity without or with one image, or fewer than two identities.
    """
    labels = np.asarray(identities)
    check_shape("identities", labels.shape, "[n]", (n,))
    if labels.dtype.kind not in "iuUS" or (labels.dtype.kind == "i" and n and labels.min() < 0):
        got = f"{labels.dtype}" if labels.dtype.kind not in "i" else f"label {labels.min()}"
        mend = "Leave images without identity out."
        raise UsageError.of("unknown identity label", got, "integers ≥ 0 or strings", mend)
    known = np.unique(labels) if names is None else np.array(sorted(names))
    index = np.searchsorted(known, labels).clip(0, max(len(known) - 1, 0))
    if n and (unknown := labels[known[index] != labels]).size:
        mend = "Add it to the names, or leave the image out."
        raise UsageError.of("unknown identity label", repr(unknown[0].item()), f"one of {len(known)} names", mend)
    counts = np.bincount(index, minlength=len(known))
    if (counts == 0).any():
        empty = known[int(np.argmin(counts))].item()
        raise UsageError.of(f"identity {empty!r}", "no image: an empty class", "two or more", "Take the name out.")
    if (counts == 1).any():
        lonely, many = known[int(np.argmin(counts))].item(), int((counts == 1).sum())
        mend = "Leave it out: it has no positive pair."
        raise UsageError.of(f"identity {lonely!r} (and {many - 1} more)", "one image", "two or more images", mend)
    if len(known) < 2:
        raise UsageError.of("identities", len(known), "two or more", "Add another: there are no negative pairs.")
    return index.astype(np.int64)


def gallery(embeddings: Any, identities: Any, names: Sequence[Any] | None = None) -> Gallery:
    """Check embeddings [n, d] and identities [n] and put them in the order of identities.

    Raises:
        ShapeError: another shape, a value that is not finite, or an embedding of length 0.
        UsageError: as `check_identities`.
    """
    x = np.asarray(embeddings)
    check_shape("embeddings", x.shape, "[n, d]", (None, None))
    x = x.astype(np.float64)
    length = np.linalg.norm(x, axis=1)
    if not np.isfinite(length).all() or (length == 0).any():
        bad = int(np.argmin(np.isfinite(length) & (length > 0)))
        mend = "Leave the image out, or mend the recogniser."
        raise ShapeError.of(f"embedding {bad}", f"length {length[bad]}", "a finite length above 0", mend)
    index = check_identities(identities, len(x), names)
    order = np.argsort(index, kind="stable")
    counts = np.bincount(index)
    starts = np.concatenate(([0], np.cumsum(counts)[:-1]))
    own = index[order]
    return Gallery(x[order] / length[order, None], order, starts[own], counts[own])


def sdd_labels(
    embeddings: Any,
    identities: Any,
    *,
    pairs: int = PAIRS,
    rounds: int = ROUNDS,
    seed: int = 0,
    names: Sequence[Any] | None = None,
    threads: int = 1,
    progress: Progress | None = None,
) -> Labels:
    """Labels by the paper's rounds.

    Args:
        embeddings: real [n, d], any length but 0; cosine is taken.
        identities: label an image [n].
        pairs, rounds: m and K.
        seed: of the draws; labels do not depend on `threads`.
        names: the known identities, see `check_identities`.
        progress: called after every round.

    Raises:
        ShapeError, UsageError: as `gallery`; fewer than m negatives; m or K below 1; no spread in a round.

    Example (three identities whose last image is a bad one):
        >>> rng = np.random.default_rng(0)
        >>> centre = np.repeat(np.eye(3), 4, axis=0)
        >>> noise = np.tile([0.1, 0.1, 0.1, 0.6], 3)[:, None] * rng.normal(size=(12, 3))
        >>> labels = sdd_labels(centre + noise, np.repeat(["a", "b", "c"], 4), pairs=8, rounds=3)
        >>> bool(labels.quality[3::4].mean() < 0.8 * labels.quality.mean())
        True
    """
    people = gallery(embeddings, identities, names)
    n = len(people.order)
    if pairs < 1 or rounds < 1:
        raise UsageError.of("label rounds", f"{rounds} of {pairs} pairs", "1 or more of both", "Raise them.")
    if (fewest := n - int(people.size.max())) < pairs:
        mend = "Add identities, or lower `pairs`."
        raise UsageError.of("negatives of the largest identity", fewest, f"{pairs} or more", mend)
    similarity = people.features @ people.features.T if n <= GEMM_LIMIT else np.empty((0, 0))
    distance, means = np.empty((rounds, n)), np.empty((rounds, n))
    for k in range(rounds):

        def part(first: int, last: int, k: int = k) -> None:
            kernels.distances_kernel(
                first, last, people.features, similarity, people.begin, people.size, pairs, seed, k, distance[k],
                means[k],
            )  # fmt: skip

        in_parts(part, n, threads)
        if progress:
            progress(k + 1, rounds, "label rounds")
    distance, means = people.restored(distance), people.restored(means)
    return Labels(stretched(distance).mean(0), distance, means)


def draws_of(people: Gallery, pairs: int, seed: int, turn: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows drawn in round `turn`, int64 [n, m] of `people.features`: P (−1 where an identity has fewer) and N."""
    n = len(people.order)
    positives, negatives = np.empty((n, pairs), np.int64), np.empty((n, pairs), np.int64)
    kernels.draw_round(0, n, people.begin, people.size, pairs, seed, turn, positives, negatives)
    return positives, negatives


def all_pairs_labels(
    embeddings: Any,
    identities: Any,
    *,
    names: Sequence[Any] | None = None,
    threads: int = 1,
    progress: Progress | None = None,
) -> Labels:
    """Labels from all positives and all negatives: no draws, no seed. Arguments and errors as `sdd_labels`.

    Example:
        >>> x = np.array([[1, 0.1], [1, -0.1], [0, 1.0], [0.3, 1.0]])
        >>> all_pairs_labels(x, [0, 0, 1, 1]).quality.round(1).tolist()
        [23.8, 91.9, 100.0, 0.0]
    """
    people = gallery(embeddings, identities, names)
    n = len(people.order)
    distance = np.empty(n)
    block = max(1, min(n, _BLOCK_BYTES // (8 * n)))
    for start in range(0, n, block):
        rows = people.features[start : start + block] @ people.features.T

        def part(first: int, last: int, start: int = start, rows: np.ndarray = rows) -> None:
            kernels.all_pairs_kernel(start + first, rows[first:last], people.begin, people.size, distance)

        in_parts(part, len(rows), threads)
        if progress:
            progress(start + len(rows), n, "images")
    made = people.restored(distance[None])
    return Labels(stretched(made)[0], made, people.restored(mean_gaps(people)[None]))


def mean_gaps(people: Gallery) -> np.ndarray:
    """mean(P) − mean(N) of all pairs, float64 [n], in O(n·d): two accumulators an identity.

    mean(P) = (⟨f, S_y⟩ − 1)/(n_y − 1), mean(N) = ⟨f, S − S_y⟩/(n − n_y); S_y sums the identity, S everything.
    """
    f = people.features
    starts = np.unique(people.begin)
    sums = np.add.reduceat(f, starts)
    own = sums[np.searchsorted(starts, people.begin)]
    inside, outside = (f * own).sum(1), (f * (sums.sum(0) - own)).sum(1)
    return (inside - (f * f).sum(1)) / (people.size - 1) - outside / (len(f) - people.size)


def stretched(values: np.ndarray) -> np.ndarray:
    """Every row of `values` [rounds, n] stretched to 0 … 100 over all images.

    Raises:
        UsageError: a row without spread.
    """
    low, high = values.min(-1, keepdims=True), values.max(-1, keepdims=True)
    if (low == high).any():
        raise UsageError.of("distances of one round", "all equal", "some spread", "The embeddings tell nothing apart.")
    return 100 * (values - low) / (high - low)
