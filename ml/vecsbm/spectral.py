"""Spectral start (Section 3): the K leading singular vectors of A, clustered by k-means. It sees no covariates."""

from __future__ import annotations

import numpy as np

from ml.vecsbm.graph import Graph, check_count

DENSE = 64  # nodes up to which all eigenvectors are computed
KMEANS_STARTS = 10


def spectral(graph: Graph, K: int, *, seed: int = 0, allow_disconnected: bool = False) -> np.ndarray:
    """Labels int64 [n] from the graph alone; every class has members.

    Args:
        graph: a connected graph; singular vectors of another settle on its components.
        K: number of classes.
        seed: of k-means.
        allow_disconnected: take any graph; stray nodes get an arbitrary class.

    Raises:
        UsageError: K > n, or a disconnected graph.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.linalg import eigsh
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    check_count(graph.n, K)
    if not allow_disconnected:
        graph.check_connected()
    half = coo_array((np.ones(graph.m), (graph.u, graph.v)), (graph.n, graph.n)).tocsr()
    A = half + half.T
    if graph.n <= max(DENSE, 2 * K):
        values, vectors = np.linalg.eigh(A.toarray())
        leading = np.argsort(-np.abs(values), kind="stable")[:K]
        vectors = vectors[:, leading]
    else:  # of a symmetric matrix, singular vectors are the eigenvectors of the largest |eigenvalues|
        vectors = eigsh(A, K, which="LM", v0=np.ones(graph.n))[1]
    with threadpool_limits(1):
        labels = KMeans(K, n_init=KMEANS_STARTS, random_state=seed).fit_predict(vectors).astype(np.int64)
    return filled(labels, K)


def filled(labels: np.ndarray, K: int) -> np.ndarray:
    """`labels` with every empty class given one node of the largest class."""
    labels = labels.copy()
    for k in np.flatnonzero(np.bincount(labels, minlength=K) == 0):
        largest = np.bincount(labels, minlength=K).argmax()
        labels[np.flatnonzero(labels == largest)[0]] = k
    return labels
