"""Protocol tests of `ElasticEngine` against `FakeElastic`: requests, retries, faults. No Elasticsearch runs here."""

from __future__ import annotations

import re
import socket

import numpy as np
import pytest

pytest.importorskip("elasticsearch", reason="extra [elastic] is not installed")

import elastic_schema
from fake_elastic import FakeElastic

from hwsim.ir.errors import DataError, ToolFailedError, ToolMissingError, UsageError
from ml.semsearch import requests
from ml.semsearch.documents import Document
from ml.semsearch.encoders.encoder import InjectedEncoder
from ml.semsearch.engines import BulkError, engine
from ml.semsearch.engines.elastic import RETRIES, ElasticEngine
from ml.semsearch.ingest import Passage, ingest

DIMS = 4
V = np.arange(1.0, 5.0)
SEARCH, CREATE = "_global.search.Request", "indices.create.Request"


@pytest.fixture
def fake():
    with FakeElastic() as one:
        yield one


@pytest.fixture
def pauses():
    return []


@pytest.fixture
def client(fake, pauses):
    made = ElasticEngine(fake.url, timeout_s=5, pause=pauses.append)
    made.create("docs", requests.mapping(DIMS))
    return made


def some(n: int = 10) -> list[Document]:
    rng = np.random.default_rng(0)
    return [Document(f"d{i}", f"text {i}", rng.standard_normal(DIMS), {"source": "s"}) for i in range(n)]


@pytest.mark.parametrize(
    "body",
    [
        requests.knn_body(V, 3, where={"source": ["a", "b"]}, similarity=0.5, boost=2.0),
        requests.match_body("x", 3, {"source": "a"}), requests.exact_body(V, 3, {"source": "a"}),
        requests.summed_body("x", V), requests.rrf_body("x", V, where={"source": "a"}),
        requests.linear_body("x", V, 0.5), requests.linear_body("x", V, 0.5, normalizer="minmax"),
    ],
)  # fmt: skip
def test_search_bodies_keep_the_official_schema(body):
    assert elastic_schema.check(body, SEARCH) == []


@pytest.mark.parametrize("options", requests.INDEX_OPTIONS)
@pytest.mark.parametrize("similarity", ["cosine", "l2_norm"])
def test_mappings_keep_the_official_schema(options, similarity):
    assert elastic_schema.check(requests.mapping(8, similarity, options), CREATE) == []


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"knn": {"field": "vector", "k": "3"}}, r"knn.k: '3' is no integer"),
        ({"knn": {"k": 3}}, r"knn: no field"),
        ({"retriever": {"rrf": {"retriever": []}}}, r"unknown key 'retriever'"),
        ({"query": {"match": {"text": {"query": "a", "bost": 1}}}}, r"unknown key 'bost'"),
        ({"retriever": {"linear": {"retrievers": [{"retriever": {}, "normalizer": "zscore"}]}}}, r"no ScoreNormalizer"),
    ],
)
def test_the_schema_finds_mistakes(body, wrong):
    assert any(re.search(wrong, found) for found in elastic_schema.check(body, SEARCH))


def test_requests_on_the_wire(client, fake):
    client.bulk("docs", some(), batch=4)
    client.match("docs", "text")
    client.missing("docs", ["d1"])
    client.stats("docs")
    assert ("PUT", "/docs") in fake.requests
    assert fake.requests.count(("PUT", "/docs/_bulk")) == 3
    assert {("HEAD", "/docs"), ("POST", "/docs/_search"), ("POST", "/docs/_mget"), ("POST", "/docs/_count")} <= set(
        fake.requests
    )
    assert fake.bulk_sizes == [4, 4, 2]


def test_a_busy_server_is_asked_again_when_it_says(client, fake, pauses):
    fake.faults = [("status", 429, {"Retry-After": "7"}), ("status", 503, {})]
    client.stats("docs")
    report = client.write("docs", some())
    assert (report.indexed, report.failed) == (10, ())
    assert pauses[0] == 7
    assert pauses[1] > 0
    assert client.stats("docs").documents == 10


def test_refused_items_alone_are_sent_again(client, fake, pauses):
    client.stats("docs")
    fake.faults = [("items", 429, 3)]  # every third item is rejected once
    report = client.write("docs", some())
    assert (report.indexed, report.failed, report.retries) == (10, (), 1)
    assert fake.bulk_sizes == [10, 4]
    assert client.stats("docs").documents == 10
    assert len(pauses) == 1


