"""Occupancy networks: extraction, trainings, and decoders on the encoded-MAC array."""
