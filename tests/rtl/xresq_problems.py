"""Detectors that reach every branch of the generator, and random problems that fit them."""

from __future__ import annotations

import numpy as np

from hwsim.ir.arch.xresq import XresqArch
from hwsim.ir.mimo_ising import MimoIsing

# one lane a replica; two, three and five contexts a lane, that is 0, 1 and 2 cuts in the loop, with waits and without
ARCHS = {
    "4x6 16-QAM": XresqArch(n=8, bits_per_axis=2, replicas=6, lanes=6, beat_bits=64),
    "one bit": XresqArch(n=5, bits_per_axis=1, replicas=4, lanes=2, gram_bits=9, field_bits=14, beat_bits=64),
    "64-QAM": XresqArch(
        n=6, bits_per_axis=3, replicas=6, lanes=2, gram_bits=12, field_bits=18, exponent_bits=4, beat_bits=128
    ),
    "256-QAM": XresqArch(
        n=4,
        bits_per_axis=4,
        replicas=5,
        lanes=1,
        gram_bits=12,
        field_bits=19,
        mantissa_bits=6,
        exponent_bits=5,
        beat_bits=64,
    ),
    "winner only": XresqArch(n=4, bits_per_axis=2, replicas=2, lanes=2, beat_bits=64, gray=True, readout="winner"),
}


def random_problem(arch: XresqArch, rng: np.random.Generator, sweeps: int, spread: float = 1.0) -> MimoIsing:
    """A problem with the largest integers that are sure to fit, times `spread`; temperatures from 0 to far too hot."""
    n, bits = arch.n, arch.bits_per_axis
    top = 2**bits - 1
    half = rng.normal(size=(n + 1, n))
    x = 2 * rng.integers(0, 2**bits, n) - top
    gram, z = half.T @ half, half.T @ (half @ x + rng.normal(size=n + 1))
    reach = max(
        np.abs(gram).max() / (2 ** (arch.gram_bits - 1) - 2),
        (np.abs(z) + top * np.abs(gram).sum(axis=1)).max() / (2 ** (arch.field_bits - 1) - top * n - 4),
    )
    scale = spread / reach
    rounded = np.rint(np.tril(gram) * scale).astype(np.int32)
    rounded += np.tril(rounded, -1).T
    hottest = min(arch.field_bits - 6 - arch.mantissa_bits, 2**arch.exponent_bits - 1)
    return MimoIsing(
        rounded, np.rint(z * scale).astype(np.int64), bits,
        (2 * rng.integers(0, 2, (arch.replicas, bits * n)) - 1).astype(np.int8),
        rng.integers(1, 2**32, arch.replicas, dtype=np.uint32),
        rng.integers(0, 2**arch.mantissa_bits, sweeps).astype(np.uint8),
        rng.integers(0, hottest + 1, sweeps).astype(np.uint8),
    )  # fmt: skip
