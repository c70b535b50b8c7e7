"""Learned positions."""

import keras
import numpy as np

from bert_keras.layers.position_embedding import PositionEmbedding


def test_vectors_are_looked_up_by_position_id():
    layer = PositionEmbedding(5, 3)
    positions = np.array([[0, 1, 2], [0, 1, 0]], "int32")
    found = keras.ops.convert_to_numpy(layer(positions))
    table = keras.ops.convert_to_numpy(layer.embeddings)
    assert found.shape == (2, 3, 3)
    np.testing.assert_array_equal(found, table[positions])


def test_the_table_starts_at_the_initializer_range():
    layer = PositionEmbedding(400, 50, initializer_range=0.3)
    layer.build((None, None))
    table = keras.ops.convert_to_numpy(layer.embeddings)
    assert abs(table).max() <= 0.6  # truncated at two standard deviations
    assert 0.24 < table.std() < 0.3


def test_config_round_trip():
    layer = PositionEmbedding(5, 4, initializer_range=0.1, name="position")
    assert PositionEmbedding.from_config(layer.get_config()).get_config() == layer.get_config()
