"""Event data sets: what an event camera saw, as four arrays, and frames of events on a grid of time.

In a `Dataset` of events, x is int64 ``[n, 2]``: the first event of each sample and the one after its last. The events
of all samples lie one after another in `Dataset.extras`, sorted by time in each sample: ``t_us`` uint32, ``x`` and
``y`` uint8, ``p`` uint8 (1 brighter, 0 darker); ``size`` int64 ``[2]`` is the sensor's height and width.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwsim.ir.errors import ShapeError, UsageError

from .dataset import Array, Dataset

EVENT_ARRAYS = ("t_us", "x", "y", "p")


def event_frames(data: Dataset, rows: Array, steps: int, window_us: int, factor: int = 1) -> NDArray[np.uint8]:
    """Frames uint8 ``[n, steps, 2, height/factor, width/factor]`` of the samples `rows`: 1 where an event fell.

    Args:
        rows: int64 ``[n, 2]``, a part of `data.x_train` or `data.x_test`.
        steps, window_us: the first window_us microseconds are cut into this many equal steps.
        factor: pixels merged in each direction; an incomplete border is a block of its own.

    Raises:
        ShapeError: `data` holds no events.
        UsageError: steps, window or factor below 1.
    """
    missing = [name for name in (*EVENT_ARRAYS, "size") if name not in data.extras]
    if missing:
        raise ShapeError.of(
            f"data set {data.name}", f"no {', '.join(missing)}", "event data", "Load an event data set."
        )
    if min(steps, window_us, factor) < 1:
        raise UsageError.of("frames", f"{steps} steps, {window_us} µs, factor {factor}", "at least 1", "Change it.")
    height, width = (-(-int(n) // factor) for n in data.extras["size"])
    frames = np.zeros((len(rows), steps, 2, height, width), np.uint8)
    t, x, y, p = (np.asarray(data.extras[name]).astype(np.int64) for name in EVENT_ARRAYS)
    for i, (first, last) in enumerate(np.asarray(rows, np.int64)):
        part = slice(first, last)
        step = t[part] * steps // window_us
        kept = step < steps
        frames[i, step[kept], p[part][kept], y[part][kept] // factor, x[part][kept] // factor] = 1
    return frames


def check_events(name: str, arrays: dict[str, Array], rows: Array) -> None:
    """Check order of times and ranges of addresses.

    Raises:
        ShapeError: an address outside the sensor, a polarity that is not 0 or 1, times out of order in a sample.
    """
    height, width = (int(n) for n in arrays["size"])
    for axis, limit in (("x", width), ("y", height), ("p", 2)):
        if len(arrays[axis]) and int(np.max(arrays[axis])) >= limit:
            got = f"{axis} = {int(np.max(arrays[axis]))} at event {int(np.argmax(arrays[axis]))}"
            raise ShapeError.of(f"events of {name}", got, f"{axis} < {limit}", "The file is damaged: replace it.")
    falls = np.flatnonzero(np.diff(arrays["t_us"].astype(np.int64)) < 0) + 1
    wrong = np.setdiff1d(falls, rows[:, 0])
    if len(wrong):
        raise ShapeError.of(f"events of {name}", f"time falls at event {wrong[0]}", "sorted times", "Sort them.")
