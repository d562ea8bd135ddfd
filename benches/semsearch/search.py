"""`hwsim index` and `hwsim search`: a folder of text files, searched by words and meaning, without a server.

All is kept in ``FOLDER/.hwsim-search``: the encoder, and an index whose batches survive a kill.
"""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benches.semsearch.encoders import canonical, named, weight
from hwsim.ir.errors import DataError, UsageError
from ml.semsearch import prompt, requests
from ml.semsearch.documents import Body
from ml.semsearch.encoders.encoder import Encoder
from ml.semsearch.encoders.lsa import Lsa
from ml.semsearch.engines.hnsw import HnswEngine
from ml.semsearch.ingest import Passage, ingest, passages

PLACE, INDEX, HELD = ".hwsim-search", "passages", "encoder.json"
SUFFIXES = frozenset({".txt", ".md", ".rst", ".tex", ".org", ".html"})
HOW = ("hybrid", "vectors", "words")


def index(folder: Path, encoder: str | None = None, fresh: bool = False, as_json: bool = False) -> str:
    """Index what is new in a folder, and take out what is gone.

    Args:
        encoder: a name of `benches.semsearch.encoders`; None = what the folder is indexed with, else ``"lsa"``.
        fresh: begin anew.

    Raises:
        UsageError: no such folder, no text in it, another encoder than it was indexed with.
        ToolMissingError, DataError: the encoder can't be had, see `benches.semsearch.encoders.named`.
    """
    wanted = None if encoder is None else canonical(encoder)
    place = folder / PLACE
    found, skipped = _read(folder)
    if not found:
        want = f"files that end in {', '.join(sorted(SUFFIXES))}"
        raise UsageError.of(f"texts in {folder}", "none", want, "Name another folder.")
    made = _encoder(place, wanted, found, fresh)
    engine = HnswEngine(place)
    engine.create(INDEX, requests.mapping(made.dims))
    gone = engine.remove(INDEX, sorted(set(engine.ids(INDEX)) - {p.id for p in found}))
    done = ingest(engine, INDEX, found, made)
    facts = {
        "folder": str(folder), "encoder": made.name, "indexed": done.indexed, "kept": done.kept, "removed": gone,
        "refused": list(done.refused), "skipped": skipped,
    }  # fmt: skip
    if as_json:
        return json.dumps(facts, indent=1)
    lines = [f"{folder}: {done.indexed} passages indexed, {done.kept} kept, {gone} removed ({made.name})"]
    lines += [f"  skipped {name}: not UTF-8 text" for name in skipped]
    lines += [f"  refused {name}: {reason}" for name, reason in done.refused]
    return "\n".join(lines)


def search(
    query: str, folder: Path, k: int = 5, how: str = "hybrid", as_prompt: bool = False, as_json: bool = False
) -> str:
    """The best passages of an indexed folder, or a prompt made of them.

    Raises:
        UsageError: an empty query, or another way of searching.   DataError: the folder is not indexed.
    """
    if how not in HOW or not query.strip():
        got = f"--how {how}, query {query!r}"
        raise UsageError.of("search", got, f"--how {', '.join(HOW)}, and words", "Correct the call.")
    place = folder / PLACE
    if not (place / HELD).is_file():
        raise DataError.of(f"index of {folder}", "none", f"a folder {PLACE}", f"Make it with: hwsim index {folder}")
    vector = _stored(place).encode([query])[0] if how != "words" else np.zeros(1)
    if how == "vectors" and not vector.any():
        got = "no word of the indexed texts"
        raise UsageError.of(f"query {query!r}", got, "known words", "Ask otherwise, or with --how words.")
    asked = _body(query, vector, k, how, weight(_held(place)[0]))
    hits = HnswEngine(place).search(INDEX, asked)
    if as_prompt:
        return prompt.prompt(query, hits)
    if as_json:
        rows = [{"score": h.score, "source": h.fields.get("source", ""), "id": h.id, "text": h.text} for h in hits]
        return json.dumps(rows, indent=1, ensure_ascii=False)
    if not hits:
        return "nothing found"
    blocks = []
    for rank, hit in enumerate(hits, 1):
        text = textwrap.shorten(hit.text, 400, placeholder=" …")
        body = textwrap.fill(text, 100, initial_indent="    ", subsequent_indent="    ")
        blocks.append(f"{rank}. {hit.fields.get('source', hit.id)}  ({hit.score:.4f})\n{body}")
    return "\n".join(blocks)


def _body(query: str, vector: np.ndarray, k: int, how: str, weight: float) -> Body:
    """The request; words alone when the encoder knows nothing of the query."""
    if not vector.any():
        return requests.match_body(query, k)
    if how == "vectors":
        return requests.knn_body(vector, k, num_candidates=max(100, k))
    return requests.linear_body(query, vector, weight, k)


def _read(folder: Path) -> tuple[list[Passage], list[str]]:
    """Passages of all text files, and names of files that are no text."""
    if not folder.is_dir():
        raise UsageError.of("folder", folder, "a folder", "Correct its name.")
    skipped: list[str] = []

    def texts() -> Iterator[tuple[str, str]]:
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder)
            if path.suffix.lower() in SUFFIXES and path.is_file() and not any(p.startswith(".") for p in name.parts):
                try:
                    yield str(name), path.read_text(encoding="utf-8")
                except (UnicodeDecodeError, OSError):
                    skipped.append(str(name))

    return list(passages(texts())), skipped


def _encoder(place: Path, wanted: str | None, found: list[Passage], fresh: bool) -> Encoder:
    """The folder's encoder; made now when there is none, or when all begins anew."""
    known = _held(place)[0] if (place / HELD).is_file() else None
    if known and not fresh:
        if wanted not in (None, known):
            raise UsageError.of("encoder", wanted, f"{known}, which the folder is indexed with", "Add --fresh.")
        return _stored(place)
    name = wanted or known or "lsa"
    lsa = Lsa.fit([p.text for p in found], _dims(len(found))) if name == "lsa" else None
    made: Encoder = lsa or named(name)
    if place.is_dir():  # only now: an encoder that can't be had costs nobody an index
        shutil.rmtree(place)
    place.mkdir()
    if lsa:
        lsa.save(place / "lsa.npz")
    (place / HELD).write_text(json.dumps({"encoder": name, "vectors": made.name}))
    return made


def _dims(count: int) -> int:
    """Width for so many passages: few can't teach many directions."""
    return min(128, max(2, count // 4))


def _held(place: Path) -> tuple[str, str]:
    """Of an indexed folder: the encoder as it was asked for, and the encoder's own name, which holds its version."""
    kept = json.loads((place / HELD).read_text())
    return str(kept["encoder"]), str(kept.get("vectors", ""))


def _stored(place: Path) -> Encoder:
    """The encoder of an indexed folder.

    Raises:
        DataError: it is not what the folder was indexed with any more.
    """
    name, vectors = _held(place)
    made: Encoder = Lsa.load(place / "lsa.npz") if name == "lsa" else named(name)
    if vectors and made.name != vectors:
        mend = f"Bring it back, or index anew: hwsim index {place.parent} --fresh --encoder {name}"
        raise DataError.of(f"encoder {name}", made.name, f"{vectors}, which the folder was indexed with", mend)
    return made
