import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_keras.layers.dense import Dense


def gradients(layer_class, dtype, inputs, upstream):
    """Of kernel, bias and input; the kernel is the same for all."""
    layer = layer_class(8, dtype=dtype)
    layer.build(inputs.shape)
    layer.kernel.assign(np.random.default_rng(1).normal(size=(16, 8)))
    inputs = tf.constant(inputs)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = tf.cast(layer(inputs), "float32")
        total = tf.reduce_sum(outputs * upstream)
    return tape.gradient(total, [layer.kernel.value, layer.bias.value, inputs])


@pytest.fixture
def arrays():
    draw = np.random.default_rng(0)
    inputs = draw.normal(size=(4096, 16)).astype("float32")
    upstream = draw.normal(size=(4096, 8)).astype("float32")
    # As in a loss over tokens: most of the sum cancels.
    return inputs, upstream - 0.98 * upstream.mean(axis=0)


def test_gradients_are_those_of_keras_in_float32(arrays):
    for mine, theirs in zip(
        gradients(Dense, "float32", *arrays),
        gradients(keras.layers.Dense, "float32", *arrays),
        strict=True,
    ):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-4)


def test_a_bias_learns_in_bfloat16_what_it_would_in_float32(arrays):
    inputs, upstream = arrays
    upstream = tf.cast(tf.cast(upstream, "bfloat16"), "float32").numpy()  # as the layer gets it
    _, expected, _ = gradients(Dense, "float32", inputs, upstream)
    _, found, _ = gradients(Dense, "mixed_bfloat16", inputs, upstream)
    assert np.linalg.norm(found - expected) < 0.01 * np.linalg.norm(expected)


def test_activation():
    layer = Dense(4, activation="tanh")
    inputs = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    outputs = layer(inputs)
    kernel = keras.ops.convert_to_numpy(layer.kernel)
    np.testing.assert_allclose(outputs, np.tanh(inputs @ kernel), rtol=1e-5, atol=1e-6)
