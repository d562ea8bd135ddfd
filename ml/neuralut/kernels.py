"""Fused forward and recomputing backward of a layer of L-LUTs with L=4, S=2.

    h1 = relu(A1 x + b1)                 h2 = relu(A2 h1 + R0 x + b2 + r0)
    h3 = relu(A3 h2 + b3)                y  = A4 h3 + R1 h2 + b4 + r1          (paper eq. 2–4)

One L-LUT at a time, `CHUNK` samples at a time, everything between x and y in the first-level cache.
The backward pass computes h1..h3 again rather than reading them from memory. Gradients g_l with respect to
z_l overwrite activations that are no longer needed. L-LUTs are independent, so that threads share them out
without changing a result.

Sizes are run-time arguments: every kernel is compiled once for all shapes and kept in numba's file cache.
`places` holds the positions of the affine maps in a row of θ, (weight, bias) pairs in the order of
`SubNet.blocks`.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from ml.neuralut.polylut import Polynomial
from ml.neuralut.products import (
    CHUNK,
    gather,
    linear_add_bias_none,
    linear_add_bias_relu,
    linear_add_mask,
    linear_add_none,
    linear_bias_none,
    linear_bias_relu,
    linear_zero_mask,
    linear_zero_none,
    outer,
    put_rows,
    scratch,
    set_row,
)
from ml.neuralut.subnet import SubNet

Kernel = Callable[..., Any]
A1, A2, A3, A4, R0, R1 = range(6)  # rows of `places`


class LayerKernels(NamedTuple):
    """forward(k0, k1, *shape, θ, x, conn, y) and backward(k0, k1, *shape, θ, x, conn, dy, dθ, dx).

    They treat L-LUTs k0..k1−1. Shapes: θ, dθ [n_out, P]; x [n_in, batch]; conn [n_out, F]; y, dy
    [n_out, batch]; dx [n_out, F, batch], the gradient of the gathered inputs.
    """

    forward: Kernel
    backward: Kernel
    shape: tuple[Any, ...]


@njit
def _activations(s, p, w, f, n, places):
    """Fill rows h1, h2, h3 of a chunk from x (rows in the order x, h1, h2, h3)."""
    h1, h2, h3 = p + f * CHUNK, p + (f + n) * CHUNK, p + (f + 2 * n) * CHUNK
    linear_bias_relu(s, h1, p, 0, w, places[A1, 0], f, 1, places[A1, 1], n, f)
    linear_bias_none(s, h2, h1, 0, w, places[A2, 0], n, 1, places[A2, 1], n, n)
    linear_add_bias_relu(s, h2, p, 0, w, places[R0, 0], f, 1, places[R0, 1], n, f)
    linear_bias_relu(s, h3, h2, 0, w, places[A3, 0], n, 1, places[A3, 1], n, n)


@njit(nogil=True, cache=True)
def _forward(first, end, n, places, theta, x, conn, y):
    f = conn.shape[1]
    s, p = scratch(f + 3 * n + 1)
    h2, h3, y_row = p + (f + n) * CHUNK, p + (f + 2 * n) * CHUNK, p + (f + 3 * n) * CHUNK
    for k in range(first, end):
        w = theta[k]
        for start in range(0, x.shape[1], CHUNK):
            count = gather(s, p, x, conn, k, start)
            _activations(s, p, w, f, n, places)
            linear_bias_none(s, y_row, h3, 0, w, places[A4, 0], n, 1, places[A4, 1], 1, n)
            linear_add_bias_none(s, y_row, h2, 0, w, places[R1, 0], n, 1, places[R1, 1], 1, n)
            put_rows(s, y_row, y[k : k + 1], start, count)


@njit
def _affine_gradient(s, g, h, one, dw, place, n_out, n_in):
    """Weight and bias gradient of one affine map."""
    outer(s, g, h, dw, place[0], n_out, n_in)
    outer(s, g, one, dw, place[1], n_out, 1)


@njit(nogil=True, cache=True)
def _backward(first, end, n, places, theta, x, conn, dy, dtheta, dx):
    f = conn.shape[1]
    # rows: x, h1 (later g1), h2, h3 (later g3), g2, g4 = dy, dx, ones
    s, p = scratch(2 * f + 4 * n + 2)
    h1, h2, h3, g2 = p + f * CHUNK, p + (f + n) * CHUNK, p + (f + 2 * n) * CHUNK, p + (f + 3 * n) * CHUNK
    g4, dx_row, one = p + (f + 4 * n) * CHUNK, p + (f + 4 * n + 1) * CHUNK, p + (2 * f + 4 * n + 1) * CHUNK
    s[one : one + CHUNK] = 1
    a1, a2, a3, a4, r0, r1 = places[:, 0]
    for k in range(first, end):
        w, dw = theta[k], dtheta[k]
        dw[:] = 0
        for start in range(0, x.shape[1], CHUNK):
            count = gather(s, p, x, conn, k, start)
            set_row(s, g4, dy[k, start : start + count])
            _activations(s, p, w, f, n, places)
            _affine_gradient(s, g4, h3, one, dw, places[A4], 1, n)
            _affine_gradient(s, g4, h2, one, dw, places[R1], 1, n)
            linear_zero_mask(s, h3, g4, h3, w, a4, 1, 1, 0, n, 1)  # g3 = A4ᵀ g4 where h3 > 0
            _affine_gradient(s, h3, h2, one, dw, places[A3], n, n)
            linear_zero_none(s, g2, g4, 0, w, r1, 1, 1, 0, n, 1)
            linear_add_mask(s, g2, h3, h2, w, a3, 1, n, 0, n, n)  # g2 = R1ᵀ g4 + A3ᵀ g3 where h2 > 0
            _affine_gradient(s, g2, h1, one, dw, places[A2], n, n)
            _affine_gradient(s, g2, p, one, dw, places[R0], n, f)
            linear_zero_mask(s, h1, g2, h1, w, a2, 1, n, 0, n, n)  # g1 = A2ᵀ g2 where h1 > 0
            _affine_gradient(s, h1, p, one, dw, places[A1], n, f)
            linear_zero_none(s, dx_row, h1, 0, w, a1, 1, f, 0, f, n)
            linear_add_none(s, dx_row, g2, 0, w, r0, 1, f, 0, f, n)
            put_rows(s, dx_row, dx[k], start, count)


@njit(cache=True)
def scatter_rows(parts, conn, dx):
    """dx[conn[k, f]] += parts[k, f], in a fixed order."""
    dx[:] = 0
    for k in range(conn.shape[0]):
        for f in range(conn.shape[1]):
            dx[conn[k, f]] += parts[k, f]


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="l-luts")


def run(kernel: Kernel, threads: int, count: int, *arguments: Any) -> None:
    """Call a kernel for all `count` L-LUTs, shared out among `threads` (it runs without the interpreter lock)."""
    if threads <= 1 or count < 2 * threads:
        kernel(0, count, *arguments)
        return
    cuts = [count * t // threads for t in range(threads + 1)]
    jobs = [_pool(threads).submit(kernel, a, b, *arguments) for a, b in pairwise(cuts)]
    for job in jobs:
        job.result()


@cache
def layer_kernels(neuron: object) -> LayerKernels | None:
    """Fused kernels of a neuron function, or None where only the plain evaluation exists."""
    from ml.neuralut import kernels_small as small

    if isinstance(neuron, Polynomial):
        return LayerKernels(small.polynomial_forward, small.polynomial_backward, (neuron.products,))
    if not isinstance(neuron, SubNet):
        return None
    shape = (neuron.width, np.array([(b.weight, b.bias) for b in neuron.blocks.values()], np.int64))
    pairs = {
        (4, 2): (_forward, _backward),
        (2, 2): (small.shallow_forward, small.shallow_backward),
        (1, 0): (small.dot_forward, small.dot_backward),
    }
    pair = pairs.get((neuron.depth, neuron.skip))
    return None if pair is None else LayerKernels(*pair, shape)
