"""One vector for each example: layers that pool its tokens."""

import keras
from keras import ops

from bert_keras.layers.dense import Dense
from bert_keras.layers.example_starts import example_starts
from bert_keras.layers.execution import Execution
from bert_keras.layers.types import LayerConfig, Shape, Tensor


class ExamplePooling(keras.layers.Layer):
    """The base of the pooling layers: one vector for each example of packed rows.

    A subclass defines `pool`, and `pool_rows` for rows that hold one example each.

    Attributes:
        execution: see `Execution.one_example_a_row`.

    Args:
        **kwargs: `name`, `dtype`.
    """

    execution = Execution()

    def __init__(self, **kwargs: object):
        super().__init__(**kwargs)
        # The number of examples depends on the values of the inputs; XLA needs it beforehand.
        self.supports_jit = False

    def call(self, sequence_output: Tensor, example_ids: Tensor) -> Tensor:
        """Pools.

        Args:
            sequence_output: [batch, length, hidden].
            example_ids: int32 [batch, length], 0 for padding.

        Returns:
            [examples, hidden], row by row and from left to right within a row.
        """
        if self.execution.one_example_a_row:
            return self.pool_rows(sequence_output, example_ids > 0)
        tokens = ops.reshape(sequence_output, (-1, sequence_output.shape[-1]))
        return self.pool(tokens, example_starts(example_ids), ops.reshape(example_ids, (-1,)) > 0)

    def pool(self, tokens: Tensor, starts: Tensor, used: Tensor) -> Tensor:
        """Pools packed rows.

        Args:
            tokens: [batch * length, hidden].
            starts: bool [batch * length], whether an example starts with the token.
            used: bool [batch * length], False for padding.

        Returns:
            [examples, hidden].
        """
        raise NotImplementedError

    def pool_rows(self, sequence_output: Tensor, used: Tensor) -> Tensor:
        """Pools rows that hold one example each.

        Args:
            sequence_output: [batch, length, hidden].
            used: bool [batch, length], False for padding.

        Returns:
            [batch, hidden].
        """
        raise NotImplementedError

    def compute_output_spec(
        self, sequence_output: Tensor, example_ids: Tensor
    ) -> keras.KerasTensor:
        # Stated, not traced: tracing `nonzero` needs values under JAX.
        return keras.KerasTensor((None, sequence_output.shape[-1]), dtype=self.compute_dtype)

    def get_config(self) -> LayerConfig:
        # Keras serializes a dtype policy only where this method is defined.
        return super().get_config()


@keras.saving.register_keras_serializable(package="bert_keras")
class FirstToken(ExamplePooling):
    """The vector of [CLS], the first token, of every example, as the last block leaves it.

    Reimers & Gurevych 2019 (arXiv 1908.10084), section 3, "the output of the CLS-token". The
    `Pooler` has a dense layer on it.
    """

    def pool(self, tokens: Tensor, starts: Tensor, used: Tensor) -> Tensor:
        (positions,) = ops.nonzero(starts)  # [examples]
        return ops.take(tokens, positions, axis=0)  # [examples, hidden]

    def pool_rows(self, sequence_output: Tensor, used: Tensor) -> Tensor:
        return sequence_output[:, 0]  # [batch, hidden]


@keras.saving.register_keras_serializable(package="bert_keras")
class MeanPooling(ExamplePooling):
    """The mean over all tokens of every example, [CLS] and [SEP] included, without padding.

    Reimers & Gurevych 2019 (arXiv 1908.10084), section 3, "MEAN-strategy", the default of sentence
    encoders. The sum is taken in float32 under every dtype policy.
    """

    def pool(self, tokens: Tensor, starts: Tensor, used: Tensor) -> Tensor:
        vectors, example, count = _by_example(tokens, starts, used)
        vectors = ops.cast(vectors, "float32")  # [used, hidden]
        sums = ops.segment_sum(vectors, example, count)  # [examples, hidden]
        counts = ops.segment_sum(ops.ones_like(vectors[:, :1]), example, count)
        return ops.cast(sums / counts, self.compute_dtype)

    def pool_rows(self, sequence_output: Tensor, used: Tensor) -> Tensor:
        counted = ops.expand_dims(ops.cast(used, "float32"), 2)  # [batch, length, 1]
        sums = ops.sum(ops.cast(sequence_output, "float32") * counted, axis=1)  # [batch, hidden]
        return ops.cast(sums / ops.sum(counted, axis=1), self.compute_dtype)


@keras.saving.register_keras_serializable(package="bert_keras")
class MaxPooling(ExamplePooling):
    """The maximum over all tokens of every example, feature by feature, without padding.

    Reimers & Gurevych 2019 (arXiv 1908.10084), section 3, "MAX-strategy".
    """

    def pool(self, tokens: Tensor, starts: Tensor, used: Tensor) -> Tensor:
        return ops.segment_max(*_by_example(tokens, starts, used))  # [examples, hidden]

    def pool_rows(self, sequence_output: Tensor, used: Tensor) -> Tensor:
        lowest = ops.cast(ops.logical_not(used), sequence_output.dtype) * -1e9  # [batch, length]
        return ops.max(sequence_output + ops.expand_dims(lowest, 2), axis=1)  # [batch, hidden]


@keras.saving.register_keras_serializable(package="bert_keras")
class Pooler(FirstToken):
    """tanh(x W + b) of the first token, [CLS], of every example.

    Devlin et al. 2018 (arXiv 1810.04805), section 3.1 (the vector C), with the dense layer that
    the published weights have.

    Args:
        initializer_range: standard deviation of the truncated normal that fills the kernel.
        **kwargs: `name`, `dtype`.
    """

    def __init__(self, initializer_range: float = 0.02, **kwargs: object):
        super().__init__(**kwargs)
        self.initializer_range = initializer_range

    def build(self, input_shape: Shape) -> None:
        hidden = input_shape[-1]
        self.dense = Dense(
            hidden,
            activation="tanh",
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=self.initializer_range),
            dtype=self.dtype_policy,
            name="dense",
        )
        self.dense.build((None, hidden))

    def pool(self, tokens: Tensor, starts: Tensor, used: Tensor) -> Tensor:
        return self.dense(super().pool(tokens, starts, used))  # [examples, hidden]

    def pool_rows(self, sequence_output: Tensor, used: Tensor) -> Tensor:
        return self.dense(super().pool_rows(sequence_output, used))  # [batch, hidden]

    def get_config(self) -> LayerConfig:
        return super().get_config() | {"initializer_range": self.initializer_range}


def _by_example(tokens: Tensor, starts: Tensor, used: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Drops the padding and numbers the remaining tokens by their example.

    Args:
        tokens, starts, used: see `ExamplePooling.pool`.

    Returns:
        [used, hidden], the tokens; int32 [used], the index of the example of each; an int32
        scalar, the number of examples.
    """
    starts = ops.cast(starts, "int32")
    (positions,) = ops.nonzero(used)  # [used]
    example = ops.take(ops.cumsum(starts) - 1, positions)
    return ops.take(tokens, positions, axis=0), example, ops.sum(starts)
