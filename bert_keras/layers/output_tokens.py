"""Which tokens the heads read."""

import keras
from keras import ops

from bert_keras.layers.example_starts import example_starts


@keras.saving.register_keras_serializable(package="bert_keras")
class ReadTokens(keras.layers.Layer):
    """Finds the first token of every example and, if asked for, the masked ones.

    They make one row, in the order in which they stand in the batch, with marks as the batch's own
    rows have them, so that a head does not see that the others are gone.

    Args:
        **kwargs: `name`.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        # How many there are depends on the values that go in; XLA wants to know before.
        self.supports_jit = False

    def call(self, example_ids, masked=None):
        """Finds.

        Args:
            example_ids: int32 [batch, length], 0 for padding.
            masked: int32 [batch, length], 1 where a word is to be told; None if none is.

        Returns:
            positions: int32 [read], counted through the rows end to end.
            example_ids: int32 [1, read], above 0 at first tokens, no two of which are equal.
            masked: int32 [1, read].
        """
        starts = example_starts(example_ids)  # [batch * length]
        marked = ops.zeros_like(starts) if masked is None else ops.reshape(masked > 0, (-1,))
        (positions,) = ops.nonzero(ops.logical_or(starts, marked))  # [read]
        positions = ops.cast(positions, "int32")
        first = ops.cast(ops.take(starts, positions), "int32")  # [read]
        marked = ops.cast(ops.take(marked, positions), "int32")  # [read]
        return positions, (first * ops.cumsum(first))[None], marked[None]

    def compute_output_spec(self, example_ids, masked=None):
        # Told rather than traced: tracing `nonzero` needs values under JAX.
        shapes = (None,), (1, None), (1, None)
        return tuple(keras.KerasTensor(shape, "int32") for shape in shapes)
