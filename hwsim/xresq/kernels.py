"""Annealing kernels on the structured problem: only the Gram matrix and the matched filter, never J.

Symbols: n real dimensions, x levels, G = HᵀH, z = Hᵀy, g = z − G x (half the negative gradient of ‖y − Hx‖²),
M = 2^K levels an axis, T temperature in units of ‖y − Hx‖² (N0 is the posterior), dx change of one level.

    move of dimension i by dx:  ΔE = dx (dx G_ii − 2 g_i),  accepted when ΔE < −T ln u;  then  g ← g − dx G_i

Two sets of moves. *Spin* moves flip spin (k, i): dx = ∓2·2^(K−k), bit after bit, the moves of an Ising machine.
*Symbol* moves step one level up or down, direction at random: in natural binary −1 → +1 takes two flips over a
barrier of several N0·√n, one symbol move takes none.

One complex Gram matrix A + jB stands for the real form [[A, −B], [B, A]] (`gram` [2, Nt, Nt]; [1, n, n] for BPSK), so
a row update reads two rows of Nt. Everything is float32 but energies, which are sums of float32 ΔE in float64.

A sweep skips chunks in which nothing can move: with −ln u ≤ LOG_MAX, a move needs G_ii − |g_i| < T·LOG_MAX/4.
Elsewhere all thresholds of a chunk are drawn and compared in vectors, and only dimensions that move are visited. A
draw is a hash of (key of the sweep, dimension, bit), and the key a xorshift32 sequence of the read, so that what is
skipped or tested twice changes no other draw.
"""

from __future__ import annotations

import numpy as np
from numba import njit

TABLE_BITS = 14
CHUNK = 256  # dimensions that are tested at once
LOG_MAX = float(np.float32(np.log(2.0 ** (TABLE_BITS + 1))))  # largest entry of the table


def minus_log_table() -> np.ndarray:
    """float32 [2^14]: −ln((r + ½)/2^14), the Metropolis threshold of a 14-bit draw r."""
    size = 1 << TABLE_BITS
    return (-np.log((np.arange(size) + 0.5) / size)).astype(np.float32)


@njit(cache=True, nogil=True, inline="always")
def xorshift32(q):
    """Marsaglia's (13, 17, 5); cast at every step, because numba widens shifts of uint32."""
    q ^= np.uint32(q << np.uint32(13))
    q ^= np.uint32(q >> np.uint32(17))
    q ^= np.uint32(q << np.uint32(5))
    return np.uint32(q)


@njit(cache=True, nogil=True, inline="always")
def draw(key, index):
    """32 random bits of (key, index): the finaliser of MurmurHash3 on key + index·(golden ratio)."""
    q = np.uint32(np.uint64(key) + np.uint64(index) * np.uint64(0x9E3779B9))
    q ^= np.uint32(q >> np.uint32(16))
    q = np.uint32(np.uint64(q) * np.uint64(0x85EBCA6B))
    q ^= np.uint32(q >> np.uint32(13))
    q = np.uint32(np.uint64(q) * np.uint64(0xC2B2AE35))
    q ^= np.uint32(q >> np.uint32(16))
    return np.uint32(q)


@njit(cache=True, nogil=True)
def move(gram, g, i, dx):
    """g ← g − dx·G_i, from the blocks [A, B] of the complex Gram matrix, or the real one."""
    half = gram.shape[1]
    if gram.shape[0] == 1:
        row = gram[0, i]
        for j in range(half):
            g[j] -= dx * row[j]
        return
    u = i if i < half else i - half
    sign = dx if i < half else -dx
    a, b = gram[0, u], gram[1, u]
    low, high = g[:half], g[half:]
    if i < half:
        for j in range(half):
            low[j] -= dx * a[j]
        for j in range(half):
            high[j] += sign * b[j]
    else:
        for j in range(half):
            low[j] += sign * b[j]
        for j in range(half):
            high[j] -= dx * a[j]


