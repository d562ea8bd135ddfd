"""Quality and time from 4 × 6 to 1024 × 1024: one modulation and one SNR, the same detectors at every size.

16-QAM at 19 dB: exact ML, where it can be had, makes few errors, and single-seed detectors make many.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from typing import Any

from benches.runner import Context
from benches.xresq.counts import Counts
from benches.xresq.digital import SINGLE, TELLING_DB, fixed
from benches.xresq.links import Link, Options

SYSTEMS = ((4, 6, 1000), (16, 16, 125), (64, 64, 25), (256, 256, 4), (1024, 1024, 1))  # users, antennas, a chunk
EXACT_UP_TO = 16  # users: beyond, exact ML takes too long
DETECTORS: dict[str, Options] = {"mmse": {}, "amp": {}, "ra1": SINGLE, "xresq": {}}
SLOW: dict[str, Options] = {"ep": {}, "kbest": {"k": 64}}  # seconds a vector at 1024 users
SLOW_FROM = 256  # users from which the slow ones see one chunk in `SHARE`
SHARE = 12

Row = tuple[str, str, float, float, float, float, int]  # system, detector, BER and its limits, ms, vectors


def measure(ctx: Context[Any]) -> list[Row]:
    """Bit error rate and CPU milliseconds a vector of every detector at every size."""
    rows: list[Row] = []
    for (users, antennas, vectors), chunks in zip(SYSTEMS, ctx.config.scaling_chunks, strict=False):
        link = Link(users, antennas, "16qam", TELLING_DB)
        exact: dict[str, Options] = {"sphere": {}} if users <= EXACT_UP_TO else {}
        few = max(2, chunks // SHARE) if users >= SLOW_FROM else chunks
        counts = fixed(ctx, link, {**DETECTORS, **exact}, vectors, chunks) | fixed(ctx, link, SLOW, vectors, few)
        rows += _size(ctx, f"{users}x{antennas}", counts)
    return rows


def _size(ctx: Context[Any], size: str, counts: Mapping[str, Counts]) -> list[Row]:
    """Metrics and rows of one size; a rate without errors gets the longest burst of another detector's vectors."""
    burst = max(count.errors / max(count.wrong, 1) for count in counts.values())
    rows = []
    for name, count in counts.items():
        figure = count.ber(burst)
        method = f"{count.ms:.3g} ms CPU a vector, {count.vectors} vectors, {count.errors} bit errors; {figure.method}"
        ctx.metric(f"scaling_ber_{size}_{name}", figure, "", method=method)
        low, high = (end if end is not None else figure.value for end in (figure.low, figure.high))
        rows.append((size, name, figure.value, low, high, count.ms, count.vectors))
    ours = counts["xresq"]
    ctx.metric(f"scaling_ms_{size}_xresq", ours.ms, "ms", n=ours.vectors, method="CPU of one thread, seeds included")
    return rows


def tabulate(ctx: Context[Any], rows: Sequence[Row]) -> None:
    """The rows as a table beside the report."""
    path = ctx.folder / "scaling.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["system", "detector", "ber", "ber_low", "ber_high", "ms", "vectors"])
        for row in rows:
            writer.writerow([f"{cell:.6g}" if isinstance(cell, float) else cell for cell in row])
    ctx.file(path, "table", f"16-QAM at {TELLING_DB:g} dB: bit error rate and CPU milliseconds a vector by size.")
