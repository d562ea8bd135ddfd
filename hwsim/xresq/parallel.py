"""Threads over independent work, for kernels that release the interpreter lock; results do not depend on them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from hwsim.ir.errors import UsageError


def in_threads(work: Callable[[int], None], count: int, threads: int) -> None:
    """work(0) … work(count − 1), shared among `threads` threads."""

    def several(first: int, last: int) -> None:
        for i in range(first, last):
            work(i)

    in_ranges(several, count, threads)


def in_ranges(work: Callable[[int, int], object], count: int, threads: int) -> None:
    """work(first, last) over consecutive ranges of 0 … count, one a thread. The first exception is raised.

    Raises:
        UsageError: threads < 1.
    """
    if threads < 1:
        raise UsageError.of("threads", threads, "1 or more", "Use 1 for the calling thread.")
    bounds = [(count * t) // threads for t in range(threads + 1)]
    ranges = [(a, b) for a, b in pairwise(bounds) if b > a]
    if len(ranges) <= 1:
        for first, last in ranges:
            work(first, last)
        return
    with ThreadPoolExecutor(len(ranges)) as pool:
        for done in [pool.submit(work, first, last) for first, last in ranges]:
            done.result()


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
