"""Random states of reads and replicas."""

from __future__ import annotations

import numpy as np

from hwsim.ir.errors import UsageError


def read_states(seed: int, *counts: int) -> np.ndarray:
    """uint32 `counts`: non-zero random states by (seed, index), equal however a run is cut into parts.

    SplitMix64 (Steele et al. 2014) of seed·2^40 + flat index; the upper half of its output.

    Raises:
        UsageError: a negative seed.
    """
    if seed < 0:
        raise UsageError.of("seed", seed, "0 or more", "Seeds are natural numbers.")
    with np.errstate(over="ignore"):
        index = np.arange(int(np.prod(counts)), dtype=np.uint64)
        q = (index + np.uint64((seed << 40) % 2**64 ^ seed >> 24)) * np.uint64(0x9E3779B97F4A7C15)
        q = (q ^ (q >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        q = (q ^ (q >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        q ^= q >> np.uint64(31)
    return np.maximum((q >> np.uint64(32)).astype(np.uint32), np.uint32(1)).reshape(counts)
