"""Semantic search on hardware: the Hamming scorer's cycle model, and memory models of scan and graph walk."""
