"""A vector for each text, near those of texts that mean the same."""
