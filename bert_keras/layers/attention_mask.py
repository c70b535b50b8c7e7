"""Who may attend to whom, once per batch for all blocks."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="bert_keras")
class AttentionMask(keras.layers.Layer):
    """0 where a token may attend and a large negative number where it may not.

    A token attends to the tokens of its own example, those with the same `example_ids`. This is
    BERT's padding mask when a row holds one example, and block-diagonal when it holds several.
    Padding, whose id is 0, attends to padding, so that no row of the softmax is without a target.

    The mask is added to the attention scores: exp(score - 1e9) is exactly 0 in floating point.
    """

    def call(self, example_ids):
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
        apart = ops.cast(ops.not_equal(query, key), self.compute_dtype)
        return apart * closed  # [batch, 1, length, length]
