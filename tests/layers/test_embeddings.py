"""The sum of three embeddings."""

import keras
import numpy as np
import pytest

from bert_keras.layers.embeddings import Embeddings

TOKENS = np.array([[5, 1, 3], [2, 2, 0]], "int32")
SEGMENTS = np.array([[0, 1, 1], [0, 0, 0]], "int32")
POSITIONS = np.array([[0, 1, 2], [0, 1, 0]], "int32")


def numbers(tensor):
    return keras.ops.convert_to_numpy(tensor)


def hidden_states(layer, **kwargs):
    return numbers(layer(TOKENS, SEGMENTS, POSITIONS, **kwargs)[0])


def by_hand(layer, words, positions):
    summed = words + numbers(layer.segment.embeddings)[SEGMENTS] + positions
    centred = summed - summed.mean(-1, keepdims=True)
    normal = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + layer.layer_norm_eps)
    return normal * numbers(layer.layer_norm.gamma) + numbers(layer.layer_norm.beta)


@pytest.fixture
def layer():
    layer = Embeddings(7, 4, max_position_embeddings=3, layer_norm_eps=1e-6)
    layer.build((None, None))
    layer.layer_norm.gamma.assign([1.0, 2.0, 3.0, 4.0])
    layer.layer_norm.beta.assign([0.5, 0.0, -1.0, 2.0])
    return layer


def test_sum_then_layer_norm(layer):
    words = numbers(layer.word.embeddings)[TOKENS]
    positions = numbers(layer.position.embeddings)[POSITIONS]
    embedded = hidden_states(layer)
    np.testing.assert_allclose(embedded, by_hand(layer, words, positions), atol=1e-5)


def test_sinusoidal_positions_meet_scaled_words():
    layer = Embeddings(7, 4, position_embedding_type="sinusoidal")
    embedded = hidden_states(layer)
    words = 2 * numbers(layer.word.embeddings)[TOKENS]
    positions = numbers(layer.position(POSITIONS))
    np.testing.assert_allclose(embedded, by_hand(layer, words, positions), atol=1e-5)
    assert not any("position" in weight.path for weight in layer.weights)


def test_each_table_starts_with_values_of_its_own():
    layer = Embeddings(7, 4, max_position_embeddings=7, type_vocab_size=7)
    layer.build((None, None))
    word, segment, position = (
        numbers(table.embeddings) for table in (layer.word, layer.segment, layer.position)
    )
    assert not np.allclose(word, segment)
    assert not np.allclose(word, position)


def test_dropout_in_training_only(layer):
    layer.dropout.rate = 0.5
    assert (hidden_states(layer) == 0).sum() == 0
    assert (hidden_states(layer, training=True) == 0).sum() > 0


def test_mixed_precision_rounds_nothing(layer):
    mixed = Embeddings(7, 4, max_position_embeddings=3, layer_norm_eps=1e-6, dtype="mixed_bfloat16")
    mixed.build((None, None))
    for ours, theirs in zip(mixed.trainable_weights, layer.trainable_weights, strict=True):
        ours.assign(theirs)
    np.testing.assert_array_equal(hidden_states(mixed), hidden_states(layer))


def test_the_word_table_is_an_output(layer):
    _, table = layer(TOKENS, SEGMENTS, POSITIONS)
    np.testing.assert_array_equal(numbers(table), numbers(layer.word.embeddings))


def test_config_round_trip():
    layer = Embeddings(7, 4, 9, 3, "sinusoidal", 0.2, 1e-5, 0.3, name="embeddings")
    assert Embeddings.from_config(layer.get_config()).get_config() == layer.get_config()
