"""Learned position embeddings."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="bert_keras")
class PositionEmbedding(keras.layers.Layer):
    """A learned vector for each position of an example.

    BERT learns its positions (Devlin et al. 2018, arXiv 1810.04805, section 3 and figure 2). They
    are looked up by `position_ids` rather than by the place in the row, so that every example of
    a packed row starts at position 0.

    Args:
        max_position_embeddings: how many positions there are.
        hidden_size: width of a vector.
        initializer_range: standard deviation of the truncated normal that fills the table. BERT's
            0.02.
        **kwargs: `name`, `dtype`.
    """

    def __init__(self, max_position_embeddings, hidden_size, initializer_range=0.02, **kwargs):
        super().__init__(**kwargs)
        self.max_position_embeddings = max_position_embeddings
        self.hidden_size = hidden_size
        self.initializer_range = initializer_range
        # The gathered vectors are cast, not the whole table.
        self.autocast = False

    def build(self, input_shape):
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(self.max_position_embeddings, self.hidden_size),
            initializer=keras.initializers.TruncatedNormal(stddev=self.initializer_range),
        )

    def call(self, position_ids):
        """Looks positions up.

        Args:
            position_ids: int32 [batch, length], from 0 to `max_position_embeddings` - 1.

        Returns:
            [batch, length, hidden].
        """
        vectors = ops.take(self.embeddings, position_ids, axis=0)  # [batch, length, hidden]
        return ops.cast(vectors, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return (*input_shape, self.hidden_size)

    def get_config(self):
        return super().get_config() | {
            "max_position_embeddings": self.max_position_embeddings,
            "hidden_size": self.hidden_size,
            "initializer_range": self.initializer_range,
        }
