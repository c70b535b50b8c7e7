"""The head of the masked language model."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_keras.layers.feed_forward import gelu
from bert_keras.layers.masked_lm_head import MaskedLMHead

MASKED = np.array([[0, 1, 0, 0], [0, 0, 0, 0], [1, 0, 0, 1]], "int32")
POSITIONS = [(0, 1), (2, 0), (2, 3)]


@pytest.fixture
def table():
    return tf.Variable(np.random.default_rng(3).normal(size=(7, 5)).astype("float32"))


def some_states():
    return np.random.default_rng(1).normal(size=(3, 4, 5)).astype("float32")


def test_the_formula_at_the_masked_tokens_in_row_major_order(table):
    layer = MaskedLMHead(7, layer_norm_eps=1e-3, initializer_range=0.5)
    states = some_states()
    layer(states, MASKED, table)
    random = np.random.default_rng(2)
    for weight in layer.weights:
        weight.assign(random.normal(size=weight.shape))
    dense = keras.ops.matmul(
        np.stack([states[position] for position in POSITIONS]), layer.dense.kernel
    )
    hidden = np.array(gelu(dense + layer.dense.bias))
    centred = hidden - hidden.mean(-1, keepdims=True)
    normal = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-3)
    normal = normal * np.array(layer.layer_norm.gamma) + np.array(layer.layer_norm.beta)
    expected = normal @ np.array(table).T + np.array(layer.bias)
    np.testing.assert_allclose(np.array(layer(states, MASKED, table)), expected, atol=1e-5)


def test_gradients_reach_the_table_and_the_masked_tokens_alone(table):
    layer = MaskedLMHead(7)
    states = tf.convert_to_tensor(some_states())
    layer(states, MASKED, table)
    with tf.GradientTape() as tape:
        tape.watch(states)
        out = tf.reduce_sum(layer(states, MASKED, table) ** 2)
    by_state, by_table = tape.gradient(out, [states, table])
    touched = np.abs(tf.convert_to_tensor(by_state).numpy()).sum(-1) > 0
    assert sorted(zip(*np.nonzero(touched), strict=True)) == POSITIONS
    assert (np.abs(by_table.numpy()).sum(-1) > 0).all()


def test_the_bias_is_not_rounded_under_bfloat16(table):
    layer = MaskedLMHead(7, dtype="mixed_bfloat16")
    layer(some_states(), MASKED, table)
    bias = np.linspace(1, 1.001, 7).astype("float32")
    for weight in layer.layer_norm.weights:
        weight.assign(np.zeros(5))
    layer.bias.assign(bias)
    np.testing.assert_array_equal(
        np.array(layer(some_states(), MASKED, table)), np.tile(bias, (3, 1))
    )


def test_config_round_trip():
    layer = MaskedLMHead(7, "relu", 1e-3, 0.3, name="masked_lm")
    again = MaskedLMHead.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
