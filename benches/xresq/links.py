"""Radio links in Monte Carlo: every detector on the same channels, bits and noise.

A link is a system and an SNR; a chunk is a batch of vectors drawn from (run seed, link, chunk), so that chunks can be
computed anywhere and in any order.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benches import montecarlo
from benches.runner import Context
from benches.xresq.counts import Counts
from hwsim.xresq.channel import Problems, count_errors, generate
from hwsim.xresq.detect import detector

Options = dict[str, Any]
WARM = 20  # users of the warm-up: enough for the seeds of large systems
_loaded: set[tuple[str, bool]] = set()  # what this process has run: (detector, large system)


@dataclass(frozen=True)
class Link:
    """One point: `users` × `antennas` with modulation `mod` at `snr_db` = Nt·E_s/N0."""

    users: int
    antennas: int
    mod: str
    snr_db: float

    @property
    def name(self) -> str:
        return f"{self.users}x{self.antennas} {self.mod} {self.snr_db:g} dB"

    def problems(self, seed: int, chunk: int, vectors: int) -> Problems:
        """Chunk `chunk` of the link."""
        rng = np.random.default_rng([seed, zlib.crc32(self.name.encode()), chunk])
        return generate(self.mod, self.users, self.antennas, self.snr_db, vectors, rng)


def chunk_counts(
    users: int,
    antennas: int,
    mod: str,
    snr_db: float,
    seed: int,
    vectors: int,
    detectors: Mapping[str, Options],
    chunk: int,
) -> dict[str, dict[str, float]]:
    """Counts of every detector (label → options, of which ``detector`` names it) on one chunk, one thread.

    Compiled code is loaded on a small system first, so that times do not hold it.
    """
    from threadpoolctl import threadpool_limits

    problems = Link(users, antennas, mod, snr_db).problems(seed, chunk, vectors)
    small = generate(mod, min(users, WARM), min(users, WARM) + 1, snr_db, 2, np.random.default_rng(0))
    found = {}
    with threadpool_limits(1):
        for label, options in detectors.items():
            name = options.get("detector", label)
            chosen = {key: value for key, value in options.items() if key != "detector"}
            if (name, users > WARM) not in _loaded:
                detector(name)(small.received, **chosen)
                _loaded.add((name, users > WARM))
            start = time.process_time()
            levels = detector(name)(problems.received, **chosen).levels
            spent = 1e3 * (time.process_time() - start)
            found[label] = Counts.of(count_errors(problems, levels), problems.bits.shape[1], spent).stored()
    return found


def run_links(
    ctx: Context[Any],
    links: Sequence[Link],
    detectors: Mapping[str, Options] | Callable[[Link], Mapping[str, Options]],
    *,
    vectors: int,
    enough: Callable[[dict[str, Counts]], bool],
    max_chunks: int,
) -> list[dict[str, Counts]]:
    """Counts by detector for each link, in chunks of `vectors` until `enough`."""
    points = [
        {
            "users": link.users,
            "antennas": link.antennas,
            "mod": link.mod,
            "snr_db": link.snr_db,
            "seed": ctx.seed,
            "vectors": vectors,
            "detectors": dict(detectors(link) if callable(detectors) else detectors),
        }
        for link in links
    ]
    rows = montecarlo.until(ctx.sweep, chunk_counts, points, lambda r: enough(merged(r)), max_chunks)
    return [merged(row) for row in rows]


def merged(chunks: Sequence[Mapping[str, dict[str, float]]]) -> dict[str, Counts]:
    """Sums over chunks, by detector."""
    return {label: Counts.total(chunk[label] for chunk in chunks) for label in chunks[0]}
