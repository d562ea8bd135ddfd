"""Bench of event-driven learning for spiking networks (arXiv 2403.00270)."""
