"""Many independent computations: on this machine's cores, or on a Dask cluster, with stored results.

`HWSIM_DASK=tcp://host:8786` sends the same tasks to a Dask cluster; `HWSIM_JOBS` sets the number of local
processes (all usable cores by default).
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benches.loader import OUTSIDE, import_bench
from benches.samples import Samples
from hwsim.ir.errors import ToolMissingError, UsageError

Point = dict[str, Any]
Progress = Callable[[float, float, str], None]


def sweep(
    work: Callable[..., dict[str, Any]], points: Sequence[Point], samples: Samples, progress: Progress, name: str
) -> list[dict[str, Any]]:
    """``work(**point)`` for every point, in order of `points`; each result is stored as it arrives.

    Points that `samples` already holds under ``sweep=name`` are not computed again. `work` returns JSON-able
    values and must be importable (a module's function), since other processes call it.
    """
    todo = [i for i, point in enumerate(points) if samples.get(sweep=name, **point) is None]
    done = len(points) - len(todo)
    progress(done, len(points), name)
    for i, values, seconds in _parallel(work, [(i, points[i]) for i in todo]):
        samples.add(values, seconds, sweep=name, **points[i])
        done += 1
        progress(done, len(points), name)
    return [samples.get(sweep=name, **point) or {} for point in points]


def _timed(work: Callable[..., dict[str, Any]], i: int, point: Point) -> tuple[int, dict[str, Any], float]:
    start = time.perf_counter()
    values = work(**point)
    return i, values, time.perf_counter() - start


def _parallel(
    work: Callable[..., dict[str, Any]], tasks: Sequence[tuple[int, Point]]
) -> Iterable[tuple[int, dict[str, Any], float]]:
    jobs = min(_jobs(), len(tasks))
    if jobs <= 1 and "HWSIM_DASK" not in os.environ:
        yield from (_timed(work, i, point) for i, point in tasks)
        return
    from joblib import Parallel, delayed

    called = _shippable(work)
    with _backend():
        pool = Parallel(n_jobs=jobs if "HWSIM_DASK" not in os.environ else -1, return_as="generator_unordered")
        yield from pool(delayed(_timed)(called, i, point) for i, point in tasks)


@dataclass(frozen=True)
class _Outside:
    """A function of a bench outside the packages, which other processes cannot import by its module's name."""

    path: Path
    name: str

    def __call__(self, **point: Any) -> dict[str, Any]:
        values: dict[str, Any] = getattr(import_bench(self.path), self.name)(**point)
        return values


def _shippable(work: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """`work` in a form that other processes can call."""
    if not work.__module__.startswith(OUTSIDE):
        return work
    return _Outside(Path(sys.modules[work.__module__].__file__ or ""), work.__name__)


def _jobs() -> int:
    text = os.environ.get("HWSIM_JOBS", "")
    if not text:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not text.isdigit() or int(text) < 1:
        raise UsageError.of("HWSIM_JOBS", repr(text), "a number of processes, 1 or more", "Set or unset it.")
    return int(text)


@contextmanager
def _backend() -> Iterator[None]:
    address = os.environ.get("HWSIM_DASK")
    if not address:
        yield
        return
    try:
        from distributed import Client
    except ImportError as error:
        mend = "Install it with: pip install 'hwsim[dask]', or unset HWSIM_DASK."
        raise ToolMissingError.of("HWSIM_DASK is set", "no distributed package", "Dask", mend) from error
    from joblib import parallel_config

    try:
        client = Client(address, timeout=10)
    except (OSError, ValueError, TimeoutError) as error:
        raise UsageError.of("HWSIM_DASK", address, "a running Dask scheduler", "Start it, or unset it.") from error
    with client, parallel_config(backend="dask"):
        yield
