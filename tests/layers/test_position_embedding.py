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


def test_a_new_table_tells_neighbours_apart():
    layer = PositionEmbedding(512, 49, initializer_range=0.3)
    layer.build((None, None))
    table = keras.ops.convert_to_numpy(layer.embeddings)
    assert table.shape == (512, 49)
    assert 0.59 < abs(table).max() <= 0.6
    length = np.linalg.norm(table[:, :48], axis=1)
    np.testing.assert_allclose(length, length[0], rtol=1e-4)
    # How near two positions are depends on how far apart they are alone, and falls at first.
    near = np.array([table[100, :48] @ table[100 + n, :48] for n in range(4)])
    also = np.array([table[400, :48] @ table[400 - n, :48] for n in range(4)])
    np.testing.assert_allclose(near, also, rtol=1e-3)
    assert (np.diff(near) < -0.05 * near[0]).all()
    assert (np.diff(table[:, 47]) < 0).sum() > 200  # the longest wave is about as long as the table


def test_config_round_trip():
    layer = PositionEmbedding(5, 4, initializer_range=0.1, name="position")
    assert PositionEmbedding.from_config(layer.get_config()).get_config() == layer.get_config()
