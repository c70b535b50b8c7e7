"""What all models share."""

import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_keras.config import BertConfig
from bert_keras.layers.dropout import Dropout
from bert_keras.layers.execution import Execution
from bert_keras.models.classifier import BertClassifier
from bert_keras.models.encoder import BertEncoder
from bert_keras.models.pretrainer import BertPretrainer

ROOT = pathlib.Path(__file__).parents[2]
CONFIG = BertConfig(
    vocab_size=50,
    hidden_size=16,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=32,
    max_position_embeddings=16,
    initializer_range=0.2,
)
MAKERS = [
    BertEncoder,
    lambda *args, **kwargs: BertClassifier(*args, num_classes=3, **kwargs),
    BertPretrainer,
]


def ragged(model):
    """Rows of several examples, of padding, and of nothing else, as int32 [3, 9]."""
    example_ids = np.array([[1] * 4 + [2] * 5, [1] * 3 + [0] * 6, [1] * 9], "int32")
    inputs = {
        "token_ids": np.random.default_rng(0).integers(0, 50, example_ids.shape).astype("int32"),
        "segment_ids": example_ids * 0,
        "position_ids": np.tile(np.arange(9, dtype="int32"), (3, 1)),
        "example_ids": example_ids,
        "masked": np.array([[0, 1, 0] * 3, [0, 1] + [0] * 7, [0] * 9], "int32"),
    }
    return {name: tf.constant(inputs[name]) for name in model.input}


def gradients(make, recompute, dtype="float32"):
    keras.utils.set_random_seed(3)
    model = make(CONFIG, dtype=dtype)
    model.execution = Execution(recompute=recompute)

    @tf.function
    def step(inputs):
        with tf.GradientTape() as tape:
            outputs = tf.nest.flatten(model(inputs, training=True))
            loss = tf.add_n([tf.reduce_sum(tf.cast(x, tf.float32) ** 3) for x in outputs])
        found = tape.gradient(loss, model.trainable_variables)
        return [loss, *map(tf.convert_to_tensor, found)]

    return [value.numpy() for value in step(ragged(model))]


@pytest.mark.parametrize(
    "make", [MAKERS[0], *(pytest.param(make, marks=pytest.mark.long) for make in MAKERS[1:])]
)
def test_recomputing_changes_no_gradient(make):
    for kept, again in zip(gradients(make, False), gradients(make, True), strict=True):
        np.testing.assert_allclose(again, kept, rtol=1e-5, atol=1e-5 * np.abs(kept).max())


def test_execution_is_in_no_config():
    model = BertPretrainer(CONFIG)
    before = model.get_config()
    model.execution = Execution(recompute=True)
    assert len(model.blocks) == 2 and all(block.execution.recompute for block in model.blocks)
    assert model.get_config() == before
    again = BertPretrainer.from_config(before)
    assert again.execution == Execution()
    assert all(block.execution == Execution() for block in again.blocks)


@pytest.mark.parametrize("dtype, apart", [("mixed_float16", 0.01), ("mixed_bfloat16", 0.06)])
def test_half_precision_is_near_float32(dtype, apart):
    found = {}
    for name in (dtype, "float32"):
        keras.utils.set_random_seed(1)
        encoder = BertEncoder(CONFIG, dtype=name)
        outputs = encoder(ragged(encoder))
        assert outputs["sequence_output"].dtype == "float32"
        found[name] = [tf.cast(x, tf.float32).numpy() for x in outputs.values()]
    for half, whole in zip(found[dtype], found["float32"], strict=True):
        np.testing.assert_allclose(half, whole, atol=apart)


def test_float16_masks_leave_nothing_of_another_example():
    encoder = BertEncoder(CONFIG, dtype="mixed_float16")
    inputs = ragged(encoder)
    other = inputs["token_ids"].numpy()
    other[0, 4:] = 7  # the second example of the first row, and the second row's padding
    other[1, 3:] = 8
    one = encoder(inputs)["sequence_output"]
    two = encoder(inputs | {"token_ids": tf.constant(other)})["sequence_output"]
    for row, length in ((0, 4), (1, 3), (2, 9)):
        np.testing.assert_array_equal(one[row, :length], two[row, :length])
    assert (one[0, 4:].numpy() != two[0, 4:].numpy()).any()


@pytest.mark.parametrize("make", MAKERS)
def test_every_dropout_has_the_replica(make):
    model = make(CONFIG)
    model.execution = Execution(replica=lambda: 7)
    every = [layer for layer in model._flatten_layers() if isinstance(layer, Dropout)]
    assert len(every) == 1 + 3 * 2 + (make is MAKERS[1])
    assert all(dropout.execution.replica() == 7 for dropout in every)


MIRRORED = """
import keras, numpy as np, tensorflow as tf
two = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], two)
from bert_keras.layers.execution import Execution
from tests.models.test_bert_model import CONFIG, MAKERS, ragged

def gradients(recompute):
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    keras.utils.set_random_seed(3)
    with strategy.scope():
        model = MAKERS[1](CONFIG)
    model.execution = Execution(recompute=recompute)

    def replica(inputs):
        row = tf.distribute.get_replica_context().replica_id_in_sync_group
        with tf.GradientTape() as tape:
            own = {name: values[row : row + 2] for name, values in inputs.items()}
            loss = tf.reduce_sum(model(own, training=True) ** 3)
        return [tf.convert_to_tensor(g) for g in tape.gradient(loss, model.trainable_variables)]

    @tf.function
    def step(inputs):
        return strategy.reduce("SUM", strategy.run(replica, (inputs,)), axis=None)

    return [g.numpy() for g in step(ragged(model))]

for kept, again in zip(gradients(False), gradients(True), strict=True):
    np.testing.assert_allclose(again, kept, rtol=1e-5, atol=1e-5 * np.abs(kept).max())

def outputs(distinct):
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    keras.utils.set_random_seed(3)
    with strategy.scope():
        model = MAKERS[0](CONFIG)
    here = tf.distribute.get_replica_context
    replica = lambda: here().replica_id_in_sync_group
    model.execution = Execution(recompute=True, replica=replica if distinct else None)
    inputs = ragged(model)
    run = tf.function(lambda: strategy.run(lambda: model(inputs, training=True)["pooled_output"]))
    return [x.numpy() for x in run().values]

same, first, other = outputs(False), *outputs(True)
assert (same[0] == same[1]).all() and (same[0] == first).all() and (first != other).any()
"""


@pytest.mark.long
def test_recomputing_on_two_devices():
    # A process of its own: how many devices there are is settled before TensorFlow starts.
    done = subprocess.run(
        [sys.executable, "-c", MIRRORED],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
