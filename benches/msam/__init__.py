"""Bench of MSAM; see paper.toml and bench.py."""
