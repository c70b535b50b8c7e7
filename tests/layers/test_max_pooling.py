"""The largest values over the tokens of each example."""

import keras
import numpy as np
import tensorflow as tf

from bert_keras.layers.max_pooling import MaxPooling

EXAMPLES = np.array([[1, 1, 2, 3, 3, 0], [0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0]], "int32")
TOKENS = [(0, [0, 1]), (0, [2]), (0, [3, 4]), (2, [0])]


def test_the_largest_of_every_example_in_row_major_order():
    # All below 0, so that a padding of zeros would show.
    inputs = -np.random.default_rng(1).uniform(1, 2, (3, 6, 5)).astype("float32")
    found = keras.ops.convert_to_numpy(MaxPooling()(inputs, EXAMPLES))
    expected = np.stack([inputs[row, columns].max(0) for row, columns in TOKENS])
    np.testing.assert_array_equal(found, expected)


def test_no_example_at_all():
    pool = MaxPooling()
    assert pool(np.zeros((2, 3, 4), "float32"), np.zeros((2, 3), "int32")).shape == (0, 4)
    assert pool(np.zeros((0, 0, 4), "float32"), np.zeros((0, 0), "int32")).shape == (0, 4)


def test_gradients_reach_the_largest_alone():
    inputs = tf.random.stateless_normal((3, 6, 5), (1, 2))
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        out = MaxPooling()(inputs, EXAMPLES)
    touched = tf.convert_to_tensor(tape.gradient(out, inputs)).numpy() != 0
    assert touched.sum() == len(TOKENS) * 5
    assert not touched[EXAMPLES == 0].any()
