"""Where passages are cut: at sentences before words, and at words before anything else.

Batches of passages are dicts of `tokens`, int32 [passages, tokens], and `sentences`, int32
[passages, sentences], where each sentence begins; both are padded with -1.
"""

import tensorflow as tf

NOTHING = -1  # pads token ids and places, of which none is below 0


def cut_to_length(batch, room):
    """Cuts passages into pieces of as many whole sentences as fit.

    Args:
        batch: a batch of passages with `document`, int64 [passages].
        room: tokens a piece at most; a longer sentence is cut as often as it must.

    Returns:
        A batch of the pieces, in order: `tokens` and `sentences` are [pieces, room], the latter
        with -1 wherever no sentence begins.
    """
    tokens, begins = batch["tokens"], _sentence_begins(batch)  # [passages, tokens]
    lengths = _lengths(tokens)
    position = tf.range(tf.shape(tokens)[1])

    def cut(at, cuts):
        after = position - at[:, tf.newaxis]  # [passages, tokens]
        fits = begins & (after > 0) & (after <= room)
        sentence = tf.reduce_max(tf.where(fits, position, 0), 1)  # [passages], 0 for none
        is_last = lengths - at <= room
        at = tf.minimum(tf.where((sentence == 0) | is_last, at + room, sentence), lengths)
        return at, cuts.write(cuts.size(), at)

    cuts = tf.TensorArray(tf.int32, 0, dynamic_size=True, element_shape=lengths.shape)
    _, cuts = tf.while_loop(
        lambda at, _: tf.reduce_any(at < lengths), cut, (tf.zeros_like(lengths), cuts)
    )
    ends = tf.transpose(tf.reshape(cuts.stack(), [-1, tf.size(lengths)]))  # [passages, cuts]
    real = tf.where(tf.pad(ends, [[0, 0], [1, 0]])[:, :-1] < ends)  # [pieces, 2]
    passage = real[:, 0]
    # With all tokens end to end, a piece begins where the one before it ends.
    ends = tf.gather_nd(ends, real) + tf.gather(tf.cumsum(lengths, exclusive=True), passage)
    splits = tf.concat([[0], ends], 0)  # [pieces + 1]

    def in_pieces(values):  # [passages, tokens]
        values = tf.boolean_mask(values, tokens >= 0)
        pieces = tf.RaggedTensor.from_row_splits(values, splits, validate=False)
        return pieces.to_tensor(NOTHING, shape=[None, room])  # [pieces, room]

    begins = in_pieces(tf.cast(begins, tf.int32))
    return {
        "tokens": in_pieces(tokens),
        "sentences": tf.where(begins > 0, tf.range(room), NOTHING),
        "document": tf.gather(batch["document"], passage),
    }


def cut_in_two(batch, continuation, seed):
    """Cuts each passage at a random place into A and B.

    The place is the beginning of a sentence; of a word, if there is one sentence; or anywhere, if
    there is one word. A passage of one token is all A, and its B is empty.

    Args:
        batch: a batch of passages.
        continuation: bool [vocabulary], pieces that go on a word.
        seed: int [2].

    Returns:
        int32 ragged [2 passages, (tokens)]: A and B of the first passage, of the second, and so on.
    """
    tokens = batch["tokens"]  # [passages, tokens]
    begins_word = ~tf.gather(continuation, tf.maximum(tokens, 0))
    worth = tf.cast(begins_word, tf.float32) + 2 * tf.cast(_sentence_begins(batch), tf.float32)
    worth += tf.random.stateless_uniform(tf.shape(tokens), seed)
    may = (tokens >= 0) & (tf.range(tf.shape(tokens)[1]) > 0)
    middle = tf.argmax(tf.where(may, worth, -1), 1, tf.int32)  # [passages], 0 for none
    lengths = _lengths(tokens)
    sizes = tf.stack([tf.where(middle > 0, middle, lengths), lengths], 1)  # [passages, 2]
    sizes -= tf.pad(sizes, [[0, 0], [1, 0]])[:, :-1]
    return tf.RaggedTensor.from_row_lengths(
        tf.boolean_mask(tokens, tokens >= 0),
        tf.cast(tf.reshape(sizes, [-1]), tf.int64),
        validate=False,
    )


def _sentence_begins(batch):
    """Whether a sentence begins with each token: bool [passages, tokens]."""
    rows = tf.where(batch["sentences"] >= 0)  # [sentences, 2]
    position = tf.cast(tf.gather_nd(batch["sentences"], rows), tf.int64)
    index = tf.stack([rows[:, 0], position], 1)
    shape = tf.shape(batch["tokens"], tf.int64)
    return tf.scatter_nd(index, tf.ones_like(position, tf.int32), shape) > 0


def _lengths(tokens):
    """int32 [passages]."""
    return tf.reduce_sum(tf.cast(tokens >= 0, tf.int32), 1)
