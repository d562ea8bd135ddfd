"""Bench of DiSAN; see paper.toml and bench.py."""
