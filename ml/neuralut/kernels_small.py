"""Fused kernels of the cheaper neuron functions: dot product, one hidden layer, polynomial.

LogicNets (L=1):                   y = A1 x + b1
assembled trees (L=2, S=2):        y = A2 relu(A1 x + b1) + b2 + R0 x + r0
PolyLUT:                           y = Σ_m θ_m φ_m(x) + θ_bias

Conventions as in `ml.neuralut.kernels`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ml.neuralut.kernels import LayerKernels, gather, linear, outer, scratch
from ml.neuralut.polylut import Polynomial
from ml.neuralut.subnet import SubNet
from ml.neuralut.tiles import CHUNK


def dot_product(net: SubNet) -> LayerKernels:
    """Kernels of L=1. Rows: x, y or dy, ones, dx."""
    f = net.fan_in
    a1, b1 = net.blocks["A1"].weight, net.blocks["A1"].bias
    y_row, one_row, dx_row = f * CHUNK, (f + 1) * CHUNK, (f + 2) * CHUNK
    apply, spread = linear(f, 1, "bias", "none"), linear(1, f, "zero", "none")
    weights, total = outer(1, f), outer(1, 1)

    @njit(nogil=True)
    def forward(first, end, theta, x, conn, y):  # type: ignore[no-untyped-def]
        s, p = scratch(f + 1)
        for k in range(first, end):
            for start in range(0, x.shape[1], CHUNK):
                count = gather(s, p, x, conn, k, start)
                apply(s, p + y_row, p, 0, theta[k], a1, f, 1, b1)
                y[k, start : start + count] = s[p + y_row : p + y_row + count]

    @njit(nogil=True)
    def backward(first, end, theta, x, conn, dy, dtheta, dx):  # type: ignore[no-untyped-def]
        s, p = scratch(2 * f + 2)
        s[p + one_row : p + one_row + CHUNK] = 1
        for k in range(first, end):
            dw = dtheta[k]
            dw[:] = 0
            for start in range(0, x.shape[1], CHUNK):
                count = gather(s, p, x, conn, k, start)
                s[p + y_row : p + y_row + count] = dy[k, start : start + count]
                s[p + y_row + count : p + y_row + CHUNK] = 0
                weights(s, p + y_row, p, dw, a1)
                total(s, p + y_row, p + one_row, dw, b1)
                spread(s, p + dx_row, p + y_row, 0, theta[k], a1, 1, 1, 0)
                for i in range(f):
                    row = p + dx_row + i * CHUNK
                    dx[k, i, start : start + count] = s[row : row + count]

    return LayerKernels(forward, backward)


def two_layers(net: SubNet) -> LayerKernels:
    """Kernels of L=2, S=2. Rows: x, h1 (later g1), y or dy, ones, dx."""
    f, n = net.fan_in, net.width
    a1, a2, r0 = (net.blocks[k].weight for k in ("A1", "A2", "R0"))
    b1, b2, c0 = (net.blocks[k].bias for k in ("A1", "A2", "R0"))
    h_row, y_row, one_row, dx_row = f * CHUNK, (f + n) * CHUNK, (f + n + 1) * CHUNK, (f + n + 2) * CHUNK
    hidden, last = linear(f, n, "bias", "relu"), linear(n, 1, "bias", "none")
    skip, spread = linear(f, 1, "add bias", "none"), linear(1, n, "zero", "mask")
    to_x, to_x_skip = linear(n, f, "zero", "none"), linear(1, f, "add", "none")
    d_last, d_skip, d_first, d_one, d_bias = outer(1, n), outer(1, f), outer(n, f), outer(1, 1), outer(n, 1)

    @njit(nogil=True)
    def forward(first, end, theta, x, conn, y):  # type: ignore[no-untyped-def]
        s, p = scratch(f + n + 1)
        for k in range(first, end):
            w = theta[k]
            for start in range(0, x.shape[1], CHUNK):
                count = gather(s, p, x, conn, k, start)
                hidden(s, p + h_row, p, 0, w, a1, f, 1, b1)
                last(s, p + y_row, p + h_row, 0, w, a2, n, 1, b2)
                skip(s, p + y_row, p, 0, w, r0, f, 1, c0)
                y[k, start : start + count] = s[p + y_row : p + y_row + count]

    @njit(nogil=True)
    def backward(first, end, theta, x, conn, dy, dtheta, dx):  # type: ignore[no-untyped-def]
        s, p = scratch(2 * f + n + 2)
        s[p + one_row : p + one_row + CHUNK] = 1
        for k in range(first, end):
            w, dw = theta[k], dtheta[k]
            dw[:] = 0
            for start in range(0, x.shape[1], CHUNK):
                count = gather(s, p, x, conn, k, start)
                s[p + y_row : p + y_row + count] = dy[k, start : start + count]
                s[p + y_row + count : p + y_row + CHUNK] = 0
                hidden(s, p + h_row, p, 0, w, a1, f, 1, b1)
                d_last(s, p + y_row, p + h_row, dw, a2)
                d_skip(s, p + y_row, p, dw, r0)
                d_one(s, p + y_row, p + one_row, dw, b2)
                d_one(s, p + y_row, p + one_row, dw, c0)
                spread(s, p + h_row, p + y_row, p + h_row, w, a2, 1, 1, 0)
                d_first(s, p + h_row, p, dw, a1)
                d_bias(s, p + h_row, p + one_row, dw, b1)
                to_x(s, p + dx_row, p + h_row, 0, w, a1, 1, f, 0)
                to_x_skip(s, p + dx_row, p + y_row, 0, w, r0, 1, 1, 0)
                for i in range(f):
                    row = p + dx_row + i * CHUNK
                    dx[k, i, start : start + count] = s[row : row + count]

    return LayerKernels(forward, backward)


@njit(fastmath=True)
def _expand(phi, products, f):  # type: ignore[no-untyped-def]
    """Rows f.. of phi [monomials, CHUNK] from its first f rows."""
    for m in range(f, len(products)):
        parent, value, out = phi[products[m, 0]], phi[products[m, 1]], phi[m]
        for b in range(CHUNK):
            out[b] = parent[b] * value[b]


def polynomial(net: Polynomial) -> LayerKernels:
    """Kernels of PolyLUT's neuron; scratch rows are the monomials and their gradients."""
    f, products, count_m = net.fan_in, net.products, len(net.products)

    @njit(nogil=True, fastmath=True)
    def forward(first, end, theta, x, conn, y):  # type: ignore[no-untyped-def]
        s, p = scratch(count_m)
        phi = s[p : p + count_m * CHUNK].reshape(count_m, CHUNK)
        for k in range(first, end):
            for start in range(0, x.shape[1], CHUNK):
                count = gather(s, p, x, conn, k, start)
                _expand(phi, products, f)
                out = y[k, start : start + count]
                out[:] = theta[k, count_m]
                for m in range(count_m):
                    weight, row = theta[k, m], phi[m]
                    for b in range(count):
                        out[b] += weight * row[b]

    @njit(nogil=True, fastmath=True)
    def backward(first, end, theta, x, conn, dy, dtheta, dx):  # type: ignore[no-untyped-def]
        s, p = scratch(2 * count_m)
        phi = s[p : p + count_m * CHUNK].reshape(count_m, CHUNK)
        grad = s[p + count_m * CHUNK : p + 2 * count_m * CHUNK].reshape(count_m, CHUNK)
        for k in range(first, end):
            dtheta[k, :] = 0
            for start in range(0, x.shape[1], CHUNK):
                count = gather(s, p, x, conn, k, start)
                _expand(phi, products, f)
                g = dy[k, start : start + count]
                dtheta[k, count_m] += g.sum()
                for m in range(count_m):
                    weight, row, out, total = theta[k, m], phi[m], grad[m], np.float32(0)
                    for b in range(count):
                        total += g[b] * row[b]
                        out[b] = g[b] * weight
                    dtheta[k, m] += total
                for m in range(count_m - 1, f - 1, -1):
                    parent, var, out = products[m, 0], products[m, 1], grad[m]
                    up, side, v, w = grad[parent], grad[var], phi[var], phi[parent]
                    for b in range(count):
                        up[b] += out[b] * v[b]
                        side[b] += out[b] * w[b]
                dx[k, :, start : start + count] = grad[:f, :count]

    return LayerKernels(forward, backward)
