"""Pairs of segments, and whether the second continues the first."""

from collections.abc import Sequence

import tensorflow as tf


def next_sentences(
    halves: tf.RaggedTensor, documents: tf.Tensor, seed: tf.Tensor | Sequence[int]
) -> tuple[tf.RaggedTensor, tf.RaggedTensor, tf.Tensor]:
    """Makes pairs for next sentence prediction.

    Devlin et al. 2018 (arXiv 1810.04805), section 3.1, task 2. In half of the examples, B is
    exchanged with the B of an example from another document. The original draws B from the whole
    corpus; here every text is used exactly once.

    Args:
        halves: int32 ragged [2 * examples, (tokens)], A and B of each example in turn.
        documents: int64 [examples], the document of each example.
        seed: int [2].

    Returns:
        The first segments and the second ones, int32 ragged [examples, (tokens)] each; and int32
        [examples], 1 if the second follows the first in the text.
    """
    number = tf.range(tf.size(documents))
    partner = exchange(halves.row_lengths()[1::2], documents, seed)
    first, second = tf.gather(halves, 2 * number), tf.gather(halves, 2 * partner + 1)
    return first, second, tf.cast(partner == number, tf.int32)


def sentence_orders(
    halves: tf.RaggedTensor, seed: tf.Tensor | Sequence[int]
) -> tuple[tf.RaggedTensor, tf.RaggedTensor, tf.Tensor]:
    """Makes pairs for sentence order prediction.

    Lan et al. 2019 (arXiv 1909.11942), section 3.1. In half of the examples, on average, A and B
    are swapped.

    Args:
        halves: int32 ragged [2 * examples, (tokens)], A and B of each example in turn.
        seed: int [2].

    Returns:
        The first segments and the second ones, int32 ragged [examples, (tokens)] each; and int32
        [examples], 1 if the second follows the first in the text.
    """
    lengths = halves.row_lengths()[1::2]  # [examples], of B
    coins = tf.random.stateless_uniform(tf.shape(lengths), seed, 0, 2, tf.int32)
    swapped = tf.where(lengths > 0, coins, 0)
    number = tf.range(tf.size(lengths))
    first = tf.gather(halves, 2 * number + swapped)
    second = tf.gather(halves, 2 * number + 1 - swapped)
    return first, second, 1 - swapped


def exchange(
    lengths: tf.Tensor, documents: tf.Tensor, seed: tf.Tensor | Sequence[int]
) -> tf.Tensor:
    """Chooses which examples exchange segments: pairs of different documents and similar lengths.

    Segments of any lengths would reveal whether they were exchanged by the length of the example,
    because an example that was left alone is about as long as a passage is.

    Args:
        lengths: int64 [examples], the lengths of the segments. An empty one is not exchanged.
        documents: int64 [examples], the document of each example.
        seed: int [2].

    Returns:
        int32 [examples], the example that each exchanges with; its own number if it does not. Half
        of the examples exchange, on average, or fewer if too few are of different documents.
    """
    seeds = tf.random.split(seed, 3)
    count = tf.size(lengths)
    jitter = tf.random.stateless_uniform([count], seeds[0])  # equal lengths in random order
    single = tf.argsort(tf.cast(lengths, tf.float32) + jitter)
    single = tf.boolean_mask(single, tf.gather(lengths, single) > 0)
    pairs = []
    # Neighbours by length are paired if they may be, then the neighbours among the rest, and so
    # on. This finds nearly as many pairs as there can be, even if most are of one document.
    for shift in (0, 1, 0, 1):
        end = shift + tf.maximum(tf.size(single) - shift, 0) // 2 * 2
        neighbours = tf.reshape(single[shift:end], [-1, 2])  # [pairs, 2]
        document = tf.gather(documents, neighbours)  # [pairs, 2]
        allowed = document[:, 0] != document[:, 1]
        pairs.append(tf.boolean_mask(neighbours, allowed))
        rest = tf.reshape(tf.boolean_mask(neighbours, ~allowed), [-1])
        single = tf.concat([single[:shift], rest, single[end:]], 0)
    pairs = tf.concat(pairs, 0)  # [pairs, 2]
    wanted = tf.cast(count, tf.float32) / 4 + tf.random.stateless_uniform([], seeds[1])
    dice = tf.random.stateless_uniform([tf.shape(pairs)[0]], seeds[2])
    chosen = tf.gather(pairs, tf.argsort(dice)[: tf.cast(wanted, tf.int32)])  # [pairs, 2]
    return tf.tensor_scatter_nd_update(
        tf.range(count), tf.reshape(chosen, [-1, 1]), tf.reshape(chosen[:, ::-1], [-1])
    )
