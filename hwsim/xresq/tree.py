"""Tree-search detectors: MMSE-SIC, fixed-complexity sphere decoder, K-best, Schnorr–Euchner sphere (exact ML).

All work on the real form after a sorted Cholesky factorisation of G + λI. λ = N0/E_s ("mmse") sorts and cancels
better, but its metric carries λ‖x‖²: harmless where final candidates are ranked by ‖y − Hx‖² again (SIC, FSD,
K-best), wrong for exact ML. So the sphere decoder uses λ = 0, seeded with the MMSE-SIC answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from hwsim.core.threads import in_parts
from hwsim.ir.errors import UsageError
from hwsim.xresq import kernels_tree as kernels
from hwsim.xresq.channel import Received
from hwsim.xresq.detection import Detection, ranked
from hwsim.xresq.linear import SINGULAR_BELOW, regularisation, singular

MAX_NODES = 20_000_000  # a minute or so; ML search takes exponential time at low SNR


def factorise(r: Received, b: int, lam: float, ordered: bool = True) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(R float64 [n, n], ỹ [n], order int64 [n]) of instance b for G + λI.

    Raises:
        ShapeError: a singular channel with λ = 0.
    """
    n = r.n
    gram = r.gram_real[b] + lam * np.eye(n)
    factor, target, order = np.zeros((n, n)), np.empty(n), np.empty(n, np.int64)
    smallest = kernels.sorted_cholesky(gram, r.matched_real[b], r.mod.axes, ordered, factor, target, order)
    ratio = smallest / float(np.diag(gram).max())
    if ratio < SINGULAR_BELOW:
        raise singular(ratio)
    return factor, target, order


def _search(
    r: Received, width: int, lam: np.ndarray, threads: int, one: Callable[[np.ndarray, np.ndarray, np.ndarray], int]
) -> tuple[np.ndarray, np.ndarray]:
    """Candidates int8 [batch, width, n] of `one(R, ỹ, paths)`, missing ones repeated, and its counts [batch]."""
    out = np.zeros((r.batch, width, r.n), np.int8)
    counts = np.zeros(r.batch, np.int64)

    def instances(first: int, last: int) -> None:
        for b in range(first, last):
            factor, target, order = factorise(r, b, float(lam[b]))
            paths = np.zeros((width, r.n), np.int8)
            counts[b] = one(factor, target, paths)
            out[b][:, order] = paths

    in_parts(instances, r.batch, threads)
    return out, counts


def _lam(r: Received, sorting: str) -> np.ndarray:
    """λ [batch] of a sorting rule."""
    if sorting not in ("mmse", "zf"):
        raise UsageError.of("sorting", repr(sorting), "'mmse' or 'zf'", "MMSE sorting is the better one.")
    return regularisation(r) if sorting == "mmse" else np.zeros(r.batch)


def mmse_sic(r: Received, *, sorting: str = "mmse", threads: int = 1) -> Detection:
    """Ordered successive interference cancellation.

    Args:
        sorting: ``"mmse"``, or ``"zf"`` for λ = 0.
        threads: worker threads over the batch.
    """
    start = time.perf_counter()

    def one(factor: np.ndarray, target: np.ndarray, paths: np.ndarray) -> int:
        kernels.cancel(factor, target, r.mod.top, paths[0])
        return 1

    found, _ = _search(r, 1, _lam(r, sorting), threads, one)
    return ranked(r, found, times_s={"detect": time.perf_counter() - start})


def fsd(r: Received, *, sorting: str = "mmse", threads: int = 1) -> Detection:
    """Fixed-complexity sphere decoder: all symbols of the first user, cancellation below (ResQ's seed)."""
    start = time.perf_counter()
    width = r.mod.levels**r.mod.axes

    def one(factor: np.ndarray, target: np.ndarray, paths: np.ndarray) -> int:
        kernels.fixed_complexity(factor, target, r.mod.top, r.mod.axes, paths, np.empty(width))
        return width

    found, _ = _search(r, width, _lam(r, sorting), threads, one)
    return ranked(r, found, times_s={"detect": time.perf_counter() - start})


def kbest(r: Received, *, k: int = 64, sorting: str = "mmse", threads: int = 1) -> Detection:
    """K-best breadth-first search over real layers.

    Args:
        k: survivors a layer.
        sorting, threads: as for `mmse_sic`.

    Raises:
        UsageError: k < 1.
    """
    if k < 1:
        raise UsageError.of("k", k, "1 or more survivors", "64 is near maximum likelihood up to 64 users.")
    start = time.perf_counter()
    # fewer leaves than k exist in small trees
    width = min(k, r.mod.levels ** min(r.n, 16))

    def one(factor: np.ndarray, target: np.ndarray, paths: np.ndarray) -> int:
        return kernels.k_best(factor, target, r.mod.top, width, paths, np.empty(width))

    found, _ = _search(r, width, _lam(r, sorting), threads, one)
    return ranked(r, found, times_s={"detect": time.perf_counter() - start})


def sphere(r: Received, *, max_nodes: int = MAX_NODES, threads: int = 1) -> Detection:
    """Exact maximum likelihood by Schnorr–Euchner search.

    `counters["nodes"]` holds visited nodes; an instance with more than `max_nodes` was cut short and
    `counters["exact"]` is 0 there: its answer is the best one found.

    Raises:
        ShapeError: a singular channel.
    """
    start = time.perf_counter()
    begin = mmse_sic(r, threads=threads).levels
    out, nodes = np.zeros((r.batch, 1, r.n), np.int8), np.zeros(r.batch, np.int64)

    def instances(first: int, last: int) -> None:
        for b in range(first, last):
            factor, target, order = factorise(r, b, 0.0)
            best = begin[b][order].astype(np.int64)
            _, nodes[b] = kernels.sphere(factor, target, r.mod.top, max_nodes, best)
            out[b, 0, order] = best

    in_parts(instances, r.batch, threads)
    counters = {"nodes": nodes, "exact": (nodes <= max_nodes).astype(np.int64)}
    return ranked(r, out, counters=counters, times_s={"detect": time.perf_counter() - start})
