"""The mean of the tokens of each example."""

import keras
import numpy as np
import tensorflow as tf

from bert_keras.layers.mean_pooling import MeanPooling

EXAMPLES = np.array(
    [[1, 1, 2, 3, 3, 0], [1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0]], "int32"
)
TOKENS = [(0, [0, 1]), (0, [2]), (0, [3, 4]), (1, [0, 1, 2, 3, 4, 5]), (3, [0])]


def test_the_mean_of_every_example_in_row_major_order():
    inputs = np.random.default_rng(1).normal(size=(4, 6, 3)).astype("float32")
    found = keras.ops.convert_to_numpy(MeanPooling()(inputs, EXAMPLES))
    expected = np.stack([inputs[row, columns].mean(0) for row, columns in TOKENS])
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_sum_is_taken_in_float32():
    inputs = tf.cast(tf.concat([tf.fill([1, 1, 1], 256.0), tf.ones([1, 511, 1])], 1), "bfloat16")
    found = MeanPooling(dtype="bfloat16")(inputs, np.ones((1, 512), "int32"))
    assert found.dtype == tf.bfloat16
    assert abs(float(found[0, 0]) - 767 / 512) < 0.01  # in bfloat16 256 + 1 is 256


def test_no_example_at_all():
    pool = MeanPooling()
    assert pool(np.zeros((2, 3, 4), "float32"), np.zeros((2, 3), "int32")).shape == (0, 4)
    assert pool(np.zeros((0, 0, 4), "float32"), np.zeros((0, 0), "int32")).shape == (0, 4)


def test_gradients_reach_every_token_and_no_padding():
    inputs = tf.random.normal((4, 6, 3))
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        out = MeanPooling()(inputs, EXAMPLES)
    touched = np.abs(tf.convert_to_tensor(tape.gradient(out, inputs)).numpy()).sum(-1) > 0
    np.testing.assert_array_equal(touched, EXAMPLES > 0)
