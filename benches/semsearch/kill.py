"""Bulk indexing that is killed: what an index holds after SIGKILL and a second try.

`python -m benches.semsearch.kill FOLDER PASSAGES` is the process that is killed; it says a line after every batch.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from benches.registry import REPOSITORY
from benches.runner import Context
from ml.semsearch.encoders.encoder import InjectedEncoder
from ml.semsearch.engines.hnsw import HnswEngine
from ml.semsearch.engines.store import SegmentStore
from ml.semsearch.ingest import Passage, Progress, ingest
from ml.semsearch.requests import mapping

DIMS, BATCH = 32, 20
INDEX = "passages"


def encoder() -> InjectedEncoder:
    """Words hashed to signs: quick, and the same in every process."""

    def vector(text: str) -> np.ndarray:
        out = np.zeros(DIMS)
        for word in text.split():
            h = zlib.crc32(word.encode())
            out[h % DIMS] += 1 if h >> 16 & 1 else -1
        return out if out.any() else np.ones(DIMS)

    return InjectedEncoder("hashed words", DIMS, lambda texts: [vector(text) for text in texts])


def texts(count: int) -> list[Passage]:
    """Made passages."""
    return [
        Passage(f"p{i}", f"passage {i} of {count} word{i * 7 % 31} word{i * 11 % 17}", "made", i) for i in range(count)
    ]


def index_all(folder: Path, count: int, progress: Progress | None = None) -> None:
    """Index everything that is missing."""
    engine = HnswEngine(folder)
    engine.create(INDEX, mapping(DIMS))
    ingest(engine, INDEX, texts(count), encoder(), BATCH, progress)


def killed_after(folder: Path, count: int, lines: int) -> None:
    """Run `index_all` in a process and kill it once it is through so many batches, held ones included."""
    command = [sys.executable, "-m", "benches.semsearch.kill", str(folder), str(count)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(1 + lines):  # the first one says that it began
            if not process.stdout.readline():
                break
        os.kill(process.pid, signal.SIGKILL)
        process.wait()


def measure(ctx: Context[Any]) -> None:
    """Kill several times in the middle, resume, and compare with an index that was never disturbed."""
    count, rng = ctx.config.kill_passages, ctx.rng("kills")
    batches = count // BATCH
    kills = sorted(rng.choice(np.arange(1, batches - 1), ctx.config.kills, replace=False).tolist())
    with tempfile.TemporaryDirectory() as name:
        broken, whole = Path(name) / "broken", Path(name) / "whole"
        for lines in kills:
            killed_after(broken, count, lines)
        survived = _stored(broken)
        (broken / INDEX / "half.segment.npz.1.part").write_bytes(b"what a kill inside a write leaves")
        index_all(broken, count)
        index_all(whole, count)
        lost, doubled, changed = compare(broken, whole)
    survived_count = sum(survived.values())
    method = (
        f"{len(kills)} times SIGKILL while {count} passages were indexed, then resumed; {survived_count} had survived"
    )
    ctx.metric("resume_lost", lost + changed, "", n=count, method=method)
    ctx.metric("resume_doubled", doubled, "", n=count, method=method)


def compare(broken: Path, whole: Path) -> tuple[int, int, int]:
    """(passages lost, stored or found twice, hits that differ) of an index beside an undisturbed one."""
    stored, wanted = _stored(broken), _stored(whole)
    engines = [HnswEngine(folder) for folder in (broken, whole)]
    found = [engine.stats(INDEX).documents for engine in engines]
    lists = []
    for engine in engines:
        hits = engine.match(INDEX, "word7 word14", 50)
        lists.append([(hit.id, round(hit.score, 9)) for hit in sorted(hits, key=lambda h: (-h.score, h.id))])
    doubled = sum(n - 1 for n in stored.values()) + max(0, found[0] - found[1])
    return len(set(wanted) - set(stored)) + max(0, found[1] - found[0]), doubled, int(lists[0] != lists[1])


def _stored(folder: Path) -> Counter[str]:
    """How often every id stands in the segments."""
    return Counter(d.id for segment in SegmentStore(folder / INDEX).segments() for d in segment.documents)


if __name__ == "__main__":
    print("ready", flush=True)
    index_all(Path(sys.argv[1]), int(sys.argv[2]), lambda done, total, note: print(done, flush=True))
