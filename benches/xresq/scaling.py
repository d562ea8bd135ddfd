"""Quality and time from 4 × 6 to 1024 × 1024: one modulation and one SNR, the same detectors at every size.

16-QAM at 19 dB: exact ML, where it can be had, makes few errors, and single-seed detectors make many.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from typing import Any

from benches.runner import Context
from benches.xresq.counts import Counts
from benches.xresq.digital import SINGLE, TELLING_DB
from benches.xresq.links import Link, Options, run_links

SYSTEMS = ((4, 6, 1000), (16, 16, 125), (64, 64, 25), (256, 256, 4), (1024, 1024, 1))  # users, antennas, a chunk
EXACT_UP_TO = 16  # users: beyond, exact ML takes too long
DETECTORS: dict[str, Options] = {
    "mmse": {}, "ep": {}, "amp": {}, "kbest": {"k": 64}, "ra1": SINGLE, "xresq": {},
}  # fmt: skip

Row = tuple[str, str, float, float, float, float, int]  # system, detector, BER and its limits, ms, vectors


def measure(ctx: Context[Any]) -> list[Row]:
    """Bit error rate and CPU milliseconds a vector of every detector at every size."""
    rows: list[Row] = []
    for (users, antennas, vectors), chunks in zip(SYSTEMS, ctx.config.scaling_chunks, strict=False):
        link = Link(users, antennas, "16qam", TELLING_DB)
        detectors = {**DETECTORS, **({"sphere": {}} if users <= EXACT_UP_TO else {})}
        [counts] = run_links(ctx, [link], detectors, vectors=vectors, enough=lambda _: False, max_chunks=chunks)
        rows += _size(ctx, f"{users}x{antennas}", counts)
    return rows


def _size(ctx: Context[Any], size: str, counts: Mapping[str, Counts]) -> list[Row]:
    """Metrics and rows of one size; a rate without errors gets the burst of a failing detector's vectors."""
    burst = counts["ra1"].errors / max(counts["ra1"].wrong, 1)
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
