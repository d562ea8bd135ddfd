"""Moving bars: a generated set of camera events for every place without data. Eight directions, eight classes.

A bar of one pixel width crosses a square camera; a pixel that it reaches fires "on" (polarity 1), a pixel that it
leaves fires "off" (0), each with a chance of being missed; noise events fall anywhere. Speed, start, length of the bar
and noise are drawn for each sample, so that no single pixel tells the class.
"""

from __future__ import annotations

import numpy as np

from hwsim.interop.aer import Recording
from hwsim.ir.errors import UsageError

DIRECTIONS = 8
EDGE = 16
SPAN_US = 32_000  # time of a sample


def moving_bars(samples: int, seed: int, edge: int = EDGE, miss: float = 0.15, noise: int = 20) -> Recording:
    """Recordings of bars moving in eight directions, classes in equal shares.

    Args:
        samples: how many.
        seed: of numpy's PCG64; the same seed gives the same events.
        edge: pixels of the camera's side, ≥ 4.
        miss: chance that a pixel does not fire, 0…1.
        noise: events anywhere, a sample.

    Raises:
        UsageError: an argument outside these.

    Example:
        >>> bars = moving_bars(8, seed=1)
        >>> bars.samples, sorted(bars.labels.tolist()), int(bars.t.max()) < SPAN_US
        (8, [0, 1, 2, 3, 4, 5, 6, 7], True)
    """
    if samples < 1 or edge < 4 or not 0 <= miss < 1 or noise < 0:
        got = f"{samples} samples, edge {edge}, miss {miss}, noise {noise}"
        raise UsageError.of("moving_bars", got, "≥ 1, ≥ 4, 0 ≤ miss < 1, ≥ 0", "Mend the arguments.")
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(samples) % DIRECTIONS)
    parts = [_bar(rng, int(label), edge, miss, noise) for label in labels]
    columns = [np.concatenate([part[k] for part in parts]) for k in range(4)]
    offsets = np.concatenate([[0], np.cumsum([len(part[0]) for part in parts])])
    x, y, p = (column.astype(np.int32) for column in columns[1:])
    return Recording(columns[0].astype(np.int64), x, y, p, offsets, labels.astype(np.int64))


def _bar(rng: np.random.Generator, label: int, edge: int, miss: float, noise: int) -> tuple[np.ndarray, ...]:
    """(t, x, y, p) of one sample, sorted by time."""
    angle = 2 * np.pi * label / DIRECTIONS
    y, x = np.indices((edge, edge)).reshape(2, -1) - (edge - 1) / 2
    along, across = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
    speed = edge * rng.uniform(1.1, 1.6) / SPAN_US  # pixels a µs
    start, half, shift = rng.uniform(0, 0.1) * SPAN_US, rng.uniform(0.25, 0.5) * edge, rng.uniform(-0.2, 0.2) * edge
    on = start + (along + edge / 2) / speed
    times, columns, rows, signs = [], [], [], []
    for polarity, when in ((1, on), (0, on + 1 / speed)):
        seen = (np.abs(across - shift) <= half) & (when >= 0) & (when < SPAN_US) & (rng.random(len(when)) >= miss)
        times.append(when[seen])
        columns.append(np.flatnonzero(seen) % edge)
        rows.append(np.flatnonzero(seen) // edge)
        signs.append(np.full(int(seen.sum()), polarity))
    times.append(rng.uniform(0, SPAN_US, noise))
    for parts, top in ((columns, edge), (rows, edge), (signs, 2)):
        parts.append(rng.integers(0, top, noise))
    t = np.floor(np.concatenate(times)).astype(np.int64)
    order = np.argsort(t, kind="stable")
    return (t[order], *(np.concatenate(parts)[order] for parts in (columns, rows, signs)))
