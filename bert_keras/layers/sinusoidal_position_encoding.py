"""The position encoding of the Transformer paper."""

import keras
from keras import ops


def waves(position_ids, width, base):
    """Sines and cosines of the position at wavelengths from 2π to base · 2π, by turns.

    Args:
        position_ids: int32 [...].
        width: how many, even.
        base: float.

    Returns:
        float32 [..., width], whatever the policy: bfloat16 cannot tell position 256 from 257.
    """
    two_i = ops.arange(0, width, 2, dtype="float32")  # [width / 2]
    frequency = ops.exp(-ops.log(base) * two_i / width)
    position = ops.cast(position_ids, "float32")
    angle = ops.expand_dims(position, -1) * frequency  # [..., width / 2]
    both = ops.stack([ops.sin(angle), ops.cos(angle)], axis=-1)  # [..., width / 2, 2]
    return ops.reshape(both, (*ops.shape(position_ids), width))


@keras.saving.register_keras_serializable(package="bert_keras")
class SinusoidalPositionEncoding(keras.layers.Layer):
    """Sines and cosines of the position at wavelengths from 2π to 10000 · 2π.

    Vaswani et al. 2017 (arXiv 1706.03762), section 3.5:

        PE(pos, 2i)     = sin(pos / 10000^(2i / hidden))
        PE(pos, 2i + 1) = cos(pos / 10000^(2i / hidden))

    There is nothing to learn and no longest position. It is computed from `position_ids`, so that
    every example of a packed row starts at position 0.

    Args:
        hidden_size: width of a vector, even.
        **kwargs: `name`, `dtype`.
    """

    def __init__(self, hidden_size, **kwargs):
        super().__init__(**kwargs)
        self.hidden_size = hidden_size

    def call(self, position_ids):
        """Encodes positions.

        Args:
            position_ids: int32 [batch, length].

        Returns:
            [batch, length, hidden], each value between -1 and 1.
        """
        return ops.cast(waves(position_ids, self.hidden_size, 10000.0), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return (*input_shape, self.hidden_size)

    def get_config(self):
        return super().get_config() | {"hidden_size": self.hidden_size}
