"""The first token of each example."""

import keras
import numpy as np

from bert_keras.layers.first_token import FirstToken

EXAMPLES = np.array([[1, 1, 2, 3, 3, 0], [0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0]], "int32")


def test_the_first_token_of_every_example_in_row_major_order():
    inputs = np.random.default_rng(1).normal(size=(3, 6, 5)).astype("float32")
    found = keras.ops.convert_to_numpy(FirstToken()(inputs, EXAMPLES))
    np.testing.assert_array_equal(found, inputs[[0, 0, 0, 2], [0, 2, 3, 0]])


def test_no_example_at_all():
    take = FirstToken()
    assert take(np.zeros((2, 3, 4), "float32"), np.zeros((2, 3), "int32")).shape == (0, 4)
    assert take(np.zeros((0, 0, 4), "float32"), np.zeros((0, 0), "int32")).shape == (0, 4)
