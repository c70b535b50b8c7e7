"""Who may attend to whom."""

import keras
import numpy as np
import pytest

from bert_keras.layers.attention_mask import AttentionMask


def test_tokens_attend_to_their_own_example():
    found = keras.ops.convert_to_numpy(AttentionMask()(np.array([[1, 1, 2, 0], [1, 1, 1, 1]])))
    assert found.shape == (2, 1, 4, 4)
    opened = [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    np.testing.assert_array_equal(found[0, 0] == 0, np.array(opened) == 1)
    assert (found[1] == 0).all()


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_what_is_closed_gets_no_probability_in_any_dtype(dtype):
    layer = AttentionMask(dtype=dtype)
    mask = layer(np.array([[1, 1, 0, 0]], "int32"))
    assert mask.dtype == layer.compute_dtype
    scores = keras.ops.cast([[[[-20.0, -30.0, 900.0, 50.0]]]], mask.dtype)
    probabilities = keras.ops.softmax(scores + mask)
    probabilities = keras.ops.convert_to_numpy(keras.ops.cast(probabilities, "float32"))
    assert (probabilities[0, 0, :2, 2:] == 0).all()
    assert (probabilities[0, 0, 2:, :2] == 0).all()
    np.testing.assert_allclose(probabilities.sum(-1), 1, atol=1e-2)
