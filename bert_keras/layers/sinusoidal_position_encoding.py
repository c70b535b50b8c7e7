"""The position encoding of the Transformer paper."""

import keras
from keras import ops

from bert_keras.layers.types import LayerConfig, Shape, Tensor


def waves(position_ids: Tensor, width: int, base: float) -> Tensor:
    """Sines and cosines of the position, alternating, at wavelengths from 2π to base · 2π.

    Args:
        position_ids: int32 [...].
        width: number of features, even.
        base: ratio of the longest to the shortest wavelength.

    Returns:
        float32 [..., width] under every policy: bfloat16 cannot represent position 257.
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

    It has no weights and no longest position. It is computed from `position_ids`, so every example
    of a packed row starts at position 0.

    Args:
        hidden_size: width of a vector, even.
        **kwargs: `name`, `dtype`.
    """

    def __init__(self, hidden_size: int, **kwargs: object):
        super().__init__(**kwargs)
        self.hidden_size = hidden_size

    def call(self, position_ids: Tensor) -> Tensor:
        """Encodes positions.

        Args:
            position_ids: int32 [batch, length].

        Returns:
            [batch, length, hidden], each value between -1 and 1.
        """
        return ops.cast(waves(position_ids, self.hidden_size, 10000.0), self.compute_dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape, self.hidden_size)

    def get_config(self) -> LayerConfig:
        return super().get_config() | {"hidden_size": self.hidden_size}
