"""Event-driven learning for spiking networks (arXiv 2403.00270): STD-ED, MPD-ED and their baselines."""
