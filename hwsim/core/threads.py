"""Threads over independent work, for kernels that release the interpreter lock; results do not depend on them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

from hwsim.ir.errors import UsageError


def in_parts(part: Callable[[int, int], object], count: int, threads: int, group: int = 1) -> None:
    """part(first, last) over consecutive ranges of 0 … count, one a thread. The first exception is raised.

    Args:
        part: the work on items first … last − 1.
        count: items; with none, nothing is called.
        threads: most threads; 1 is the calling thread.
        group: ranges begin at multiples of it.

    Raises:
        UsageError: fewer than one thread.

    Example:
        >>> done = []
        >>> in_parts(lambda first, last: done.append((first, last)), 20, 2, group=16)
        >>> sorted(done)
        [(0, 16), (16, 20)]
    """
    if threads < 1:
        raise UsageError.of("threads", threads, "1 or more", "Use 1 for the calling thread.")
    groups = -(-count // group)
    threads = min(threads, groups)
    cuts = [min(count, groups * k // threads * group) for k in range(threads + 1)] if threads else []
    if threads == 1:
        part(0, count)
    elif threads:
        with ThreadPoolExecutor(threads) as pool:
            for done in [pool.submit(part, first, last) for first, last in pairwise(cuts)]:
                done.result()
