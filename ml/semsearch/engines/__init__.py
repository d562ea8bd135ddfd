"""Four engines behind one protocol: exact oracle, faiss HNSW, Lucene, Elasticsearch."""

from ml.semsearch.engines.choose import engine
from ml.semsearch.engines.exact import ExactEngine
from ml.semsearch.engines.hnsw import HnswEngine
from ml.semsearch.engines.protocol import BulkError, SearchEngine

__all__ = ["BulkError", "ExactEngine", "HnswEngine", "SearchEngine", "engine"]
