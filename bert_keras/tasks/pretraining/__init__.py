"""Masked words and pairs of sentences: learning from running text alone."""
