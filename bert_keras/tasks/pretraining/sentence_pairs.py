"""Pairs of segments, and the question whether the second goes on where the first ends."""

import tensorflow as tf


def next_sentences(halves, documents, seed):
    """Next sentence prediction (Devlin et al. 2018, arXiv 1810.04805, section 3.1, task 2).

    In half of the examples, B is exchanged with that of an example from another document. The
    original draws B from all of the text; here every text is used exactly once.

    Args:
        halves: int32 ragged [2 examples, (tokens)], A and B in turn.
        documents: int64 [examples].
        seed: int [2].

    Returns:
        first, second: int32 ragged [examples, (tokens)].
        is_next: int32 [examples], 1 if the second follows the first in the text.
    """
    number = tf.range(tf.size(documents))
    partner = exchange(halves.row_lengths()[1::2], documents, seed)
    first, second = tf.gather(halves, 2 * number), tf.gather(halves, 2 * partner + 1)
    return first, second, tf.cast(partner == number, tf.int32)


def sentence_orders(halves, seed):
    """Sentence order prediction (Lan et al. 2019, arXiv 1909.11942, section 3.1).

    Half of the examples, on average, have A and B in the other order.

    Args:
        halves: int32 ragged [2 examples, (tokens)], A and B in turn.
        seed: int [2].

    Returns:
        first, second: int32 ragged [examples, (tokens)].
        is_next: int32 [examples], 1 if the second follows the first in the text.
    """
    lengths = halves.row_lengths()[1::2]  # [examples], of B
    coins = tf.random.stateless_uniform(tf.shape(lengths), seed, 0, 2, tf.int32)
    swapped = tf.where(lengths > 0, coins, 0)
    number = tf.range(tf.size(lengths))
    first = tf.gather(halves, 2 * number + swapped)
    second = tf.gather(halves, 2 * number + 1 - swapped)
    return first, second, 1 - swapped


def exchange(lengths, documents, seed):
    """Chooses who exchanges with whom: pairs of different documents and of nearly equal lengths.

    Were they of any lengths, the length of an example would tell whether it was exchanged: those
    left alone are about as long as a passage is.

    Args:
        lengths: int64 [examples], the lengths of what is exchanged; who has nothing keeps it.
        documents: int64 [examples].
        seed: int [2].

    Returns:
        int32 [examples], with whom each exchanges, with itself for none. Half of all exchange, on
        average, or fewer where not so many are of different documents.
    """
    seeds = tf.random.split(seed, 3)
    count = tf.size(lengths)
    jitter = tf.random.stateless_uniform([count], seeds[0])  # equals come in random order
    single = tf.argsort(tf.cast(lengths, tf.float32) + jitter)
    single = tf.boolean_mask(single, tf.gather(lengths, single) > 0)
    found = []
    # Neighbours by length pair up if they may, then those that are left, and so on: it finds nearly
    # as many pairs as there can be, even where most are of one document.
    for shift in (0, 1, 0, 1):
        end = shift + tf.maximum(tf.size(single) - shift, 0) // 2 * 2
        pairs = tf.reshape(single[shift:end], [-1, 2])  # [pairs, 2]
        may = tf.gather(documents, pairs[:, 0]) != tf.gather(documents, pairs[:, 1])
        found.append(tf.boolean_mask(pairs, may))
        rest = tf.reshape(tf.boolean_mask(pairs, ~may), [-1])
        single = tf.concat([single[:shift], rest, single[end:]], 0)
    found = tf.concat(found, 0)  # [pairs, 2]
    wanted = tf.cast(count, tf.float32) / 4 + tf.random.stateless_uniform([], seeds[1])
    dice = tf.random.stateless_uniform([tf.shape(found)[0]], seeds[2])
    chosen = tf.gather(found, tf.argsort(dice)[: tf.cast(wanted, tf.int32)])  # [pairs, 2]
    return tf.tensor_scatter_nd_update(
        tf.range(count), tf.reshape(chosen, [-1, 1]), tf.reshape(chosen[:, ::-1], [-1])
    )
