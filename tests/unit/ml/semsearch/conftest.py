"""Engines of the conformance suite, and the helpers of this folder by name."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from ml.semsearch.engines import ExactEngine, HnswEngine, SearchEngine


@pytest.fixture(params=["exact", "hnsw", "lucene", "elastic-protocol", "elastic"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SearchEngine]:
    """Every engine: Lucene when it is installed, the client against `FakeElastic`, and against a server at $ES_URL."""
    if request.param == "exact":
        yield ExactEngine()
    elif request.param == "hnsw":
        yield HnswEngine(tmp_path)
    elif request.param == "lucene":
        pytest.importorskip("jpype", reason="extra [lucene] is not installed")
        pytest.importorskip("arcadedb_embedded", reason="extra [lucene] is not installed")
        from ml.semsearch.engines.lucene import LuceneEngine

        yield LuceneEngine(tmp_path)
    else:
        pytest.importorskip("elasticsearch", reason="extra [elastic] is not installed")
        from fake_elastic import FakeElastic

        from ml.semsearch.engines.elastic import ElasticEngine

        if request.param == "elastic":
            if not os.environ.get("ES_URL"):
                pytest.skip("ES_URL is not set: no Elasticsearch server to test against")
            yield ElasticEngine()
        else:
            with FakeElastic() as fake:
                yield ElasticEngine(fake.url, pause=lambda seconds: None)
