"""Truncates token ids and adds [CLS] and [SEP]."""

import tensorflow as tf


def frame(
    first: tf.RaggedTensor,
    second: tf.RaggedTensor | None,
    max_tokens: int | tf.Tensor,
    cls_id: int,
    sep_id: int,
) -> dict[str, tf.RaggedTensor | tf.Tensor]:
    """Builds BERT's input sequences: [CLS] first [SEP], or [CLS] first [SEP] second [SEP].

    Source: Devlin et al. 2018, section 3; truncation as in `_truncate_seq_pair` of
    google-research/bert, run_classifier.py.

    Args:
        first: int32 ragged [batch, (tokens)].
        second: int32 ragged [batch, (tokens)], or None for single sequences.
        max_tokens: how many tokens of first and second together are kept, [CLS] and [SEP] not
            counted; from 0.
        cls_id: the id of [CLS].
        sep_id: the id of [SEP].

    Returns:
        dict of `token_ids` and `segment_ids`, int32 ragged [batch, (tokens)], and `truncated`,
        int32 [batch]; `BertTokenizer.encode` describes them.
    """
    first_lengths = first.row_lengths()
    zeros = tf.zeros_like(first_lengths)
    first_offset = 2
    second_offset = first_offset + tf.size(first.values, tf.int64)
    # All tokens concatenated. A row consists of several ranges of this pool.
    pool = [[cls_id, sep_id], first.values]
    starts = [zeros, first.row_splits[:-1] + first_offset, zeros + 1]
    if second is None:
        kept = tf.minimum(first_lengths, max_tokens)
        sizes = [zeros + 1, kept, zeros + 1]
        truncated = first_lengths - kept
    else:
        # The original removes tokens one by one from the longer sequence, and from the second
        # where both are equally long. That ends at these lengths.
        half = max_tokens // 2
        second_lengths = second.row_lengths()
        kept = tf.minimum(first_lengths, tf.maximum(max_tokens - second_lengths, max_tokens - half))
        second_kept = tf.minimum(second_lengths, tf.maximum(max_tokens - first_lengths, half))
        final_sep = second_offset + tf.size(second.values, tf.int64)
        pool += [second.values, [sep_id]]
        starts += [second.row_splits[:-1] + second_offset, zeros + final_sep]
        sizes = [zeros + 1, kept, zeros + 1, second_kept, zeros + 1]
        truncated = first_lengths + second_lengths - kept - second_kept

    ranges = len(sizes)  # of each row
    starts, sizes = (tf.reshape(tf.stack(each, 1), [-1]) for each in (starts, sizes))
    indices = tf.ragged.range(starts, starts + sizes)  # [batch * ranges, (tokens)]
    splits = indices.row_splits[::ranges]
    token_ids = tf.gather(tf.concat(pool, 0), indices.values)
    segment_ids = tf.cast(indices.values >= second_offset, tf.int32)
    return {
        "token_ids": tf.RaggedTensor.from_row_splits(token_ids, splits, validate=False),
        "segment_ids": tf.RaggedTensor.from_row_splits(segment_ids, splits, validate=False),
        "truncated": tf.cast(truncated, tf.int32),
    }
