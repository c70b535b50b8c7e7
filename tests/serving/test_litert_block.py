"""A Transformer block in other forms."""

import keras
import numpy as np
import pytest

from bert_keras.layers.attention_mask import AttentionMask
from bert_keras.layers.transformer_block import TransformerBlock
from bert_keras.serving.litert_block import litert_block


@pytest.mark.parametrize("hidden_act", ["gelu", "gelu_new", "relu"])
def test_it_computes_what_the_block_does(hidden_act):
    block = TransformerBlock(4, 32, hidden_act, initializer_range=0.5)
    inputs = np.random.default_rng(1).normal(size=(3, 7, 16)).astype("float32")
    block(inputs, np.zeros((3, 1, 7, 7), "float32"))
    for weight in block.weights:  # biases and scales are zeros and ones
        weight.assign(weight + keras.random.normal(weight.shape, stddev=0.3, seed=weight.shape[0]))
    used = (np.arange(7) < np.array([[7], [4], [1]])).astype("int32")
    mask = AttentionMask()(used)
    expected = block(inputs, mask)
    found = litert_block(block, inputs, mask)
    np.testing.assert_allclose(found, expected, atol=2e-5)
    first = litert_block(block, inputs, mask, first_token_only=True)
    np.testing.assert_allclose(first, expected[:, :1], atol=2e-5)
    assert np.abs(found - litert_block(block, inputs, mask * 0)).max() > 0.1
