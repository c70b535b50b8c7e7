"""The first token of each example."""

import keras
from keras import ops

from bert_keras.layers.pooling import ExamplePooling


@keras.saving.register_keras_serializable(package="bert_keras")
class FirstToken(ExamplePooling):
    """The vector of [CLS], the first token, of every example, as the last block leaves it.

    Reimers & Gurevych 2019 (arXiv 1908.10084), section 3, "the output of the CLS-token". The
    `Pooler` has a dense layer on it.
    """

    def pool(self, tokens, starts, used):
        (positions,) = ops.nonzero(starts)  # [examples]
        return ops.take(tokens, positions, axis=0)  # [examples, hidden]

    def pool_rows(self, sequence_output, used):
        return sequence_output[:, 0]  # [batch, hidden]
