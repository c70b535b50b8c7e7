"""Several examples to a row, so that no arithmetic is spent on padding.

Attention is kept inside each example by `example_ids` (see `layers/attention_mask.py`), so a packed
row computes exactly what its examples would compute alone.
"""

import tensorflow as tf

from bert_keras.layers.example_starts import example_starts


def pack(token_ids, segment_ids, row_length=None, others=None):
    """Packs examples into as few rows as first-fit decreasing finds.

    First-fit decreasing (Johnson, 1973): the longest example first, each into the first row with
    room for it; never more than 11/9 of the fewest possible rows, plus one.

    Args:
        token_ids: ragged int32 [examples, (tokens)], none longer than `row_length`.
        segment_ids: the same shape.
        row_length: tokens a row; None takes the longest example's.
        others: dict of what else there is to say of each token, by name, each of the same shape.

    Returns:
        inputs: the encoder's inputs, a dict of int32 [rows, row_length]: `token_ids`,
            `segment_ids`, `position_ids` (from 0 in each example) and `example_ids` (1, 2, ... in
            each row, 0 for padding), and the others by their names, 0 for padding.
        order: int32 [examples]; the model's n-th answer belongs to example `order[n]`, for models
            answer in the order in which examples stand in the rows.
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


def unpack(values, example_ids):
    """Takes packed rows apart again.

    Args:
        values: [rows, row_length, ...], what there is to say of each token.
        example_ids: int32 [rows, row_length], as `pack` gave them.

    Returns:
        Ragged [examples, (tokens), ...], in the order in which the examples stand in the rows.
    """
    used = tf.reshape(example_ids, [-1]) > 0  # [rows * row_length]
    starts = tf.cast(example_starts(example_ids), tf.int64)
    example = tf.boolean_mask(tf.cumsum(starts) - 1, used)  # [tokens]
    values = tf.reshape(values, tf.concat([[-1], tf.shape(values)[2:]], 0))
    return tf.RaggedTensor.from_value_rowids(
        tf.boolean_mask(values, used), example, nrows=tf.reduce_sum(starts), validate=False
    )


def _first_fit_decreasing(lengths, row_length):
    """Where each example starts, counted through the rows end to end: int32 [examples]."""
    count = tf.size(lengths)
    longest_first = tf.argsort(lengths, direction="DESCENDING", stable=True)

    def slot(i, free, starts):
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
