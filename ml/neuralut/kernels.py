"""Fused forward and recomputing backward of a layer of L-LUTs with L=4, S=2.

    h1 = relu(A1 x + b1)                 h2 = relu(A2 h1 + R0 x + b2 + r0)
    h3 = relu(A3 h2 + b3)                y  = A4 h3 + R1 h2 + b4 + r1          (paper eq. 2–4)

One L-LUT at a time, `CHUNK` samples at a time, everything between x and y in the first-level cache.
The backward pass computes h1..h3 again rather than reading them from memory. Gradients g_l with respect to
z_l overwrite activations that are no longer needed. L-LUTs are independent, so that threads share them out
without changing a result.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from ml.neuralut.subnet import SubNet
from ml.neuralut.tiles import CHUNK, OUT_TILE, TILE, linear_tile, outer_tile

Kernel = Callable[..., Any]


class LayerKernels(NamedTuple):
    """forward(k0, k1, θ, x, conn, y) and backward(k0, k1, θ, x, conn, dy, dθ, dx), for L-LUTs k0..k1−1.

    Shapes: θ, dθ [n_out, P]; x [n_in, batch]; conn [n_out, F]; y, dy [n_out, batch]; dx [n_out, F, batch].
    """

    forward: Kernel
    backward: Kernel


@cache
def linear(k: int, n_out: int, start: str, end: str) -> Kernel:
    """Whole-chunk product of a layer from `linear_tile`s: n_out rows, `k` inputs."""
    full, rest = divmod(n_out, OUT_TILE)
    tile = linear_tile(k, OUT_TILE, start, end)
    tail = linear_tile(k, max(rest, 1), start, end)

    @njit
    def product(s, dst, src, mask, w, wo, so, si, bias):  # type: ignore[no-untyped-def]
        for t in range(full):
            o = t * OUT_TILE
            for c in range(0, CHUNK, TILE):
                tile(s, dst + o * CHUNK + c, src + c, mask + o * CHUNK + c, w, wo + o * so, so, si, bias + o)
        if rest:
            o = full * OUT_TILE
            for c in range(0, CHUNK, TILE):
                tail(s, dst + o * CHUNK + c, src + c, mask + o * CHUNK + c, w, wo + o * so, so, si, bias + o)

    return product


@cache
def outer(n_out: int, n_in: int) -> Kernel:
    """Gradient dW[o, i] += Σ_b G[o, b] H[i, b] over a chunk; row-major W [n_out, n_in] at `wo`."""
    o_full, o_rest = divmod(n_out, 4)
    i_full, i_rest = divmod(n_in, 4)
    tile, right = outer_tile(4, 4), outer_tile(4, max(i_rest, 1))
    below, corner = outer_tile(max(o_rest, 1), 4), outer_tile(max(o_rest, 1), max(i_rest, 1))

    @njit
    def gradient(s, g, h, dw, wo):  # type: ignore[no-untyped-def]
        for o in range(o_full):
            for i in range(i_full):
                tile(s, g + 4 * o * CHUNK, h + 4 * i * CHUNK, dw, wo + 4 * o * n_in + 4 * i, n_in, 1)
            if i_rest:
                i = i_full
                right(s, g + 4 * o * CHUNK, h + 4 * i * CHUNK, dw, wo + 4 * o * n_in + 4 * i, n_in, 1)
        if o_rest:
            o = o_full
            for i in range(i_full):
                below(s, g + 4 * o * CHUNK, h + 4 * i * CHUNK, dw, wo + 4 * o * n_in + 4 * i, n_in, 1)
            if i_rest:
                i = i_full
                corner(s, g + 4 * o * CHUNK, h + 4 * i * CHUNK, dw, wo + 4 * o * n_in + 4 * i, n_in, 1)

    return gradient


@njit
def scratch(rows):  # type: ignore[no-untyped-def]
    """Zeroed scratch of `rows` chunks and the index of its first 64-byte boundary."""
    s = np.zeros(rows * CHUNK + 16, np.float32)
    return s, (-(s.ctypes.data // 4)) % 16


@njit
def gather(s, base, x, conn, n, start):  # type: ignore[no-untyped-def]
    """Copy the inputs of L-LUT `n` for samples start.. into scratch; pad with zeros. Returns the count."""
    count = min(CHUNK, x.shape[1] - start)
    for f in range(conn.shape[1]):
        row = base + f * CHUNK
        s[row : row + count] = x[conn[n, f], start : start + count]
        s[row + count : row + CHUNK] = 0
    return count


@cache
def _activations(net: SubNet) -> Kernel:
    """Fill rows h1, h2, h3 of a chunk from x (rows in the order x, h1, h2, h3)."""
    f, n = net.fan_in, net.width
    h1, h2, h3 = f * CHUNK, (f + n) * CHUNK, (f + 2 * n) * CHUNK
    (a1, b1), (a2, b2), (a3, b3), (r0, c0) = (
        (net.blocks[k].weight, net.blocks[k].bias) for k in ("A1", "A2", "A3", "R0")
    )
    first, second = linear(f, n, "bias", "relu"), linear(n, n, "bias", "none")
    skip, third = linear(f, n, "add bias", "relu"), linear(n, n, "bias", "relu")

    @njit
    def run(s, p, w):  # type: ignore[no-untyped-def]
        first(s, p + h1, p, 0, w, a1, f, 1, b1)
        second(s, p + h2, p + h1, 0, w, a2, n, 1, b2)
        skip(s, p + h2, p, 0, w, r0, f, 1, c0)
        third(s, p + h3, p + h2, 0, w, a3, n, 1, b3)

    return run


@cache
def _forward(net: SubNet) -> Kernel:
    f, n = net.fan_in, net.width
    h2, h3, y_row = (f + n) * CHUNK, (f + 2 * n) * CHUNK, (f + 3 * n) * CHUNK
    a4, b4 = net.blocks["A4"].weight, net.blocks["A4"].bias
    r1, c1 = net.blocks["R1"].weight, net.blocks["R1"].bias
    activations = _activations(net)
    last, skip = linear(n, 1, "bias", "none"), linear(n, 1, "add bias", "none")

    @njit(nogil=True)
    def forward(first, end, theta, x, conn, y):  # type: ignore[no-untyped-def]
        s, p = scratch(f + 3 * n + 1)
        for k in range(first, end):
            w = theta[k]
            for start in range(0, x.shape[1], CHUNK):
                count = gather(s, p, x, conn, k, start)
                activations(s, p, w)
                last(s, p + y_row, p + h3, 0, w, a4, n, 1, b4)
                skip(s, p + y_row, p + h2, 0, w, r1, n, 1, c1)
                y[k, start : start + count] = s[p + y_row : p + y_row + count]

    return forward


@cache
def _weight_gradients(net: SubNet) -> tuple[Kernel, Kernel, Kernel, Kernel]:
    """(A4 and R1), A3, (A2 and R0), A1: each run when its g exists and before its h is overwritten."""
    f, n = net.fan_in, net.width
    b = {name: block.weight for name, block in net.blocks.items()}
    c = {name: block.bias for name, block in net.blocks.items()}
    a1, a2, a3, a4, r0, r1 = b["A1"], b["A2"], b["A3"], b["A4"], b["R0"], b["R1"]
    b1, b2, b3, b4, c0, c1 = c["A1"], c["A2"], c["A3"], c["A4"], c["R0"], c["R1"]
    to_one, to_n, from_x = outer(1, n), outer(n, n), outer(n, f)
    sum_one, sum_n = outer(1, 1), outer(n, 1)

    @njit
    def fourth(s, g, h3, h2, ones, dw):  # type: ignore[no-untyped-def]
        to_one(s, g, h3, dw, a4)
        to_one(s, g, h2, dw, r1)
        sum_one(s, g, ones, dw, b4)
        sum_one(s, g, ones, dw, c1)

    @njit
    def third(s, g, h2, ones, dw):  # type: ignore[no-untyped-def]
        to_n(s, g, h2, dw, a3)
        sum_n(s, g, ones, dw, b3)

    @njit
    def second(s, g, h1, x, ones, dw):  # type: ignore[no-untyped-def]
        to_n(s, g, h1, dw, a2)
        from_x(s, g, x, dw, r0)
        sum_n(s, g, ones, dw, b2)
        sum_n(s, g, ones, dw, c0)

    @njit
    def first(s, g, x, ones, dw):  # type: ignore[no-untyped-def]
        from_x(s, g, x, dw, a1)
        sum_n(s, g, ones, dw, b1)

    return fourth, third, second, first


@cache
def _backward(net: SubNet) -> Kernel:
    """Rows: x, h1, h2, h3 (later g1 over h1, g3 over h3), g2, g4 = dy, dx, ones."""
    f, n = net.fan_in, net.width
    h1, h2, h3, g2, g4 = (np.array([f, f + n, f + 2 * n, f + 3 * n, f + 4 * n]) * CHUNK).tolist()
    dx_row, one_row, rows = g4 + CHUNK, g4 + (1 + f) * CHUNK, f + 4 * n + 1 + f + 1
    a1, a2, a3, a4, r0, r1 = (net.blocks[k].weight for k in ("A1", "A2", "A3", "A4", "R0", "R1"))
    activations, (d4, d3, d2, d1) = _activations(net), _weight_gradients(net)
    spread, spread_raw = linear(1, n, "zero", "mask"), linear(1, n, "zero", "none")
    back_add, back = linear(n, n, "add", "mask"), linear(n, n, "zero", "mask")
    to_x, to_x_add = linear(n, f, "zero", "none"), linear(n, f, "add", "none")

    @njit(nogil=True)
    def backward(first, end, theta, x, conn, dy, dtheta, dx):  # type: ignore[no-untyped-def]
        s, p = scratch(rows)
        s[p + one_row : p + one_row + CHUNK] = 1
        for k in range(first, end):
            w, dw = theta[k], dtheta[k]
            dw[:] = 0
            for start in range(0, x.shape[1], CHUNK):
                count = gather(s, p, x, conn, k, start)
                s[p + g4 : p + g4 + count] = dy[k, start : start + count]
                s[p + g4 + count : p + g4 + CHUNK] = 0
                activations(s, p, w)
                d4(s, p + g4, p + h3, p + h2, p + one_row, dw)
                spread(s, p + h3, p + g4, p + h3, w, a4, 1, 1, 0)
                d3(s, p + h3, p + h2, p + one_row, dw)
                spread_raw(s, p + g2, p + g4, 0, w, r1, 1, 1, 0)
                back_add(s, p + g2, p + h3, p + h2, w, a3, 1, n, 0)
                d2(s, p + g2, p + h1, p, p + one_row, dw)
                back(s, p + h1, p + g2, p + h1, w, a2, 1, n, 0)
                d1(s, p + h1, p, p + one_row, dw)
                to_x(s, p + dx_row, p + h1, 0, w, a1, 1, f, 0)
                to_x_add(s, p + dx_row, p + g2, 0, w, r0, 1, f, 0)
                for i in range(f):
                    row = p + dx_row + i * CHUNK
                    dx[k, i, start : start + count] = s[row : row + count]

    return backward


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="l-luts")


def run(kernel: Kernel, threads: int, count: int, *arrays: np.ndarray) -> None:
    """Call a kernel for all `count` L-LUTs, shared out among `threads` (it runs without the interpreter lock)."""
    if threads <= 1 or count < 2 * threads:
        kernel(0, count, *arrays)
        return
    cuts = [count * t // threads for t in range(threads + 1)]
    jobs = [_pool(threads).submit(kernel, a, b, *arrays) for a, b in pairwise(cuts)]
    for job in jobs:
        job.result()


@njit
def scatter_rows(parts, conn, dx):  # type: ignore[no-untyped-def]
    """dx[conn[k, f]] += parts[k, f], in a fixed order."""
    dx[:] = 0
    for k in range(conn.shape[0]):
        for f in range(conn.shape[1]):
            dx[conn[k, f]] += parts[k, f]


@cache
def layer_kernels(neuron: object) -> LayerKernels | None:
    """Fused kernels of a neuron function, or None where only the plain evaluation exists."""
    from ml.neuralut import kernels_small
    from ml.neuralut.polylut import Polynomial

    if isinstance(neuron, Polynomial):
        return kernels_small.polynomial(neuron)
    if isinstance(neuron, SubNet):
        if (neuron.depth, neuron.skip) == (4, 2):
            return LayerKernels(_forward(neuron), _backward(neuron))
        if (neuron.depth, neuron.skip) == (1, 0):
            return kernels_small.dot_product(neuron)
        if (neuron.depth, neuron.skip) == (2, 2):
            return kernels_small.two_layers(neuron)
    return None
