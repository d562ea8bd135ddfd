"""Reads: what a run returns, random starting states, and the share of each thread."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from hwsim.ir.errors import UsageError

PARALLEL_AT = 200_000  # spin updates below which starting threads costs more than it gains
WORD = 2**64 - 1


@dataclass(frozen=True, eq=False)
class Run:
    """Final states of the reads.

    Attributes:
        states: int8 [reads, n], ±1.
        energies: float64 [reads], of the problem as given.
        kernel: layout and number type that ran.
        angles: int16 [reads, n] in steps of π/1024; only of a rotor run.
    """

    states: np.ndarray
    energies: np.ndarray
    kernel: str
    angles: np.ndarray | None = None


def random_states(reads: int, n: int, seed: int, first: int = 0) -> np.ndarray:
    """int8 [reads, n] of ±1; row r depends on (seed, first + r) alone."""
    from hwsim.annealing.draws import fill_random

    states = np.empty((reads, n), np.int8)
    fill_random(states, np.uint64(seed & WORD), first)
    return states


def in_parts(part: Callable[[int, int], None], reads: int, threads: int | None, updates: int, group: int = 1) -> None:
    """Call ``part(lo, hi)`` over 0…reads−1 in as many threads, in whole groups of reads.

    Raises:
        UsageError: fewer than one thread.
    """
    if threads is not None and threads < 1:
        raise UsageError.of("threads", threads, "1 or more, or None", "Leave it out for all processors.")
    if threads is None:
        threads = 1 if updates < PARALLEL_AT else len(os.sched_getaffinity(0))
    groups = -(-reads // group)
    threads = min(threads, groups)
    if threads <= 1:
        part(0, reads)
        return
    cuts = [min(reads, groups * k // threads * group) for k in range(threads + 1)]
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(part, lo, hi) for lo, hi in pairwise(cuts) if hi > lo]:
            done.result()
