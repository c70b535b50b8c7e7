"""The attention mask, made once per batch for all blocks."""

import keras
from keras import ops

from bert_keras.layers.types import LayerConfig, Tensor


@keras.saving.register_keras_serializable(package="bert_keras")
class AttentionMask(keras.layers.Layer):
    """0 where a token may attend and a large negative number where it may not.

    A token attends to the tokens of its own example, those with the same `example_ids`. This is
    BERT's padding mask if a row holds one example, and block-diagonal if it holds several.
    Padding, whose id is 0, attends to padding, so that every row of the softmax has a target.

    The mask is added to the attention scores: exp(score - 1e9) is exactly 0 in floating point.

    Args:
        **kwargs: `name`, `dtype`.
    """

    def call(self, example_ids: Tensor) -> Tensor:
        """Makes the mask.

        Args:
            example_ids: int32 [batch, length], 1, 2, ... within a row; 0 for padding.

        Returns:
            [batch, 1, length, length] in the compute dtype: query position, then key position.
        """
        query = ops.expand_dims(example_ids, (1, 3))  # [batch, 1, length, 1]
        key = ops.expand_dims(example_ids, (1, 2))  # [batch, 1, 1, length]
        # float16 ends at 65,504.
        closed = -3e4 if self.compute_dtype == "float16" else -1e9
        different = ops.cast(ops.not_equal(query, key), self.compute_dtype)
        return different * closed  # [batch, 1, length, length]

    def get_config(self) -> LayerConfig:
        # Keras serializes a dtype policy only where this method is defined.
        return super().get_config()
