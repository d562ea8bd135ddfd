"""Graphs whose edges carry vectors.

Symbols of the paper (arXiv 2402.18805): n nodes, A_ij ∈ {0, 1} symmetric without loops, W_ij ∈ R^d where A_ij = 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hwsim.ir.errors import ShapeError, UsageError, check_shape


@dataclass(frozen=True, eq=False)
class Graph:
    """An undirected graph with one covariate vector an edge, or one each way.

    Make one with `of_edges` or `of_matrix`, which check what they get.

    Attributes:
        n: number of nodes.
        u, v: int64 [m], u < v, in rising order, each pair once.
        w: float64 [m, d], covariate of the edge; W_uv where covariates are directed.
        back: float64 [m, d], W_vu, or None where both ends see the same vector.
    """

    n: int
    u: np.ndarray
    v: np.ndarray
    w: np.ndarray
    back: np.ndarray | None = None

    @property
    def m(self) -> int:
        """Number of edges."""
        return len(self.u)

    @property
    def d(self) -> int:
        """Length of a covariate."""
        return int(self.w.shape[1])

    @property
    def directed_covariates(self) -> bool:
        """Whether W_ij and W_ji are two vectors."""
        return self.back is not None

    @classmethod
    def of_edges(cls, n: int, pairs: np.ndarray, w: np.ndarray, *, directed_covariates: bool = False) -> Graph:
        """From pairs [m, 2] of nodes 0…n−1 and covariates [m, d].

        Args:
            n: number of nodes.
            pairs: each edge once, in either order; with `directed_covariates` both (i, j) and (j, i).
            w: covariate of each pair.
            directed_covariates: W_ij and W_ji differ, as in the published code.

        Raises:
            ShapeError: arrays that do not fit, a loop, an unknown node, a covariate that is not finite.
            UsageError: a pair given twice, or with `directed_covariates` only one way.

        Example:
            >>> from ml.vecsbm import Graph
            >>> path = Graph.of_edges(3, [[1, 0], [1, 2]], [[0.5], [2.0]])
            >>> path.u.tolist(), path.v.tolist(), path.w.ravel().tolist()
            ([0, 1], [1, 2], [0.5, 2.0])
        """
        pairs, w = np.asarray(pairs, np.int64), np.asarray(w, np.float64)
        check_shape("pairs", pairs.shape, "[m, 2]", (None, 2))
        check_shape("w", w.shape, "[m, d]", (len(pairs), None))
        if len(pairs) and (pairs.min() < 0 or pairs.max() >= n):
            raise ShapeError.of("pairs", f"nodes {pairs.min()}…{pairs.max()}", f"0…{n - 1}", "Number nodes from 0.")
        if (pairs[:, 0] == pairs[:, 1]).any():
            loop = int(pairs[pairs[:, 0] == pairs[:, 1]][0, 0])
            raise ShapeError.of("pairs", f"a loop at node {loop}", "two different nodes", "Drop loops.")
        if not np.isfinite(w).all():
            raise ShapeError.of("w", "values that are not finite", "finite covariates", "Drop or fill them.")
        if directed_covariates:
            return cls._both_ways(n, pairs, w)
        low, high = pairs.min(axis=1), pairs.max(axis=1)
        order = np.lexsort((high, low))
        low, high = low[order], high[order]
        twice = (np.diff(low) == 0) & (np.diff(high) == 0)
        if twice.any():
            k = int(twice.argmax())
            raise UsageError.of(
                "a directed graph", f"pair {int(low[k])}–{int(high[k])} twice", "an undirected one, each pair once",
                "Merge the two, or pass directed_covariates=True if each way has its own covariate.",
            )  # fmt: skip
        return cls(n, low, high, w[order])

    @classmethod
    def _both_ways(cls, n: int, pairs: np.ndarray, w: np.ndarray) -> Graph:
        code, mirror = pairs[:, 0] * n + pairs[:, 1], pairs[:, 1] * n + pairs[:, 0]
        if len(np.unique(code)) < len(code) or not np.array_equal(np.sort(code), np.sort(mirror)):
            raise UsageError.of(
                "directed covariates", "a pair that stands twice or only one way", "(i, j) and (j, i), each once",
                "The model's edges are undirected (A symmetric); give every edge a covariate each way.",
            )  # fmt: skip
        forward, backward = np.argsort(code), np.argsort(mirror)
        up = pairs[forward, 0] < pairs[forward, 1]
        low, high = pairs[forward][up].T.copy()
        return cls(n, low, high, w[forward][up], w[backward][up])

    @classmethod
    def of_matrix(cls, A: np.ndarray, W: np.ndarray) -> Graph:
        """From an adjacency matrix [n, n] of 0 and 1 and covariates [n, n, d]; directed where W_ij ≠ W_ji.

        Raises:
            ShapeError: not square, other values, loops, or W of another shape.
            UsageError: an adjacency that is not symmetric.
        """
        A, W = np.asarray(A), np.asarray(W, np.float64)
        check_shape("A", A.shape, "[n, n]", (len(A), len(A)))
        check_shape("W", W.shape, "[n, n, d]", (len(A), len(A), None))
        if not np.isin(A, (0, 1)).all():
            raise ShapeError.of("A", "other values", "0 and 1", "Put weights into the covariates W.")
        if not np.array_equal(A, A.T):
            raise UsageError.of("A", "a directed graph", "A = Aᵀ", "Take A | Aᵀ: the model's edges have no direction.")
        pairs = np.argwhere(A)
        shared = np.array_equal(W[A > 0], W.transpose(1, 0, 2)[A > 0])
        if shared:
            pairs = pairs[pairs[:, 0] <= pairs[:, 1]]
        return cls.of_edges(len(A), pairs, W[pairs[:, 0], pairs[:, 1]], directed_covariates=not shared)

    @cached_property
    def arcs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """start int64 [n + 1]; neighbour int32, edge int64 and whether it is seen from u, bool: [2m] each."""
        row, column = np.concatenate([self.u, self.v]), np.concatenate([self.v, self.u])
        order = np.lexsort((column, row))
        start = np.zeros(self.n + 1, np.int64)
        np.cumsum(np.bincount(row, minlength=self.n), out=start[1:])
        return start, column[order].astype(np.int32), order % max(self.m, 1), order < self.m

    @cached_property
    def components(self) -> np.ndarray:
        """int64 [n], number of each node's connected component."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        matrix = coo_array((np.ones(self.m), (self.u, self.v)), (self.n, self.n))
        return connected_components(matrix, directed=False)[1].astype(np.int64)

    def check_connected(self) -> None:
        """Raise `UsageError` when there is more than one component."""
        if (count := int(self.components.max(initial=0)) + 1) > 1:
            sizes = np.sort(np.bincount(self.components))[::-1]
            raise UsageError.of(
                "a disconnected graph", f"{count} components, the largest of {sizes[0]} nodes", "one component",
                "Take largest_component(), or pass allow_disconnected=True if stray nodes may be guessed.",
            )  # fmt: skip

    def part(self, kept: np.ndarray) -> Graph:
        """The graph among the nodes `kept` (indices), renumbered in their order."""
        place = np.full(self.n, -1)
        place[kept] = np.arange(len(kept))
        u, v = place[self.u], place[self.v]
        inside = (u >= 0) & (v >= 0)
        pairs, w = np.stack([u, v], axis=1)[inside], self.w[inside]
        if self.back is None:
            return Graph.of_edges(len(kept), pairs, w)
        both = np.concatenate([pairs, pairs[:, ::-1]]), np.concatenate([w, self.back[inside]])
        return Graph.of_edges(len(kept), *both, directed_covariates=True)

    def largest_component(self) -> tuple[Graph, np.ndarray]:
        """The largest component and the numbers of its nodes in this graph."""
        kept = np.flatnonzero(self.components == np.bincount(self.components).argmax())
        return self.part(kept), kept


