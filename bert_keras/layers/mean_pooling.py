"""The mean of the tokens of each example."""

import keras
from keras import ops

from bert_keras.layers.pooling import ExamplePooling, by_example


@keras.saving.register_keras_serializable(package="bert_keras")
class MeanPooling(ExamplePooling):
    """The mean over all tokens of every example, [CLS] and [SEP] included, padding left out.

    Reimers & Gurevych 2019 (arXiv 1908.10084), section 3: what encoders of sentences are tuned on.
    The sum is taken in float32 under every dtype policy.
    """

    def pool(self, tokens, starts, used):
        vectors, number, count = by_example(tokens, starts, used)
        vectors = ops.cast(vectors, "float32")  # [used, hidden]
        sums = ops.segment_sum(vectors, number, count)  # [examples, hidden]
        counts = ops.segment_sum(ops.ones_like(vectors[:, :1]), number, count)
        return ops.cast(sums / counts, self.compute_dtype)

    def pool_rows(self, sequence_output, used):
        counted = ops.expand_dims(ops.cast(used, "float32"), 2)  # [batch, length, 1]
        sums = ops.sum(ops.cast(sequence_output, "float32") * counted, axis=1)  # [batch, hidden]
        return ops.cast(sums / ops.sum(counted, axis=1), self.compute_dtype)
