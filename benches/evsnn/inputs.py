"""Samples as events: MNIST where it is on this machine, else scikit-learn's digits drawn in MNIST's frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from hwsim.ir.events import Events

EDGE, BOX = 28, 20  # MNIST's frame, and the box that holds its digits
DARK = 20 / 255  # no event at or below


@dataclass(frozen=True, eq=False)
class Images:
    """Images uint8 [n, pixels] of 0 … 255 with labels.

    Attributes:
        source: what they are, for the report.
        real: False for a stand-in.
    """

    x: np.ndarray
    y: np.ndarray
    source: str
    real: bool = True


@cache
def found(name: str) -> Any | None:
    """The data set when it is on this machine, else None."""
    from ml.common.data import UnreachableError, load

    try:
        return load(name, download=False)
    except UnreachableError:
        return None


def mnist_test(n: int) -> Images:
    """The first `n` test images of MNIST, or digits in their frame."""
    data = found("mnist")
    if data is not None:
        return Images(np.asarray(data.x_test[:n]), np.asarray(data.y_test[:n]), "MNIST test images")
    x, y = framed_digits(n)
    return Images(x, y, "scikit-learn's digits enlarged into MNIST's frame", real=False)


def framed_digits(n: int) -> tuple[np.ndarray, np.ndarray]:
    """The first `n` of scikit-learn's digits, enlarged to 20 × 20 in the middle of 28 × 28; uint8 [n, 784], labels."""
    from scipy.ndimage import zoom
    from sklearn.datasets import load_digits

    digits = load_digits()
    small = digits.images[:n] / 16
    large = np.clip(zoom(small, (1, BOX / 8, BOX / 8), order=1), 0, 1)
    edge = (EDGE - BOX) // 2
    frame = np.pad(large, ((0, 0), (edge, edge), (edge, edge)))
    return np.rint(255 * frame).astype(np.uint8).reshape(len(frame), -1), digits.target[:n].astype(np.int64)


def shipped_events(net: Any, x: np.ndarray) -> Events:
    """Input events of a shipped network, as it was trained."""
    from ml.evsnn.export import spike_ticks

    return Events.from_times(spike_ticks(x, int(net.meta["top"]), net.steps))


def chip_events(x: np.ndarray, top: int, ticks: int) -> Events:
    """Events for learning on the chip: t = round((1 − x/top)·(T − 1)), none for dark pixels."""
    late = np.rint((1 - x / top) * (ticks - 1)).astype(np.int32)
    return Events.from_times(np.where(x <= DARK * top, -1, late))


def moved(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Square images [n, pixels], each shifted by up to a pixel in either direction; what leaves comes in opposite."""
    edge = int(x.shape[1] ** 0.5)
    images, out = x.reshape(-1, edge, edge), np.empty_like(x).reshape(-1, edge, edge)
    down, across = rng.integers(-1, 2, (2, len(x)))
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            chosen = (down == dy) & (across == dx)
            out[chosen] = np.roll(images[chosen], (dy, dx), (1, 2))
    return out.reshape(x.shape)