def test_items_that_stay_refused_are_named_and_the_rest_is_indexed(client, fake):
    client.stats("docs")
    fake.faults = [("items", 429, 3), *[("items", 429, 1)] * RETRIES]
    report = client.write("docs", some())
    assert [name for name, _ in report.failed] == ["d0", "d3", "d6", "d9"]
    assert "still refused" in report.failed[0][1]
    assert client.stats("docs").documents == report.indexed == 6


def test_a_bad_item_is_named_with_the_servers_reason(client):
    with pytest.raises(
        BulkError, match=r"1 of 11 documents were refused: got bad: \['colour'\].* other 10 are indexed"
    ):
        client.bulk("docs", [*some(), Document("bad", "text", V, {"colour": "red"})])
    assert client.stats("docs").documents == 10


def test_a_lost_answer_doubles_nothing(client, fake):
    client.stats("docs")
    quick = ElasticEngine(fake.url, timeout_s=0.3, pause=lambda s: None)
    quick.stats("docs")
    fake.faults = [("slow", 0.8), ("drop",)]  # indexed, but the answer comes too late; then a lost connection
    assert quick.write("docs", some()).indexed == 10
    assert client.stats("docs").documents == 10
    assert quick.retries == 2


def test_a_server_that_stays_ill_is_an_error_that_names_it(client, fake):
    client.stats("docs")
    client.write("docs", some(3))
    fake.faults = [("status", 503, {})] * (RETRIES + 1)
    with pytest.raises(ToolFailedError, match=r"bulk into docs at http://127.*: got 503 .*answered before is indexed"):
        client.write("docs", some())
    assert client.stats("docs").documents == 3


def test_ingest_goes_on_where_a_server_failed(client, fake):
    encoder = InjectedEncoder("ones", DIMS, lambda texts: np.ones((len(texts), DIMS)))
    passages = [Passage(f"p{i}", f"text {i}", "s", i) for i in range(12)]
    client.stats("docs")
    fake.faults = [("none",)] * 4 + [("status", 500, {})]  # mget, count, bulk, mget of the second batch
    with pytest.raises(ToolFailedError, match="500"):
        ingest(client, "docs", passages, encoder, batch=4)
    done = ingest(client, "docs", passages, encoder, batch=4)
    assert done.kept >= 4
    assert done.indexed + done.kept == 12
    assert client.stats("docs").documents == 12


def test_no_server_no_index_no_access(fake, client, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    nobody = ElasticEngine(f"http://127.0.0.1:{port}", pause=lambda s: None)
    with pytest.raises(ToolFailedError, match=r"expected a running Elasticsearch. Start it or correct ES_URL"):
        nobody.stats("docs")
    with pytest.raises(DataError, match=r"index: got 'other', which does not exist"):
        client.stats("other")
    fake.faults = [("status", 401, {})]
    with pytest.raises(UsageError, match=r"got 401 .*Set ES_API_KEY"):
        client.match("docs", "x")
    fake.faults = [("foreign",)]
    with pytest.raises(ToolFailedError, match=r"got a server that is not Elasticsearch"):
        ElasticEngine(fake.url).match("docs", "x")
    monkeypatch.delenv("ES_URL", raising=False)
    with pytest.raises(ToolMissingError, match=r"no \$ES_URL"):
        ElasticEngine()


def test_what_the_server_refuses_is_quoted(client):
    with pytest.raises(UsageError, match=r"Elasticsearch refused it: got 400 .*unknown key 'fieldd'"):
        client.search("docs", {"knn": {"fieldd": "vector", "query_vector": [1, 2, 3, 4], "field": "vector"}})
    with pytest.raises(UsageError, match=r"exists with another mapping: got dims 5, cosine, expected dims 4"):
        client.create("docs", requests.mapping(5))


def test_the_default_engine_follows_es_url(fake, monkeypatch, tmp_path):
    monkeypatch.setenv("ES_URL", fake.url)
    assert engine().name == "elastic"
    monkeypatch.delenv("ES_URL")
    assert engine(folder=tmp_path).name == "hnsw"
    with pytest.raises(UsageError, match=r"engine: got 'solr', expected one of hnsw"):
        engine("solr")
