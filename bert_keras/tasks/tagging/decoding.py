"""From the probabilities of words' tags to entities, in graph operations.

Tags are numbered "O", "B" of the first type, "I" of the first type, "B" of the second, ... An "I"
follows a "B" or an "I" of its type and nothing else.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf


class FoundEntities(NamedTuple):
    """Entities of texts, all ragged [texts, (entities)].

    Attributes:
        type: int32, the number of the type.
        first, last: int32, the words, counted through all texts.
        score: float32, the mean of the probabilities of the tags of the entity's words.
    """

    type: tf.RaggedTensor
    first: tf.RaggedTensor
    last: tf.RaggedTensor
    score: tf.RaggedTensor


def find_entities(log_probs):
    """Finds the entities in texts.

    Args:
        log_probs: ragged float32 [texts, (words), tags], the logarithms of probabilities.

    Returns:
        int32 [words], the tags of all texts' words, one after the other; and `FoundEntities`.
    """
    tags = best_tags(log_probs)  # [words]
    begins = tf.cast(tags % 2 == 1, tf.int32)
    first = tf.cast(tf.where(begins > 0)[:, 0], tf.int32)  # [entities]
    count = tf.size(first)
    # Of the words that are in an entity at all, each is in the one begun last.
    words = tf.where(tags > 0)[:, 0]
    entity = tf.gather(tf.cumsum(begins) - 1, words)
    sizes = tf.math.unsorted_segment_sum(tf.ones_like(entity), entity, count)  # [entities]
    of_words = tf.exp(tf.gather(log_probs.values, tags, batch_dims=1))  # [words]
    sums = tf.math.unsorted_segment_sum(tf.gather(of_words, words), entity, count)
    kind = (tf.gather(tags, first) - 1) // 2
    splits = tf.searchsorted(first, tf.cast(log_probs.row_splits, tf.int32), out_type=tf.int64)
    columns = kind, first, first + sizes - 1, sums / tf.cast(sizes, tf.float32)
    return tags, FoundEntities(
        *(tf.RaggedTensor.from_row_splits(column, splits, validate=False) for column in columns)
    )


def best_tags(log_probs):
    """The most probable tags of which each may follow the one before it (Viterbi 1967).

    Most words cannot go on with an entity, whatever comes next. There a text falls into runs that
    have nothing to do with each other, and all runs are decoded side by side, in as many steps as
    the longest has words.

    Args:
        log_probs: ragged float32 [texts, (words), tags].

    Returns:
        int32 [words], for all texts one after the other.
    """
    values = log_probs.values  # [words, tags]
    words, tags = tf.shape(values, tf.int64)[0], values.shape[-1]
    starts = tf.where(_begins_run(values, log_probs.row_splits))[:, 0]  # [runs]
    lengths = tf.concat([starts, [words]], 0)[1:] - starts
    longest_first = tf.argsort(lengths, direction="DESCENDING", stable=True)
    starts, lengths = tf.gather(starts, longest_first), tf.gather(lengths, longest_first)
    steps = tf.maximum(tf.reduce_max(tf.concat([lengths, [1]], 0)), 1)

    def positions(step):
        """The step's word of each run that has as many."""
        return starts[: tf.math.count_nonzero(lengths > step)] + step

    # Forward: for every word and tag, the score of the best way there.
    def forward(step, scores, kept):
        at = positions(step)
        scores = tf.gather(values, at) + _best_before(scores[: tf.size(at)])  # [runs, tags]
        scores -= tf.reduce_max(scores, axis=1, keepdims=True)  # sums of many would lose precision
        return step + 1, scores, kept.write(tf.cast(step, tf.int32), scores)

    count = tf.cast(steps, tf.int32)
    kept = tf.TensorArray(tf.float32, count, infer_shape=False, element_shape=[None, tags])
    nowhere = tf.fill([tf.size(starts), tags], -np.inf)  # before the first word no entity is open
    _, _, kept = tf.while_loop(
        lambda step, *_: step < steps,
        forward,
        (
            tf.constant(0, tf.int64),
            tf.concat([tf.zeros_like(nowhere[:, :1]), nowhere[:, 1:]], 1),
            kept,
        ),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, tags]), tf.TensorShape(None)),
    )

    # Backward: the best tag of all that the next word's tag may follow.
    may_be_before = tf.constant(_may_be_before(tags))

    def backward(step, after, found, at):
        here = positions(step)
        ends = tf.fill([tf.size(here) - tf.size(after)], tags)  # these runs' last words
        scores = kept.read(tf.cast(step, tf.int32)) + tf.gather(
            may_be_before, tf.concat([after, ends], 0)
        )
        best = tf.argmax(scores, axis=1, output_type=tf.int32)  # [runs]
        index = tf.cast(step, tf.int32)
        return step - 1, best, found.write(index, best), at.write(index, here)

    columns = [
        tf.TensorArray(dtype, count, infer_shape=False, element_shape=[None])
        for dtype in (tf.int32, tf.int64)
    ]
    _, _, found, at = tf.while_loop(
        lambda step, *_: step >= 0,
        backward,
        (steps - 1, tf.zeros([0], tf.int32), *columns),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None]), *[tf.TensorShape(None)] * 2),
    )
    return tf.scatter_nd(at.concat()[:, tf.newaxis], found.concat(), [words])


def _begins_run(values, row_splits):
    """Finds words where no entity goes on in any best sequence of tags.

    Were such a word an "I" there, then another tag for it, one that may follow anything, would be
    better, even if the next word had to be a "B" instead of an "I" for it.

    Args:
        values: float32 [words, tags].
        row_splits: int64 [texts + 1].

    Returns:
        bool [words]; true for a text's first word.
    """
    begins, insides = values[:, 1::2], values[:, 2::2]  # [words, types]
    other = tf.maximum(values[:, 0], tf.reduce_max(begins, axis=1))  # [words]
    words = tf.shape(values, tf.int64)[0]
    is_first = tf.math.unsorted_segment_max(
        tf.ones_like(row_splits, tf.int32), row_splits, words + 1
    )  # [words + 1]; the least integer for others
    is_first = is_first > 0
    price = tf.concat([insides - begins, tf.zeros_like(insides[:1])], 0)[1:]  # at the next word
    price = tf.where(is_first[1:, tf.newaxis], 0.0, tf.maximum(price, 0.0))  # [words, types]
    never = tf.reduce_all(other[:, tf.newaxis] - insides > price, axis=1)
    return is_first[:-1] | never


def _best_before(scores):
    """The best score of a way that may lead on to each tag: [runs, tags], of the word before."""
    best = tf.reduce_max(scores, axis=1, keepdims=True)  # [runs, 1]
    opened = tf.maximum(scores[:, 1::2], scores[:, 2::2])  # [runs, types]
    pairs = tf.stack([tf.broadcast_to(best, tf.shape(opened)), opened], axis=2)
    return tf.concat([best, tf.reshape(pairs, [-1, 2 * opened.shape[1]])], axis=1)


def _may_be_before(tags):
    """Zero or minus infinity, for a tag, or the end, and what is before: [tags + 1, tags]."""
    table = np.zeros([tags + 1, tags], np.float32)
    for inside in range(2, tags, 2):
        table[inside] = -np.inf
        table[inside, [inside - 1, inside]] = 0
    return table