@njit(cache=True, nogil=True)
def field(gram, z, x, g):
    """g = z − G x, column by column."""
    g[:] = z
    for i in range(len(x)):
        move(gram, g, i, np.float32(x[i]))


@njit(cache=True, nogil=True, inline="always")
def try_spins(gram, g, x, i, diagonal, temperature, key, table, bits):
    """Metropolis tests of the K spins of dimension i, most significant first. Returns (ΔE, accepted)."""
    total, accepted = np.float64(0.0), 0
    top = (1 << bits) - 1
    for p in range(bits - 1, -1, -1):
        code = (np.int64(x[i]) + top) >> 1
        dx = np.float32(-2 << p) if (code >> p) & 1 else np.float32(2 << p)
        delta = dx * (dx * diagonal - np.float32(2) * g[i])
        r = draw(key, i * bits + p)
        if delta < temperature * table[r >> np.uint32(32 - TABLE_BITS)]:
            x[i] += np.int8(dx)
            move(gram, g, i, dx)
            total += np.float64(delta)
            accepted += 1
    return total, accepted


@njit(cache=True, nogil=True, inline="always")
def try_symbol(gram, g, x, i, diagonal, temperature, key, table, bits):
    """Metropolis test of one step of dimension i by one level; bit 0 of the draw is the direction."""
    r = draw(key, i)
    dx = np.float32(2) if r & np.uint32(1) else np.float32(-2)
    value = np.int64(x[i]) + np.int64(dx)
    delta = dx * (dx * diagonal - np.float32(2) * g[i])
    top = (1 << bits) - 1
    if value > top or value < -top or not delta < temperature * table[r >> np.uint32(32 - TABLE_BITS)]:
        return np.float64(0.0), 0
    x[i] = value
    move(gram, g, i, dx)
    return np.float64(delta), 1


@njit(cache=True, nogil=True)
def draw_chunk(key, start, count, stride, p, temperature, table, raw, limit, step):
    """Draws of `count` dimensions at once: thresholds −T ln u into `limit`, steps ±2 of symbol moves into `step`."""
    for j in range(count):
        raw[j] = draw(key, (start + j) * stride + p)
    for j in range(count):
        limit[j] = temperature * table[raw[j] >> np.uint32(32 - TABLE_BITS)]
    for j in range(count):
        step[j] = np.float32(4) * np.float32(raw[j] & np.uint32(1)) - np.float32(2)


@njit(cache=True, nogil=True)
def spin_hits(x, g, diagonal, top, p, limit):
    """How many of these dimensions would flip spin p now. A reduction without stores, so that it runs in vectors."""
    total, size = np.int32(0), np.float32(2 << p)
    for j in range(len(x)):
        high = np.float32(((np.int32(x[j]) + top) >> p + 1) & 1)
        dx = size - np.float32(2) * size * high
        total += np.int32(dx * (dx * diagonal[j] - np.float32(2) * g[j]) < limit[j])
    return total


@njit(cache=True, nogil=True)
def symbol_hits(x, g, diagonal, top, step, limit):
    """How many of these dimensions would take their step by one level now, within ±top."""
    total = np.int32(0)
    for j in range(len(x)):
        dx = step[j]
        below = dx * (dx * diagonal[j] - np.float32(2) * g[j]) < limit[j]
        total += np.int32(below) & np.int32(abs(np.float32(x[j]) + dx) <= top)
    return total


