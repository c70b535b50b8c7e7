"""Reads other libraries' checkpoints as data, and writes ours in their layouts."""
