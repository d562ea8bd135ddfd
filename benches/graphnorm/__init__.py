"""GraphNorm, measured."""
