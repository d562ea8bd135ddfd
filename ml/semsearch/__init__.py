"""Semantic search (arXiv 2403.00807): one `SearchEngine` over Elasticsearch, Lucene, faiss and an exact oracle."""
