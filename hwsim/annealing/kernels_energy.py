"""Symmetric matrices and energies in double precision; the order of the sums does not depend on anything."""

from __future__ import annotations

import numpy as np
from numba import njit

from hwsim.annealing import aligned, intrinsics, lanes, vectors
from hwsim.annealing.aligned import like
from hwsim.annealing.intrinsics import gather_list, gather_row
from hwsim.annealing.lanes import L, load
from hwsim.core.revision import revision

_REVISION = revision(aligned, intrinsics, lanes, vectors)
TILE = 8  # a cache line of float64: rows whose length is a power of two share few cache sets


@njit(cache=True, nogil=True)
def fill_matrix(u, v, weight, matrix):
    """Zeros → the symmetric matrix of the edges, the mirror image in tiles that stay in the cache."""
    for e in range(len(u)):
        matrix[u[e], v[e]] += weight[e]
    n = len(matrix)
    for top in range(0, n, TILE):
        for left in range(0, top + 1, TILE):
            for i in range(top, min(top + TILE, n)):
                for j in range(left, min(left + TILE, i)):
                    total = matrix[i, j] + matrix[j, i]
                    matrix[i, j] = total
                    matrix[j, i] = total


@njit(cache=True, nogil=True)
def _add(total, spins, field):
    for lane in range(L):
        total[lane] += spins[lane] * field[lane]


@njit(cache=True, nogil=True)
def energies_rows(h, matrix, states, out):
    """out[r] = Σ_i s_i·(h_i + Σ_{j<i} J_ij s_j), J float64 [n, n]."""
    _REVISION  # noqa: B018
    n = len(h)
    tile, field, total = like(h, n, L), np.empty(L), np.empty(L)
    for r in range(0, len(states), L):
        load(states, r, tile)
        total[:] = 0.0
        for i in range(n):
            field[:] = h[i]
            gather_row(field, tile, matrix, i * n, i)
            _add(total, tile[i], field)
        count = min(L, len(states) - r)
        out[r : r + count] = total[:count]


@njit(cache=True, nogil=True)
def energies_lists(h, start, column, weight, states, out):
    """The same from lists of neighbours."""
    _REVISION  # noqa: B018
    n = len(h)
    tile, field, total = like(h, n, L), np.empty(L), np.empty(L)
    for r in range(0, len(states), L):
        load(states, r, tile)
        total[:] = 0.0
        for i in range(n):
            field[:] = h[i]
            end = start[i]
            while end < start[i + 1] and column[end] < i:
                end += 1
            gather_list(field, tile, column, weight, start[i], end)
            _add(total, tile[i], field)
        count = min(L, len(states) - r)
        out[r : r + count] = total[:count]
