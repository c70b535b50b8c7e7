"""One vector for each example."""

import keras

from bert_keras.layers.dense import Dense
from bert_keras.layers.first_token import FirstToken


@keras.saving.register_keras_serializable(package="bert_keras")
class Pooler(FirstToken):
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

    def build(self, input_shape):
        hidden = input_shape[-1]
        self.dense = Dense(
            hidden,
            activation="tanh",
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=self.initializer_range),
            dtype=self.dtype_policy,
            name="dense",
        )
        self.dense.build((None, hidden))

    def pool(self, tokens, starts, used):
        return self.dense(super().pool(tokens, starts, used))  # [examples, hidden]

    def pool_rows(self, sequence_output, used):
        return self.dense(super().pool_rows(sequence_output, used))  # [batch, hidden]

    def get_config(self):
        return super().get_config() | {"initializer_range": self.initializer_range}
