"""Encoders, quantised vectors, evaluation, ingest and storage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.encodingnet.encodings import exact
from hwsim.ir.errors import DataError, ShapeError, ToolMissingError, UsageError
from ml.common.datasets.topics import load_topics
from ml.semsearch import requests
from ml.semsearch.documents import Document
from ml.semsearch.encoders import Encoder, InjectedEncoder, Lsa
from ml.semsearch.encoders.cache import encode_cached
from ml.semsearch.encoders.transformer import SentenceTransformerEncoder
from ml.semsearch.engines import ExactEngine, HnswEngine
from ml.semsearch.engines.store import SegmentStore
from ml.semsearch.evaluate import (
    bootstrap_gain,
    chosen_by_folds,
    linear_fusion,
    ndcg,
    rank_fusion,
    ranked,
    recall,
    relevant_recall,
)  # fmt: skip
from ml.semsearch.export import to_ir
from ml.semsearch.ingest import ingest, passages
from ml.semsearch.quantise import BitCode, Int8, hamming, packed, rescored
from ml.semsearch.sentiment import SentimentSearch


def hashed(dims: int = 8) -> InjectedEncoder:
    def vector(text: str) -> np.ndarray:
        return np.random.default_rng(sum(text.encode())).standard_normal(dims)

    return InjectedEncoder("hashed", dims, lambda texts: [vector(t) for t in texts], batch=3)


def test_injected_encoders_are_encoders_and_checked():
    steps = []
    made = hashed().encode([f"t{i}" for i in range(7)], lambda *step: steps.append(step))
    assert np.linalg.norm(made, axis=1) == pytest.approx(1)
    assert steps == [(3, 7, "hashed"), (6, 7, "hashed"), (7, 7, "hashed")]
    assert isinstance(hashed(), Encoder)
    with pytest.raises(ShapeError, match=r"vectors of wide has the wrong shape: got \[1, 3\]"):
        InjectedEncoder("wide", 2, lambda texts: np.ones((1, 3))).encode(["x"])
    with pytest.raises(ShapeError, match=r"vectors of nan: got NaN"):
        InjectedEncoder("nan", 2, lambda texts: np.full((1, 2), np.nan)).encode(["x"])


def test_lsa_finds_synonyms_and_keeps_its_numbers(tmp_path):
    texts = ["car road wheel"] * 5 + ["auto road wheel"] * 5 + ["apple tree leaf"] * 5 + ["pear tree leaf"] * 5
    encoder = Lsa.fit(texts, dims=2)
    car, auto, pear = encoder.encode(["car", "auto", "pear"])
    assert car @ auto > 0.95
    assert abs(car @ pear) < 0.1
    assert not encoder.encode(["zebra"]).any()
    encoder.save(tmp_path / "lsa.npz")
    again = Lsa.load(tmp_path / "lsa.npz")
    assert again.name == encoder.name
    assert np.array_equal(again.encode(texts), encoder.encode(texts))
    with pytest.raises(UsageError, match=r"documents to learn from: got no word"):
        Lsa.fit(["the", "of"])
    (tmp_path / "bad.npz").write_bytes(b"no")
    with pytest.raises(DataError, match=r"expected a file of Lsa.save"):
        Lsa.load(tmp_path / "bad.npz")


def test_the_transformer_names_its_extra(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ToolMissingError, match=r"pip install 'hwsim\[search\]'"):
        SentenceTransformerEncoder()


def test_a_transformer_that_is_nowhere(tmp_path, monkeypatch):
    pytest.importorskip("sentence_transformers", reason="extra [search] is not installed")
    monkeypatch.setattr("ml.semsearch.encoders.transformer._unreachable", lambda: "no route")
    with pytest.raises(UsageError, match=r"'no-such-model': got no copy .* can't be reached \(no route\), expected"):
        SentenceTransformerEncoder("no-such-model")
    with pytest.raises(UsageError, match=r"expected the files of a model. Name a folder that"):
        SentenceTransformerEncoder(str(tmp_path))


def test_vectors_are_cached_by_encoder_and_text(tmp_path, monkeypatch):
    monkeypatch.setenv("HWSIM_CACHE", str(tmp_path))
    calls = []

    def count(texts):
        calls.append(len(texts))
        return np.ones((len(texts), 2))

    first = encode_cached(InjectedEncoder("a", 2, count), ["x", "y"])
    assert np.array_equal(encode_cached(InjectedEncoder("a", 2, count), ["x", "y"]), first)
    assert calls == [2]
    encode_cached(InjectedEncoder("b", 2, count), ["x", "y"])
    encode_cached(InjectedEncoder("a", 2, count), ["x", "z"])
    assert calls == [2, 2, 2]
    for path in (tmp_path / "data" / "embeddings").iterdir():
        path.write_bytes(b"damaged")
    assert np.array_equal(encode_cached(InjectedEncoder("a", 2, count), ["x", "y"]), first)


def test_keywords_fail_on_topics_where_vectors_do_not():
    corpus = load_topics()
    held = [set(text.split()) for text in corpus.texts]
    spoken = [
        np.mean([bool(held[int(doc[1:])] & set(query.split())) for doc in corpus.gains[name]])
        for name, query in zip(corpus.query_ids, corpus.queries, strict=True)
    ]
    assert np.mean(spoken) < 0.5  # of the relevant documents, how many hold a word of the query
    assert len(set(corpus.texts)) == len(corpus.texts)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 12), st.integers(2, 20), st.integers(0, 99))
def test_int8_scores_are_the_networks(documents, dims, seed):
    rng = np.random.default_rng(seed)
    vectors, queries = rng.standard_normal((documents, dims)), rng.standard_normal((3, dims))
    index = Int8.of(vectors)
    assert np.abs(index.codes * index.scales[:, None] - vectors).max() <= index.scales.max() / 2 + 1e-12
    network = to_ir(index, exact(8, 8))
    got = network.reference(index.query(queries)) * network.output_scale
    assert got == pytest.approx(index.scores(queries), abs=index.scales.max() * 0.51 + 1e-3)


def test_wrong_vectors_for_int8():
    with pytest.raises(UsageError, match=r"vectors: got zeros in row 1"):
        Int8.of(np.array([[1.0], [0.0]]))
    with pytest.raises(ShapeError, match="NaN or infinity"):
        Int8.of(np.array([[np.inf]]))


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 200), st.integers(0, 99))
def test_hamming_distances_of_packed_bits(width, seed):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 2, (4, width)), rng.integers(0, 2, (5, width))
    assert hamming(packed(a), packed(b)).tolist() == [[int((x != y).sum()) for y in b] for x in a]


def test_bits_keep_angles():
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((400, 24))
    code = BitCode.of(vectors, bits=384)
    found = code(vectors)
    assert found.shape == (400, 384)
    assert np.abs(found.mean(axis=0) - 0.5).max() < 0.12  # 400 documents: 4.8 sigma
    angle = np.arccos(
        np.clip(vectors[0] @ vectors[1:].T / np.linalg.norm(vectors[0]) / np.linalg.norm(vectors[1:], axis=1), -1, 1)
    )
    distance = (found[0] != found[1:]).mean(axis=1)
    assert np.corrcoef(angle, distance)[0, 1] > 0.9  # P(bit differs) = angle / π (Goemans and Williamson 1995)


def test_rescoring_keeps_the_window():
    out = rescored(np.array([[3.0, 2.0, 1.0]]), np.array([[10, 30, 20]]), 2)
    assert out.tolist() == [[10, 30, -np.inf]]


def test_ndcg_by_hand():
    gains = np.array([[3.0, 0, 2.0, 1.0]])
    found = np.array([[2, 1, 0, -1]])
    want = (2 + 3 / 2) / (3 + 2 / np.log2(3) + 1 / 2)
    assert ndcg(found, gains, 4) == pytest.approx([want])
    assert relevant_recall(found, gains) == pytest.approx([2 / 3])
    assert ranked(np.array([[1.0, 3.0, 3.0, -np.inf]]), 4).tolist() == [[1, 2, 0, -1]]
    assert recall(np.array([[1, 2]]), np.array([[2, 3]])) == 0.5
    with pytest.raises(UsageError, match="a query without a relevant document"):
        ndcg(found, np.zeros((1, 4)))


@pytest.mark.parametrize("normalizer", ["l2_norm", "minmax"])
def test_fusion_is_the_engines(normalizer):
    """Matrices of scores fuse as the request bodies do."""
    rng = np.random.default_rng(3)
    words = ["wing", "flow", "heat"]
    texts = [" ".join(rng.choice(words, rng.integers(2, 9))) for _ in range(30)]
    vectors, q = rng.standard_normal((30, 6)), rng.standard_normal(6)
    engine = ExactEngine()
    engine.create("x", requests.mapping(6))
    engine.bulk("x", [Document(f"{i}", t, v) for i, (t, v) in enumerate(zip(texts, vectors, strict=True))])
    bm25 = np.full((1, 30), -np.inf)
    for hit in engine.match("x", "wing", 30):
        bm25[0, int(hit.id)] = hit.score
    dense = np.full((1, 30), -np.inf)
    for hit in engine.knn("x", q, 30, num_candidates=60):
        dense[0, int(hit.id)] = hit.score
    for weight in (0.0, 0.3, 1.0):
        fused = linear_fusion(bm25, dense, weight, 12, normalizer)[0]
        hits = engine.search("x", requests.linear_body("wing", q, weight, 8, 12, normalizer))
        assert [h.score for h in hits] == pytest.approx(np.sort(fused)[::-1][:8].tolist())
    hits = engine.search("x", requests.rrf_body("wing", q, 8, 12))
    assert [h.score for h in hits] == pytest.approx(np.sort(rank_fusion(bm25, dense, window=12)[0])[::-1][:8].tolist())


def test_the_weight_is_chosen_without_the_judged_queries():
    rng = np.random.default_rng(0)
    per_weight = {0.0: np.array([1.0] + [0.0] * 9), 1.0: np.array([0.0] + [0.1] * 9)}
    values, used = chosen_by_folds(per_weight, 10, rng, repeats=3)
    assert values[0] == 0.0  # the other nine choose the weight that is wrong for the first
    assert values[1:] == pytest.approx(0.0) or set(used) == {0.0, 1.0}
    with pytest.raises(UsageError, match="queries: got 10, expected 11 or more"):
        chosen_by_folds(per_weight, 11, rng)


def test_bootstrap_interval_of_a_certain_gain():
    ours, other = np.linspace(1.1, 2.2, 50), np.linspace(1.0, 2.0, 50)
    value, low, high = bootstrap_gain(ours, [other, other * 0.5], np.random.default_rng(0))
    assert (value, low, high) == (pytest.approx(10), pytest.approx(10), pytest.approx(10))


def test_a_broken_ingest_goes_on_and_doubles_nothing(tmp_path):
    texts = [(f"{i}.txt", f"sentence {i}. another {i}.") for i in range(30)]
    calls = []

    def vectors(some):
        calls.append(list(some))
        if len(calls) == 4:
            raise KeyboardInterrupt
        return hashed().encode(some)

    encoder = InjectedEncoder("breaks", 8, vectors, batch=64)
    engine = HnswEngine(tmp_path)
    engine.create("x", requests.mapping(8))
    with pytest.raises(KeyboardInterrupt):
        ingest(engine, "x", passages(texts, words=3, overlap=0), encoder, batch=10)
    (tmp_path / "x" / "00000003.segment.npz.1.part").write_bytes(b"half")
    again = HnswEngine(tmp_path)
    done = ingest(again, "x", passages(texts, words=3, overlap=0), encoder, batch=10)
    assert (done.indexed, done.kept) == (30, 30)
    assert not list((tmp_path / "x").glob("*.part"))
    stored = [d.id for segment in SegmentStore(tmp_path / "x").segments() for d in segment.documents]
    assert len(stored) == len(set(stored)) == again.stats("x").documents == 60
    assert sum(map(len, calls)) == 70  # what was indexed is not encoded again; the broken batch of 10 is


def test_a_damaged_segment_is_named(tmp_path):
    engine = HnswEngine(tmp_path)
    engine.create("x", requests.mapping(2))
    engine.bulk("x", [Document("a", "text", np.ones(2))])
    (tmp_path / "x" / "00000000.segment.npz").write_bytes(b"PK damaged")
    with pytest.raises(DataError, match=r"segment .*00000000.segment.npz: got .*Delete the file"):
        HnswEngine(tmp_path).stats("x")


def test_faiss_options():
    for options in ("int8_hnsw", "flat", "int8_flat"):
        engine = HnswEngine()
        engine.create("x", requests.mapping(8, options=options))
        rng = np.random.default_rng(0)
        engine.bulk("x", [Document(f"{i}", "t", rng.standard_normal(8)) for i in range(50)])
        hits = engine.knn("x", rng.standard_normal(8), 3, num_candidates=50)
        assert len(hits) == 3
        assert hits[0].score > 0.6
    with pytest.raises(UsageError, match=r"index_options of faiss: got bbq_hnsw"):
        HnswEngine().create("x", requests.mapping(8, options="bbq_hnsw"))
    with pytest.raises(UsageError, match=r"index name: got 'Upper'"):
        HnswEngine().create("Upper", requests.mapping(8))


def test_sentiment_by_votes():
    texts = ["a dull long film", "dull and dreary", "long dreary film", "a fine film", "fine and funny", "funny fine"]
    search = SentimentSearch(ExactEngine(), Lsa.fit(texts, dims=4))
    search.learn([*texts, "zzz"], ["bad"] * 3 + ["good"] * 3 + ["bad"])
    found = search.opinion("so dull and dreary", k=3)
    assert found.label == "bad"
    assert 0.5 < found.share <= 1
    assert search.opinion("funny", k=3).label == "good"
    with pytest.raises(UsageError, match="a word that the encoder knows"):
        search.opinion("xyzzy")
