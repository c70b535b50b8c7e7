"""Packs several examples into a row, so that no arithmetic is spent on padding.

Attention is kept inside each example by `example_ids` (see `layers/attention_mask.py`), so a packed
row computes exactly what its examples would compute alone.
"""

from collections.abc import Mapping

import tensorflow as tf

from bert_keras.layers.example_starts import example_starts


def pack(
    token_ids: tf.RaggedTensor,
    segment_ids: tf.RaggedTensor,
    row_length: int | tf.Tensor | None = None,
    others: Mapping[str, tf.RaggedTensor] | None = None,
) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
    """Packs examples into rows by first-fit decreasing.

    First-fit decreasing (Johnson, 1973) takes the longest example first and puts each example into
    the first row that has space for it. It needs at most 11/9 of the fewest possible rows, plus
    one.

    Args:
        token_ids: ragged int32 [examples, (tokens)], none longer than `row_length`.
        segment_ids: the same shape.
        row_length: tokens of a row; None takes the length of the longest example.
        others: further values of each token, by name, each of the same shape.

    Returns:
        inputs: the encoder's inputs, int32 [rows, row_length] each: `token_ids`, `segment_ids`,
            `position_ids` (from 0 in each example) and `example_ids` (1, 2, ... in each row, 0 for
            padding), and the others by their names, 0 for padding.
        order: int32 [examples]; the model's n-th prediction is for example `order[n]`, because
            models predict in the order of the examples in the rows.
    """
    lengths = tf.cast(token_ids.row_lengths(), tf.int32)  # [examples]
    if row_length is None:
        row_length = tf.reduce_max(tf.concat([lengths, [1]], 0))
    starts = _first_fit_decreasing(lengths, row_length)  # [examples]
    order = tf.argsort(starts)  # [examples]
    rows = tf.reduce_max(tf.concat([starts // row_length + 1, [0]], 0))

    # An example's number in its row is its rank among all, less the rank of the row's first.
    row = tf.gather(starts, order) // row_length  # [examples], ascending
    rank = tf.range(tf.size(row)) - tf.searchsorted(row, row)
    number = tf.gather(rank + 1, tf.argsort(order))  # [examples], in the caller's order

    example = token_ids.value_rowids()  # [tokens]
    position = tf.range(tf.size(example)) - tf.cast(
        tf.gather(token_ids.row_starts(), example), tf.int32
    )
    slot = tf.gather(starts, example) + position  # [tokens]
    columns = {
        "token_ids": token_ids.values,
        "segment_ids": segment_ids.values,
        "position_ids": position,
        "example_ids": tf.gather(number, example),
        **{name: other.values for name, other in (others or {}).items()},
    }  # [tokens] each
    count = len(columns)
    table = tf.stack([*columns.values()], axis=1)  # [tokens, columns]
    table = tf.scatter_nd(slot[:, tf.newaxis], table, [rows * row_length, count])
    table = tf.reshape(tf.transpose(table), [count, -1, row_length])  # [columns, rows, row_length]
    return dict(zip(columns, tf.unstack(table, num=count), strict=True)), order


def unpack(values: tf.Tensor, example_ids: tf.Tensor) -> tf.RaggedTensor:
    """Separates packed rows into examples.

    Args:
        values: [rows, row_length, ...], a value of each token.
        example_ids: int32 [rows, row_length], from `pack`.

    Returns:
        Ragged [examples, (tokens), ...], in the order of the examples in the rows.
    """
    used = tf.reshape(example_ids, [-1]) > 0  # [rows * row_length]
    starts = tf.cast(example_starts(example_ids), tf.int64)
    example = tf.boolean_mask(tf.cumsum(starts) - 1, used)  # [tokens]
    values = tf.reshape(values, tf.concat([[-1], tf.shape(values)[2:]], 0))
    return tf.RaggedTensor.from_value_rowids(
        tf.boolean_mask(values, used), example, nrows=tf.reduce_sum(starts), validate=False
    )


def _first_fit_decreasing(lengths: tf.Tensor, row_length: int | tf.Tensor) -> tf.Tensor:
    """The start of each example, counted through the concatenated rows: int32 [examples]."""
    count = tf.size(lengths)
    longest_first = tf.argsort(lengths, direction="DESCENDING", stable=True)

    def slot(i: tf.Tensor, free: tf.Tensor, starts: tf.TensorArray) -> tuple:
        length = lengths[longest_first[i]]
        row = tf.argmax(free >= length, output_type=tf.int32)
        start = (row + 1) * row_length - free[row]
        free = tf.tensor_scatter_nd_sub(free, [[row]], [length])
        return i + 1, free, starts.write(longest_first[i], start)

    _, _, starts = tf.while_loop(
        lambda i, *_: i < count,
        slot,
        (0, tf.fill([count], row_length), tf.TensorArray(tf.int32, size=count)),
    )
    return tf.reshape(starts.stack(), [count])
