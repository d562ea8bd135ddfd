"""Anneal schedules: the QPU's own rules, and the sweeps that stand for a schedule.

Rules: D-Wave documentation, solver parameters ``anneal_schedule`` and ``annealing_time``, and
``DWaveSampler.validate_anneal_schedule`` (dwave-system 1.36). A schedule is a list of [t in µs, s] points.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hwsim.ir.errors import UsageError

RESOLUTION_US = 0.01  # times are rounded to it
DIGITS = 10  # of a slope that count, as in dwave-system


class ScheduleError(UsageError):
    """A schedule that breaks a rule of the annealer."""


class ScheduleTypeError(ScheduleError, TypeError):
    """Something that is no list of [t, s] points."""


def checked(schedule: Any, properties: Mapping[str, Any]) -> list[tuple[float, float]]:
    """The schedule with times rounded to 0.01 µs, when an annealer with such `properties` takes it.

    Raises:
        ScheduleTypeError: no list of pairs of numbers.
        ScheduleError: a rule is broken; the message names it.
    """
    points = _pairs(schedule)
    if not points:
        raise ScheduleError.of("anneal_schedule", "0 points", "at least 2 points", "Add [t, s] points.")
    reverse = points[0][1] == 1
    most = properties["max_anneal_schedule_points"] + (1 if reverse else 0)
    if not 2 <= len(points) <= most:
        sort = "reverse" if reverse else "forward"
        raise ScheduleError.of(
            "anneal_schedule", f"{len(points)} points", f"2 to {most} points ({sort} anneal)", "Join segments."
        )
    _check_times(points, properties["annealing_time_range"][1])
    _check_fractions(points)
    _check_slopes(points, properties["annealing_time_range"][0])
    return points


def _pairs(schedule: Any) -> list[tuple[float, float]]:
    want = "a list of [t in µs, s] points"
    if not isinstance(schedule, list):
        raise ScheduleTypeError.of("anneal_schedule", type(schedule).__name__, want, "Write [[0, 0], [20, 1]].")
    points = []
    for k, point in enumerate(schedule):
        if not isinstance(point, Sequence | np.ndarray) or isinstance(point, str) or len(point) != 2:
            raise ScheduleError.of(f"anneal_schedule[{k}]", repr(point), "a pair [t in µs, s]", "Write [20, 1].")
        try:
            t, s = float(point[0]), float(point[1])
        except (TypeError, ValueError):
            raise ScheduleTypeError.of(f"anneal_schedule[{k}]", repr(point), "two numbers", "Write [20, 1].") from None
        if not (np.isfinite(t) and np.isfinite(s)):
            raise ScheduleError.of(f"anneal_schedule[{k}]", repr(point), "two finite numbers", "Write [20, 1].")
        points.append((round(t / RESOLUTION_US) * RESOLUTION_US, s))
    return points


def _check_times(points: list[tuple[float, float]], longest: float) -> None:
    t = [point[0] for point in points]
    if t[0] != 0:
        raise ScheduleError.of("first time of anneal_schedule", f"{t[0]:g} µs", "0 µs", "Start at t = 0.")
    for k, (before, after) in enumerate(itertools.pairwise(t)):
        if not before < after:
            got = f"t[{k}] = {before:g} µs, t[{k + 1}] = {after:g} µs"
            expected = "times that increase, in steps of 0.01 µs"
            raise ScheduleError.of("times of anneal_schedule", got, expected, "Sort and separate the points.")
    if t[-1] > longest:
        raise ScheduleError.of(
            "last time of anneal_schedule", f"{t[-1]:g} µs", f"at most {longest:g} µs", "Shorten it."
        )


def _check_fractions(points: list[tuple[float, float]]) -> None:
    s = [point[1] for point in points]
    for k, fraction in enumerate(s):
        if not 0 <= fraction <= 1:
            raise ScheduleError.of(f"s of anneal_schedule[{k}]", fraction, "0 ≤ s ≤ 1", "Keep s in its range.")
    if s[-1] != 1:
        raise ScheduleError.of("last s of anneal_schedule", s[-1], "1", "End the anneal at s = 1.")
    if s[0] not in (0, 1):
        raise ScheduleError.of(
            "first s of anneal_schedule", s[0], "0 (forward anneal) or 1 (reverse anneal)", "Start at 0 or 1."
        )
    if s[0] == 0 and any(after < before for before, after in itertools.pairwise(s)):
        raise ScheduleError.of(
            "s of a forward anneal_schedule", s, "s that never decreases", "Start at s = 1 for a reverse anneal."
        )


def _check_slopes(points: list[tuple[float, float]], shortest: float) -> None:
    steepest = 1 / shortest
    for k, ((t0, s0), (t1, s1)) in enumerate(itertools.pairwise(points)):
        slope = round(abs((s1 - s0) / (t1 - t0)), DIGITS)
        if slope > steepest:
            need = abs(s1 - s0) / steepest
            raise ScheduleError.of(
                f"slope of anneal_schedule between points {k} and {k + 1}", f"{slope:g} per µs",
                f"at most {steepest:g} per µs", f"Take at least {need:g} µs for that step.",
            )  # fmt: skip


def forward(annealing_time: Any, properties: Mapping[str, Any]) -> list[tuple[float, float]]:
    """The schedule of a plain forward anneal.

    Raises:
        ScheduleError: a time outside ``annealing_time_range``, or no number.
    """
    shortest, longest = properties["annealing_time_range"]
    number = isinstance(annealing_time, int | float | np.number) and not isinstance(annealing_time, bool)
    if not number or not shortest <= annealing_time <= longest:
        raise ScheduleError.of(
            "annealing_time", repr(annealing_time), f"{shortest:g} to {longest:g} µs", "Choose a time in that range."
        )
    return [(0.0, 0.0), (round(float(annealing_time) / RESOLUTION_US) * RESOLUTION_US, 1.0)]


def sweep_fractions(points: Sequence[tuple[float, float]], sweeps_per_us: float) -> np.ndarray:
    """float64 [sweeps]: s(t) in the middle of each of ⌈duration·sweeps_per_us⌉ equal steps, at least one."""
    t, s = np.array(points, np.float64).T
    count = max(1, round(t[-1] * sweeps_per_us))
    return np.interp((np.arange(count) + 0.5) * (t[-1] / count), t, s)
