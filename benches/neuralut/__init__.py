"""NeuraLUT: sub-networks hidden in look-up tables (FPL 2024)."""
