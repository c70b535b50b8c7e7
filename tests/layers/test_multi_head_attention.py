"""Attention against the paper's formula, head by head."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_keras.layers.attention_mask import AttentionMask
from bert_keras.layers.multi_head_attention import MultiHeadAttention

EXAMPLES = np.array([[1, 1, 1, 2, 2], [1, 1, 0, 0, 0]], "int32")


def numbers(tensor):
    return keras.ops.convert_to_numpy(tensor)


@pytest.fixture
def layer():
    keras.utils.set_random_seed(3)
    layer = MultiHeadAttention(2, initializer_range=0.7)
    layer.build((None, None, 6))
    for dense in (layer.query, layer.key, layer.value, layer.output_projection):
        dense.bias.assign(keras.random.normal((6,)))
    return layer


def by_hand(layer, inputs):
    def project(dense, x):
        return x @ numbers(dense.kernel) + numbers(dense.bias)

    out = np.zeros_like(inputs)
    for row, examples in enumerate(EXAMPLES):
        for example in np.unique(examples):
            where = np.flatnonzero(examples == example)
            x = inputs[row, where]
            query, key, value = (project(d, x) for d in (layer.query, layer.key, layer.value))
            heads = []
            for head in range(2):
                part = slice(3 * head, 3 * head + 3)
                score = query[:, part] @ key[:, part].T / np.sqrt(3)
                weight = np.exp(score - score.max(-1, keepdims=True))
                heads.append(weight / weight.sum(-1, keepdims=True) @ value[:, part])
            out[row, where] = project(layer.output_projection, np.concatenate(heads, -1))
    return out


def test_the_papers_formula_within_each_example(layer):
    inputs = np.random.default_rng(1).normal(size=(2, 5, 6)).astype("float32")
    found = numbers(layer(inputs, AttentionMask()(EXAMPLES)))
    np.testing.assert_allclose(found, by_hand(layer, inputs), atol=1e-5)


def test_projections_start_different_from_each_other(layer):
    assert not np.allclose(numbers(layer.query.kernel), numbers(layer.key.kernel))


def test_dropout_falls_on_probabilities_in_training_only(layer):
    layer.dropout.rate = 0.9
    inputs = np.random.default_rng(1).normal(size=(2, 5, 6)).astype("float32")
    mask = AttentionMask()(EXAMPLES)
    still = numbers(layer(inputs, mask))
    np.testing.assert_array_equal(still, numbers(layer(inputs, mask)))
    assert np.abs(numbers(layer(inputs, mask, training=True)) - still).max() > 0.01


def test_any_batch_and_length_in_one_graph(layer):
    mask = AttentionMask()

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, None, 6), tf.float32),
            tf.TensorSpec((None, None), tf.int32),
        ]
    )
    def run(inputs, example_ids):
        return layer(inputs, mask(example_ids))

    for batch, length in ((2, 3), (1, 1), (0, 4), (0, 0)):
        shape = (batch, length)
        assert run(tf.ones((*shape, 6)), tf.ones(shape, tf.int32)).shape == (*shape, 6)


def test_config_round_trip():
    layer = MultiHeadAttention(3, 0.2, 0.5, name="attention")
    assert MultiHeadAttention.from_config(layer.get_config()).get_config() == layer.get_config()
