"""The order of things in a block."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_keras.layers.attention_mask import AttentionMask
from bert_keras.layers.execution import Execution
from bert_keras.layers.transformer_block import TransformerBlock


def numbers(tensor):
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))


def normal(x, norm):
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + norm.epsilon)
    return scaled * numbers(norm.gamma) + numbers(norm.beta)


@pytest.fixture
def inputs():
    hidden_states = np.random.default_rng(1).normal(size=(2, 3, 4)).astype("float32")
    return hidden_states, AttentionMask()(np.ones((2, 3), "int32"))


def test_residuals_with_layer_norm_after(inputs):
    block = TransformerBlock(2, 8, layer_norm_eps=1e-3, initializer_range=0.5)
    block.build((None, None, 4))
    for norm in (block.attention_norm, block.feed_forward_norm):
        norm.gamma.assign([1.0, 2.0, 0.5, 3.0])
        norm.beta.assign([0.0, 1.0, 2.0, -1.0])
    x, mask = inputs
    y = normal(x + numbers(block.attention(x, mask)), block.attention_norm)
    expected = normal(y + numbers(block.feed_forward(y)), block.feed_forward_norm)
    np.testing.assert_allclose(numbers(block(x, mask)), expected, atol=1e-5)


def test_three_dropouts_in_training_only(inputs):
    still = TransformerBlock(2, 8, hidden_dropout_prob=0, attention_probs_dropout_prob=0)
    np.testing.assert_array_equal(numbers(still(*inputs)), numbers(still(*inputs, training=True)))
    block = TransformerBlock(2, 8, "gelu", 0.5, 0.25, initializer_range=0.5)
    rates = [block.attention.dropout, block.attention_dropout, block.feed_forward_dropout]
    assert [dropout.rate for dropout in rates] == [0.25, 0.5, 0.5]
    assert np.abs(numbers(block(*inputs)) - numbers(block(*inputs, training=True))).max() > 0.1


def test_some_tokens_alone(inputs):
    block = TransformerBlock(2, 8, initializer_range=0.5)
    whole = numbers(block(*inputs))
    positions = np.array([0, 3, 5], "int32")
    some = numbers(block(*inputs, positions))
    assert some.shape == (1, 3, 4)
    np.testing.assert_allclose(some[0], whole.reshape(-1, 4)[positions], atol=1e-6)


def test_mixed_precision_is_near_float32(inputs):
    exact = TransformerBlock(2, 8, initializer_range=0.5)
    mixed = TransformerBlock(2, 8, initializer_range=0.5, dtype="mixed_bfloat16")
    for block in (exact, mixed):
        block.build((None, None, 4))
    for ours, theirs in zip(mixed.trainable_weights, exact.trainable_weights, strict=True):
        assert ours.dtype == "float32"
        ours.assign(theirs)
    found = mixed(*inputs)
    assert found.dtype == "float32"
    np.testing.assert_allclose(numbers(found), numbers(exact(*inputs)), atol=0.05)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("compiled", [False, True])
def test_recomputed_gradients_are_the_same_with_dropout(compiled, dtype):
    keras.utils.set_random_seed(5)
    block = TransformerBlock(2, 8, "gelu", 0.5, 0.25, initializer_range=0.5, dtype=dtype)
    mask = AttentionMask(dtype=dtype)(np.array([[1, 1, 2, 2, 2], [1, 1, 1, 0, 0]], "int32"))
    x = tf.Variable(np.random.default_rng(1).normal(size=(2, 5, 4)).astype("float32"))
    target = np.random.default_rng(2).normal(size=(2, 5, 4)).astype("float32")
    block.build(x.shape)
    start = [variable.numpy() for variable in block.non_trainable_variables]

    def gradients():
        with tf.GradientTape() as tape:
            out = tf.cast(block(tf.identity(x), mask, training=True), "float32")
            loss = tf.reduce_sum(out * target)
        return tape.gradient(loss, [x, *(v.value for v in block.trainable_variables)])

    found = {}
    for recompute in (False, True):
        block.execution = Execution(recompute=recompute)
        for variable, value in zip(block.non_trainable_variables, start, strict=True):
            variable.assign(value)
        step = tf.function(gradients) if compiled else gradients
        found[recompute] = [[g.numpy() for g in step()] for _ in range(2)]
    for kept, again in zip(found[False], found[True], strict=True):
        for one, other in zip(kept, again, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
    # The draws went on from one step to the next.
    assert np.abs(found[True][0][0] - found[True][1][0]).max() > 0.01


def test_recomputation_computes_twice_in_training_only(inputs):
    block = TransformerBlock(2, 8)
    x, mask = inputs

    def softmaxes(training):
        @tf.function
        def gradient(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                loss = tf.reduce_sum(block(x, mask, training=training) ** 3)
            return tape.gradient(loss, x)

        operations = gradient.get_concrete_function(tf.constant(x)).graph.get_operations()
        return sum(operation.type == "Softmax" for operation in operations)

    assert softmaxes(True) == 1
    block.execution = Execution(recompute=True)
    assert softmaxes(True) == 2
    assert softmaxes(False) == 1


def test_config_round_trip():
    block = TransformerBlock(2, 8, "relu", 0.2, 0.3, 1e-5, 0.1, name="layer_0")
    assert TransformerBlock.from_config(block.get_config()).get_config() == block.get_config()
