"""Naive twins of the annealing kernels: one read, one spin and one neighbour at a time, in plain Python.

Written from the formulas of `hwsim.annealing`, with Python integers for random numbers and numpy's scalar float32
for every rounding. Couplings are given as a matrix J [n, n], symmetric with a zero diagonal.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence

import numpy as np

from hwsim.annealing.angles import STEPS, tables

F = np.float32
WORD32, WORD64 = 2**32 - 1, 2**64 - 1
GAMMA, PHI = 0x9E3779B97F4A7C15, 0x9E3779B9
LOG = [F(c) for c in (0.99990165, -0.49787506, 0.31764898, -0.19376077, 0.08556978, -0.018338814)]
LN2 = F(0.6931472)


def mix64(x: int) -> int:
    """splitmix64's finaliser."""
    x &= WORD64
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & WORD64
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & WORD64
    return x ^ (x >> 31)


def number(seed: int, read: int, sweep: int, counter: int) -> int:
    """The 32-bit random number of (seed, read, sweep, counter).

    Example:
        >>> number(0, 0, 0, 0), number(1, 2, 3, 4)
        (1087771678, 4292861384)
    """
    base = mix64(mix64(seed) + GAMMA * (read + 1))
    key = mix64(base + GAMMA * (sweep + 1))
    a, b = key & WORD32, key >> 32
    x = (counter * PHI + a) & WORD32
    x = (x ^ (x >> 16)) * 0x21F0AAAD & WORD32
    x = ((x ^ (x >> 15)) + b) & WORD32
    x = x * 0xD35A2D97 & WORD32
    return x ^ (x >> 15)


def neglog(r: int) -> np.float32:
    """−ln u of a 32-bit random number, by exponent, mantissa and polynomial."""
    v = F((r >> 9) + 0.5)
    bits = struct.unpack("<I", struct.pack("<f", v))[0]
    t = struct.unpack("<f", struct.pack("<I", (bits & 0x7FFFFF) | 0x3F800000))[0]
    t = F(t) - F(1)
    p = LOG[5]
    for c in LOG[4::-1]:
        p = F(F(p * t) + c)
    return F(F(F(23 - ((bits >> 23) - 127)) * LN2) - F(p * t))


def fma(a: np.float32, b: np.float32, c: np.float32) -> np.float32:
    """a·b + c of float32, rounded once.

    The product is exact in float64. Where the sum is not, its last bit is made odd, so that rounding it to float32
    goes the way that the exact sum would (Boldo, Melquiond, IEEE Trans. Computers 57, 2008).
    """
    product, addend = float(a) * float(b), float(c)
    total = product + addend
    part = total - product
    error = (product - (total - part)) + (addend - part)
    if error and math.isfinite(total) and not struct.unpack("<Q", struct.pack("<d", total))[0] & 1:
        total = math.nextafter(total, math.inf if error > 0 else -math.inf)
    return F(total)


def fields(h: Sequence[float], J: np.ndarray, value: Sequence[np.float32]) -> list[np.float32]:
    """h_i + Σ_j J_ij·value_j in float32, j after j."""
    f = [F(x) for x in h]
    for j in range(len(h)):
        for i in range(len(h)):
            f[i] = fma(F(J[j][i]), value[j], f[i])
    return f


def metropolis(
    h: Sequence[float], J: np.ndarray, half_t: Sequence[float], state: Sequence[int], seed: int, read: int
) -> list[int]:
    """Final spins of one read; half_t holds T/2 of each sweep."""
    s = [F(x) for x in state]
    f = fields(h, J, s)
    for sweep in range(len(half_t)):
        for i in range(len(s)):
            if s[i] * f[i] > -F(F(half_t[sweep]) * neglog(number(seed, read, sweep, i))):
                for j in range(len(s)):
                    f[j] = fma(F(J[i][j]), F(-2) * s[i], f[j])
                s[i] = -s[i]
    return [int(x) for x in s]


def metropolis_integer(
    h: Sequence[int], J: np.ndarray, half_t: Sequence[float], state: Sequence[int], seed: int, read: int
) -> list[int]:
    """The same with exact integer fields: s·f > ⌊(T/2) ln u⌋."""
    s = [int(x) for x in state]
    for sweep in range(len(half_t)):
        for i in range(len(s)):
            f = int(h[i]) + sum(int(J[i][j]) * s[j] for j in range(len(s)))
            limit = -F(F(half_t[sweep]) * neglog(number(seed, read, sweep, i)))
            if s[i] * f > math.floor(limit):
                s[i] = -s[i]
    return s