def check_classes(labels: np.ndarray, n: int, K: int, *, allow_empty: bool = False) -> np.ndarray:
    """`labels` as int64 [n] of 0…K−1.

    Raises:
        ShapeError: another shape, dtype or value.
        UsageError: K outside 1…n, or an empty class.
    """
    check_count(n, K)
    labels = np.asarray(labels)
    check_shape("labels", labels.shape, "[n]", (n,))
    if labels.dtype.kind not in "iu" or (n and (labels.min() < 0 or labels.max() >= K)):
        got = labels.dtype if labels.dtype.kind not in "iu" else f"{labels.min()}…{labels.max()}"
        raise ShapeError.of("labels", got, f"integers 0…{K - 1}", "Number the classes from 0.")
    sizes = np.bincount(labels, minlength=K)
    if not allow_empty and not sizes.all():
        empty = np.flatnonzero(sizes == 0).tolist()
        raise UsageError.of("labels", f"no node in class {empty}", f"{K} classes with members", "Lower K or relabel.")
    return labels.astype(np.int64)


def check_count(n: int, K: int) -> None:
    """Raise `UsageError` unless 1 ≤ K ≤ min(n, 127)."""
    if not 1 <= K <= min(n, 127):
        raise UsageError.of(f"K classes of {n} nodes", K, f"1…{min(n, 127)}", "Ask for fewer classes.")
