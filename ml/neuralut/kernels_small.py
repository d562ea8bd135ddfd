"""Fused kernels of the cheaper neuron functions: dot product, one hidden layer, polynomial.

LogicNets (L=1):                   y = A1 x + b1
assembled trees (L=2, S=2):        y = A2 relu(A1 x + b1) + b2 + R0 x + r0
PolyLUT:                           y = Σ_m θ_m φ_m(x) + θ_bias

Conventions as in `ml.neuralut.kernels`.
"""

from __future__ import annotations

from numba import njit

from ml.neuralut.products import (
    CHUNK,
    gather,
    linear_add_bias_none,
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


@njit(nogil=True, cache=True)
def dot_forward(first, end, n, places, theta, x, conn, y):
    """y of L-LUTs first..end−1 with L=1."""
    f = conn.shape[1]
    s, p = scratch(f + 1)
    y_row = p + f * CHUNK
    for k in range(first, end):
        for start in range(0, x.shape[1], CHUNK):
            count = gather(s, p, x, conn, k, start)
            linear_bias_none(s, y_row, p, 0, theta[k], places[0, 0], f, 1, places[0, 1], 1, f)
            put_rows(s, y_row, y[k : k + 1], start, count)


@njit(nogil=True, cache=True)
def dot_backward(first, end, n, places, theta, x, conn, dy, dtheta, dx):
    """Gradients with L=1. Rows: x, dy, ones, dx."""
    f = conn.shape[1]
    s, p = scratch(2 * f + 2)
    g, one, dx_row = p + f * CHUNK, p + (f + 1) * CHUNK, p + (f + 2) * CHUNK
    s[one : one + CHUNK] = 1
    for k in range(first, end):
        dw = dtheta[k]
        dw[:] = 0
        for start in range(0, x.shape[1], CHUNK):
            count = gather(s, p, x, conn, k, start)
            set_row(s, g, dy[k, start : start + count])
            outer(s, g, p, dw, places[0, 0], 1, f)
            outer(s, g, one, dw, places[0, 1], 1, 1)
            linear_zero_none(s, dx_row, g, 0, theta[k], places[0, 0], 1, 1, 0, f, 1)
            put_rows(s, dx_row, dx[k], start, count)


@njit(nogil=True, cache=True)
def shallow_forward(first, end, n, places, theta, x, conn, y):
    """y of L-LUTs first..end−1 with L=2, S=2; rows of `places`: A1, A2, R0."""
    f = conn.shape[1]
    s, p = scratch(f + n + 1)
    h, y_row = p + f * CHUNK, p + (f + n) * CHUNK
    for k in range(first, end):
        w = theta[k]
        for start in range(0, x.shape[1], CHUNK):
            count = gather(s, p, x, conn, k, start)
            linear_bias_relu(s, h, p, 0, w, places[0, 0], f, 1, places[0, 1], n, f)
            linear_bias_none(s, y_row, h, 0, w, places[1, 0], n, 1, places[1, 1], 1, n)
            linear_add_bias_none(s, y_row, p, 0, w, places[2, 0], f, 1, places[2, 1], 1, f)
            put_rows(s, y_row, y[k : k + 1], start, count)


@njit(nogil=True, cache=True)
def shallow_backward(first, end, n, places, theta, x, conn, dy, dtheta, dx):
    """Gradients with L=2, S=2. Rows: x, h1 (later g1), dy, ones, dx."""
    f = conn.shape[1]
    s, p = scratch(2 * f + n + 2)
    h, g = p + f * CHUNK, p + (f + n) * CHUNK
    one, dx_row = g + CHUNK, g + 2 * CHUNK
    s[one : one + CHUNK] = 1
    a1, a2, r0 = places[:, 0]
    b1, b2, c0 = places[:, 1]
    for k in range(first, end):
        w, dw = theta[k], dtheta[k]
        dw[:] = 0
        for start in range(0, x.shape[1], CHUNK):
            count = gather(s, p, x, conn, k, start)
            set_row(s, g, dy[k, start : start + count])
            linear_bias_relu(s, h, p, 0, w, a1, f, 1, b1, n, f)
            outer(s, g, h, dw, a2, 1, n)
            outer(s, g, p, dw, r0, 1, f)
            outer(s, g, one, dw, b2, 1, 1)
            outer(s, g, one, dw, c0, 1, 1)
            linear_zero_mask(s, h, g, h, w, a2, 1, 1, 0, n, 1)
            outer(s, h, p, dw, a1, n, f)
            outer(s, h, one, dw, b1, n, 1)
            linear_zero_none(s, dx_row, h, 0, w, a1, 1, f, 0, f, n)
            linear_add_none(s, dx_row, g, 0, w, r0, 1, 1, 0, f, 1)
            put_rows(s, dx_row, dx[k], start, count)


@njit(fastmath=True)
def _expand(phi, products, f):
    """Rows f.. of phi [monomials, CHUNK] from its first f rows."""
    for m in range(f, len(products)):
        parent, value, out = phi[products[m, 0]], phi[products[m, 1]], phi[m]
        for b in range(CHUNK):
            out[b] = parent[b] * value[b]


@njit(nogil=True, cache=True)
def polynomial_forward(first, end, products, theta, x, conn, y):
    """y of L-LUTs first..end−1; `products` as `Polynomial.products`. Rows: monomials, y."""
    f, n = conn.shape[1], len(products)
    s, p = scratch(n + 1)
    phi, y_row = s[p : p + n * CHUNK].reshape(n, CHUNK), p + n * CHUNK
    for k in range(first, end):
        for start in range(0, x.shape[1], CHUNK):
            count = gather(s, p, x, conn, k, start)
            _expand(phi, products, f)
            linear_bias_none(s, y_row, p, 0, theta[k], 0, n, 1, n, 1, n)
            put_rows(s, y_row, y[k : k + 1], start, count)


@njit(fastmath=True)
def _contract(phi, grad, products, f):
    """Chain rule from the monomials' gradients back to the first f rows of `grad`."""
    for m in range(len(products) - 1, f - 1, -1):
        parent, var, out = products[m, 0], products[m, 1], grad[m]
        up, side, v, w = grad[parent], grad[var], phi[var], phi[parent]
        for b in range(CHUNK):
            up[b] += out[b] * v[b]
            side[b] += out[b] * w[b]


@njit(nogil=True, cache=True)
def polynomial_backward(first, end, products, theta, x, conn, dy, dtheta, dx):
    """Gradients of the polynomial. Rows: monomials, their gradients, dy, ones."""
    f, n = conn.shape[1], len(products)
    s, p = scratch(2 * n + 2)
    d, g, one = p + n * CHUNK, p + 2 * n * CHUNK, p + (2 * n + 1) * CHUNK
    phi, grad = s[p:d].reshape(n, CHUNK), s[d:g].reshape(n, CHUNK)
    s[one : one + CHUNK] = 1
    for k in range(first, end):
        w, dw = theta[k], dtheta[k]
        dw[:] = 0
        for start in range(0, x.shape[1], CHUNK):
            count = gather(s, p, x, conn, k, start)
            set_row(s, g, dy[k, start : start + count])
            _expand(phi, products, f)
            outer(s, g, p, dw, 0, 1, n)
            outer(s, g, one, dw, n, 1, 1)
            linear_zero_none(s, d, g, 0, w, 0, 1, 1, 0, n, 1)
            _contract(phi, grad, products, f)
            put_rows(s, d, dx[k], start, count)
