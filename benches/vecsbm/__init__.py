"""The bench of VEC-SBM."""
