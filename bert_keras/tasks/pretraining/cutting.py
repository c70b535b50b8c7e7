"""Where passages are cut: between sentences if possible, else between words, else between tokens.

A batch of passages is a dict of `tokens`, int32 [passages, tokens], and `sentences`, int32
[passages, sentences], the position at which each sentence starts. Both are padded with -1.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

PADDING = -1  # of token ids and positions, which are never below 0


def cut_to_length(batch: Mapping[str, tf.Tensor], max_tokens: int) -> dict[str, tf.Tensor]:
    """Cuts passages into pieces of as many whole sentences as fit.

    Args:
        batch: a batch of passages with `document`, int64 [passages].
        max_tokens: the most tokens of a piece. A sentence that has more is cut into as many pieces
            as it needs.

    Returns:
        A batch of the pieces, in order: `tokens` and `sentences` are [pieces, max_tokens], the
        latter with -1 at every position where no sentence starts.
    """
    tokens, starts = batch["tokens"], _sentence_starts(batch)  # [passages, tokens]
    lengths = _lengths(tokens)
    position = tf.range(tf.shape(tokens)[1])

    def cut(at: tf.Tensor, cuts: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
        after = position - at[:, tf.newaxis]  # [passages, tokens]
        fits = starts & (after > 0) & (after <= max_tokens)
        sentence = tf.reduce_max(tf.where(fits, position, 0), 1)  # [passages], 0 for none
        is_last = lengths - at <= max_tokens
        at = tf.minimum(tf.where((sentence == 0) | is_last, at + max_tokens, sentence), lengths)
        return at, cuts.write(cuts.size(), at)

    cuts = tf.TensorArray(tf.int32, 0, dynamic_size=True, element_shape=lengths.shape)
    _, cuts = tf.while_loop(
        lambda at, _: tf.reduce_any(at < lengths), cut, (tf.zeros_like(lengths), cuts)
    )
    ends = tf.transpose(tf.reshape(cuts.stack(), [-1, tf.size(lengths)]))  # [passages, cuts]
    real = tf.where(tf.pad(ends, [[0, 0], [1, 0]])[:, :-1] < ends)  # [pieces, 2]
    passage = real[:, 0]
    # With the tokens of all passages concatenated, a piece starts where the one before it ends.
    ends = tf.gather_nd(ends, real) + tf.gather(tf.cumsum(lengths, exclusive=True), passage)
    splits = tf.concat([[0], ends], 0)  # [pieces + 1]

    def in_pieces(values: tf.Tensor) -> tf.Tensor:  # [passages, tokens]
        values = tf.boolean_mask(values, tokens >= 0)
        pieces = tf.RaggedTensor.from_row_splits(values, splits, validate=False)
        return pieces.to_tensor(PADDING, shape=[None, max_tokens])  # [pieces, max_tokens]

    starts = in_pieces(tf.cast(starts, tf.int32))
    return {
        "tokens": in_pieces(tokens),
        "sentences": tf.where(starts > 0, tf.range(max_tokens), PADDING),
        "document": tf.gather(batch["document"], passage),
    }


def cut_in_two(
    batch: Mapping[str, tf.Tensor], continuation: np.ndarray, seed: tf.Tensor | Sequence[int]
) -> tf.RaggedTensor:
    """Cuts each passage at a random position into A and B.

    The position is the start of a sentence; the start of a word, if the passage is one sentence;
    or any, if it is one word. A passage of one token is all A, and its B is empty.

    Args:
        batch: a batch of passages.
        continuation: bool [vocabulary], the tokens that continue a word.
        seed: int [2].

    Returns:
        int32 ragged [2 * passages, (tokens)]: A and B of the first passage, of the second, and so
        on.
    """
    tokens = batch["tokens"]  # [passages, tokens]
    starts_word = ~tf.gather(continuation, tf.maximum(tokens, 0))
    preference = tf.cast(starts_word, tf.float32)
    preference += 2 * tf.cast(_sentence_starts(batch), tf.float32)
    preference += tf.random.stateless_uniform(tf.shape(tokens), seed)
    allowed = (tokens >= 0) & (tf.range(tf.shape(tokens)[1]) > 0)
    middle = tf.argmax(tf.where(allowed, preference, -1), 1, tf.int32)  # [passages], 0 for none
    lengths = _lengths(tokens)
    sizes = tf.stack([tf.where(middle > 0, middle, lengths), lengths], 1)  # [passages, 2]
    sizes -= tf.pad(sizes, [[0, 0], [1, 0]])[:, :-1]
    return tf.RaggedTensor.from_row_lengths(
        tf.boolean_mask(tokens, tokens >= 0),
        tf.cast(tf.reshape(sizes, [-1]), tf.int64),
        validate=False,
    )


def _sentence_starts(batch: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """Whether a sentence starts at each token: bool [passages, tokens]."""
    rows = tf.where(batch["sentences"] >= 0)  # [sentences, 2]
    position = tf.cast(tf.gather_nd(batch["sentences"], rows), tf.int64)
    index = tf.stack([rows[:, 0], position], 1)
    shape = tf.shape(batch["tokens"], tf.int64)
    return tf.scatter_nd(index, tf.ones_like(position, tf.int32), shape) > 0


def _lengths(tokens: tf.Tensor) -> tf.Tensor:
    """int32 [passages]."""
    return tf.reduce_sum(tf.cast(tokens >= 0, tf.int32), 1)
