"""The optimizer, the loop, the run folder."""
