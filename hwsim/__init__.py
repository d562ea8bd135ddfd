"""Simulation-first hardware research: train, simulate cycle by cycle, generate RTL, prove them equal."""

__version__ = "0.1.0"
