"""Tree-search kernels on ‖ỹ − R x‖²: sorted Cholesky, K-best, fixed-complexity and Schnorr–Euchner search.

With R upper triangular, PᵀGP = RᵀR and ỹ = R⁻ᵀPᵀz,  ‖y − Hx‖² = ‖ỹ − R Pᵀx‖² + const. Layer n−1 is decided first.
Sorting takes the user with the smallest residual norm first (SQRD: Wübben et al. 2001), which comes to pivoting the
Cholesky factorisation of G by the smallest Schur diagonal: the two axes of a user stay neighbours, so the real tree
is the complex one.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def sorted_cholesky(gram, matched, axes, ordered, factor, target, order):
    """R [n, n] (upper), ỹ [n] and the order [n] of real dimensions from G [n, n] and z [n].

    `ordered` False keeps the users' order. Returns the smallest pivot.
    """
    n = len(matched)
    n_t = n // axes
    a = gram.copy()
    for q in range(n):
        order[q] = (q // axes) + (q % axes) * n_t
    work = np.empty((n, n))
    for i in range(n):
        for j in range(n):
            work[i, j] = a[order[i], order[j]]
    smallest = np.inf
    for q in range(n):
        if ordered and q % axes == 0:
            best = q
            for c in range(q, n, axes):
                if work[c, c] < work[best, best]:
                    best = c
            if best != q:
                for e in range(axes):
                    _swap(work, factor, order, q + e, best + e, q)
        pivot = work[q, q]
        smallest = min(smallest, pivot)
        root = np.sqrt(max(pivot, 1e-300))
        for j in range(q, n):
            factor[q, j] = work[q, j] / root
        for i in range(q + 1, n):
            f = factor[q, i]
            for j in range(q + 1, n):
                work[i, j] -= f * factor[q, j]
    for q in range(n):
        total = matched[order[q]]
        for p in range(q):
            total -= factor[p, q] * target[p]
        target[q] = total / factor[q, q]
    return smallest


@njit(cache=True, nogil=True)
def _swap(work, factor, order, p, q, done):
    """Exchange rows and columns p and q of the remainder and of the finished rows of R."""
    n = len(order)
    for j in range(n):
        work[p, j], work[q, j] = work[q, j], work[p, j]
    for i in range(n):
        work[i, p], work[i, q] = work[i, q], work[i, p]
    for i in range(done):
        factor[i, p], factor[i, q] = factor[i, q], factor[i, p]
    order[p], order[q] = order[q], order[p]


@njit(cache=True, nogil=True)
def nearest(value, top):
    """Nearest level of an axis."""
    level = 2 * np.floor((value + top + 1) / 2) - top
    return min(max(level, -top), top)


@njit(cache=True, nogil=True)
def k_best(factor, target, top, kept, paths, metrics):
    """Breadth-first search with `kept` survivors a layer. Returns how many paths came out, by rising metric.

    `paths` int8 [kept, n] in layer order; `metrics` float64 [kept].
    """
    n, m = len(target), top + 1
    residual = np.empty((kept, n))  # ỹ − R x over the layers decided so far
    other_residual, other = np.empty((kept, n)), np.empty_like(paths)
    cost, origin = np.empty(kept * m), np.empty(kept * m, np.int64)
    alive = 1
    residual[0] = target
    metrics[0] = 0.0
    for layer in range(n - 1, -1, -1):
        r = factor[layer, layer]
        for s in range(alive):
            for c in range(m):
                d = residual[s, layer] - r * (2 * c - top)
                cost[s * m + c] = metrics[s] + d * d
        total = alive * m
        following = min(kept, total)
        ranking = np.argsort(cost[:total], kind="mergesort")[:following]
        for q in range(following):
            s, level = ranking[q] // m, 2 * (ranking[q] % m) - top
            other[q, layer:] = paths[s, layer:]
            other[q, layer] = level
            for j in range(layer):
                other_residual[q, j] = residual[s, j] - factor[j, layer] * level
            origin[q] = ranking[q]
        for q in range(following):
            metrics[q] = cost[origin[q]]
            paths[q, layer:] = other[q, layer:]
            residual[q, :layer] = other_residual[q, :layer]
        alive = following
    return alive


@njit(cache=True, nogil=True)
def fixed_complexity(factor, target, top, axes, paths, metrics):
    """Every symbol of the first user, successive cancellation below: `paths` int8 [M^axes, n], unsorted."""
    n, m = len(target), top + 1
    for q in range(len(paths)):
        path = paths[q]
        total, code = 0.0, q
        for layer in range(n - 1, -1, -1):
            value = target[layer]
            for j in range(layer + 1, n):
                value -= factor[layer, j] * path[j]
            if layer >= n - axes:
                path[layer] = 2 * (code % m) - top
                code //= m
            else:
                path[layer] = nearest(value / factor[layer, layer], top)
            d = value - factor[layer, layer] * path[layer]
            total += d * d
        metrics[q] = total


@njit(cache=True, nogil=True)
def cancel(factor, target, top, path):
    """Successive interference cancellation (Babai's point) into `path` [n]. Returns its metric."""
    total = 0.0
    for layer in range(len(target) - 1, -1, -1):
        value = target[layer]
        for j in range(layer + 1, len(target)):
            value -= factor[layer, j] * path[j]
        path[layer] = nearest(value / factor[layer, layer], top)
        d = value - factor[layer, layer] * path[layer]
        total += d * d
    return total


@njit(cache=True, nogil=True)
def sphere(factor, target, top, max_nodes, best):
    """Depth-first Schnorr–Euchner search: the minimum of ‖ỹ − Rx‖² into `best` [n], from the metric of `best`.

    Children of a node are visited by rising cost: nearest level, then outwards, alternating sides. Returns
    (metric, visited nodes); the search was cut short when nodes > max_nodes.
    """
    n = len(target)
    path = np.zeros(n, np.int64)
    centre, distance = np.empty(n), np.zeros(n + 1)
    low, high = np.empty(n, np.int64), np.empty(n, np.int64)  # next untried level on either side
    radius = 0.0
    for i in range(n):
        d = target[i]
        for j in range(i, n):
            d -= factor[i, j] * best[j]
        radius += d * d
    radius = radius * (1 + 1e-12)
    nodes, layer, fresh = 0, n - 1, True
    while True:
        if fresh:
            value = target[layer]
            for j in range(layer + 1, n):
                value -= factor[layer, j] * path[j]
            centre[layer] = value / factor[layer, layer]
            start = np.int64(nearest(centre[layer], top))
            low[layer] = start if start <= centre[layer] else start - 2
            high[layer] = low[layer] + 2
        below, above = low[layer] >= -top, high[layer] <= top
        take_low = below and (not above or centre[layer] - low[layer] <= high[layer] - centre[layer])
        inside = False
        if below or above:
            level = low[layer] if take_low else high[layer]
            d = factor[layer, layer] * (centre[layer] - level)
            metric = distance[layer + 1] + d * d
            inside = metric < radius
            nodes += 1
        if nodes > max_nodes:
            return radius, nodes
        if not inside:
            layer += 1
            if layer == n:
                return radius, nodes
            fresh = False
            continue
        path[layer] = level
        if take_low:
            low[layer] -= 2
        else:
            high[layer] += 2
        if layer:
            distance[layer] = metric
            layer -= 1
            fresh = True
        else:
            radius = metric
            best[:] = path
            fresh = False
