"""Scores: ours compared with those of other libraries, from the same weights and data."""
