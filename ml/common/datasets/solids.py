"""solids: generated furniture, unions of boxes, cylinders and ellipsoids whose occupancy is exact at any point.

A shape is a table float32 [12, 7] of primitives, one a row, unused rows zero:

| kind | row |
|---|---|
| 1 box | 1, centre x y z, half edges x y z |
| 2, 3, 4 cylinder along x, y, z | kind, centre, half extents (the two across are radii) |
| 5 ellipsoid | 5, centre, half axes |

z is up. Every shape is centred with a longest bounding edge of 1; no part is thinner than 0.045, so that a grid of 33
points an edge of a 1.1 box sees it. Classes differ in what they are built of; sizes are drawn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .dataset import Dataset

N_TRAIN, N_TEST = 400, 100
ROWS, COLUMNS = 12, 7
BOX, CYLINDER_X, CYLINDER_Y, CYLINDER_Z, ELLIPSOID = 1, 2, 3, 4, 5
THINNEST = 0.0225  # half thickness
SEED = 2019
Rows = list[tuple[float, ...]]


def _chair(rng: np.random.Generator) -> Rows:
    """Seat, back, four legs, sometimes arm rests."""
    w, d, h, leg = rng.uniform(0.2, 0.26), rng.uniform(0.2, 0.26), rng.uniform(-0.12, 0.02), rng.uniform(0.025, 0.04)
    kind, top, seat = (BOX, CYLINDER_Z)[rng.integers(2)], rng.uniform(0.4, 0.5), rng.uniform(0.03, 0.05)
    rows: Rows = [(BOX, 0, 0, h, w, d, seat)]
    rows.append((BOX, 0, d - leg, (h + top) / 2, w, leg, (top - h) / 2))
    half = (h + 0.5) / 2
    rows += [(kind, sx * (w - leg), sy * (d - leg), h - half, leg, leg, half) for sx in (-1, 1) for sy in (-1, 1)]
    if rng.random() < 0.4:
        rows += [(BOX, sx * (w - leg), 0, h + 0.17, leg, d, leg) for sx in (-1, 1)]
        rows += [(BOX, sx * (w - leg), leg - d, h + 0.09, leg, leg, 0.09) for sx in (-1, 1)]
    return rows


def _table(rng: np.random.Generator) -> Rows:
    """A plate on four legs or on one."""
    w, d, thick = rng.uniform(0.3, 0.5), rng.uniform(0.25, 0.4), rng.uniform(0.025, 0.05)
    height, leg = rng.uniform(0.18, 0.3), rng.uniform(0.03, 0.06)
    plate = (BOX, CYLINDER_Z)[rng.integers(2)]
    rows: Rows = [(plate, 0, 0, height, w, d, thick)]
    if plate == CYLINDER_Z or rng.random() < 0.3:
        return [*rows, (CYLINDER_Z, 0, 0, 0, leg, leg, height), (CYLINDER_Z, 0, 0, -height, 0.6 * w, 0.6 * d, thick)]
    return rows + [(BOX, sx * (w - leg), sy * (d - leg), 0, leg, leg, height) for sx in (-1, 1) for sy in (-1, 1)]


def _lamp(rng: np.random.Generator) -> Rows:
    """Foot, pole and shade."""
    foot, pole, shade = rng.uniform(0.15, 0.25), rng.uniform(0.03, 0.05), rng.uniform(0.12, 0.25)
    height, kind = rng.uniform(0.1, 0.18), (CYLINDER_Z, ELLIPSOID)[rng.integers(2)]
    base: Rows = [(CYLINDER_Z, 0, 0, -0.46, foot, foot, 0.04), (CYLINDER_Z, 0, 0, -0.1, pole, pole, 0.36)]
    return [*base, (kind, 0, 0, 0.5 - height, shade, shade, height)]


def _monitor(rng: np.random.Generator) -> Rows:
    """Screen, neck and foot."""
    w, h, thick = rng.uniform(0.4, 0.5), rng.uniform(0.2, 0.3), rng.uniform(0.03, 0.05)
    foot, neck, gap = rng.uniform(0.12, 0.2), rng.uniform(0.04, 0.08), rng.uniform(0.08, 0.15)
    return [
        (BOX, 0, 0, h, w, thick, h),
        (BOX, 0, 0, -gap / 2, neck, 0.03, gap / 2 + 0.05),
        ((BOX, CYLINDER_Z)[rng.integers(2)], 0, 0, -gap, foot, foot, 0.03),
    ]


def _plane(rng: np.random.Generator) -> Rows:
    """Hull, wings and tail."""
    hull, span, chord = rng.uniform(0.05, 0.09), rng.uniform(0.3, 0.48), rng.uniform(0.06, 0.11)
    place, thick = rng.uniform(-0.1, 0.1), rng.uniform(0.025, 0.035)
    rows: Rows = [(ELLIPSOID, 0, 0, 0, hull, 0.5, hull), (BOX, 0, place, 0, span, chord, thick)]
    rows += [(BOX, 0, -0.4, 0, 0.4 * span, 0.06, thick), (BOX, 0, -0.4, 0.1, thick, 0.06, 0.1)]
    if rng.random() < 0.6:
        engine = rng.uniform(0.035, 0.05)
        rows += [(CYLINDER_Y, sx * 0.5 * span, place, -engine, engine, 0.12, engine) for sx in (-1, 1)]
    return rows


CLASSES: dict[str, Callable[[np.random.Generator], Rows]] = {
    "chair": _chair, "table": _table, "lamp": _lamp, "monitor": _monitor, "plane": _plane,
}  # fmt: skip


def solid(label: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """One shape of class `label` as a table [12, 7], normalised."""
    rows = np.array(list(CLASSES.values())[label](rng), np.float64)
    low, high = (rows[:, 1:4] - rows[:, 4:]).min(0), (rows[:, 1:4] + rows[:, 4:]).max(0)
    scale = 1 / (high - low).max()
    rows[:, 1:4] = (rows[:, 1:4] - (low + high) / 2) * scale
    rows[:, 4:] = np.maximum(rows[:, 4:] * scale, THINNEST)
    table = np.zeros((ROWS, COLUMNS), np.float32)
    table[: len(rows)] = rows
    return table


def load_solids() -> Dataset:
    """400 training and 100 test shapes of 5 classes, balanced; always the same."""
    labels = np.arange(N_TRAIN + N_TEST) % len(CLASSES)
    rng = np.random.default_rng(SEED)
    x = np.stack([solid(int(k), rng) for k in labels])
    return Dataset(
        name="solids",
        variant="solids (generated shapes)",
        source="embedded",
        location="ml.common.datasets.solids",
        x_train=x[:N_TRAIN],
        y_train=labels[:N_TRAIN].astype(np.int64),
        x_test=x[N_TRAIN:],
        y_test=labels[N_TRAIN:].astype(np.int64),
        feature_names=(),
        class_names=tuple(CLASSES),
        licence="same as this project",
        citation="generated by ml.common.datasets.solids",
        sha256s={"solids": hashlib.sha256(np.ascontiguousarray(x).tobytes()).hexdigest()},
    )
