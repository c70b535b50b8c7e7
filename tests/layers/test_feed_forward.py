"""The feed-forward network and its activations."""

import functools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_keras.layers.feed_forward import ACTIVATIONS, FeedForward, gelu


def numbers(tensor):
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))


def tanh_gelu(x):
    return 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


FORMULAS = {
    "gelu": lambda x: 0.5 * x * (1 + math.erf(x / math.sqrt(2))),
    "gelu_new": tanh_gelu,
    "gelu_pytorch_tanh": tanh_gelu,
    "relu": lambda x: max(x, 0),
    "silu": lambda x: x / (1 + math.exp(-x)),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name):
    points = np.linspace(-9, 9, 181, dtype="float32")
    expected = [FORMULAS[name](float(point)) for point in points]
    np.testing.assert_allclose(numbers(ACTIVATIONS[name](points)), expected, atol=2e-6)


@pytest.mark.parametrize("name", ["gelu", "gelu_new"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_gelu_keeps_the_dtype_and_rounds_once(name, dtype):
    points = keras.ops.cast(np.linspace(-5, 5, 101), dtype)
    found = ACTIVATIONS[name](points)
    assert found.dtype == dtype
    exact = keras.ops.cast([FORMULAS[name](float(p)) for p in numbers(points)], dtype)
    np.testing.assert_allclose(numbers(found), numbers(exact), rtol=2**-7, atol=1e-6)


@pytest.mark.parametrize("jit", [None, functools.partial(tf.function, jit_compile=True)])
@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-6), ("bfloat16", 2**-7)])
def test_gelu_and_its_slope(dtype, tolerance, jit):
    points = tf.cast(np.linspace(-5, 5, 101), dtype)
    with tf.GradientTape() as tape:
        tape.watch(points)
        found = gelu(points, jit=jit)
    upstream = tf.fill(points.shape, tf.constant(2.0, dtype))
    slope = numbers(tape.gradient(found, points, upstream))
    xs = numbers(points)
    values = [FORMULAS["gelu"](x) for x in xs.tolist()]
    np.testing.assert_allclose(numbers(found), values, rtol=tolerance, atol=tolerance)
    step = 1e-5
    exact = [(FORMULAS["gelu"](x + step) - FORMULAS["gelu"](x - step)) / step for x in xs.tolist()]
    np.testing.assert_allclose(slope, exact, rtol=tolerance, atol=tolerance)


def test_two_linear_maps():
    layer = FeedForward(5, "relu", initializer_range=0.5)
    inputs = np.random.default_rng(1).normal(size=(2, 3, 4)).astype("float32")
    layer.build(inputs.shape)
    layer.intermediate.bias.assign([0.1, 0.2, -0.3, 0.4, 0.0])
    layer.output_projection.bias.assign([1.0, 2.0, 3.0, 4.0])
    inside = inputs @ numbers(layer.intermediate.kernel) + numbers(layer.intermediate.bias)
    expected = np.maximum(inside, 0) @ numbers(layer.output_projection.kernel) + [1, 2, 3, 4]
    np.testing.assert_allclose(numbers(layer(inputs)), expected, atol=1e-5)


def test_config_round_trip():
    layer = FeedForward(5, "gelu_new", 0.5, name="feed_forward")
    assert FeedForward.from_config(layer.get_config()).get_config() == layer.get_config()
