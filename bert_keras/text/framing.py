"""Token ids to the sequences that BERT reads: cut to length, with [CLS] and [SEP] around."""

import tensorflow as tf


def frame(first, second, room, cls_id, sep_id):
    """Cuts sequences to fit and frames them: [CLS] first [SEP], or [CLS] first [SEP] second [SEP].

    Args:
        first: int32 ragged [batch, (tokens)].
        second: as many, or None.
        room: how many tokens of both may stay, an int from 0.
        cls_id: the id of [CLS].
        sep_id: the id of [SEP].

    Returns:
        dict of `token_ids` and `segment_ids`, int32 ragged [batch, (tokens)], and `truncated`,
        int32 [batch], as `BertTokenizer.encode` describes them.
    """
    first_lengths = first.row_lengths()
    zeros = tf.zeros_like(first_lengths)
    first_begin = 2
    second_begin = first_begin + tf.size(first.values, tf.int64)
    # All that can stand in a row, one after the other. A row is some ranges of it.
    pool = [[cls_id, sep_id], first.values]
    begins = [zeros, first.row_splits[:-1] + first_begin, zeros + 1]
    if second is None:
        kept = tf.minimum(first_lengths, room)
        sizes = [zeros + 1, kept, zeros + 1]
        truncated = first_lengths - kept
    else:
        # Popping from the longer one, and from the second of equals, ends at these lengths.
        second_lengths = second.row_lengths()
        kept = tf.minimum(first_lengths, tf.maximum(room - second_lengths, room - room // 2))
        second_kept = tf.minimum(second_lengths, tf.maximum(room - first_lengths, room // 2))
        second_end = second_begin + tf.size(second.values, tf.int64)
        pool += [second.values, [sep_id]]
        begins += [second.row_splits[:-1] + second_begin, zeros + second_end]
        sizes = [zeros + 1, kept, zeros + 1, second_kept, zeros + 1]
        truncated = first_lengths + second_lengths - kept - second_kept

    parts = len(sizes)
    begins, sizes = (tf.reshape(tf.stack(part, 1), [-1]) for part in (begins, sizes))
    positions = tf.ragged.range(begins, begins + sizes)  # [batch * parts, (tokens)]
    splits = positions.row_splits[::parts]
    token_ids = tf.gather(tf.concat(pool, 0), positions.values)
    segment_ids = tf.cast(positions.values >= second_begin, tf.int32)
    return {
        "token_ids": tf.RaggedTensor.from_row_splits(token_ids, splits, validate=False),
        "segment_ids": tf.RaggedTensor.from_row_splits(segment_ids, splits, validate=False),
        "truncated": tf.cast(truncated, tf.int32),
    }
