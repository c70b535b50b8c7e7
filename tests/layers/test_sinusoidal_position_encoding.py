"""Sines and cosines."""

import math

import keras
import numpy as np

from bert_keras.layers.sinusoidal_position_encoding import SinusoidalPositionEncoding


def test_the_papers_formula():
    hidden = 6
    positions = np.array([[0, 1, 2, 700], [0, 3, 0, 1]], "int32")
    found = keras.ops.convert_to_numpy(SinusoidalPositionEncoding(hidden)(positions))
    assert found.shape == (2, 4, hidden)
    for row, column in np.ndindex(positions.shape):
        for i in range(hidden // 2):
            angle = positions[row, column] / 10000 ** (2 * i / hidden)
            assert math.isclose(found[row, column, 2 * i], math.sin(angle), abs_tol=1e-4)
            assert math.isclose(found[row, column, 2 * i + 1], math.cos(angle), abs_tol=1e-4)


def test_neighbours_differ_under_bfloat16():
    layer = SinusoidalPositionEncoding(8, dtype="mixed_bfloat16")
    found = layer(np.array([[256, 257]], "int32"))
    assert found.dtype == "bfloat16"
    found = keras.ops.convert_to_numpy(keras.ops.cast(found, "float32"))
    assert abs(found[0, 0, 0] - found[0, 1, 0]) > 0.1


def test_nothing_to_learn_and_config_round_trip():
    layer = SinusoidalPositionEncoding(8, name="position")
    layer(np.zeros((1, 2), "int32"))
    assert layer.weights == []
    again = SinusoidalPositionEncoding.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