@njit(cache=True, nogil=True)
def next_hit(x, g, diagonal, bits, symbol, step, limits, first, last):
    """The first of the dimensions first…last−1 of a chunk that would move now, or `last`."""
    top, found = (1 << bits) - 1, False
    xs, gs, ds = x[first:last], g[first:last], diagonal[first:last]
    if symbol:
        found = symbol_hits(xs, gs, ds, np.float32(top), step[first:last], limits[0, first:last]) > 0
    else:
        for p in range(bits):
            found |= spin_hits(xs, gs, ds, np.int32(top), p, limits[p, first:last]) > 0
    if not found:
        return last
    for j in range(first, last):
        double_g, code = np.float32(2) * g[j], (np.int32(x[j]) + top) >> 1
        for p in range(1 if symbol else bits):
            dx = step[j] if symbol else np.float32(2 << p) - np.float32(4 << p) * np.float32((code >> p) & 1)
            inside = not symbol or abs(np.float32(x[j]) + dx) <= top
            if inside and dx * (dx * diagonal[j] - double_g) < limits[p, j]:
                return j
    return last


@njit(cache=True, nogil=True)
def scratch(bits, n):
    """Space of `sweep`: draws, steps and thresholds of one chunk."""
    size = min(n, CHUNK)
    return np.empty(size, np.uint32), np.empty(size, np.float32), np.empty((bits, size), np.float32)


@njit(cache=True, nogil=True)
def sweep(gram, diagonal, g, x, temperature, key, table, bits, symbol, pinned, space):
    """One pass over all dimensions at one temperature. Returns (ΔE, accepted).

    `pinned` is a user whose axes stay as they are, −1 for none. Dimensions that would move are found for a chunk at
    once; after a move the rest of the chunk is tested again, so that the order is that of a plain loop.
    """
    n, half = len(x), gram.shape[1]
    raw, step, limits = space
    total, accepted = np.float64(0.0), 0
    reach = np.float32(temperature * np.float32(LOG_MAX / 4))
    for start in range(0, n, CHUNK):
        count = min(CHUNK, n - start)
        xs, gs, ds = x[start : start + count], g[start : start + count], diagonal[start : start + count]
        movable = np.int32(0)
        for j in range(count):
            movable += np.int32(ds[j] - abs(gs[j]) < reach)
        if movable == 0:
            continue
        for p in range(1 if symbol else bits):
            draw_chunk(key, start, count, 1 if symbol else bits, p, temperature, table, raw, limits[p], step)
        j = next_hit(xs, gs, ds, bits, symbol, step, limits, 0, count)
        while j < count:
            i = start + j
            if ds[j] - abs(gs[j]) < reach and i % half != pinned:
                if symbol:
                    delta, moved = try_symbol(gram, g, x, i, ds[j], temperature, key, table, bits)
                else:
                    delta, moved = try_spins(gram, g, x, i, ds[j], temperature, key, table, bits)
                total += delta
                accepted += moved
            j = next_hit(xs, gs, ds, bits, symbol, step, limits, j + 1, count)
    return total, accepted


@njit(cache=True, nogil=True)
def anneal_reads(gram, z, temps, scale, table, bits, symbol, pinned, seeds, rng, first, last, best, best_de, moves):
    """Reads first…last−1 of a batch; read q belongs to instance q // R and starts from seeds[q // R, q % R].

    Args:
        gram: float32 [batch, 2 or 1, half, half]; z: float32 [batch, n].
        temps: float32 [sweeps] in units of `scale` float32 [batch] (N0 of each instance).
        bits: K; symbol: moves of levels instead of spins; pinned: int64 [batch].
        seeds: int8 [batch, R, n]; rng: uint32 [batch, R], not 0.
        best: int8 [batch, R, n], receives the best state at the end of a sweep, the seed included.
        best_de: float64 [batch, R], its energy above the seed's; moves: int64 [batch, R], accepted moves.
    """
    reads, n = seeds.shape[1], seeds.shape[2]
    x, g, diagonal = np.empty(n, np.int8), np.empty(n, np.float32), np.empty(n, np.float32)
    space = scratch(bits, n)
    for q in range(first, last):
        b, r = q // reads, q % reads
        for i in range(n):
            diagonal[i] = gram[b, 0, i % gram.shape[2], i % gram.shape[2]]
        x[:] = seeds[b, r]
        best[b, r] = x
        field(gram[b], z[b], x, g)
        energy, lowest, count = np.float64(0.0), np.float64(0.0), 0
        state = rng[b, r]
        for t in range(len(temps)):
            state = xorshift32(state)
            temperature = np.float32(temps[t] * scale[b])
            delta, moved = sweep(gram[b], diagonal, g, x, temperature, state, table, bits, symbol, pinned[b], space)
            energy += delta
            count += moved
            if energy < lowest:
                lowest = energy
                best[b, r] = x
        best_de[b, r] = lowest
        moves[b, r] = count


