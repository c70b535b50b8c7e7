"""Functional-API graphs over the layers: the encoder, then one file a head."""
