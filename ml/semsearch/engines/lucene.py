"""`LuceneEngine`: the library inside Elasticsearch, in this process (extra ``[lucene]``).

Lucene's own HNSW graphs, BM25, analysers and scores run in a Java machine that the package `arcadedb-embedded` brings
(JRE and jars), reached through jpype. Request bodies are interpreted by `ml.semsearch.engines.answer`; what they ask
for is computed by Lucene.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from hwsim.ir.errors import ShapeError, ToolMissingError, UsageError
from ml.semsearch.documents import Body, BulkReport, Document, Hit, Stats
from ml.semsearch.engines.answer import Primitives, Scores, answer
from ml.semsearch.engines.protocol import SearchEngine, no_index
from ml.semsearch.engines.store import same_mapping
from ml.semsearch.requests import TEXT, VECTOR
from ml.semsearch.scores import score

M, EF_CONSTRUCTION = 16, 100  # of Lucene's default vector format, the only one reached from here
SIMILARITY = {
    "cosine": "COSINE", "dot_product": "DOT_PRODUCT", "l2_norm": "EUCLIDEAN",
    "max_inner_product": "MAXIMUM_INNER_PRODUCT",
}  # fmt: skip


def available() -> bool:
    """Whether the extra is installed."""
    return all(importlib.util.find_spec(name) for name in ("jpype", "arcadedb_embedded"))


@cache
def _java() -> Any:
    """The package ``org.apache.lucene`` of a running Java machine.

    Raises:
        ToolMissingError: the extra is not installed.
    """
    if not available():
        mend = "Install it with: pip install 'hwsim[lucene]'."
        raise ToolMissingError.of("Lucene", "no packages jpype1 and arcadedb-embedded", "both", mend)
    import jpype

    found = importlib.util.find_spec("arcadedb_embedded")
    assert found is not None
    assert found.origin is not None
    folder = Path(found.origin).parent
    if not jpype.isJVMStarted():
        jars = [str(path) for path in (folder / "jars").glob("lucene-*.jar")]
        machine = next(folder.glob("jre/**/libjvm.*"), None) or next(folder.glob("jre/**/jvm.dll"), None)
        options = ["--add-modules=jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED", "-Xrs", "-Xmx2g"]
        jpype.startJVM(str(machine) if machine else None, *options, classpath=jars)
    jpype.JPackage("java").util.logging.Logger.getLogger("").setLevel(jpype.JPackage("java").util.logging.Level.WARNING)
    return jpype.JPackage("org").apache.lucene


class LuceneEngine(SearchEngine):
    """Lucene indexes, in memory or in a folder.

    Args:
        folder: an index is kept in ``folder/<name>``; None = in memory.

    Raises:
        ToolMissingError: the extra is not installed.
    """

    name = "lucene"

    def __init__(self, folder: str | Path | None = None) -> None:
        _java()
        self.folder = Path(folder) if folder is not None else None
        self._open: dict[str, LuceneIndex] = {}

    def create(self, index: str, body: Body) -> None:
        """As `SearchEngine.create`."""
        place = self.folder / index if self.folder else None
        if index in self._open or (place and (place / "mapping.json").is_file()):
            held = self._index(index).body
            if not same_mapping(held, body):
                was, now = (b["mappings"]["properties"][VECTOR].get("dims") for b in (held, body))
                got = f"dims {now}" if was != now else "other options"
                mend = "Drop the index, or use the encoder it was made with."
                raise UsageError.of(f"index {index!r} exists with another mapping", got, f"dims {was}, as it is", mend)
            return
        options = body["mappings"]["properties"][VECTOR]["index_options"]
        if (options["type"], options.get("m"), options.get("ef_construction")) != ("hnsw", M, EF_CONSTRUCTION):
            want = f"hnsw with m {M} and ef_construction {EF_CONSTRUCTION}"
            raise UsageError.of("index_options of Lucene", options, want, "Use these, or another engine.")
        self._open[index] = LuceneIndex(body, place)
        if place:
            (place / "mapping.json").write_text(json.dumps(body))

    def drop(self, index: str) -> None:
        """As `SearchEngine.drop`."""
        held = self._open.pop(index, None)
        if held:
            held.close()
        place = self.folder / index if self.folder else None
        if place and place.is_dir():
            for path in place.iterdir():
                path.unlink()
            place.rmdir()

    def write(self, index: str, documents: Sequence[Document]) -> BulkReport:
        """As `SearchEngine.write`."""
        return self._index(index).write(documents)

    def remove(self, index: str, ids: Sequence[str]) -> int:
        """As `SearchEngine.remove`."""
        return self._index(index).remove(ids)

    def missing(self, index: str, ids: Sequence[str]) -> list[str]:
        """As `SearchEngine.missing`."""
        return self._index(index).missing(ids)

    def search(self, index: str, body: Body) -> list[Hit]:
        """As `SearchEngine.search`."""
        return self._index(index).search(body)

    def stats(self, index: str) -> Stats:
        """As `SearchEngine.stats`."""
        held = self._index(index)
        return Stats(self.name, held.count(), held.dims, held.similarity)

    def _index(self, index: str) -> LuceneIndex:
        if index not in self._open:
            place = self.folder / index if self.folder else None
            if place is None or not (place / "mapping.json").is_file():
                raise no_index(index, self._open)
            self._open[index] = LuceneIndex(json.loads((place / "mapping.json").read_text()), place)
        return self._open[index]


class LuceneIndex:
    """One Lucene directory with its writer; every batch is committed."""

    def __init__(self, body: Body, place: Path | None) -> None:
        import jpype

        self._lucene, self._jpype = _java(), jpype
        properties = body["mappings"]["properties"]
        self.body, self.dims = body, int(properties[VECTOR]["dims"])
        self.similarity = str(properties[VECTOR]["similarity"])
        self._keywords = {name for name, field in properties.items() if field["type"] == "keyword"}
        english = properties[TEXT].get("analyzer") == "english"
        self._analyzer = (
            self._lucene.analysis.en.EnglishAnalyzer() if english else self._lucene.analysis.standard.StandardAnalyzer()
        )
        store = self._lucene.store
        if place:
            place.mkdir(parents=True, exist_ok=True)
            self._directory = store.FSDirectory.open(jpype.JPackage("java").nio.file.Paths.get(str(place)))
        else:
            self._directory = store.ByteBuffersDirectory()
        index = self._lucene.index
        self._writer = index.IndexWriter(self._directory, index.IndexWriterConfig(self._analyzer))
        self._writer.commit()
        self._reader = index.DirectoryReader.open(self._writer)
        self._searcher = self._lucene.search.IndexSearcher(self._reader)

    def write(self, documents: Sequence[Document]) -> BulkReport:
        """As `SearchEngine.write`."""
        for document in documents:
            if np.shape(document.vector) != (self.dims,):
                got = f"{list(np.shape(document.vector))} in document {document.id!r}"
                raise ShapeError.of("vector", got, f"[{self.dims}], the mapping's dims", "Use the index's encoder.")
            if stray := sorted(set(document.fields) - self._keywords):
                got = f"{stray} in document {document.id!r}"
                raise UsageError.of("fields", got, f"some of {sorted(self._keywords)}", "Add them to the mapping.")
        for document in documents:
            self._writer.updateDocument(self._lucene.index.Term("_id", document.id), self._document(document))
        self._commit()
        return BulkReport(len(documents))

    def _document(self, document: Document) -> Any:
        lucene, made = self._lucene.document, self._lucene.document.Document()
        function = getattr(self._lucene.index.VectorSimilarityFunction, SIMILARITY[self.similarity])
        made.add(lucene.StringField("_id", document.id, lucene.Field.Store.YES))
        made.add(lucene.TextField(TEXT, document.text, lucene.Field.Store.YES))
        made.add(lucene.KnnFloatVectorField(VECTOR, self._floats(document.vector), function))
        for name, value in document.fields.items():
            made.add(lucene.StringField(name, value, lucene.Field.Store.YES))
        return made

    def _floats(self, vector: np.ndarray) -> Any:
        row = np.asarray(vector, np.float32)
        return self._jpype.JArray(self._jpype.JFloat)(np.ascontiguousarray(row))

    def _commit(self) -> None:
        self._writer.commit()
        newer = self._lucene.index.DirectoryReader.openIfChanged(self._reader)
        if newer is not None:
            self._reader.close()
            self._reader = newer
            self._searcher = self._lucene.search.IndexSearcher(newer)

    def remove(self, ids: Sequence[str]) -> int:
        """As `SearchEngine.remove`."""
        before = self.count()
        for name in dict.fromkeys(ids):
            self._writer.deleteDocuments([self._lucene.index.Term("_id", name)])
        self._commit()
        return before - self.count()

    def missing(self, ids: Sequence[str]) -> list[str]:
        """As `SearchEngine.missing`."""
        term, query = self._lucene.index.Term, self._lucene.search.TermQuery
        return [name for name in ids if not self._searcher.count(query(term("_id", name)))]

    def count(self) -> int:
        """Live documents."""
        return int(self._reader.numDocs())

    def close(self) -> None:
        """Give the directory back."""
        self._reader.close()
        self._writer.close()

    def search(self, body: Body) -> list[Hit]:
        """As `SearchEngine.search`."""
        scores = answer(body, Primitives(self.dims, self.similarity, self._nearest, self._matching, self._cosines))
        return [self._hit(name, value) for name, value in scores.items()]

    def _hit(self, name: str, value: float) -> Hit:
        query = self._lucene.search.TermQuery(self._lucene.index.Term("_id", name))
        stored = self._searcher.storedFields().document(self._searcher.search(query, 1).scoreDocs[0].doc)
        fields = {field: str(stored.get(field)) for field in sorted(self._keywords) if stored.get(field) is not None}
        return Hit(name, value, str(stored.get(TEXT)), fields)

    def _nearest(self, vector: np.ndarray, k: int, ef: int, only: Body | None, least: float | None) -> Scores:
        query = self._lucene.search.KnnFloatVectorQuery(VECTOR, self._floats(vector), ef, self._filter(only))
        found = dict(list(self._run(query, k)))
        if least is not None:
            far = self.similarity == "l2_norm"
            bar = float(score(self.similarity, np.array(least**2 if far else least)))
            found = {name: value for name, value in found.items() if value >= bar - 1e-7}
        return found

    def _matching(self, text: str, only: Body | None, size: int) -> Scores:
        query = self._lucene.util.QueryBuilder(self._analyzer).createBooleanQuery(TEXT, text)
        if query is None:
            return {}
        if only is not None:
            search = self._lucene.search
            occur = search.BooleanClause.Occur
            query = search.BooleanQuery.Builder().add(query, occur.MUST).add(self._filter(only), occur.FILTER).build()
        return dict(self._run(query, size))

    def _cosines(self, vector: np.ndarray, only: Body | None) -> Scores:
        if self.similarity not in ("cosine", "dot_product"):
            got = f"similarity {self.similarity}"
            raise UsageError.of("script cosineSimilarity", got, "cosine or dot_product", "Use knn on this index.")
        everything = self._filter(only) or self._lucene.search.MatchAllDocsQuery()
        names = [name for name, _ in self._run(everything, max(self.count(), 1))]
        exact = self._lucene.search.KnnFloatVectorQuery(
            VECTOR, self._floats(vector), max(self.count(), 1), self._filter(only)
        )  # as many neighbours as documents: Lucene then compares with every one
        found = dict(self._run(exact, max(self.count(), 1)))
        return {name: 2 * found[name] - 1 for name in names}

    def _run(self, query: Any, size: int) -> Iterator[tuple[str, float]]:
        """(id, score) of the best documents of a Lucene query."""
        stored = self._searcher.storedFields()
        for hit in self._searcher.search(query, size).scoreDocs:
            yield str(stored.document(hit.doc).get("_id")), float(hit.score)

    def _filter(self, only: Body | None) -> Any:
        """A Lucene query of a filter of `ml.semsearch.engines.filters`, or None."""
        if only is None or "match_all" in only:
            return None
        search, term = self._lucene.search, self._lucene.index.Term
        made, occur = search.BooleanQuery.Builder(), search.BooleanClause.Occur
        parts = only["bool"]["filter"] if "bool" in only else [only]
        for part in parts:
            ((kind, inner),) = part.items()
            ((field, wanted),) = inner.items()
            any_of = search.BooleanQuery.Builder()
            for value in [wanted] if kind == "term" else wanted:
                any_of.add(search.TermQuery(term(field, value)), occur.SHOULD)
            made.add(any_of.build(), occur.FILTER)
        return made.build()
