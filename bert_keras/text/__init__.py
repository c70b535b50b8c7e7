"""Strings to token ids and back, in core TensorFlow ops."""
