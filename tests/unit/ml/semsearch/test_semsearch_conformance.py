"""One suite for every engine: what a search engine of this project must do, with the oracle's scores beside it."""

from __future__ import annotations

import numpy as np
import pytest

from hwsim.ir.errors import DataError, HwsimError, ShapeError, UsageError
from ml.semsearch import requests
from ml.semsearch.bm25 import bm25_scores
from ml.semsearch.documents import Document
from ml.semsearch.engines import BulkError, ExactEngine

DIMS, INDEX = 16, "hwsim-conformance"
WORDS = ["wing", "flow", "heat", "plate", "shock", "jet"]


def documents(n: int = 60, seed: int = 0) -> list[Document]:
    rng = np.random.default_rng(seed)
    return [
        Document(
            f"d{i}", " ".join(rng.choice(WORDS, rng.integers(3, 12))), rng.standard_normal(DIMS).astype(np.float32),
            {"source": f"s{i % 3}"},
        )
        for i in range(n)
    ]  # fmt: skip


@pytest.fixture
def filled(engine):
    engine.drop(INDEX)
    engine.create(INDEX, requests.mapping(DIMS))
    engine.bulk(INDEX, documents(), batch=25)
    yield engine
    engine.drop(INDEX)


def pairs(hits):
    return [(hit.id, pytest.approx(hit.score, rel=2e-5)) for hit in hits]


def oracle():
    one = ExactEngine()
    one.create(INDEX, requests.mapping(DIMS))
    one.bulk(INDEX, documents())
    return one


QUERY = np.linspace(-1, 1, DIMS)


def test_counts_and_widths(filled):
    stats = filled.stats(INDEX)
    assert (stats.documents, stats.dims, stats.similarity) == (60, DIMS, "cosine")


def test_neighbours_have_elasticsearchs_scores(filled):
    hits = filled.knn(INDEX, QUERY, 5, num_candidates=60)
    vectors = {d.id: d.vector for d in documents()}
    cosines = {i: float(v @ QUERY / np.linalg.norm(v) / np.linalg.norm(QUERY)) for i, v in vectors.items()}
    best = sorted(cosines, key=cosines.__getitem__, reverse=True)[:5]
    assert pairs(hits) == [(i, (1 + cosines[i]) / 2) for i in best]
    assert [h.text for h in hits] == [d.text for i in best for d in documents() if d.id == i]
    assert hits[0].fields["source"] in {"s0", "s1", "s2"}


def test_words_have_lucenes_scores(filled):
    hits = filled.match(INDEX, "heated plates", 60)
    scores = bm25_scores([d.text for d in documents()], ["heated plates"])[0]
    want = {f"d{i}": s for i, s in enumerate(scores) if s > 0}
    assert {h.id for h in hits} == set(want)
    assert [h.score for h in hits] == pytest.approx(sorted(want.values(), reverse=True), rel=2e-5)
    assert filled.match(INDEX, "nothing like it") == []


@pytest.mark.parametrize(
    "body",
    [
        requests.knn_body(QUERY, 7, num_candidates=60, where={"source": "s1"}),
        requests.knn_body(QUERY, 7, num_candidates=60, where={"source": ["s0", "s2"]}),
        requests.knn_body(QUERY, 30, num_candidates=60, similarity=0.2),
        requests.match_body("wing flow", 8, {"source": "s2"}),
        requests.exact_body(QUERY, 6),
        requests.exact_body(QUERY, 6, {"source": "s0"}),
        requests.summed_body("shock", QUERY, 8, (2.0, 0.5)),
        requests.rrf_body("jet", QUERY, 10, window=20),
        requests.linear_body("jet", QUERY, 0.6, 10, window=20),
        requests.linear_body("jet", QUERY, 0.3, 10, window=20, normalizer="minmax"),
    ],
    ids=["filter", "filter of two", "least", "words filtered", "script", "script filtered", "sum", "rrf", "linear",
         "minmax"],
)  # fmt: skip
def test_every_request_body_gives_the_oracles_answer(filled, body):
    want = oracle().search(INDEX, body)
    got = filled.search(INDEX, body)
    assert want
    assert [h.score for h in got] == pytest.approx([h.score for h in want], rel=5e-5)
    same = {h.id for h in want[:-1] if h.score > want[-1].score * 1.0001}  # ties at the end may fall either way
    assert same <= {h.id for h in got}


def test_indexing_again_replaces(filled):
    changed = Document("d3", "an entirely new text", np.ones(DIMS), {"source": "s9"})
    filled.bulk(INDEX, [changed, *documents(5, seed=1)[4:]])
    assert filled.stats(INDEX).documents == 60
    assert [h.id for h in filled.match(INDEX, "entirely new")] == ["d3"]
    (hit,) = filled.knn(INDEX, np.ones(DIMS), 1, num_candidates=60)
    assert (hit.id, hit.fields["source"], hit.score) == ("d3", "s9", pytest.approx(1.0, abs=1e-6))


