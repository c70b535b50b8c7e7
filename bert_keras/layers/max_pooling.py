"""The largest value of each feature over the tokens of each example."""

import keras
from keras import ops

from bert_keras.layers.pooling import ExamplePooling, by_example


@keras.saving.register_keras_serializable(package="bert_keras")
class MaxPooling(ExamplePooling):
    """The maximum over all tokens of every example, feature by feature, padding left out.

    Reimers & Gurevych 2019 (arXiv 1908.10084), section 3, "MAX-strategy".
    """

    def pool(self, tokens, starts, used):
        return ops.segment_max(*by_example(tokens, starts, used))  # [examples, hidden]

    def pool_rows(self, sequence_output, used):
        lowest = ops.cast(ops.logical_not(used), sequence_output.dtype) * -1e9  # [batch, length]
        return ops.max(sequence_output + ops.expand_dims(lowest, 2), axis=1)  # [batch, hidden]
