import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_keras.config import BertConfig
from bert_keras.errors import InputError
from bert_keras.models.classifier import BertClassifier
from bert_keras.models.pretrainer import BertPretrainer
from bert_keras.serving import freezing

CONFIG = BertConfig(
    vocab_size=20,
    hidden_size=8,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=16,
    max_position_embeddings=9,
    initializer_range=0.5,
)
INPUTS = {
    "token_ids": tf.constant([[2, 5, 6, 2, 7], [2, 8, 9, 3, 0]]),
    "segment_ids": tf.zeros([2, 5], tf.int32),
    "position_ids": tf.constant([[0, 1, 2, 0, 1], [0, 1, 2, 3, 0]]),
    "example_ids": tf.constant([[1, 1, 1, 2, 2], [1, 1, 1, 1, 0]]),
    "masked": tf.constant([[0, 1, 0, 0, 0], [0, 0, 1, 1, 0]]),
}


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_the_same_without_variables(dtype):
    keras.utils.set_random_seed(0)
    model = BertPretrainer(CONFIG, dtype=dtype)
    expected = {name: value.numpy() for name, value in model(INPUTS, training=False).items()}
    frozen = freezing.freeze(model)
    for weight in model.weights:
        weight.assign(weight * 0)
    serve = tf.function(lambda inputs: frozen(inputs, training=False))
    found = serve(INPUTS | {"beside": tf.constant(1)})
    apart = 1e-5 if dtype == "float32" else 0.05  # a kernel rounds once more in a graph, or less
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, atol=apart)
    spec = tf.nest.map_structure(tf.TensorSpec.from_tensor, INPUTS)
    assert not serve.get_concrete_function(spec).variables


def test_what_is_looked_up_in_is_a_variable_that_nobody_else_changes():
    keras.utils.set_random_seed(0)
    model = BertClassifier(CONFIG, num_classes=2)
    inputs = {name: value for name, value in INPUTS.items() if name != "masked"}
    expected = model(inputs, training=False).numpy()
    frozen = freezing.freeze(model)
    for weight in model.weights:
        weight.assign(weight * 0)
    serve = tf.function(lambda inputs: frozen(inputs, training=False))
    np.testing.assert_allclose(serve(inputs), expected, atol=1e-5)
    spec = tf.nest.map_structure(tf.TensorSpec.from_tensor, inputs)
    (table,) = serve.get_concrete_function(spec).variables
    assert table.shape == (20, 8)


def test_weights_beyond_what_a_graph_holds(monkeypatch):
    monkeypatch.setattr(freezing, "_MOST_BYTES", 1000)
    with pytest.raises(InputError, match="a graph holds less than 2 GiB"):
        freezing.freeze(BertPretrainer(CONFIG))