@njit(cache=True, nogil=True)
def temper_ladders(
    gram, z, temps, scale, table, bits, symbol, pinned, seeds, rng, sweeps, first, last, best, lowest, exchanges
):
    """Parallel tempering: ladder q belongs to instance q // L; replica r of a ladder starts at temps[r].

    After sweep t, temperatures (r, r + 1) with r ≡ t (mod 2) exchange their replicas with probability
    min(1, exp((1/T_r − 1/T_{r+1})(E_r − E_{r+1}))).

    Args:
        temps: float32 [R], rising, in units of `scale`.
        seeds: int8 [batch, L, R, n]; rng: uint32 [batch, L, R].
        best: int8 [batch, L, n], receives the best state at the end of a sweep; lowest: float64 [batch, L], its
            xᵀGx − 2zᵀx; exchanges: int64 [batch, L].
    """
    ladders, replicas, n = seeds.shape[1], seeds.shape[2], seeds.shape[3]
    half = gram.shape[2]
    x, g = np.empty((replicas, n), np.int8), np.empty((replicas, n), np.float32)
    diagonal, energy, space = np.empty(n, np.float32), np.empty(replicas), scratch(bits, n)
    order, states = np.empty(replicas, np.int64), np.empty(replicas, np.uint32)
    for q in range(first, last):
        b, ladder = q // ladders, q % ladders
        for i in range(n):
            diagonal[i] = gram[b, 0, i % half, i % half]
        for r in range(replicas):
            x[r] = seeds[b, ladder, r]
            field(gram[b], z[b], x[r], g[r])
            energy[r] = 0.0
            for i in range(n):  # xᵀGx − 2zᵀx = −x·(g + z)
                energy[r] -= np.float64(x[r, i]) * (np.float64(g[r, i]) + np.float64(z[b, i]))
            order[r] = r
            states[r] = rng[b, ladder, r]
        lowest[b, ladder] = np.inf
        exchanges[b, ladder] = 0
        for t in range(sweeps):
            for r in range(replicas):
                c = order[r]
                states[c] = xorshift32(states[c])
                temperature = np.float32(temps[r] * scale[b])
                delta, _ = sweep(
                    gram[b], diagonal, g[c], x[c], temperature, states[c], table, bits, symbol, pinned[b], space
                )
                energy[c] += delta
                if energy[c] < lowest[b, ladder]:
                    lowest[b, ladder] = energy[c]
                    best[b, ladder] = x[c]
            exchanges[b, ladder] += exchange(order, energy, temps, scale[b], states, t % 2)


@njit(cache=True, nogil=True)
def exchange(order, energy, temps, scale, states, parity):
    """Swap neighbours of the ladder; `order` [r] is the replica at temperature r. Returns the number of swaps."""
    count = 0
    for r in range(parity, len(order) - 1, 2):
        a, b = order[r], order[r + 1]
        log_ratio = (1.0 / (temps[r] * scale) - 1.0 / (temps[r + 1] * scale)) * (energy[a] - energy[b])
        u = (np.float64(draw(states[a], np.uint32(0xFFFFFFFF))) + 0.5) / 4294967296.0
        if np.log(u) < log_ratio:
            order[r], order[r + 1] = b, a
            count += 1
    return count
