"""One vector for each example."""

import keras
import numpy as np
import tensorflow as tf

from bert_keras.layers.pooler import Pooler

EXAMPLES = np.array(
    [[1, 1, 2, 3, 3, 0], [1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0]], "int32"
)
STARTS = [(0, 0), (0, 2), (0, 3), (1, 0), (3, 0)]


def test_the_first_token_of_every_example_in_row_major_order():
    layer = Pooler(initializer_range=0.5)
    inputs = np.random.default_rng(1).normal(size=(4, 6, 3)).astype("float32")
    found = keras.ops.convert_to_numpy(layer(inputs, EXAMPLES))
    first = np.stack([inputs[position] for position in STARTS])
    kernel, bias = (keras.ops.convert_to_numpy(weight) for weight in layer.dense.weights)
    np.testing.assert_allclose(found, np.tanh(first @ kernel + bias), atol=1e-6)


def test_no_example_at_all():
    assert Pooler()(np.zeros((2, 3, 4), "float32"), np.zeros((2, 3), "int32")).shape == (0, 4)
    assert Pooler()(np.zeros((0, 0, 4), "float32"), np.zeros((0, 0), "int32")).shape == (0, 4)


def test_gradients_reach_the_first_tokens_alone():
    layer = Pooler()
    inputs = tf.random.normal((4, 6, 3))
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        out = layer(inputs, EXAMPLES)
    touched = np.abs(tf.convert_to_tensor(tape.gradient(out, inputs)).numpy()).sum(-1) > 0
    assert sorted(zip(*np.nonzero(touched), strict=True)) == STARTS


def test_config_round_trip():
    layer = Pooler(0.3, name="pooler")
    assert Pooler.from_config(layer.get_config()).get_config() == layer.get_config()
