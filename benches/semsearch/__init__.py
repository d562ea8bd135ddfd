"""Bench of semantic search: relevance, engines, speed, hand-over to hardware."""
