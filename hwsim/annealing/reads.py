"""Reads: what a run returns, random starting states, and how many threads they are worth."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

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


def enough_threads(threads: int | None, updates: int) -> int:
    """`threads`, or if None all processors where `updates` spin updates are worth starting them."""
    if threads is None:
        return 1 if updates < PARALLEL_AT else len(os.sched_getaffinity(0))
    return threads
