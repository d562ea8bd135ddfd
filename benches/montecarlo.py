"""Monte-Carlo points that stop on a target: chunks of trials until a point has seen enough errors.

How many chunks a point gets depends on its results alone, never on timing, so that a killed run resumes with the
same figures and any number of processes gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

Point = dict[str, Any]


class Sweep(Protocol):
    """`benches.context.Context.sweep`."""

    def __call__(self, work: Callable[..., dict[str, Any]], points: Sequence[Point]) -> list[dict[str, Any]]: ...


def until(
    sweep: Sweep,
    work: Callable[..., dict[str, Any]],
    points: Sequence[Point],
    enough: Callable[[list[dict[str, Any]]], bool],
    max_chunks: int,
) -> list[list[dict[str, Any]]]:
    """Results of ``work(**point, chunk=c)``, c = 0, 1, …, for each point until `enough` of them or `max_chunks`.

    Chunks are asked for in rounds of 1, 1, 2, 4, … a point; a round of all unfinished points runs in parallel.

    Args:
        sweep: ``ctx.sweep``; each chunk's result is on the disk as soon as it is there.
        work: a module's function; its random numbers must depend on `chunk`.
        enough: whether a point may stop, from its results so far (in order of chunks).

    Returns:
        For each point its chunks' results, in order.
    """
    found: list[list[dict[str, Any]]] = [[] for _ in points]
    while True:
        tasks = [
            (i, chunk)
            for i, results in enumerate(found)
            if not results or (len(results) < max_chunks and not enough(results))
            for chunk in range(len(results), min(max(1, 2 * len(results)), max_chunks))
        ]
        if not tasks:
            return found
        for (i, _), values in zip(tasks, sweep(work, [{**points[i], "chunk": c} for i, c in tasks]), strict=True):
            found[i].append(values)
