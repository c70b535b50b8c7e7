"""The first token of each example."""

import keras
from keras import ops

from bert_keras.layers.example_starts import example_starts


@keras.saving.register_keras_serializable(package="bert_keras")
class FirstToken(keras.layers.Layer):
    """The vector of [CLS], the first token, of every example, as the last block leaves it.

    Reimers & Gurevych 2019 (arXiv 1908.10084), section 3, "the output of the CLS-token". The
    `Pooler` has a dense layer on it.

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
        (places,) = ops.nonzero(example_starts(example_ids))  # [examples]
        tokens = ops.reshape(sequence_output, (-1, sequence_output.shape[-1]))
        return ops.take(tokens, places, axis=0)  # [examples, hidden]

    def compute_output_spec(self, sequence_output, example_ids):
        # Told rather than traced: tracing `nonzero` needs values under JAX.
        return keras.KerasTensor((None, sequence_output.shape[-1]), dtype=self.compute_dtype)
