"""The factor on the loss in float16."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_keras.config import BertConfig
from bert_keras.models.classifier import BertClassifier
from bert_keras.training import loss_scale
from bert_keras.training.loss_scale import LossScale
from bert_keras.training.optimizer import AdamW


def numbers(scale):
    return [variable.numpy() for variable in scale.variables]


def test_halves_when_not_finite_and_not_below_1():
    scale = LossScale()
    assert numbers(scale) == [2.0**15, 0]
    scale.update(tf.constant(True))
    assert numbers(scale) == [2.0**15, 1]
    scale.update(tf.constant(False))
    assert numbers(scale) == [2.0**14, 0]
    for _ in range(20):
        scale.update(tf.constant(False))
    assert numbers(scale) == [1.0, 0]


def test_doubles_after_steps_in_a_row(monkeypatch):
    monkeypatch.setattr(loss_scale, "_GROWS_AFTER", 3)
    scale = LossScale()
    for is_finite in (True, True, False, True, True):
        scale.update(tf.constant(is_finite))
    assert numbers(scale) == [2.0**14, 2]
    scale.update(tf.constant(True))
    assert numbers(scale) == [2.0**15, 0]


def test_unscaled_gradients_are_those_of_the_loss_to_the_bit():
    scale = LossScale()
    x = tf.Variable([1e-30, 0.3, 7.0])
    with tf.GradientTape(persistent=True) as tape:
        loss = tf.reduce_sum(x**3)
        scaled = scale.scale(loss)
    (unscaled,) = scale.unscale([tape.gradient(scaled, x)])
    np.testing.assert_array_equal(unscaled, tape.gradient(loss, x))


def test_replicas_agree():
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with strategy.scope():
        scale = LossScale()

    @tf.function
    def step(is_finite):
        strategy.run(scale.update, (is_finite,))

    step(tf.constant(False))
    step(tf.constant(True))
    assert numbers(scale) == [2.0**14, 1]


@pytest.fixture(scope="module")
def training():
    """A small classifier in float16, a compiled step, and what it trains on."""
    keras.utils.set_random_seed(1)
    config = BertConfig(
        vocab_size=50,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=16,
    )
    model = BertClassifier(config, 2, dtype="mixed_float16")
    optimizer, scale = AdamW(3e-3), LossScale()
    optimizer.build(model.trainable_variables)
    example_ids = np.array([[1] * 4 + [2] * 5, [1] * 3 + [0] * 6, [1] * 9], "int32")
    inputs = {
        "token_ids": np.random.default_rng(0).integers(0, 50, example_ids.shape).astype("int32"),
        "segment_ids": example_ids * 0,
        "position_ids": np.tile(np.arange(9, dtype="int32"), (3, 1)),
        "example_ids": example_ids,
    }
    labels = tf.constant([0, 1, 0, 1])

    @tf.function
    def step(factor):
        variables = model.trainable_variables
        with tf.GradientTape() as tape:
            logits = model(inputs, training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_mean(losses) * factor
            scaled = scale.scale(loss)
        gradients = [tf.convert_to_tensor(g) for g in tape.gradient(scaled, variables)]
        gradients = scale.unscale(gradients)
        is_finite = tf.math.is_finite(tf.linalg.global_norm(gradients))
        if is_finite:
            optimizer.apply(gradients, variables)
        scale.update(is_finite)
        return loss, is_finite

    return model, scale, step


@pytest.mark.long
def test_a_float16_model_learns(training):
    _, scale, step = training
    losses = [float(step(1.0)[0]) for _ in range(40)]
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])
    assert numbers(scale)[0] == 2.0**15


def test_an_overflow_halves_the_scale_and_leaves_the_weights(training):
    model, scale, step = training
    before, weights = numbers(scale)[0], model.get_weights()
    loss, is_finite = step(1e6)  # the loss is finite, its gradients in float16 are not
    assert np.isfinite(loss) and not is_finite
    assert numbers(scale) == [before / 2, 0]
    for one, other in zip(weights, model.get_weights(), strict=True):
        if one.dtype != np.int64:  # dropout's seeds went on
            np.testing.assert_array_equal(one, other)
