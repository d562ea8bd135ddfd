"""Naive twins of the MIMO detectors' kernels: plain loops, one number at a time.

Float32 where the kernels are float32, in the same order of operations: states are equal bit for bit.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np

WORD = 2**32
TABLE_BITS = 14
F = np.float32

Matrix = Sequence[Sequence[float]]


def xorshift32(q: int) -> int:
    """Marsaglia's xorshift with shifts 13, 17, 5."""
    q ^= q * 2**13 % WORD
    q ^= q // 2**17
    return q ^ q * 2**5 % WORD


def draw(key: int, index: int) -> int:
    """MurmurHash3's finaliser of key + index·0x9E3779B9."""
    q = (key + index * 0x9E3779B9) % WORD
    q = (q ^ q // 2**16) * 0x85EBCA6B % WORD
    q = (q ^ q // 2**13) * 0xC2B2AE35 % WORD
    return q ^ q // 2**16


def threshold(r: int) -> np.float32:
    """−ln u of the upper 14 bits of a draw."""
    return F(-math.log((r // 2 ** (32 - TABLE_BITS) + 0.5) / 2**TABLE_BITS))


class Annealer:
    """One read on real matrices G [n][n] (float32), z [n].

    Attributes:
        x, g: levels and z − Gx.
        energy: change in the sweep, float64 sum of float32 steps.
    """

    def __init__(self, gram: Matrix, z: Sequence[float], x: Sequence[int], bits: int) -> None:
        self.gram = [[F(value) for value in row] for row in gram]
        self.x, self.bits, self.top = [int(value) for value in x], bits, 2**bits - 1
        self.g = [F(value) for value in z]
        self.energy = 0.0
        for i, value in enumerate(self.x):
            self._subtract(i, F(value))

    def _subtract(self, i: int, dx: np.float32) -> None:
        for j in range(len(self.g)):
            self.g[j] = F(self.g[j] - F(dx * self.gram[j][i]))

    def _flip(self, i: int, dx: int, draw_bits: int, temperature: np.float32) -> bool:
        d = F(dx)
        delta = F(d * F(F(d * self.gram[i][i]) - F(F(2) * self.g[i])))
        if abs(self.x[i] + dx) > self.top or not delta < F(temperature * threshold(draw_bits)):
            return False
        self.x[i] += dx
        self._subtract(i, d)
        self.energy += float(delta)
        return True

    def sweep(self, temperature: np.float32, key: int, symbol: bool, pinned: int, users: int) -> int:
        """Accepted moves of one pass over all dimensions; `energy` becomes its change."""
        moves, self.energy = 0, 0.0
        largest = F(math.log(2.0 ** (TABLE_BITS + 1)))
        reach = F(temperature * F(float(largest) / 4))
        for i in range(len(self.x)):
            if i % users == pinned or not F(self.gram[i][i] - abs(self.g[i])) < reach:
                continue
            if symbol:
                r = draw(key, i)
                moves += self._flip(i, 2 if r % 2 else -2, r, temperature)
                continue
            for p in range(self.bits - 1, -1, -1):
                high = (self.x[i] + self.top) // 2 // 2**p % 2
                dx = -(2 ** (p + 1)) if high else 2 ** (p + 1)
                moves += self._flip(i, dx, draw(key, i * self.bits + p), temperature)
        return moves


def anneal_read(
    gram: Matrix, z: Sequence[float], x: Sequence[int], bits: int, temps: Sequence[float], rng: int, *,
    symbol: bool, pinned: int = -1, users: int,
) -> tuple[list[int], float, int]:  # fmt: skip
    """(best levels, its energy above the start's, accepted moves) of one read; `temps` are float32 products."""
    read = Annealer(gram, z, x, bits)
    best, energy, lowest, moves = list(read.x), 0.0, 0.0, 0
    for temperature in temps:
        rng = xorshift32(rng)
        moves += read.sweep(F(temperature), rng, symbol, pinned, users)
        energy += read.energy
        if energy < lowest:
            best, lowest = list(read.x), energy
    return best, lowest, moves


def temper_ladder(
    gram: Matrix, z: Sequence[float], starts: Sequence[Sequence[int]], bits: int, temps: Sequence[float],
    rng: Sequence[int], sweeps: int, *, symbol: bool, users: int,
) -> tuple[list[int], float, int]:  # fmt: skip
    """(best levels, xᵀGx − 2zᵀx, exchanges) of one ladder; temps[r] rise with r, replica r starts at temps[r]."""
    replicas = [Annealer(gram, z, x, bits) for x in starts]
    energies, states, order = [], list(rng), list(range(len(starts)))
    for replica in replicas:
        energy = 0.0
        for x, g, value in zip(replica.x, replica.g, z, strict=True):
            energy -= float(x) * (float(g) + float(value))
        energies.append(energy)
    best, lowest, exchanges = list(replicas[0].x), math.inf, 0
    for t in range(sweeps):
        for r, temperature in enumerate(temps):
            c = order[r]
            states[c] = xorshift32(states[c])
            replicas[c].sweep(F(temperature), states[c], symbol, -1, users)
            energies[c] += replicas[c].energy
            if energies[c] < lowest:
                best, lowest = list(replicas[c].x), energies[c]
        for r in range(t % 2, len(temps) - 1, 2):
            a, b = order[r], order[r + 1]
            ratio = (1 / float(F(temps[r])) - 1 / float(F(temps[r + 1]))) * (energies[a] - energies[b])
            if math.log((draw(states[a], WORD - 1) + 0.5) / WORD) < ratio:
                order[r], order[r + 1] = b, a
                exchanges += 1
    return best, lowest, exchanges


def residual(H: Matrix, y: Sequence[complex], x: Sequence[complex]) -> float:
    """‖y − Hx‖² of one vector."""
    total = 0.0
    for row, value in zip(H, y, strict=True):
        e = value - sum(h * symbol for h, symbol in zip(row, x, strict=True))
        total += e.real**2 + e.imag**2
    return total


def symbol_vectors(levels: Sequence[int], axes: int, users: int) -> Iterator[tuple[complex, ...]]:
    """Every transmit vector of a constellation."""
    symbols = [complex(a, b) for a in levels for b in (levels if axes == 2 else [0])]
    return itertools.product(symbols, repeat=users)


def maximum_likelihood(
    H: Matrix, y: Sequence[complex], levels: Sequence[int], axes: int
) -> tuple[float, tuple[complex, ...]]:
    """(‖y − Hx‖², x) of the best transmit vector, by trying all."""
    every = symbol_vectors(levels, axes, len(H[0]))
    return min(((residual(H, y, x), x) for x in every), key=lambda pair: pair[0])


def quamax_gray(natural: Sequence[int], bits_per_axis: int) -> list[int]:
    """QuAMax's two-step translation of one symbol's 2K solver bits (in-phase first, naturally coded) to Gray bits.

    Step 1: if the last in-phase bit is 1, invert the quadrature bits. Step 2: differential encoding of the word.
    """
    word = list(natural)
    if word[bits_per_axis - 1]:
        word = word[:bits_per_axis] + [1 - b for b in word[bits_per_axis:]]
    return [word[0], *((a + b) % 2 for a, b in itertools.pairwise(word))]
