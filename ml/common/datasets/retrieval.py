"""Retrieval corpora: documents, queries and judged relevance, when `$HWSIM_DATA/retrieval` has them.

Cranfield and CISI are SMART text: fields begin with ``.I .T .A .B .W .X`` at the start of a line. Cranfield's
queries are numbered by their order in the file, not by their ``.I``; its grades 1 (complete answer) … 4 (minimum
interest) become the gains 5 − grade, anything else is not relevant. NFCorpus is tab-separated, lower case, without
stop words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hwsim.ir.errors import DataError

from .dataset import Progress, Source
from .store import Found, RemoteFile, check_sha256, find

Gains = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, eq=False)
class Corpus:
    """Documents to search and queries whose answers are known.

    Attributes:
        name: what it is.   variant: which form of it, for reports.   source, location: where it was found.
        doc_ids, texts: one an document, in file order; texts are not empty.
        query_ids, queries: judged queries only.
        gains: query id → document id → gain above 0; what is missing has gain 0.
        licence, citation: of the data.   sha256s: file name → SHA-256 that was checked.
    """

    name: str
    variant: str
    source: Source
    location: str
    doc_ids: tuple[str, ...]
    texts: tuple[str, ...]
    query_ids: tuple[str, ...]
    queries: tuple[str, ...]
    gains: Gains
    licence: str
    citation: str
    sha256s: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = set(self.doc_ids)
        if len(self.texts) != len(self.doc_ids) or len(known) != len(self.doc_ids):
            got = f"{len(self.doc_ids)} ids, {len(known)} of them different, {len(self.texts)} texts"
            raise DataError.of(f"documents of {self.name}", got, "one id a text", "Mend the loader.")
        if set(self.query_ids) != set(self.gains) or len(self.queries) != len(self.query_ids):
            got = f"{len(self.queries)} queries, {len(self.gains)} judged"
            raise DataError.of(f"queries of {self.name}", got, "judged queries only", "Mend the loader.")
        lost = {doc for judged in self.gains.values() for doc in judged} - known
        if lost:
            raise DataError.of(f"judged documents of {self.name}", sorted(lost)[:3], "known ids", "Mend the loader.")


CRANFIELD = {
    "cran.all.1400": "b234544b6ceccd131520df4a3cb6d42aee6576eb577933d047e722bbfe7b0b09",
    "cran.qry": "dd9b1419f678874daf66d5239ca372193722d74f5ea749f3b0f46a6b37cd9274",
    "cranqrel": "92e54b58dac0b980152178f350d892fae66c8a239b8a11715b835fb8d2f6bc0e",
}
CISI = {
    "CISI.ALL": "c13934ad921234b571e7b424af3461fe39dccb16757cb21954b3aea5250d072e",
    "CISI.QRY": "b72de0e0cb8aa5c93ac988e5be0400cc18949d0a94913a248783a37dd97d5470",
    "CISI.REL": "f7396c92586c61953ccb7ae99ad8d3ac749ac3b989041fc93a9e311568f58997",
}
NFCORPUS = {
    "test.docs": "9d779d34db160e63a92a6b753ac79bcbc80d0f04dd01bdde71f38e98d6ad1f16",
    "test.titles.queries": "be3c7287d8784ab6f24e215693cdb0716468ff090252147415abe26a056a2648",
    "test.2-1-0.qrel": "854da1b7a95e32383e508a89bf62848dd12b7aed28d2e35796e0190dfb97c3ae",
}


def load_cranfield(root: str | Path | None = None, progress: Progress | None = None) -> Corpus:
    """1398 abstracts on aerodynamics (two of the 1400 are empty) and 225 queries.

    Raises:
        UnreachableError: no copy here; it can't be downloaded.   DataError: a file is damaged.
    """
    found, digests = _files("cranfield", CRANFIELD, root, progress)
    docs = {record["I"]: record.get("W", "") for record in _smart(found.folder / "cran.all.1400")}
    queries = {str(i + 1): record["W"] for i, record in enumerate(_smart(found.folder / "cran.qry"))}
    gains: dict[str, dict[str, float]] = {}
    for line in _lines(found.folder / "cranqrel"):
        query, doc, grade = line.split()
        if 1 <= int(grade) <= 4 and docs.get(doc):
            gains.setdefault(query, {})[doc] = 5.0 - int(grade)
    return _corpus(
        "cranfield", "Cranfield 1400", found, docs, queries, gains, digests, "free for research",
        "C. Cleverdon, The Cranfield tests on index language devices, 1967",
    )  # fmt: skip


def load_cisi(root: str | Path | None = None, progress: Progress | None = None) -> Corpus:
    """1460 abstracts of library science and 76 judged queries of 112; gains 1.

    Raises:
        UnreachableError: no copy here; it can't be downloaded.   DataError: a file is damaged.
    """
    found, digests = _files("cisi", CISI, root, progress)
    docs = {r["I"]: f"{r.get('T', '')} {r.get('W', '')}".strip() for r in _smart(found.folder / "CISI.ALL")}
    queries = {record["I"]: record["W"] for record in _smart(found.folder / "CISI.QRY")}
    gains: dict[str, dict[str, float]] = {}
    for line in _lines(found.folder / "CISI.REL"):
        query, doc = line.split()[:2]
        gains.setdefault(query, {})[doc] = 1.0
    return _corpus(
        "cisi", "CISI", found, docs, queries, gains, digests, "free for research",
        "E. Fox, Characterization of two new experimental collections, 1983",
    )  # fmt: skip


def load_nfcorpus(root: str | Path | None = None, progress: Progress | None = None) -> Corpus:
    """3162 medical abstracts without stop words and the 325 titles of the test part; gains 2 and 1.

    Raises:
        UnreachableError: no copy here; it can't be downloaded.   DataError: a file is damaged.
    """
    found, digests = _files("nfcorpus", NFCORPUS, root, progress)
    docs = dict(line.split("\t", 1) for line in _lines(found.folder / "test.docs"))
    queries = dict(line.split("\t", 1) for line in _lines(found.folder / "test.titles.queries"))
    gains: dict[str, dict[str, float]] = {}
    for line in _lines(found.folder / "test.2-1-0.qrel"):
        query, _, doc, gain = line.split()
        if int(gain) > 0 and doc in docs and query in queries:
            gains.setdefault(query, {})[doc] = float(gain)
    return _corpus(
        "nfcorpus", "NFCorpus, test part, titles, levels 2-1-0, without stop words", found, docs, queries, gains,
        digests, "academic use", "V. Boteva et al., A full-text learning to rank dataset for medical IR, ECIR 2016",
    )  # fmt: skip


def _files(
    name: str, files: Mapping[str, str], root: str | Path | None, progress: Progress | None
) -> tuple[Found, dict[str, str]]:
    """The folder that holds `files`, and their checked SHA-256."""
    remote = tuple(RemoteFile(file, sha256=digest) for file, digest in files.items())
    found = find(
        name, remote, subfolder=f"retrieval/{name}", root=root, progress=progress,
        how_to_get=f"It can't be downloaded: put {', '.join(files)} into $HWSIM_DATA/retrieval/{name}.",
    )  # fmt: skip
    return found, {file.name: check_sha256(found.path(file), str(file.sha256)) for file in remote}


def _corpus(
    name: str,
    variant: str,
    found: Found,
    docs: Mapping[str, str],
    queries: Mapping[str, str],
    gains: Gains,
    digests: Mapping[str, str],
    licence: str,
    citation: str,
) -> Corpus:
    kept = {doc: text for doc, text in docs.items() if text.strip()}
    judged = {query: text for query, text in queries.items() if query in gains}
    return Corpus(
        name, variant, found.source, str(found.folder), tuple(kept), tuple(kept.values()), tuple(judged),
        tuple(judged.values()), {query: gains[query] for query in judged}, licence, citation, digests,
    )  # fmt: skip


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]


def _smart(path: Path) -> list[dict[str, str]]:
    """Records of a SMART file: field letter → text on one line; a repeated field is joined."""
    records: list[dict[str, str]] = []
    letter = ""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if head := re.match(r"\.([A-Z])(?: +(\S+))? *$", line):
            letter = head[1]
            if letter == "I":
                records.append({"I": head[2].lstrip("0")})
        elif records and letter != "I":
            records[-1][letter] = f"{records[-1].get(letter, '')} {line.strip()}".strip()
    return records