def test_missing_and_removed(filled):
    assert filled.missing(INDEX, ["d1", "x", "d2", "y"]) == ["x", "y"]
    assert filled.remove(INDEX, ["d1", "x", "d1"]) == 1
    assert filled.missing(INDEX, ["d1", "d2"]) == ["d1"]
    assert "d1" not in {h.id for h in filled.knn(INDEX, documents()[1].vector, 50, num_candidates=60)}
    assert filled.stats(INDEX).documents == 59


def test_refused_documents_do_not_stop_the_others(filled):
    bad = [
        Document("zero", "text", np.zeros(DIMS)), Document("empty", " \n", np.ones(DIMS)),
        Document("nan", "text", np.full(DIMS, np.nan)), Document("good", "a good one", np.ones(DIMS)),
    ]  # fmt: skip
    want = (
        r"3 of 4 documents were refused: got zero: a zero vector has no cosine; empty: no text; .*other 1 are indexed"
    )
    with pytest.raises(BulkError, match=want) as caught:
        filled.bulk(INDEX, bad)
    assert [name for name, _ in caught.value.report.failed] == ["zero", "empty", "nan"]
    assert filled.missing(INDEX, ["zero", "empty", "nan", "good"]) == ["zero", "empty", "nan"]
    assert filled.stats(INDEX).documents == 61


def test_another_width_is_an_error_and_loses_nothing(filled):
    with pytest.raises(ShapeError, match=r"vector: got \[3\] in document 'short', expected \[16\]"):
        filled.bulk(INDEX, [Document("short", "text", np.ones(3))])
    assert filled.stats(INDEX).documents == 60
    with pytest.raises(UsageError, match=r"exists with another mapping: got dims 8"):
        filled.create(INDEX, requests.mapping(8))
    filled.create(INDEX, requests.mapping(DIMS))  # the same again changes nothing
    assert filled.stats(INDEX).documents == 60


def test_wrong_queries_are_named(filled):
    with pytest.raises(UsageError, match=r"knn: got k 20, num_candidates 10, expected 1 ≤ k ≤ num_candidates ≤ 10000"):
        filled.knn(INDEX, QUERY, 20, num_candidates=10)
    with pytest.raises(HwsimError, match=r"zeros|zero"):
        filled.knn(INDEX, np.zeros(DIMS), 3)
    with pytest.raises(HwsimError, match=r"\[4\]"):
        filled.knn(INDEX, np.ones(4), 3)
    with pytest.raises(HwsimError, match=r"unknown key"):
        filled.search(INDEX, {"knn": {**requests.knn_clause(QUERY), "ef": 7}})
    with pytest.raises(DataError, match=r"index: got 'no-such-index', which does not exist"):
        filled.knn("no-such-index", QUERY)


@pytest.mark.parametrize("similarity", ["l2_norm", "max_inner_product", "dot_product"])
def test_other_similarities(engine, similarity):
    engine.drop(INDEX)
    engine.create(INDEX, requests.mapping(DIMS, similarity))
    unit = [Document(d.id, d.text, d.vector / np.linalg.norm(d.vector), d.fields) for d in documents(30)]
    engine.bulk(INDEX, unit)
    q = QUERY / np.linalg.norm(QUERY)
    dots = np.array([d.vector @ q for d in unit])
    want = {
        "l2_norm": 1 / (1 + (2 - 2 * dots)), "dot_product": (1 + dots) / 2,
        "max_inner_product": np.where(dots < 0, 1 / (1 - dots), dots + 1),
    }[similarity]  # fmt: skip
    hits = engine.knn(INDEX, q, 30, num_candidates=60)
    assert [h.score for h in hits] == pytest.approx(sorted(want, reverse=True), rel=1e-5)
    engine.drop(INDEX)


def test_lucene_and_hnsw_keep_their_folder(engine, tmp_path):
    if engine.name not in ("hnsw", "lucene"):
        pytest.skip("an engine with a folder")
    engine.create(INDEX, requests.mapping(DIMS))
    engine.bulk(INDEX, documents())
    engine.remove(INDEX, ["d7"])
    want = engine.knn(INDEX, QUERY, 5, num_candidates=60)
    if engine.name == "lucene":
        engine._open.pop(INDEX).close()  # a directory has one writer
    again = type(engine)(tmp_path)
    assert again.stats(INDEX).documents == 59
    assert pairs(again.knn(INDEX, QUERY, 5, num_candidates=60)) == [(h.id, h.score) for h in want]
    again.drop(INDEX)
