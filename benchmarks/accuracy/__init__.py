"""Scores: ours beside those of other libraries, from the same weights and data."""
