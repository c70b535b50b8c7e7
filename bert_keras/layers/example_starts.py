"""The first tokens of the examples in packed rows."""

from keras import ops

from bert_keras.layers.types import Tensor


def example_starts(example_ids: Tensor) -> Tensor:
    """Marks the first token of every example.

    A row may hold several examples. One starts wherever `example_ids` is above 0 and differs from
    its left neighbour.

    Args:
        example_ids: int32 [batch, length], 0 for padding.

    Returns:
        bool [batch * length], row by row.
    """
    left = ops.pad(example_ids[:, :-1], ((0, 0), (1, 0)))  # [batch, length]
    starts = ops.logical_and(example_ids > 0, ops.not_equal(example_ids, left))
    return ops.reshape(starts, (-1,))  # [batch * length]