def rotor(
    h: Sequence[float], J: np.ndarray, hp: Sequence[float], hd: Sequence[float], width: Sequence[int],
    angles: Sequence[int], seed: int, read: int,
) -> list[int]:  # fmt: skip
    """Final angles of one read, in steps of π/1024."""
    cos, sin = tables()
    angle = [int(a) for a in angles]
    f = fields(h, J, [cos[a] for a in angle])
    for sweep in range(len(hp)):
        if width[sweep] == 0:
            continue
        for i in range(len(angle)):
            offset = (number(seed, read, sweep, i) >> 16) * (2 * int(width[sweep]) + 1) >> 16
            new = abs(angle[i] + offset - int(width[sweep]))
            new = min(new, 2 * STEPS - new)
            dz, dx = cos[new] - cos[angle[i]], sin[new] - sin[angle[i]]
            limit = neglog(number(seed, read, sweep, i + 2**31)) + F(hd[sweep]) * dx
            if limit > F(F(hp[sweep]) * dz) * f[i]:
                angle[i] = new
                for j in range(len(angle)):
                    f[j] = fma(F(J[i][j]), dz, f[j])
    return angle


def path_integral(
    h: Sequence[float], J: np.ndarray, scale: Sequence[float], bond: Sequence[float], slices: int,
    state: Sequence[int], seed: int, read: int,
) -> list[int]:  # fmt: skip
    """Slice 0 of one read; scale = 2·Hp/P, bond = 2·J⊥."""
    n = len(state)
    s = [[F(x) for x in state] for _ in range(slices)]
    f = [fields(h, J, s[0]) for _ in range(slices)]

    def flip(p: int, i: int) -> None:
        change, s[p][i] = F(-2) * s[p][i], -s[p][i]
        for j in range(n):
            f[p][j] = F(f[p][j] + F(change * F(J[i][j])))

    for sweep in range(len(scale)):
        k, b = F(scale[sweep]), F(bond[sweep])
        for p in range(slices):
            for i in range(n):
                ring = F(s[p][i] * F(s[(p + 1) % slices][i] + s[p - 1][i]))
                if F(F(b * ring) - F(k * F(s[p][i] * f[p][i]))) < neglog(number(seed, read, sweep, p * n + i)):
                    flip(p, i)
        for i in range(n):
            total = F(0)
            for p in range(slices):
                total = F(total + F(s[p][i] * f[p][i]))
            if -F(k * total) < neglog(number(seed, read, sweep, slices * n + i)):
                for p in range(slices):
                    flip(p, i)
    return [int(x) for x in s[0]]


def tempering(
    h: Sequence[float], J: np.ndarray, betas: Sequence[float], half_t: Sequence[float], sweeps: int,
    state: Sequence[int], seed: int, read: int,
) -> list[int]:  # fmt: skip
    """Last spins of the coldest replica."""
    count, n = len(betas), len(state)
    s = [[F(x) for x in state] for _ in range(count)]
    f = [fields(h, J, s[0]) for _ in range(count)]
    energy = [0.0] * count
    order = list(range(count))
    for sweep in range(sweeps):
        for t in range(count):
            r, turn = order[t], sweep * (count + 1) + t
            for i in range(n):
                if s[r][i] * f[r][i] > -F(F(half_t[t]) * neglog(number(seed, read, turn, i))):
                    for j in range(n):
                        f[r][j] = fma(F(J[i][j]), F(-2) * s[r][i], f[r][j])
                    s[r][i] = -s[r][i]
            energy[r] = 0.5 * sum(float(s[r][i]) * (float(F(h[i])) + float(f[r][i])) for i in range(n))
        for t in range(sweep % 2, count - 1, 2):
            gain = (betas[t] - betas[t + 1]) * (energy[order[t]] - energy[order[t + 1]])
            if -gain < float(neglog(number(seed, read, sweep * (count + 1) + count, t + 2**31))):
                order[t], order[t + 1] = order[t + 1], order[t]
    return [int(x) for x in s[order[-1]]]
