"""What a run says on stderr: stages and bars. Standard output is left to results.

A terminal gets one live bar; a pipe or ``CI=true`` gets one line a stage; `Quiet` says nothing.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Protocol

STOPPED = "stopped"  # note of a stage that did not reach its end


class Reporter(Protocol):
    """Receives what a run is doing."""

    def begin(self, title: str) -> None:
        """A stage starts."""

    def advance(self, done: float, total: float, note: str) -> None:
        """`done` of `total` parts of the running stage are finished."""

    def end(self, title: str, wall_s: float, note: str) -> None:
        """The stage is over."""

    def say(self, message: str) -> None:
        """A line that the user should see."""


class Quiet:
    """Says nothing."""

    def begin(self, title: str) -> None: ...
    def advance(self, done: float, total: float, note: str) -> None: ...
    def end(self, title: str, wall_s: float, note: str) -> None: ...
    def say(self, message: str) -> None: ...


class Lines:
    """One line a stage, for pipes and logs."""

    def begin(self, title: str) -> None:
        print(f"{title} …", file=sys.stderr, flush=True)

    def advance(self, done: float, total: float, note: str) -> None: ...

    def end(self, title: str, wall_s: float, note: str) -> None:
        print(f"{title} {wall_s:.1f} s{f' ({note})' if note else ''}", file=sys.stderr, flush=True)

    def say(self, message: str) -> None:
        print(message, file=sys.stderr, flush=True)


class Live:
    """A bar that moves, for terminals (rich)."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True, highlight=False)
        self._bar: Any = None
        self._task: Any = None

    def begin(self, title: str) -> None:
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}", style="dim", markup=False),
        )
        # transient: the finished bar gives way to the one line that `end` prints
        self._bar = Progress(*columns, console=self._console, transient=True, redirect_stdout=False)
        self._task = self._bar.add_task(title, total=None, note="")
        self._bar.start()

    def advance(self, done: float, total: float, note: str) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=total or None, note=note)

    def end(self, title: str, wall_s: float, note: str) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        mark = "✗" if note == STOPPED else "✓"
        self._console.print(f"{mark} {title} {wall_s:.1f} s{f' ({note})' if note else ''}", markup=False)

    def say(self, message: str) -> None:
        self._console.print(message, markup=False, soft_wrap=True)


def reporter(quiet: bool = False) -> Reporter:
    """The reporter that fits stderr: `Live` on a terminal, `Lines` otherwise."""
    if quiet:
        return Quiet()
    if sys.stderr.isatty() and os.environ.get("CI", "").lower() not in ("true", "1"):
        return Live()
    return Lines()
