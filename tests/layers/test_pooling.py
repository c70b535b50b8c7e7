"""The pooling layers, on packed rows and on rows of one example each."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_keras.layers.execution import Execution
from bert_keras.layers.pooling import FirstToken, MaxPooling, MeanPooling, Pooler

EXAMPLES = np.array(
    [[1, 1, 2, 3, 3, 0], [1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0]], "int32"
)
TOKENS = [(0, [0, 1]), (0, [2]), (0, [3, 4]), (1, [0, 1, 2, 3, 4, 5]), (3, [0])]
STARTS = [(row, columns[0]) for row, columns in TOKENS]
LAYERS = [FirstToken, MeanPooling, MaxPooling, Pooler]


def numbers(tensor):
    return keras.ops.convert_to_numpy(tensor)


def some_vectors(shape):
    # All below 0, so that a padding of zeros would show in a maximum.
    return -np.random.default_rng(1).uniform(1, 2, shape).astype("float32")


def expected(layer, examples):
    """What a layer makes of examples, each [tokens, hidden]."""
    if isinstance(layer, MeanPooling):
        return np.stack([tokens.mean(0) for tokens in examples])
    if isinstance(layer, MaxPooling):
        return np.stack([tokens.max(0) for tokens in examples])
    first = np.stack([tokens[0] for tokens in examples])
    if isinstance(layer, Pooler):
        kernel, bias = map(numbers, layer.dense.weights)
        return np.tanh(first @ kernel + bias)
    return first


@pytest.mark.parametrize("make", LAYERS)
def test_every_example_in_row_major_order(make):
    layer, inputs = make(), some_vectors((4, 6, 5))
    pooled = numbers(layer(inputs, EXAMPLES))
    examples = [inputs[row, columns] for row, columns in TOKENS]
    np.testing.assert_allclose(pooled, expected(layer, examples), atol=1e-6)


@pytest.mark.parametrize("make", LAYERS)
def test_no_example_at_all(make):
    pool = make()
    assert pool(np.zeros((2, 3, 4), "float32"), np.zeros((2, 3), "int32")).shape == (0, 4)
    assert pool(np.zeros((0, 0, 4), "float32"), np.zeros((0, 0), "int32")).shape == (0, 4)


@pytest.mark.parametrize("make", LAYERS)
def test_rows_of_one_example_have_a_vector_each(make):
    layer, inputs = make(), some_vectors((3, 6, 5))
    used = (np.arange(6) < np.array([[6], [4], [1]])).astype("int32")
    packed = numbers(layer(inputs, used))
    layer.execution = Execution(one_example_a_row=True)

    @tf.function(input_signature=[tf.TensorSpec((3, 6, 5)), tf.TensorSpec((3, 6), tf.int32)])
    def pool(inputs, used):
        return layer(inputs, used)

    assert pool.get_concrete_function().output_shapes == (3, 5)  # known without the values
    np.testing.assert_allclose(pool(inputs, used), packed, atol=1e-6)


def touched(layer):
    """Whether a gradient reaches each token, bool [4, 6], and each number, bool [4, 6, 5]."""
    inputs = tf.random.stateless_normal((4, 6, 5), (1, 2))
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        out = layer(inputs, EXAMPLES)
    reached = tf.convert_to_tensor(tape.gradient(out, inputs)).numpy() != 0
    return reached.any(-1), reached


@pytest.mark.parametrize("make", [FirstToken, Pooler])
def test_gradients_reach_the_first_tokens_alone(make):
    tokens, _ = touched(make())
    assert sorted(zip(*np.nonzero(tokens), strict=True)) == STARTS


def test_gradients_reach_every_token_of_a_mean_and_no_padding():
    tokens, _ = touched(MeanPooling())
    np.testing.assert_array_equal(tokens, EXAMPLES > 0)


def test_gradients_reach_the_largest_alone():
    tokens, each = touched(MaxPooling())
    assert each.sum() == len(TOKENS) * 5
    assert not tokens[EXAMPLES == 0].any()


def test_the_sum_of_a_mean_is_taken_in_float32():
    inputs = tf.cast(tf.concat([tf.fill([1, 1, 1], 256.0), tf.ones([1, 511, 1])], 1), "bfloat16")
    mean = MeanPooling(dtype="bfloat16")(inputs, np.ones((1, 512), "int32"))
    assert mean.dtype == tf.bfloat16
    assert abs(float(mean[0, 0]) - 767 / 512) < 0.01  # in bfloat16 256 + 1 is 256


@pytest.mark.parametrize("make", LAYERS)
def test_config_round_trip(make):
    options = {"initializer_range": 0.3} if make is Pooler else {}
    layer = make(dtype=keras.dtype_policies.get("mixed_bfloat16"), name="mine", **options)
    again = make.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert again.dtype_policy == layer.dtype_policy and again.name == "mine"
