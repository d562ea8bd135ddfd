"""sIR's sweep as a sum over all pairs of nodes, compiled: what the sweep by counts and neighbours is timed against."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def sweep_pairs(A, W, log_pi, log_rest, mu, z, skip):
    """z_i ← argmax_k Σ_{j≠i} [A log Π + (1 − A) log(1 − Π) − A·‖W − μ‖²], in place: O(n²K·d).

    A int8 [n, n], W [n, n, d]; `skip` leaves the norm out where A_ij = 0, which the published code does not.
    """
    n, K, d = len(z), len(log_pi), W.shape[2]
    score = np.empty(K)
    for i in range(n):
        score[:] = 0.0
        for j in range(n):
            if j == i:
                continue
            a = A[i, j]
            for k in range(K):
                norm = 0.0
                if not skip or a:
                    for c in range(d):
                        rest = W[i, j, c] - mu[k, z[j], c]
                        norm += rest * rest
                score[k] += a * log_pi[k, z[j]] + (1 - a) * log_rest[k, z[j]] - a * norm
        z[i] = score.argmax()
