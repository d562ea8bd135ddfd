"""Texts into an index, batch by batch, so that a kill loses nothing and a second try doubles nothing.

A passage's id is made of its source, its place and its words, so the same text has the same id in every run. What the
index holds already is neither encoded nor sent again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from ml.semsearch.chunks import OVERLAP, WORDS, chunks
from ml.semsearch.documents import Document
from ml.semsearch.encoders.encoder import Encoder
from ml.semsearch.engines.protocol import BulkError, SearchEngine

Progress = Callable[[float, float, str], None]
BATCH = 64


@dataclass(frozen=True)
class Passage:
    """A piece of a source text.

    Attributes:
        id: hexadecimal digest of source, place and text.   source: file name or title.   place: 0, 1, … in the source.
    """

    id: str
    text: str
    source: str
    place: int


@dataclass(frozen=True)
class Ingested:
    """What `ingest` did.

    Attributes:
        indexed: passages written now.   kept: held already.   refused: (id, reason).
    """

    indexed: int
    kept: int
    refused: tuple[tuple[str, str], ...]


def passages(texts: Iterable[tuple[str, str]], words: int = WORDS, overlap: int = OVERLAP) -> Iterator[Passage]:
    """Passages of (source, text) pairs.

    Example:
        >>> [(p.source, p.place, p.text) for p in passages([("a.txt", "One two. Three four.")], words=2, overlap=0)]
        [('a.txt', 0, 'One two.'), ('a.txt', 1, 'Three four.')]
    """
    for source, text in texts:
        for place, piece in enumerate(chunks(text, words, overlap)):
            digest = hashlib.sha256(f"{source}\0{place}\0{piece}".encode()).hexdigest()[:24]
            yield Passage(digest, piece, source, place)


def ingest(
    engine: SearchEngine,
    index: str,
    texts: Iterable[Passage],
    encoder: Encoder,
    batch: int = BATCH,
    progress: Progress | None = None,
) -> Ingested:
    """Encode and index the passages that `index` does not hold yet.

    Args:
        engine, index: an index with the encoder's width.   batch: passages that are encoded and written at once: what a
            kill can cost.   progress: told (done, total or 0, source).

    Raises:
        ShapeError: the index has vectors of another width.   ToolFailedError: the server failed; call again to go on.
    """
    stream, total = iter(texts), len(texts) if isinstance(texts, Sequence) else 0
    indexed = kept = 0
    refused: list[tuple[str, str]] = []
    while part := list(islice(stream, batch)):
        absent = set(engine.missing(index, [p.id for p in part]))
        fresh = [p for p in part if p.id in absent]
        kept += len(part) - len(fresh)
        if fresh:
            vectors = encoder.encode([p.text for p in fresh])
            documents = [Document(p.id, p.text, v, {"source": p.source}) for p, v in zip(fresh, vectors, strict=True)]
            try:
                indexed += engine.bulk(index, documents).indexed
            except BulkError as error:
                indexed += error.report.indexed
                refused += error.report.failed
        if progress:
            progress(indexed + kept + len(refused), total, part[-1].source)
    return Ingested(indexed, kept, tuple(refused))
