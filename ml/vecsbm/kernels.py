"""Sweeps over nodes and sums over edges, compiled.

The log-density of a covariate is linear in its features φ(w): constant_kl + θ_kl · φ(w). So a node's score for class k
is Σ_l n_l·log(1 − Π_kl) by counts, plus base_kl + θ_kl · φ_ij for each neighbour j in class l: O(K(m·D + nK)) a sweep
instead of the O(n²K) of a sum over all pairs.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from hwsim.annealing import draws, kernels_potts
from hwsim.annealing.draws import base_of, draw, key_of
from hwsim.annealing.kernels_potts import chosen
from hwsim.core.revision import revision

_REVISION = revision(draws, kernels_potts)


@njit(cache=True, nogil=True)
def sweep(start, neighbour, row, phi, prior, nonedge, base, theta, z, counts, beta, seed, read, number):
    """One Gauss-Seidel sweep in place; the number of nodes that changed class.

    start [n + 1], neighbour [arcs], row [arcs] of phi [rows, D]; prior [K], nonedge [K, K] (k, l); base [K, K] and
    theta [K, K, D] (l, k: the neighbour's class first); z int64 [n], counts int64 [K]; node i of sweep `number` takes
    the random number (seed, read, number, i).
    """
    _REVISION  # noqa: B018
    K, D = len(prior), phi.shape[1]
    energy, changed = np.empty(K), 0  # −score
    a, b = key_of(base_of(seed, read), number)
    for i in range(len(z)):
        counts[z[i]] -= 1
        for k in range(K):
            total = prior[k]
            for j in range(K):
                total += counts[j] * nonedge[k, j]
            energy[k] = -total
        for arc in range(start[i], start[i + 1]):
            j = z[neighbour[arc]]
            features = phi[row[arc]]
            for k in range(K):
                total = base[j, k]
                for c in range(D):
                    total += theta[j, k, c] * features[c]
                energy[k] -= total
        new = chosen(energy, z[i], beta, draw(a, b, i))
        changed += new != z[i]
        z[i] = new
        counts[new] += 1
    return changed


@njit(cache=True, nogil=True)
def moments(from_, to, phi, z, edges, sums):
    """edges[k, l] += 1 and sums[k, l] += φ_r for every row r from a node of class k to one of class l."""
    for r in range(len(from_)):
        k, j = z[from_[r]], z[to[r]]
        edges[k, j] += 1
        for c in range(phi.shape[1]):
            sums[k, j, c] += phi[r, c]
