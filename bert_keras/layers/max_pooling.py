"""The largest value of each feature over the tokens of each example."""

import keras
from keras import ops

from bert_keras.layers.example_starts import example_starts


@keras.saving.register_keras_serializable(package="bert_keras")
class MaxPooling(keras.layers.Layer):
    """The maximum over all tokens of every example, feature by feature, padding left out.

    Reimers & Gurevych 2019 (arXiv 1908.10084), section 3, "MAX-strategy".

    Args:
        **kwargs: `name`, `dtype`.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        # How many examples come out depends on the values that go in; XLA wants to know before.
        self.supports_jit = False

    def call(self, sequence_output, example_ids):
        """Pools.

        Args:
            sequence_output: [batch, length, hidden].
            example_ids: int32 [batch, length].

        Returns:
            [examples, hidden], row by row and from left to right within a row.
        """
        starts = ops.cast(example_starts(example_ids), "int32")
        number = ops.cumsum(starts) - 1  # [batch * length], the example of each token
        (places,) = ops.nonzero(ops.reshape(example_ids, (-1,)))  # [tokens]
        vectors = ops.reshape(sequence_output, (-1, sequence_output.shape[-1]))
        vectors = ops.take(vectors, places, axis=0)  # [tokens, hidden]
        return ops.segment_max(vectors, ops.take(number, places), ops.sum(starts))

    def compute_output_spec(self, sequence_output, example_ids):
        # Told rather than traced: tracing `nonzero` needs values under JAX.
        return keras.KerasTensor((None, sequence_output.shape[-1]), dtype=self.compute_dtype)
