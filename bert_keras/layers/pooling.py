"""What layers that make one vector of each example have in common."""

import keras
from keras import ops

from bert_keras.layers.example_starts import example_starts


class ExamplePooling(keras.layers.Layer):
    """One vector for each example of packed rows; a subclass says in `pool` which.

    With `one_a_row` set every row is taken to hold one example, from its first token on, and
    nothing is searched for: how many vectors there are is known from the shapes alone.

    Args:
        **kwargs: `name`, `dtype`.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        # How many examples come out depends on the values that go in; XLA wants to know before.
        self.supports_jit = False
        self.one_a_row = False

    def call(self, sequence_output, example_ids):
        """Pools.

        Args:
            sequence_output: [batch, length, hidden].
            example_ids: int32 [batch, length].

        Returns:
            [examples, hidden], row by row and from left to right within a row.
        """
        if self.one_a_row:
            return self.pool_rows(sequence_output, example_ids > 0)
        tokens = ops.reshape(sequence_output, (-1, sequence_output.shape[-1]))
        return self.pool(tokens, example_starts(example_ids), ops.reshape(example_ids, (-1,)) > 0)

    def pool(self, tokens, starts, used):
        """Makes the vectors.

        Args:
            tokens: [batch * length, hidden].
            starts: bool [batch * length], whether an example starts with the token.
            used: bool [batch * length], False for padding.

        Returns:
            [examples, hidden].
        """
        raise NotImplementedError

    def pool_rows(self, sequence_output, used):
        """Makes the vectors of rows that hold one example each.

        Args:
            sequence_output: [batch, length, hidden].
            used: bool [batch, length], False for padding.

        Returns:
            [batch, hidden].
        """
        raise NotImplementedError

    def compute_output_spec(self, sequence_output, example_ids):
        # Told rather than traced: tracing `nonzero` needs values under JAX.
        return keras.KerasTensor((None, sequence_output.shape[-1]), dtype=self.compute_dtype)


def by_example(tokens, starts, used):
    """Leaves padding out, and numbers what is left by its example.

    Args:
        tokens, starts, used: see `ExamplePooling.pool`.

    Returns:
        [used, hidden], the tokens; int32 [used], the number of the example of each; and how many
        examples there are.
    """
    starts = ops.cast(starts, "int32")
    (positions,) = ops.nonzero(used)  # [used]
    number = ops.take(ops.cumsum(starts) - 1, positions)
    return ops.take(tokens, positions, axis=0), number, ops.sum(starts)
