"""The tokens whose vectors the heads use."""

import keras
from keras import ops

from bert_keras.layers.example_starts import example_starts
from bert_keras.layers.types import Tensor


@keras.saving.register_keras_serializable(package="bert_keras")
class OutputTokens(keras.layers.Layer):
    """Selects the first token of every example and, if there are any, the masked tokens.

    The selected tokens form one row, in the order of the batch. The row has `example_ids` and
    `masked` of its own, so a head works on it as on the batch.

    Args:
        **kwargs: `name`.
    """

    def __init__(self, **kwargs: object):
        super().__init__(**kwargs)
        # The number of tokens depends on the values of the inputs; XLA needs it beforehand.
        self.supports_jit = False

    def call(
        self, example_ids: Tensor, masked: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Selects the tokens.

        Args:
            example_ids: int32 [batch, length], 0 for padding.
            masked: int32 [batch, length], 1 at masked tokens; None if there are none.

        Returns:
            positions: int32 [read], indices into [batch * length].
            example_ids: int32 [1, read], above 0 at first tokens, where no two are equal.
            masked: int32 [1, read].
        """
        starts = example_starts(example_ids)  # [batch * length]
        marked = ops.zeros_like(starts) if masked is None else ops.reshape(masked > 0, (-1,))
        (positions,) = ops.nonzero(ops.logical_or(starts, marked))  # [read]
        positions = ops.cast(positions, "int32")
        first = ops.cast(ops.take(starts, positions), "int32")  # [read]
        marked = ops.cast(ops.take(marked, positions), "int32")  # [read]
        return positions, (first * ops.cumsum(first))[None], marked[None]

    def compute_output_spec(
        self, example_ids: Tensor, masked: Tensor | None = None
    ) -> tuple[keras.KerasTensor, ...]:
        # Stated, not traced: tracing `nonzero` needs values under JAX.
        shapes = (None,), (1, None), (1, None)
        return tuple(keras.KerasTensor(shape, "int32") for shape in shapes)
