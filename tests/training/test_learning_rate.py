import keras
import numpy as np
import pytest

from bert_keras.training.learning_rate import DECAYS, WarmupDecay


def rates(schedule, steps):
    return [float(schedule(step)) for step in steps]


def test_linear():
    values = rates(WarmupDecay(2.0, 20, 0.2), (0, 1, 2, 4, 8, 12, 20, 21))
    np.testing.assert_allclose(values, [0, 0.5, 1, 2, 1.5, 1, 0, 0], atol=1e-6)


def test_cosine():
    values = rates(WarmupDecay(2.0, 20, 0.2, "cosine"), (2, 4, 8, 12, 16, 20, 21))
    expected = [1, 2, 1 + np.sqrt(0.5), 1, 1 - np.sqrt(0.5), 0, 0]
    np.testing.assert_allclose(values, expected, atol=1e-6)


def test_inverse_square_root():
    values = rates(WarmupDecay(2.0, 100, 0.04, "inverse_sqrt"), (2, 4, 16, 100, 400))
    np.testing.assert_allclose(values, [1, 2, 1, 0.4, 0.2], atol=1e-6)


def test_constant():
    values = rates(WarmupDecay(2.0, 10, 0.2, "constant"), (1, 2, 9, 10, 11))
    np.testing.assert_allclose(values, [1, 2, 2, 2, 2])


@pytest.mark.parametrize("decay", DECAYS)
def test_without_warmup_and_of_warmup_alone(decay):
    assert float(WarmupDecay(2.0, 4, 0.0, decay)(0)) == pytest.approx(2)
    np.testing.assert_allclose(rates(WarmupDecay(2.0, 4, 1.0, decay), range(4)), [0, 0.5, 1, 1.5])


def test_config_round_trip():
    schedule = WarmupDecay(1e-3, 70, 0.3, "cosine")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    assert again.get_config() == schedule.get_config()
