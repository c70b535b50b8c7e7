"""The same training on one device and on several, which conftest.py makes of the processor."""

import json

import numpy as np
import pytest
import tensorflow as tf
from toys import TwoTerms, make_examples, make_model, replace

from bert_keras.errors import InputError
from bert_keras.training.devices import broadcast_from_chief, is_chief, open_strategy
from bert_keras.training.inference import Inference
from bert_keras.training.loop import Trainer


def train(strategy, **changes):
    """Trains for two epochs; returns the model, the trainer and each step's scalars."""
    schedule = replace(batch_size=6, **changes)  # the last of 13 examples is a batch of its own
    with strategy.scope():
        model = make_model()
    trainer = Trainer(model, TwoTerms(), make_examples(13), schedule, strategy)
    seen = []
    trainer.run(lambda step, scalars: seen.append(scalars), lambda step: None)
    return model, trainer, seen


@pytest.mark.parametrize("optimizer", ["adamw", pytest.param("lamb", marks=pytest.mark.long)])
@pytest.mark.parametrize("micro_batches", [1, 2])
def test_as_on_one_device(mirrored, optimizer, micro_batches):
    one, _, expected = train(tf.distribute.get_strategy(), optimizer=optimizer, micro_batches=1)
    several, trainer, logged = train(mirrored, optimizer=optimizer, micro_batches=micro_batches)
    assert len(logged) == len(expected) == 6
    assert max(scalars["gradient_norm"] for scalars in expected) > 1  # else clipping would not show
    for scalars, same in zip(logged, expected, strict=True):
        for name in ("loss", "loss_of_toy", "loss_of_length", "gradient_norm"):
            assert scalars[name] == pytest.approx(same[name], rel=1e-5), name
        assert scalars["padding_share"] == same["padding_share"]
    for mine, theirs in zip(several.weights, one.weights, strict=True):
        if "key/bias" not in mine.path and "seed" not in mine.path:
            np.testing.assert_allclose(
                mine.value.numpy(), theirs.numpy(), atol=3e-4, err_msg=mine.path
            )
    for variable in trainer.variables:
        first, second = (copy.numpy() for copy in variable.values)
        np.testing.assert_array_equal(first, second, variable.name)


@pytest.mark.long
def test_every_row_is_predicted_once(mirrored):
    examples = make_examples(13)
    with mirrored.scope():
        model = make_model()

    def predictions(outputs, batch):
        return tf.concat([outputs, tf.cast(batch["example"], tf.float32)[:, tf.newaxis]], axis=1)

    for size in (5, 6, 99):  # batches of 5, 5, 3; of 6, 6 and one; of all
        values = Inference(model, predictions, size, mirrored)(examples, "")
        expected = Inference(make_model(), predictions, size)(examples, "")
        np.testing.assert_allclose(values, expected, atol=1e-6)
        np.testing.assert_array_equal(values[:, -1], np.arange(13))


def test_a_processor_that_is_divided_already(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert len(tf.config.list_logical_devices("CPU")) == 2  # TensorFlow has started
    with pytest.raises(InputError, match=r"expected 2, because TensorFlow has .* found 3") as error:
        open_strategy(3)
    assert error.value.field == "cpu_devices"
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", list)  # a process can have one alone
    assert open_strategy(2) == ["CPU:0", "CPU:1"]


def test_one_device_is_the_default(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    strategy = open_strategy()
    assert strategy.num_replicas_in_sync == 1 and is_chief(strategy)
    assert broadcast_from_chief(strategy, 7) == 7


@pytest.mark.parametrize(
    "config",
    [
        "{",
        "[]",
        json.dumps({"cluster": {"worker": ["a:1"]}}),
        json.dumps({"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}),
        json.dumps({"cluster": {"worker": ["a:1"]}, "task": {"type": "chief", "index": 0}}),
    ],
)
def test_a_tf_config_that_cannot_be(config, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(InputError, match=r"TF_CONFIG: expected .* found"):
        open_strategy()
