"""Scalars, tables and pictures of a training, for TensorBoard."""
