"""Learned position embeddings."""

import keras
from keras import ops

from bert_keras.layers.sinusoidal_position_encoding import waves
from bert_keras.layers.types import LayerConfig, Shape, Tensor


@keras.saving.register_keras_serializable(package="bert_keras")
class PositionEmbedding(keras.layers.Layer):
    """A learned vector for each position of an example.

    BERT learns its positions (Devlin et al. 2018, arXiv 1810.04805, section 3 and figure 2). They
    are looked up by `position_ids`, not by the index in the row, so every example of a packed row
    starts at position 0.

    A new table holds waves as `SinusoidalPositionEncoding` does, with the longest as long as the
    table, so near tokens are distinguishable from the first step. From the random vectors of the
    original, a model learns slowly which tokens are near, and until then little more than the
    frequency of words.

    Args:
        max_position_embeddings: number of positions.
        hidden_size: width of a vector.
        initializer_range: half the amplitude of the waves in a new table; elsewhere in BERT, the
            standard deviation of new weights. 0.02 is BERT's.
        **kwargs: `name`, `dtype`.
    """

    def __init__(
        self,
        max_position_embeddings: int,
        hidden_size: int,
        initializer_range: float = 0.02,
        **kwargs: object,
    ):
        super().__init__(**kwargs)
        self.max_position_embeddings = max_position_embeddings
        self.hidden_size = hidden_size
        self.initializer_range = initializer_range
        # The gathered vectors are cast, not the whole table.
        self.autocast = False

    def build(self, input_shape: Shape) -> None:
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(self.max_position_embeddings, self.hidden_size),
            initializer=self._waves,
        )

    def _waves(self, shape: tuple[int, int], dtype: str | None = None) -> Tensor:
        positions, width = shape
        base = max(positions / 6.28, 2.0)  # the longest wave is as long as the table
        table = waves(ops.arange(positions), width + width % 2, base)  # [positions, width]
        return ops.cast(2 * self.initializer_range * table[:, :width], dtype)

    def call(self, position_ids: Tensor) -> Tensor:
        """Looks up the vectors of positions.

        Args:
            position_ids: int32 [batch, length], from 0 to `max_position_embeddings` - 1.

        Returns:
            [batch, length, hidden].
        """
        vectors = ops.take(self.embeddings, position_ids, axis=0)  # [batch, length, hidden]
        return ops.cast(vectors, self.compute_dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape, self.hidden_size)

    def get_config(self) -> LayerConfig:
        return super().get_config() | {
            "max_position_embeddings": self.max_position_embeddings,
            "hidden_size": self.hidden_size,
            "initializer_range": self.initializer_range,
        }
