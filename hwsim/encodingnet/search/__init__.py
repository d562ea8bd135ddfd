"""Searches for encodings: least squares and exchange over a dictionary of small gates, and the paper's CGP."""
