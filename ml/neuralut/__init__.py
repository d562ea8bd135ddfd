"""NeuraLUT: sub-networks absorbed in look-up tables (training, masks, enumeration, export)."""
