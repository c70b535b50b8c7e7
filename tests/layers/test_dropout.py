"""Dropout from bytes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_keras.layers.dropout import Dropout
from bert_keras.layers.execution import Execution


def dropped(layer, shape=(300, 7, 11), dtype="float32"):
    out = layer(keras.ops.ones(shape, dtype), training=True)
    return keras.ops.convert_to_numpy(keras.ops.cast(out, "float32"))


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9, 0.001])
def test_the_mean_stays_and_the_rate_is_near(rate):
    keras.utils.set_random_seed(1)
    out = dropped(Dropout(rate))
    near = max(round(rate * 256), 1) / 256
    spread = (near * (1 - near) / out.size) ** 0.5
    assert abs((out == 0).mean() - near) < 5 * spread
    assert set(np.unique(out).tolist()) == {0.0, float(np.float32(1 / (1 - near)))}


def test_elements_are_dropped_independently():
    keras.utils.set_random_seed(1)
    out = dropped(Dropout(0.5), (50_000,)) == 0
    for lag in (1, 2, 3, 4, 8):
        assert abs(np.corrcoef(out[:-lag], out[lag:])[0, 1]) < 0.02


def test_nothing_happens_outside_training_or_at_rate_0():
    ones = keras.ops.ones((2, 3))
    assert (keras.ops.convert_to_numpy(Dropout(0.5)(ones)) == 1).all()
    assert (keras.ops.convert_to_numpy(Dropout(0.0)(ones, training=True)) == 1).all()


def test_the_global_seed_repeats_and_each_call_differs():
    keras.utils.set_random_seed(7)
    layer = Dropout(0.5)
    first, second = dropped(layer), dropped(layer)
    keras.utils.set_random_seed(7)
    np.testing.assert_array_equal(dropped(Dropout(0.5)), first)
    assert (first != second).any()


def test_a_drawn_seed_repeats_its_mask_and_draws_go_on():
    keras.utils.set_random_seed(7)
    layer = Dropout(0.5)
    ones = keras.ops.ones((100, 100))
    seed = layer.draw_seed()
    first, again = layer(ones, training=True, seed=seed), layer(ones, training=True, seed=seed)
    np.testing.assert_array_equal(first, again)
    second = layer(ones, training=True)
    assert (np.asarray(second) != np.asarray(first)).any()
    keras.utils.set_random_seed(7)  # a draw is a draw, wherever it is made
    layer = Dropout(0.5)
    np.testing.assert_array_equal(layer(ones, training=True), first)
    np.testing.assert_array_equal(layer(ones, training=True), second)
    assert Dropout(0.0).draw_seed() is None


def test_each_replica_has_its_own_masks():
    found = []
    for replica in (None, lambda: 0, lambda: 1, lambda: 2):
        keras.utils.set_random_seed(7)
        layer = Dropout(0.5)
        layer.execution = Execution(replica=replica)
        found.append(dropped(layer, (50_000,)) == 0)
    np.testing.assert_array_equal(found[0], found[1])
    for one, other in ((0, 2), (0, 3), (2, 3)):
        assert abs(np.corrcoef(found[one], found[other])[0, 1]) < 0.02


def test_gradients_pass_where_values_do():
    layer = Dropout(0.5)
    inputs = tf.random.normal((20, 30))
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        out = layer(inputs, training=True)
    gradient = tape.gradient(out, inputs).numpy()
    np.testing.assert_array_equal(gradient, np.where(out.numpy() == 0, 0, 2).astype("float32"))


def test_shapes_unknown_until_the_call_and_mixed_precision():
    layer = Dropout(0.5, dtype="mixed_bfloat16")

    @tf.function(input_signature=[tf.TensorSpec((None, None, 3), tf.bfloat16)])
    def run(inputs):
        return layer(inputs, training=True)

    out = run(tf.ones((5, 1, 3), tf.bfloat16))
    assert out.shape == (5, 1, 3) and out.dtype == tf.bfloat16
    assert run(tf.ones((0, 4, 3), tf.bfloat16)).shape == (0, 4, 3)


def test_config_round_trip():
    layer = Dropout(0.3, seed=5, name="dropout")
    assert Dropout.from_config(layer.get_config()).get_config() == layer.get_config()
