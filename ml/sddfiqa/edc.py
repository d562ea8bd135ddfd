"""Error versus discard: what a recogniser gains when the images of lowest quality are left out (SDD-FIQA section 4.1).

    τ: the impostor pairs above it are a share FMR of ALL impostor pairs (before any discard)
    g(φ) = FNMR at τ among the genuine pairs of the images left when the share φ of lowest quality is gone
    AOC  = 1 − (1/(b − a)) ∫_a^b g(φ)/g(a) dφ,  a = 0, b = 0.95;   higher is better, random order gives about 0

Division by g(a) is how the published numbers come out (LFW starts at 0.003 and prints 0.8); without it everything is
near 1. pAUC = (1/l) ∫_0^l g dφ up to a discard limit l, in units of FNMR (arXiv 2303.13294); lower is better. g is a
step function, integrated exactly: it stands on [d/n, (d+1)/n) at its value after d discards, and keeps its last value
where no genuine pair is left. Equal qualities are discarded in the order of images.

Intervals: identities are drawn with replacement. An identity drawn k times counts k-fold as image and in genuine
pairs, a pair of identities as the product; the threshold is taken anew in every draw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwsim.ir.errors import ShapeError, UsageError, check_shape
from ml.sddfiqa.labels import gallery

FMRS = (1e-2, 1e-3, 1e-4)
DISCARD = 0.95  # b


@dataclass(frozen=True, eq=False)
class Curve:
    """g as steps: `fnmr[k]` holds from `discard[k]` to `discard[k + 1]` (the last one to 1); `errors` FNMR at φ = 0."""

    discard: np.ndarray
    fnmr: np.ndarray

    @property
    def start(self) -> float:
        """g(0)."""
        return float(self.fnmr[0])

    def area(self, low: float = 0.0, high: float = DISCARD) -> float:
        """Mean of g over low … high.

        Raises:
            UsageError: not 0 ≤ low < high ≤ 1.
        """
        if not 0 <= low < high <= 1:
            raise UsageError.of("discard range", f"{low} … {high}", "0 ≤ low < high ≤ 1", "Choose another range.")
        edges = np.append(self.discard, 1.0).clip(low, high)
        return float((np.diff(edges) * self.fnmr).sum() / (high - low))

    def aoc(self, high: float = DISCARD) -> float:
        """AOC over 0 … high; NaN when nothing is falsely rejected at φ = 0."""
        return 1 - self.area(0.0, high) / self.start if self.start > 0 else float("nan")


class Verifier:
    """One recogniser's pairs on one set of images; curves and intervals for any quality.

    Args:
        embeddings: real [n, d].
        identities: label an image [n].

    Raises:
        ShapeError, UsageError: as `ml.sddfiqa.labels.gallery`.

    Example (the worst image goes first):
        >>> x = np.array([[1, 0.0], [1, 0.1], [0.5, 1], [0, 1], [0.1, 1], [0, 1]])
        >>> judge = Verifier(x, [0, 0, 0, 1, 1, 1])
        >>> curve = judge.curve([9, 9, 1, 9, 9, 9], fmr=0.01)
        >>> curve.fnmr.round(3).tolist()[:3]
        [0.333, 0.0, 0.0]
    """

    def __init__(self, embeddings: Any, identities: Any) -> None:
        people = gallery(embeddings, identities)
        n = len(people.order)
        self.n = n
        self.identity = people.restored(np.searchsorted(np.unique(people.begin), people.begin))
        features = people.restored(people.features.T).T
        first, second = np.triu_indices(n, 1)
        scores = (features @ features.T)[first, second]
        same = self.identity[first] == self.identity[second]
        self.genuine = np.stack((first[same], second[same]))
        self.genuine_scores = scores[same]
        order = np.argsort(-scores[~same], kind="stable")
        self.impostor_scores = scores[~same][order]
        self._impostor_ids = (
            np.stack((self.identity[first[~same]], self.identity[second[~same]])).astype(np.int32)[:, order]
        )  # fmt: skip

    @property
    def n_identities(self) -> int:
        return int(self.identity.max()) + 1

    def threshold(self, fmr: float, weights: np.ndarray | None = None) -> float:
        """τ: a pair matches above it; the share of impostor pairs that do is the largest one up to `fmr`.

        Raises:
            UsageError: FMR outside (0, 1).
        """
        if not 0 < fmr < 1:
            raise UsageError.of("FMR", fmr, "a share in (0, 1)", "Choose for example 1e-3.")
        if weights is None:
            return float(self.impostor_scores[int(fmr * len(self.impostor_scores))])
        return self.thresholds([fmr], weights)[0]

    def thresholds(self, fmrs: Sequence[float], weights: np.ndarray) -> list[float]:
        """`threshold` of several FMRs when identity k counts `weights[k]`-fold."""
        mass = np.cumsum(weights[self._impostor_ids[0]] * weights[self._impostor_ids[1]])
        places = np.searchsorted(mass, np.asarray(fmrs) * mass[-1], "right")
        return self.impostor_scores[places.clip(max=len(mass) - 1)].tolist()

    def order(self, quality: Any) -> np.ndarray:
        """Checked discard rank int64 [n] of every image: 0 goes first.

        Raises:
            ShapeError: not one finite quality an image.
        """
        q = np.asarray(quality, dtype=np.float64)
        check_shape("quality", q.shape, "[n]", (self.n,))
        if not np.isfinite(q).all():
            got = f"{(~np.isfinite(q)).sum()} values that are not"
            raise ShapeError.of("quality", got, "finite numbers", "Mend the estimator.")
        rank = np.empty(self.n, np.int64)
        rank[np.argsort(q, kind="stable")] = np.arange(self.n)
        return rank

    def curve(self, quality: Any, fmr: float) -> Curve:
        """g(φ) for a quality [n] (higher is better) at one FMR."""
        return self._curve(self.order(quality), self.threshold(fmr), None)

    def _curve(self, rank: np.ndarray, threshold: float, weights: np.ndarray | None) -> Curve:
        """`weights` float64 [identities]; a genuine pair is there until the worse of its images is discarded."""
        gone = rank[self.genuine].min(0)
        mass = np.ones(self.n) if weights is None else weights[self.identity]
        pair = np.ones(len(gone)) if weights is None else weights[self.identity[self.genuine[0]]]
        wrong = pair * (self.genuine_scores <= threshold)
        left = _from_behind(np.bincount(gone, pair, self.n))
        missed = _from_behind(np.bincount(gone, wrong, self.n))
        there = int((left > 1e-9).sum())  # `left` falls: a prefix
        fnmr = np.empty(self.n)
        fnmr[:there] = missed[:there] / left[:there]
        fnmr[there:] = fnmr[there - 1] if there else 0.0
        by_rank = np.empty(self.n)
        by_rank[rank] = mass
        discard = np.concatenate(([0.0], np.cumsum(by_rank)[:-1])) / by_rank.sum()
        return Curve(discard, fnmr)

    def bootstrap(
        self, qualities: Mapping[str, Any], fmrs: Sequence[float] = FMRS, *, draws: int = 200, seed: int = 0
    ) -> dict[str, np.ndarray]:
        """AOC float64 [draws + 1, fmrs] of every quality; row 0 is the set itself, the others draws of identities.

        The same draws for all qualities, so that differences are paired. A draw without false rejects is NaN.

        Raises:
            UsageError: fewer than one draw.
        """
        if draws < 1:
            raise UsageError.of("bootstrap draws", draws, "1 or more", "Use some hundred.")
        rng = np.random.default_rng(seed)
        ranks = {name: self.order(quality) for name, quality in qualities.items()}
        found = {name: np.full((draws + 1, len(fmrs)), np.nan) for name in ranks}
        for row in range(draws + 1):
            weights, at = None, [self.threshold(fmr) for fmr in fmrs] if row == 0 else []
            if row:
                drawn = rng.integers(0, self.n_identities, self.n_identities)
                weights = np.bincount(drawn, minlength=self.n_identities).astype(np.float64)
                at = self.thresholds(fmrs, weights)
            for column, threshold in enumerate(at):
                for name, rank in ranks.items():
                    found[name][row, column] = self._curve(rank, threshold, weights).aoc()
        return found


def _from_behind(values: np.ndarray) -> np.ndarray:
    """Sums of what is at and behind every place."""
    return np.cumsum(values[::-1])[::-1]


def interval(values: np.ndarray, confidence: float = 0.95) -> tuple[float, float, float]:
    """(value, low, high) of a column of `bootstrap`: its first row, and percentiles of the draws, NaN left out."""
    drawn = values[1:][np.isfinite(values[1:])]
    tail = 50 * (1 - confidence)
    low, high = np.percentile(drawn, [tail, 100 - tail]) if len(drawn) else (values[0], values[0])
    return float(values[0]), float(min(low, values[0])), float(max(high, values[0]))
