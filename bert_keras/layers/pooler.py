"""One vector for each example."""

import keras
from keras import ops

from bert_keras.layers.example_starts import example_starts


@keras.saving.register_keras_serializable(package="bert_keras")
class Pooler(keras.layers.Layer):
    """tanh(W x + b) of the first token, [CLS], of every example.

    Devlin et al. 2018 (arXiv 1810.04805), section 3.1 (the vector C), with the dense layer that
    the published weights carry.

    Args:
        initializer_range: standard deviation of the truncated normal that fills the kernel.
        **kwargs: `name`, `dtype`.
    """

    def __init__(self, initializer_range=0.02, **kwargs):
        super().__init__(**kwargs)
        self.initializer_range = initializer_range
        # How many examples come out depends on the values that go in; XLA wants to know before.
        self.supports_jit = False

    def build(self, input_shape):
        hidden = input_shape[-1]
        self.dense = keras.layers.Dense(
            hidden,
            activation="tanh",
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=self.initializer_range),
            dtype=self.dtype_policy,
            name="dense",
        )
        self.dense.build((None, hidden))

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
        return self.dense(ops.take(tokens, places, axis=0))  # [examples, hidden]

    def compute_output_spec(self, sequence_output, example_ids):
        # Told rather than traced: tracing `nonzero` needs values under JAX.
        return keras.KerasTensor((None, sequence_output.shape[-1]), dtype=self.compute_dtype)

    def get_config(self):
        return super().get_config() | {"initializer_range": self.initializer_range}
