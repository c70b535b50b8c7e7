"""A small model's shape and inputs, which the tests of several models share."""

import keras
import numpy as np

from bert_keras.config import BertConfig

SMALL = BertConfig(
    vocab_size=20,
    hidden_size=8,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=16,
    max_position_embeddings=12,
    initializer_range=0.2,
)


def numbers(tensor):
    """A tensor of any backend as an array."""
    return keras.ops.convert_to_numpy(tensor)


def some_inputs(batch, length=6):
    """Random inputs of an encoder, one example a row, all of one length."""
    tokens = np.random.default_rng(1).integers(1, 20, (batch, length)).astype("int32")
    return {
        "token_ids": tokens,
        "segment_ids": np.zeros_like(tokens),
        "position_ids": np.tile(np.arange(length, dtype="int32"), (batch, 1)),
        "example_ids": np.ones_like(tokens),
    }
