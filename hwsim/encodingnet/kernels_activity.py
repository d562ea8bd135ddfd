"""Bit-parallel kernels of a column: 64 states of every wire in one word, toggles by exclusive or.

A *state* is what the wires settle to for one pair of operand rows; toggles count the wires that differ between two
states that follow each other (no glitches). States lie in words [wire, word], state s at bit s mod 64 of word s / 64.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from hwsim.encodingnet import kernels_popcount

popcount: Any = kernels_popcount.popcount  # an intrinsic: what a checker sees is not its signature


@njit(cache=True, nogil=True)
def transpose(block):
    """64×64 bit matrix in place: bit c of row r becomes bit r of row c (Hacker's Delight, section 7-3)."""
    mask, j = np.uint64(0x00000000FFFFFFFF), 32
    while j:
        k = 0
        while k < 64:
            t = ((block[k] >> np.uint64(j)) ^ block[k + j]) & mask
            block[k] ^= t << np.uint64(j)
            block[k + j] ^= t
            k = (k + j + 1) & ~j
        j >>= 1
        mask ^= mask << np.uint64(j)


@njit(cache=True, nogil=True)
def wide_bits(codes, x, w, n_bits, out):
    """out[r·M + k, word]: wide bit k of row r for states x, w [S, R]; codes uint64 [⌈M / 64⌉, 2^a, 2^b]."""
    block = np.zeros(64, np.uint64)
    for r in range(x.shape[1]):
        for word in range(out.shape[1]):
            count = min(64, x.shape[0] - 64 * word)
            for group in range(codes.shape[0]):
                for s in range(64):
                    at = 64 * word + min(s, count - 1)
                    block[s] = codes[group, x[at, r], w[at, r]]
                transpose(block)
                for k in range(min(64, n_bits - 64 * group)):
                    out[r * n_bits + 64 * group + k, word] = block[k]


@njit(cache=True, nogil=True)
def toggles(wires, masks, total):
    """total[p] += Σ over wires and states: the wire differs from the state before, where masks[p] has a bit.

    masks: uint64 [P, words], bit s stands for the step from state s − 1 to state s.
    """
    for i in range(wires.shape[0]):
        last = wires[i, 0] & np.uint64(1)
        for word in range(wires.shape[1]):
            v = wires[i, word]
            change = v ^ ((v << np.uint64(1)) | last)
            last = v >> np.uint64(63)
            for p in range(masks.shape[0]):
                total[p] += popcount(change & masks[p, word])


@njit(cache=True, nogil=True)
def settle(kinds, reads, n_bits, wires):
    """All adders of a tree: wires [n_bits + 2·adders, words], heap bits filled in."""
    for i in range(len(kinds)):
        a, b, c = reads[i]
        kind = kinds[i]
        s, co = n_bits + 2 * i, n_bits + 2 * i + 1
        for word in range(wires.shape[1]):
            u = wires[a, word]
            v = wires[b, word] if b >= 0 else np.uint64(0)
            if kind == 1:
                q = wires[c, word]
                both = u ^ v
                wires[s, word] = both ^ q
                wires[co, word] = (u & v) | (q & both)
            elif kind == 0:
                wires[s, word] = u ^ v
                wires[co, word] = u & v
            elif kind == 2:
                wires[s, word] = ~(u ^ v)
                wires[co, word] = u | v
            else:
                wires[s, word] = ~u
                wires[co, word] = u


@njit(cache=True, nogil=True)
def prefix_toggles(table, x, w, mask, previous, total):
    """Partial sums down a systolic chain: psum register r holds Σ_{i ≤ r} table[x_i, w_i], one state a row of x.

    Args:
        table: int64 [2^a, 2^b].   x: uint16 [S, R] states.   w: uint16 [R, C].
        previous: int64 [R, C], the registers before the first state; holds the last one afterwards.
        mask: uint64, bits of a register.   total: int64 [1], toggled bits are added.
    """
    rows, cols = w.shape
    for s in range(x.shape[0]):
        acc = np.zeros(cols, np.int64)
        for r in range(rows):
            line = table[x[s, r]]
            for c in range(cols):
                acc[c] += line[w[r, c]]
                total[0] += popcount(np.uint64(acc[c] ^ previous[r, c]) & mask)
                previous[r, c] = acc[c]


@njit(cache=True, nogil=True)
def exact_prefix_toggles(x, w, mask, previous, total):
    """`prefix_toggles` for x·w: x int32 [S, R], w int32 [R, C] values, previous int32 [R, C], mask: bits of a sum."""
    rows, cols = w.shape
    acc, count = np.zeros(cols, np.int32), np.zeros(cols, np.int32)
    for s in range(x.shape[0]):
        acc[:] = 0
        count[:] = 0
        for r in range(rows):
            factor = x[s, r]
            for c in range(cols):
                acc[c] += factor * w[r, c]
                v = np.uint32((acc[c] ^ previous[r, c]) & mask)  # numba widens: every step is cut to 32 bits
                v = np.uint32(v - (np.uint32(v >> np.uint32(1)) & np.uint32(0x55555555)))
                v = np.uint32((v & np.uint32(0x33333333)) + (np.uint32(v >> np.uint32(2)) & np.uint32(0x33333333)))
                v = np.uint32(np.uint32(v + np.uint32(v >> np.uint32(4))) & np.uint32(0x0F0F0F0F))
                count[c] += np.int32(np.uint32(v * np.uint32(0x01010101)) >> np.uint32(24))
                previous[r, c] = acc[c]
        for c in range(cols):
            total[0] += count[c]
