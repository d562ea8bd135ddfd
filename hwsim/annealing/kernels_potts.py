"""Heat-bath sweeps of Potts nodes: sparse couplers with tables, everything else by counters.

Node i feels, in state k, e_k = h_i[k] + Σ_{j ~ i} T_ij[k, z_j] + Σ_l C[k, l]·(n_l − [z_i = l]), and takes state k with
probability e^{−β e_k} / Σ_k' e^{−β e_k'}: the first k whose running sum of e^{−β(e_k − min e)} passes u times the whole
sum, u = (r + ½)/2³² with the node's number r of (seed, read, sweep, node). At β = ∞ a node leaves its state only for
one of strictly lower energy, the first among the lowest. All arithmetic is in double precision, in the order written.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from hwsim.annealing import draws
from hwsim.annealing.draws import base_of, draw, key_of
from hwsim.core.revision import revision

_REVISION = revision(draws)
COLDEST = 700.0  # β·(e − min e) beyond which e^−x is below 1e-304: taken as 0


@njit(cache=True, nogil=True)
def chosen(e, current, beta, r):
    """The state drawn from energies e [K] with the 32-bit number r; β = ∞ is descent."""
    lowest = 0
    for k in range(1, len(e)):
        if e[k] < e[lowest]:
            lowest = k
    if beta == np.inf:
        return lowest if e[lowest] < e[current] else current
    total = 0.0
    for k in range(len(e)):
        x = beta * (e[k] - e[lowest])
        total += math.exp(-x) if x < COLDEST else 0.0
    target = (r + 0.5) / 4294967296.0 * total
    running = 0.0
    for k in range(len(e)):
        x = beta * (e[k] - e[lowest])
        running += math.exp(-x) if x < COLDEST else 0.0
        if running > target:
            return k
    return lowest


@njit(cache=True, nogil=True)
def gather(i, h, start, neighbour, table, counter, z, counts, e):
    """Energies e [K] of node i, which `counts` leaves out; table [arcs, K (j's state), K (i's state)]."""
    K = len(e)
    for k in range(K):
        total = h[i, k]
        for state in range(K):
            total += counts[state] * counter[k, state]
        e[k] = total
    for arc in range(start[i], start[i + 1]):
        row = table[arc, z[neighbour[arc]]]
        for k in range(K):
            e[k] += row[k]


@njit(cache=True, nogil=True)
def energy_of(h, start, neighbour, table, counter, z, counts):
    """Energy of labels z: fields, half of every arc, half of every ordered pair."""
    total, pairs = 0.0, 0.0
    for i in range(len(h)):
        half = 0.0
        for arc in range(start[i], start[i + 1]):
            half += table[arc, z[neighbour[arc]], z[i]]
        total += h[i, z[i]] + 0.5 * half
    for k in range(len(counts)):
        for state in range(len(counts)):
            pairs += counts[k] * (counts[state] - (k == state)) * counter[k, state]
    return total + 0.5 * pairs


@njit(cache=True, nogil=True)
def heat_bath_reads(h, start, neighbour, table, counter, betas, labels, trace, seed, first, lo, hi):
    """Reads lo…hi−1 of `labels` int8 [reads, n], in place; trace float64 [reads, sweeps] or [reads, 0]."""
    _REVISION  # noqa: B018
    n, K = h.shape
    z, counts, e = np.empty(n, np.int64), np.zeros(K, np.int64), np.empty(K)
    for read in range(lo, hi):
        counts[:] = 0
        for i in range(n):
            z[i] = labels[read, i]
            counts[z[i]] += 1
        base = base_of(seed, first + read)
        for sweep in range(len(betas)):
            a, b = key_of(base, sweep)
            for i in range(n):
                counts[z[i]] -= 1
                gather(i, h, start, neighbour, table, counter, z, counts, e)
                z[i] = chosen(e, z[i], betas[sweep], draw(a, b, i))
                counts[z[i]] += 1
            if trace.shape[1]:
                trace[read, sweep] = energy_of(h, start, neighbour, table, counter, z, counts)
        for i in range(n):
            labels[read, i] = np.int8(z[i])


@njit(cache=True, nogil=True)
def energies(h, start, neighbour, table, counter, labels, out):
    """out[r] = energy of labels[r]."""
    n, K = h.shape
    z, counts = np.empty(n, np.int64), np.zeros(K, np.int64)
    for r in range(len(labels)):
        counts[:] = 0
        for i in range(n):
            z[i] = labels[r, i]
            counts[z[i]] += 1
        out[r] = energy_of(h, start, neighbour, table, counter, z, counts)
