"""The order of things in a block."""

import keras
import numpy as np
import pytest

from bert_keras.layers.attention_mask import AttentionMask
from bert_keras.layers.transformer_block import TransformerBlock


def numbers(tensor):
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))


def normal(x, norm):
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + norm.epsilon)
    return scaled * numbers(norm.gamma) + numbers(norm.beta)


@pytest.fixture
def inputs():
    hidden_states = np.random.default_rng(1).normal(size=(2, 3, 4)).astype("float32")
    return hidden_states, AttentionMask()(np.ones((2, 3), "int32"))


def test_residuals_with_layer_norm_after(inputs):
    block = TransformerBlock(2, 8, layer_norm_eps=1e-3, initializer_range=0.5)
    block.build((None, None, 4))
    for norm in (block.attention_norm, block.feed_forward_norm):
        norm.gamma.assign([1.0, 2.0, 0.5, 3.0])
        norm.beta.assign([0.0, 1.0, 2.0, -1.0])
    x, mask = inputs
    y = normal(x + numbers(block.attention(x, mask)), block.attention_norm)
    expected = normal(y + numbers(block.feed_forward(y)), block.feed_forward_norm)
    np.testing.assert_allclose(numbers(block(x, mask)), expected, atol=1e-5)


def test_three_dropouts_in_training_only(inputs):
    still = TransformerBlock(2, 8, hidden_dropout_prob=0, attention_probs_dropout_prob=0)
    np.testing.assert_array_equal(numbers(still(*inputs)), numbers(still(*inputs, training=True)))
    block = TransformerBlock(2, 8, "gelu", 0.5, 0.25, initializer_range=0.5)
    rates = [block.attention.dropout, block.attention_dropout, block.feed_forward_dropout]
    assert [dropout.rate for dropout in rates] == [0.25, 0.5, 0.5]
    assert np.abs(numbers(block(*inputs)) - numbers(block(*inputs, training=True))).max() > 0.1


def test_mixed_precision_is_near_float32(inputs):
    exact = TransformerBlock(2, 8, initializer_range=0.5)
    mixed = TransformerBlock(2, 8, initializer_range=0.5, dtype="mixed_bfloat16")
    for block in (exact, mixed):
        block.build((None, None, 4))
    for ours, theirs in zip(mixed.trainable_weights, exact.trainable_weights, strict=True):
        assert ours.dtype == "float32"
        ours.assign(theirs)
    found = mixed(*inputs)
    assert found.dtype == "bfloat16"
    np.testing.assert_allclose(numbers(found), numbers(exact(*inputs)), atol=0.05)


def test_config_round_trip():
    block = TransformerBlock(2, 8, "relu", 0.2, 0.3, 1e-5, 0.1, name="layer_0")
    assert TransformerBlock.from_config(block.get_config()).get_config() == block.get_config()
